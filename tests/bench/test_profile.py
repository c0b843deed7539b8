# SPDX-License-Identifier: Apache-2.0
"""Flame graphs of the gateway under load."""

from pathlib import Path

import pytest

from bench.gateways import Wire, http_call
from bench.loads import Loader, find_missing
from bench.profile import KINDS, Profiled, find_py_spy, main


def make_profiled(kind: str, *, native: bool = False) -> Profiled:
    """A profile of ten seconds over HTTP."""
    return Profiled(wire=Wire.HTTP, kind=kind, seconds=10, native=native)


@pytest.mark.parametrize(("kind", "program"), [("unary", "h2load"), ("paced", "streams"), ("burst", "streams")])
def test_the_load_outlasts_the_profile(kind: str, program: str, tmp_path: Path) -> None:
    """Each kind has its load, which is longer than py-spy looks."""
    command = make_profiled(kind).load(Loader(wire=Wire.HTTP, call=http_call(1), folder=tmp_path))
    assert Path(command[0]).name == program
    assert {"12", "12s"} & set(command)


@pytest.mark.parametrize(("native", "flag"), [(False, "--nonblocking"), (True, "--native")])
def test_what_py_spy_is_told(native: bool, flag: str, tmp_path: Path) -> None:
    """py-spy looks from outside; it stops the gateway only where C functions are wanted."""
    command = make_profiled("paced", native=native).record("py-spy", 7, tmp_path / "x.svg")
    assert command[:4] == ["py-spy", "record", "--pid", "7"]
    assert flag in command
    assert command[-1] == str(tmp_path / "x.svg")


def test_unknown_kinds_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A word that is no kind of load ends the command with what is wrong."""
    with pytest.raises(SystemExit):
        main(["--kinds", "unary,triple"])
    assert "unknown: triple" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(bool(find_missing()), reason="the load's programs are not here")
@pytest.mark.skipif(find_py_spy() is None, reason="py-spy is not here")
def test_a_picture_for_each_wire_and_kind(tmp_path: Path) -> None:
    """Every wire and kind makes a flame graph in which the gateway's own functions stand."""
    assert main(["--kinds", ",".join(KINDS), "--seconds", "2", "--results", str(tmp_path)]) == 0
    pictures = {path.name: "trunkline_server" in path.read_text(encoding="utf-8") for path in tmp_path.glob("*.svg")}
    assert pictures == {f"{wire}-{kind}.svg": True for wire in Wire for kind in KINDS}
