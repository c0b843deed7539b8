# SPDX-License-Identifier: Apache-2.0
"""What the gateway tells its operators."""
