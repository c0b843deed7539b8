# SPDX-License-Identifier: Apache-2.0
"""`make profile`: flame graphs of the gateway under load, one for each wire and kind of answer, made by py-spy from outside the process.

py-spy looks at the gateway some hundred times a second without stopping it, so the load goes on as it would; a few looks fail, which py-spy counts. On systems
that let a process look into its children alone (`kernel.yama.ptrace_scope`), run it as root.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.check import wait_for_answer
from bench.floors import Trunkline
from bench.gateways import BURST_MODEL, PACED_MODEL, BenchError, Running, Wire
from bench.loads import Loader, find_missing
from bench.processes import LOAD_CORE, ROOT, GatewaySite, Processes, ended_in_order, on_core, raise_file_limit
from bench.upstream import Upstream, start_upstream

RESULTS = ROOT / "build" / "profiles"
RATE = 200
CONNECTIONS = 64
# Faster than any gateway in Python answers on one core: the load is as many calls as the gateway takes.
MOST_RPS = 100_000.0
START_S = 30.0
# The load begins before the first look, and ends after the last.
MARGIN_S = 1.0

KINDS = {
    "unary": "whole answers, 64 at once",
    "paced": "64 streams of a chunk each 5 ms",
    "burst": "64 streams in bursts",
}
"""What is profiled."""
_MODELS = {"paced": PACED_MODEL, "burst": BURST_MODEL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiled:
    """One picture to make. `seconds` is how long py-spy looks; `native` shows functions of C extensions, too, and stops the gateway for each look."""

    wire: Wire
    kind: str
    seconds: float
    native: bool

    def load(self, loader: Loader) -> list[str]:
        """The command of the load, which is longer than the profile."""
        seconds = self.seconds + 2 * MARGIN_S
        if self.kind == "unary":
            return loader.steady_unary_command(rps=MOST_RPS, seconds=seconds)
        return loader.steady_streams_command(model=_MODELS[self.kind], connections=CONNECTIONS, seconds=seconds)

    def record(self, program: str, pid: int, picture: Path) -> list[str]:
        """The command of py-spy."""
        how = ["--native"] if self.native else ["--nonblocking"]
        times = ["--rate", str(RATE), "--duration", str(max(1, round(self.seconds)))]
        return [program, "record", "--pid", str(pid), *times, *how, "--output", str(picture)]


def find_py_spy() -> str | None:
    """The program, of this environment or of the system; None where there is none."""
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.exists() else shutil.which("py-spy")


def make_profile(
    profiled: Profiled, *, py_spy: str, processes: Processes, running: Running, folder: Path, picture: Path
) -> None:
    """Load the gateway and have py-spy draw what it does meanwhile. Raises BenchError."""
    loader = Loader(wire=profiled.wire, call=running.calls[profiled.wire], folder=folder)
    load = processes.spawn(profiled.load(loader), core=LOAD_CORE, log=folder / f"{profiled.wire}-{profiled.kind}.log")
    time.sleep(MARGIN_S)
    try:
        with on_core(LOAD_CORE):
            done = subprocess.run(
                profiled.record(py_spy, running.pids[0], picture),
                capture_output=True,
                text=True,
                timeout=profiled.seconds + START_S,
                check=False,
            )
        if not processes.is_alive(load):
            raise BenchError(f"the load of {profiled.wire} {profiled.kind} ended early")
    except subprocess.TimeoutExpired as error:
        raise BenchError("py-spy did not come to an end") from error
    finally:
        processes.end([load])
    if done.returncode or not picture.exists():
        raise BenchError(f"py-spy failed: {(done.stderr.strip().splitlines() or ['it said nothing'])[-1]}")


def main(words: Sequence[str] | None = None) -> int:
    """Return 0 when all pictures were made, 2 when none can be made here."""
    arguments = _parse_arguments(words)
    missing = find_missing()
    py_spy = find_py_spy()
    if py_spy is None:
        missing.append("py-spy is not installed: pip install py-spy")
    if missing or py_spy is None:
        print("\n".join(["This cannot be profiled here:", *missing]), file=sys.stderr)
        return 2
    raise_file_limit()
    arguments.results.mkdir(parents=True, exist_ok=True)
    with (
        ended_in_order(),
        on_core(LOAD_CORE),
        tempfile.TemporaryDirectory(prefix="trunkline-profile-") as name,
        Processes() as processes,
    ):
        folder = Path(name)
        upstream = start_upstream(processes, folder)
        running = _start(processes, folder, upstream)
        for wire in arguments.wires:
            for kind in arguments.kinds:
                profiled = Profiled(wire=wire, kind=kind, seconds=arguments.seconds, native=arguments.native)
                picture = arguments.results / f"{wire}-{kind}.svg"
                picture.unlink(missing_ok=True)
                make_profile(
                    profiled, py_spy=py_spy, processes=processes, running=running, folder=folder, picture=picture
                )
                print(f"wrote {picture}")
    return 0


def _start(processes: Processes, folder: Path, upstream: Upstream) -> Running:
    """Start a gateway and wait for its first answers. Raises BenchError."""
    place = folder / "gateway"
    place.mkdir()
    site = GatewaySite(
        folder=place, upstream_http_port=upstream.http_port, upstream_grpc_port=upstream.grpc_port, processes=processes
    )
    running = Trunkline().start(site)
    for wire, call in running.calls.items():
        wait_for_answer(
            wire, call, timeout_s=START_S, is_alive=lambda: all(processes.is_alive(pid) for pid in running.pids)
        )
    return running


def _parse_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--wires", type=_list_of_wires, default=list(Wire), metavar="WIRE,...", help="http, grpc (default: both)"
    )
    parser.add_argument(
        "--kinds",
        type=_list_of_kinds,
        default=["unary", "paced"],
        metavar="KIND,...",
        help=f"{', '.join(KINDS)} (default: unary,paced)",
    )
    parser.add_argument(
        "--seconds", type=float, default=10.0, metavar="S", help="how long each profile takes (default: 10)"
    )
    parser.add_argument(
        "--native", action="store_true", help="show C functions, too; each look stops the gateway, so it answers less"
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=RESULTS,
        metavar="FOLDER",
        help=f"where the pictures go (default: {RESULTS.relative_to(ROOT)})",
    )
    return parser.parse_args(words)


def _list_of_wires(text: str) -> list[Wire]:
    return [Wire(word) for word in text.split(",")]


def _list_of_kinds(text: str) -> list[str]:
    kinds = text.split(",")
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}")
    return kinds


if __name__ == "__main__":
    sys.exit(main())
