# SPDX-License-Identifier: Apache-2.0
"""I/O towards providers."""
