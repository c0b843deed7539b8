# SPDX-License-Identifier: Apache-2.0
"""Terminals for tests of the command line."""

import io
from collections.abc import Mapping

from trunkline_server.cli.terminal import Terminal


class Screen(io.StringIO):
    """A text stream that says that a person looks at it."""

    def isatty(self) -> bool:
        return True


def make_terminal(*, live: bool = False, typed: str = "", environment: Mapping[str, str] | None = None) -> Terminal:
    """A terminal on memory: live for a screen, else a pipe. `typed` comes from standard input."""
    return Terminal(
        environment=environment or {},
        out=Screen() if live else io.StringIO(),
        err=io.StringIO(),
        inp=io.StringIO(typed),
    )


def shown(terminal: Terminal) -> str:
    """What was written to the standard output of a terminal from `make_terminal`."""
    assert isinstance(terminal.out, io.StringIO)
    return terminal.out.getvalue()
