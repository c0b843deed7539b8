# SPDX-License-Identifier: Apache-2.0
"""What a second worker brings: `python -m bench.workers`.

On a machine of two cores the load and the fake upstream need a share of both, so two workers never have two cores to themselves. The comparison is
therefore between one core and two, each with everything on it: one worker, the upstream and the load confined to one core; then two workers, the upstream and the
load on two. Both are busy to the brim, and the share of the load is the same a request. What is left of a factor of 2 is what workers lose: unequal
shares of the connections, caches, the scheduler. The two take turns, and the best turns are compared: other programs can only slow one down.

They still distort the clock more than they distort CPU time. So the same factor is also given from CPU time: requests for each second of CPU that
gateway, upstream and load really had, times the number of cores. It knows nothing of cores that idle, which the share of the time that was used tells.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.check import wait_for_answer
from bench.floors import Trunkline
from bench.gateways import UNARY_MODEL, BenchError, Call, Running, Wire
from bench.loads import Loader, find_missing, parse_h2load
from bench.measure import find_tree, read_cpu_s, read_rss_bytes
from bench.payload import ANSWER_BYTES
from bench.processes import Processes, can_pin, raise_file_limit, wait_for_output
from bench.upstream import Upstream, start_upstream

CALLS_AT_ONCE = 64
# Enough that none of two workers goes without.
H2_CONNECTIONS = 16
START_S = 30.0
WARM_UP_S = 1.0
GRACE_S = 15.0
TARGET = 1.7
MB = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSite:
    """Where a gateway of so many workers starts; a `bench.gateways.Site`. It runs on the cores that are counted from 0."""

    folder: Path
    upstream: Upstream
    processes: Processes
    workers: int
    pids: list[int] = field(default_factory=list)

    @property
    def upstream_http_port(self) -> int:
        """Where the upstream answers."""
        return self.upstream.http_port

    @property
    def upstream_grpc_port(self) -> int | None:
        """The gateway speaks HTTP to its providers."""
        return None

    def spawn(
        self, command: Sequence[str], *, environment: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> int:
        """Start the gateway with this number of workers."""
        given = {**(environment or {}), "TRUNKLINE_WORKERS": str(self.workers)}
        log, where = self.folder / "output.log", folder or self.folder
        pinned = [*confined_to(self.workers), *command]
        self.pids.append(self.processes.spawn(pinned, core=0, log=log, environment=given, folder=where))
        return self.pids[-1]

    def wait_for_output(self, pattern: str) -> str:
        """The first group of what the expression finds in the gateway's output."""
        return wait_for_output(
            self.folder / "output.log", pattern, processes=self.processes, pid=self.pids[-1], timeout_s=START_S
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One load: requests a second by the clock, the CPU seconds that the gateway and all else had, and the requests."""

    rps: float
    requests: int
    gateway_s: float
    others_s: float

    @property
    def gateway_us(self) -> float:
        """CPU µs of the gateway a request."""
        return self.gateway_s / self.requests * 1e6

    @property
    def others_us(self) -> float:
        """CPU µs of upstream and load a request."""
        return self.others_s / self.requests * 1e6

    @property
    def whole_us(self) -> float:
        """CPU µs of all of them a request."""
        return self.gateway_us + self.others_us

    @property
    def busy_cores(self) -> float:
        """How many cores they had."""
        return (self.gateway_s + self.others_s) * self.rps / self.requests


def confined_to(cores: int) -> list[str]:
    """What keeps a program on the first cores, put before its command."""
    return ["taskset", "-c", ",".join(map(str, range(cores)))]


def load_once(wire: Wire, call: Call, running: Running, upstream: Upstream, folder: Path, *, seconds: float) -> Turn:
    """Load a gateway for a time, with the load and the upstream on as many cores as it has workers."""
    cores = len(os.sched_getaffinity(running.pids[0]))
    os.sched_setaffinity(upstream.pid, range(cores))
    body, log = folder / f"{wire}.body", folder / "h2load.log"
    body.write_bytes(Loader(wire=wire, call=call, folder=folder).make_body(UNARY_MODEL, stream=False))
    log.unlink(missing_ok=True)
    kind = "application/grpc" if wire is Wire.GRPC else "application/json"
    headers = {"content-type": kind, **call.headers, **({"te": "trailers"} if wire is Wire.GRPC else {})}
    split = ["--h1", "-c", str(CALLS_AT_ONCE)]
    if wire is Wire.GRPC:
        split = ["-c", str(H2_CONNECTIONS), "-m", str(CALLS_AT_ONCE // H2_CONNECTIONS)]
    command = [*confined_to(cores), "h2load", "-D", f"{round(seconds * 1000)}ms", *split, f"--log-file={log}"]
    command += [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
    command += ["-d", str(body), f"http://127.0.0.1:{call.port}{call.path}"]
    before = read_cpu_s(running.pids), read_cpu_s([upstream.pid]), time_of_children_s()
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + GRACE_S, check=True)
    after = read_cpu_s(running.pids), read_cpu_s([upstream.pid]), time_of_children_s()
    run = parse_h2load(done.stdout, log.read_text("ascii").splitlines(), least_bytes=ANSWER_BYTES // 2)
    spent = [end - begun for begun, end in zip(before, after, strict=True)]
    return Turn(rps=run.rps, requests=run.requests, gateway_s=spent[0], others_s=spent[1] + spent[2])


def time_of_children_s() -> float:
    """CPU seconds of the programs that this one started and that have ended: the loads."""
    times = os.times()
    return times.children_user + times.children_system


def format_table(turns: Mapping[tuple[Wire, int], Sequence[Turn]]) -> str:
    """The figures of both arrangements on each wire, and the two factors, in Markdown."""
    lines = [
        "| wire | workers = cores | requests/s | CPU µs a request, gateway | CPU µs a request, load and upstream | of the cores used |",
        "|---|---|---|---|---|---|",
    ]
    factors = []
    for wire in Wire:
        best = {cores: max(turn.rps for turn in turns[wire, cores]) for cores in (1, 2)}
        least = {cores: min(turns[wire, cores], key=lambda turn: turn.whole_us) for cores in (1, 2)}
        for cores in (1, 2):
            busy = statistics.median(turn.busy_cores / cores for turn in turns[wire, cores])
            costs = f"{least[cores].gateway_us:.0f} | {least[cores].others_us:.0f}"
            lines.append(f"| {wire} | {cores} | {best[cores]:,.0f} | {costs} | {busy:.0%} |")
        clock, cpu = best[2] / best[1], 2 * least[1].whole_us / least[2].whole_us
        verdict = "reached" if clock >= TARGET else "missed by the clock"
        factors.append(
            f"{wire}: 2 workers serve {clock:.2f} times what 1 does by the clock, {cpu:.2f} times by CPU time (target {TARGET}: {verdict})"
        )
    return "\n".join([*lines, "", *factors])


def measure(rounds: int, seconds: float, folder: Path) -> str:
    """Measure both arrangements in turns; returns the report. Raises BenchError."""
    gateway = Trunkline()
    with Processes() as processes:
        upstream = start_upstream(processes, folder)
        running: dict[int, Running] = {}
        for workers in (1, 2):
            place = folder / str(workers)
            place.mkdir()
            site = WorkerSite(folder=place, upstream=upstream, processes=processes, workers=workers)
            running[workers] = gateway.start(site)
            for wire, call in running[workers].calls.items():
                wait_for_answer(wire, call, timeout_s=START_S, is_alive=lambda: True)
                load_once(wire, call, running[workers], upstream, folder, seconds=WARM_UP_S)
        turns: dict[tuple[Wire, int], list[Turn]] = {(wire, workers): [] for wire in Wire for workers in running}
        for _ in range(rounds):
            for (wire, workers), group in turns.items():
                at = running[workers]
                group.append(load_once(wire, at.calls[wire], at, upstream, folder, seconds=seconds))
        return f"{format_table(turns)}\n{_tell_memory(running[2])}"


def _tell_memory(running: Running) -> str:
    (supervisor,) = running.pids
    workers = [f"{read_rss_bytes([pid]) / MB:.0f}" for pid in list_workers(supervisor)]
    whole_mb = read_rss_bytes([supervisor]) / MB
    return f"memory after the load, MB: workers {' and '.join(workers)}, all processes {whole_mb:.0f}"


def list_workers(supervisor: int) -> list[int]:
    """The workers of a supervisor, which are all of its tree but itself."""
    return [pid for pid in find_tree([supervisor]) if pid != supervisor]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where something is missing."""
    parser = argparse.ArgumentParser(prog="python -m bench.workers", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=1.0, help="the length of each load")
    given = parser.parse_args(arguments)
    missing = [*find_missing(), *([] if can_pin() else ["two cores are due"])]
    if missing:
        print("\n".join(missing), file=sys.stderr)
        return 1
    raise_file_limit()
    begun_s = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as folder:
            print(measure(given.rounds, given.seconds, Path(folder)))
    except BenchError as error:
        print(f"cannot measure: {error}", file=sys.stderr)
        return 1
    print(f"in {time.monotonic() - begun_s:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
