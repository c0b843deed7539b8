# SPDX-License-Identifier: Apache-2.0
"""The program: commands, help, exit statuses."""

import io
import sys
from pathlib import Path

import pytest

from trunkline_server.cli import main
from trunkline_server.cli.program import make_parser, read_version


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--help"], ["trunkline serve", "trunkline chat", "check-config", "keys new", "trunkline models"]),
        (
            ["serve", "--help"],
            ["--http HOST:PORT", "--insecure", "--drain-grace-s N", "text|json", "TRUNKLINE_HTTP__LISTEN"],
        ),
        (["chat", "--help"], ["--grpc", "--http", "--model", "standard input", "Ctrl-C"]),
        (["models", "--help"], ["--config", "million"]),
        (["route", "--help"], ["--explain FILE", "--config", "standard input", "Exit status"]),
        (["keys", "new", "--help"], ["--name"]),
        (["check-config", "--help"], ["FILE", "Exit status"]),
        (["--version"], ["trunkline ", read_version()]),
    ],
)
def test_help_teaches(argv: list[str], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Help ends well and shows what there is."""
    assert main(argv, {}) == 0
    out = capsys.readouterr().out
    assert [word for word in words if word not in out] == []


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["fly"],
        ["serve", "--htpp", "x"],
        ["serve", "--htt", "127.0.0.1:0"],
        ["keys"],
        ["route"],
        ["chat", "--grpc", "a:1", "--http", "http://b", "hi"],
        ["chat", "--max-tokens", "many", "hi"],
    ],
)
def test_a_line_that_is_not_understood(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The status is 2 and the usage is shown; flags are not guessed from their beginnings."""
    assert main(argv, {}) == 2
    assert capsys.readouterr().err.startswith("usage: trunkline")


class Closing(io.StringIO):
    """An output that fails when written to. Its file is a scratch file, which may be replaced."""

    def __init__(self, failure: type[BaseException], scratch: int) -> None:
        super().__init__()
        self._failure = failure
        self._scratch = scratch

    def write(self, text: str) -> int:
        raise self._failure

    def fileno(self) -> int:
        return self._scratch


@pytest.mark.parametrize(("failure", "status"), [(KeyboardInterrupt, 130), (BrokenPipeError, 0)])
def test_an_output_that_ends_early(
    failure: type[BaseException],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """Ctrl-C and a reader that has seen enough are no tracebacks."""
    with (tmp_path / "scratch").open("w") as scratch:
        monkeypatch.setattr(sys, "stdout", Closing(failure, scratch.fileno()))
        assert main(["keys", "new"], {}) == status
    assert capsys.readouterr().err.strip() == ""


def test_every_command_has_its_help() -> None:
    """The list of commands has a line for each."""
    text = make_parser().format_help()
    assert [
        name for name in ("serve", "chat", "models", "route", "keys", "check-config") if f"    {name}" not in text
    ] == []
