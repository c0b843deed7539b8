# SPDX-License-Identifier: Apache-2.0
"""What every other room speaks of: errors, calls, chunks, ports. Pure."""
