# SPDX-License-Identifier: Apache-2.0
"""`make soak`: half of what the gateway can do, whole answers and streams over both wires, for as long as wanted; and whether its memory grows meanwhile.

The load is mixed so that each of its four kinds takes a quarter: first each is measured alone at full speed, then run at an eighth of that rate (streams:
at the number of paced streams that takes an eighth of a core). The first fifth of the time warms up (the records in memory fill); the line goes through
the rest. Files, threads and errors are counted as well.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.check import wait_for_answer
from bench.floors import TRUNKLINE, Trunkline
from bench.gateways import PACED_MODEL, BenchError, Running, Wire
from bench.loads import H2_CONNECTIONS, Loader, find_missing
from bench.measure import read_cpu_s, read_rss_bytes
from bench.processes import LOAD_CORE, ROOT, GatewaySite, Processes, ended_in_order, on_core, raise_file_limit
from bench.results import Result, merge_results
from bench.trend import Trend, fit_trend
from bench.upstream import start_upstream

RESULTS = ROOT / "bench" / "results"
MB = 1_000_000
PROBE_S = 3.0
PROBE_STREAMS = 16
SAMPLE_S = 5.0
WARM_UP = 0.2
# Each of four kinds of load gets this share of a core: half of one in all.
SHARE = 0.125
START_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the process had at a moment, in seconds since the load began."""

    at_s: float
    rss_mb: float
    files: int
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One kind of load that runs all the time: what to say of it, and its command."""

    name: str
    command: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """A gateway under load. `pids` is what is watched."""

    processes: Processes
    folder: Path
    pids: Sequence[int]
    seconds: float
    samples: list[Sample] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def run(self, parts: Sequence[Part]) -> float:
        """Run all parts for the time and take the samples; returns the share of a core that the gateway used. Raises BenchError where a part ends early."""
        logs = {part.name: self.folder / f"{part.name.replace(' ', '-')}.log" for part in parts}
        pids = [self.processes.spawn(part.command, core=LOAD_CORE, log=logs[part.name]) for part in parts]
        begun_s, cpu_s = time.monotonic(), read_cpu_s(self.pids)
        while (at_s := time.monotonic() - begun_s) < self.seconds:
            self.samples.append(self._sample(at_s))
            _say_progress(self.samples[-1], self.seconds)
            for part, pid in zip(parts, pids, strict=True):
                if not self.processes.is_alive(pid) and at_s < self.seconds - SAMPLE_S:
                    raise BenchError(f"the load {part.name} ended after {at_s:.0f} s: {_tail(logs[part.name])}")
            time.sleep(min(SAMPLE_S, max(0.05, self.seconds - at_s)))
        share = (read_cpu_s(self.pids) - cpu_s) / (time.monotonic() - begun_s)
        self._wait(pids)
        for part in parts:
            said, good = summarise_load(logs[part.name].read_text(encoding="utf-8", errors="replace"))
            _say(f"{part.name}: {said}")
            if not good:
                self.faults.append(f"{part.name}: {said}")
        return share

    def _wait(self, pids: Sequence[int]) -> None:
        """Let the loads end by themselves, so that they can report."""
        end_s = time.monotonic() + 10
        while time.monotonic() < end_s and any(self.processes.is_alive(pid) for pid in pids):
            time.sleep(0.1)

    def _sample(self, at_s: float) -> Sample:
        files = threads = 0
        for pid in self.pids:
            process = Path("/proc") / str(pid)
            files += sum(1 for _ in (process / "fd").iterdir())
            threads += sum(1 for _ in (process / "task").iterdir())
        return Sample(at_s=at_s, rss_mb=read_rss_bytes(self.pids) / MB, files=files, threads=threads)


def judge(samples: Sequence[Sample], seconds: float) -> Trend:
    """The trend of what comes after the warm-up. Raises BenchError where too few samples are left."""
    settled = [(sample.at_s, sample.rss_mb) for sample in samples if sample.at_s >= WARM_UP * seconds]
    try:
        return fit_trend(settled)
    except ValueError as error:
        raise BenchError(f"the run was too short: {error}") from error


def format_report(samples: Sequence[Sample], trend: Trend, share: float) -> str:
    """What to tell a person: five moments of the run, and the slope with its verdict."""
    shown = [samples[place * (len(samples) - 1) // 4] for place in range(5)]
    head = f"{'minutes':>8}  {'RSS MB':>7}  {'files':>5}  {'threads':>7}"
    rows = [
        f"{sample.at_s / 60:8.1f}  {sample.rss_mb:7.1f}  {sample.files:5d}  {sample.threads:7d}" for sample in shown
    ]
    slope = f"{trend.slope_mb_h:+.2f} MB/hour, 95 % within ±{trend.margin_mb_h:.2f}"
    bound = f"flat: up to {trend.bound_mb_h:.1f} over {trend.window_s / 60:.1f} minutes"
    end = [f"load: {share:.0%} of a core", f"slope after the warm-up: {slope} ({bound})", f"verdict: {trend.verdict}"]
    return "\n".join([head, "-" * len(head), *rows, *end])


def make_results(trend: Trend) -> list[Result]:
    """The rows for bench/results: the process serves both wires, so they stand under HTTP alone."""
    low, high = trend.slope_mb_h - trend.margin_mb_h, trend.slope_mb_h + trend.margin_mb_h
    return [
        Result(gateway=TRUNKLINE, wire=Wire.HTTP, metric="soak_slope_mb_h", value=trend.slope_mb_h, spread=(low, high)),
        Result(
            gateway=TRUNKLINE,
            wire=Wire.HTTP,
            metric="soak_minutes",
            value=trend.window_s / 60,
            spread=(trend.window_s / 60, trend.window_s / 60),
        ),
    ]


def summarise_load(output: str) -> tuple[str, bool]:
    """What a load said at its end, in a few words, and whether all went well: of build/bench/streams or of h2load."""
    lines = output.strip().splitlines()
    if lines and lines[-1].startswith("{"):
        report = json.loads(lines[-1])
        said = f"{report['streams']:,} streams, {report['lost_chunks']} chunks lost, {report['errors']} errors"
        if report["errors"]:
            said += f", the first: {report.get('first_error')}"
        return said, not (report["lost_chunks"] or report["errors"])
    found = [line for line in lines if line.startswith(("requests:", "status codes:"))]
    if not found:
        return "no report", False
    said = "; ".join(found)
    return said, " 0 failed, 0 errored, 0 timeout" in said


def make_parts(loaders: Sequence[Loader], pids: Sequence[int], seconds: float) -> list[Part]:
    """Measure what each kind can do alone, and make of it loads that take SHARE of a core each. Raises BenchError."""
    parts = []
    for loader in loaders:
        before_s = read_cpu_s(pids)
        unary = loader.run_unary(concurrency=H2_CONNECTIONS, seconds=PROBE_S)
        per_request_s = (read_cpu_s(pids) - before_s) / unary.requests
        rps = SHARE / per_request_s
        parts.append(
            Part(name=f"whole answers {loader.wire}", command=loader.steady_unary_command(rps=rps, seconds=seconds))
        )
        before_s, begun_s = read_cpu_s(pids), time.monotonic()
        loader.run_streams(model=PACED_MODEL, streams=5 * PROBE_STREAMS, connections=PROBE_STREAMS, seconds=PROBE_S)
        per_stream = (read_cpu_s(pids) - before_s) / (time.monotonic() - begun_s) / PROBE_STREAMS
        count = max(1, round(SHARE / per_stream))
        command = loader.steady_streams_command(model=PACED_MODEL, connections=count, seconds=seconds)
        parts.append(Part(name=f"streams {loader.wire}", command=command))
        _say(f"{loader.wire}: {rps:,.0f} whole answers a second and {count} paced streams at a time")
    return parts


def main() -> int:
    """Return 0 when memory is flat and all calls went well, 1 when not, 2 when nothing can be measured here."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (default: %(default)s)")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER", help="default: bench/results")
    arguments = parser.parse_args()
    if missing := find_missing():
        print("\n".join(["This cannot be measured here:", *missing]), file=sys.stderr)
        return 2
    raise_file_limit()
    seconds = arguments.minutes * 60
    with (
        ended_in_order(),
        on_core(LOAD_CORE),
        tempfile.TemporaryDirectory(prefix="trunkline-soak-") as name,
        Processes() as processes,
    ):
        folder = Path(name)
        running = _start(processes, folder)
        loaders = [Loader(wire=wire, call=call, folder=folder) for wire, call in running.calls.items()]
        soak = Soak(processes=processes, folder=folder, pids=running.pids, seconds=seconds)
        share = soak.run(make_parts(loaders, running.pids, seconds))
        trend = judge(soak.samples, seconds)
    print(format_report(soak.samples, trend, share))
    print(
        "\n".join(
            [
                *(f"failed: {fault}" for fault in soak.faults),
                f"wrote {merge_results(arguments.results, make_results(trend))}",
            ]
        )
    )
    return 0 if trend.is_flat and not soak.faults else 1


def _start(processes: Processes, folder: Path) -> Running:
    upstream = start_upstream(processes, folder)
    site = GatewaySite(
        folder=folder,
        upstream_http_port=upstream.http_port,
        upstream_grpc_port=upstream.grpc_port,
        processes=processes,
    )
    running = Trunkline().start(site)
    for wire, call in running.calls.items():
        wait_for_answer(
            wire, call, timeout_s=START_S, is_alive=lambda: all(processes.is_alive(pid) for pid in running.pids)
        )
    return running


def _say(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)


def _say_progress(sample: Sample, seconds: float) -> None:
    _say(f"{sample.at_s:5.0f} of {seconds:.0f} s: {sample.rss_mb:.1f} MB, {sample.files} files")


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-300:]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as fault:
        sys.exit(f"This cannot be measured: {fault}")
