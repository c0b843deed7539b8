# SPDX-License-Identifier: Apache-2.0
"""Reading settings for a command."""

from pathlib import Path

import pytest

from support.terminals import make_terminal
from trunkline_server.cli.settings_file import load_settings
from trunkline_server.cli.terminal import CommandError


def test_a_file_is_read(tmp_path: Path) -> None:
    """With the terminal's environment."""
    path = tmp_path / "g.toml"
    path.write_text('default_model = "${MODEL}"\n', encoding="utf-8")
    settings = load_settings(str(path), make_terminal(environment={"MODEL": "sim/echo"}), {"--drain-grace-s": "5"})
    assert (settings.default_model, settings.drain.grace_s) == ("sim/echo", 5)


def test_no_file_is_needed() -> None:
    """Then the defaults hold."""
    assert load_settings(None, make_terminal(), {}).http.listen.port == 8080


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot read the settings file"),
        (b"\xff\xfe", "is not a text in UTF-8"),
        (b"x = 1\ny = 2\n", "2 faults in the settings:\n"),
        (b"x = 1\n", "1 fault in the settings:\n"),
    ],
)
def test_a_file_that_cannot_be_used(content: bytes | None, words: str, tmp_path: Path) -> None:
    """The complaint names the file and every fault."""
    path = tmp_path / "g.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CommandError, match=words) as caught:
        load_settings(str(path), make_terminal(), {})
    assert str(path) in str(caught.value)
