# SPDX-License-Identifier: Apache-2.0
"""The gateway: everything behind `pip install trunkline[server]`."""
