# SPDX-License-Identifier: Apache-2.0
"""The tests' own tools: golden files and programs that a machine may lack."""

from pathlib import Path

import pytest

from support.golden import Golden
from support.toolchains import require_program


def test_an_equal_golden_file_passes(tmp_path: Path) -> None:
    """What was written with the update flag is accepted without it, line ends included."""
    Golden(folder=tmp_path, update=True).check_text("a/b.txt", "one\r\ntwo\n")
    Golden(folder=tmp_path, update=False).check_text("a/b.txt", "one\r\ntwo\n")
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"one\r\ntwo\n"


def test_a_different_golden_file_fails(tmp_path: Path) -> None:
    """A difference fails the test and leaves the file as it is."""
    (tmp_path / "b.json").write_bytes(b'{\n  "a": 1\n}\n')
    Golden(folder=tmp_path, update=False).check_json("b.json", {"a": 1})
    with pytest.raises(AssertionError, match="make golden"):
        Golden(folder=tmp_path, update=False).check_json("b.json", {"a": 2})
    assert (tmp_path / "b.json").read_bytes() == b'{\n  "a": 1\n}\n'


def test_an_absent_golden_file_fails(tmp_path: Path) -> None:
    """A file that nobody has written yet is a failure that says how to write it."""
    with pytest.raises(pytest.fail.Exception, match="make golden"):
        Golden(folder=tmp_path, update=False).check_text("new.txt", "")


def test_a_missing_program_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a person's machine a test without its program is skipped."""
    monkeypatch.delenv("REQUIRE_TOOLCHAINS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-program"):
        require_program("no-such-program")


def test_a_missing_program_fails_where_it_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """In CI a test without its program fails."""
    monkeypatch.setenv("REQUIRE_TOOLCHAINS", "1")
    with pytest.raises(pytest.fail.Exception, match="no-such-program"):
        require_program("no-such-program")
