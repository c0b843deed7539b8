# SPDX-License-Identifier: Apache-2.0
"""The command line: one module a command, and the terminal they write to."""

from trunkline_server.cli.program import main

__all__ = ["main"]
