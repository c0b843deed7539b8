# SPDX-License-Identifier: Apache-2.0
"""I/O towards clients. What both wires share stands here, each wire in a package of its own."""
