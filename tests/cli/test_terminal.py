# SPDX-License-Identifier: Apache-2.0
"""What a command sees of the world."""

import io

import pytest

from support.terminals import make_terminal, shown
from trunkline_server.cli.terminal import CommandError

TRICKY = "a\x1b[2Jb\x07\r\x9bc\td\n"


def test_a_pipe_gets_text_as_it_is() -> None:
    """Colours and cleaning are for screens."""
    terminal = make_terminal()
    assert (terminal.dim("x"), terminal.bold("x"), terminal.clean(TRICKY)) == ("x", "x", TRICKY)


def test_a_screen_gets_colours_and_no_control_characters() -> None:
    """A model's text cannot move the cursor or ring."""
    terminal = make_terminal(live=True)
    assert (terminal.dim("x"), terminal.bold("x"), terminal.dim("")) == ("\x1b[2mx\x1b[0m", "\x1b[1mx\x1b[0m", "")
    assert terminal.clean(TRICKY) == "a[2Jbc\td\n"


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_refused(environment: dict[str, str]) -> None:
    """By the variables that other programs know too."""
    assert make_terminal(live=True, environment=environment).dim("x") == "x"


def test_saying_and_complaining() -> None:
    """Results and complaints go to different outputs."""
    terminal = make_terminal()
    terminal.say("result", end="")
    terminal.complain("problem")
    assert isinstance(terminal.err, io.StringIO)
    assert (shown(terminal), terminal.err.getvalue()) == ("result", "problem\n")


def test_an_error_has_a_status() -> None:
    """1 unless it says otherwise."""
    assert (CommandError("x").status, CommandError("x", status=2).status) == (1, 2)
