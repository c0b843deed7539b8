# SPDX-License-Identifier: Apache-2.0
"""`make memory`: what the gateway holds on both wires, with thousands of streams, idle streams, slow readers and large requests.

Each lane has a gateway of its own, since memory remembers: what was freed may stay with the process. With `--memray FOLDER` each gateway runs under memray
(where that is installed; its sizes are then memray's too) and leaves its allocations there.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.floors import TRUNKLINE, Trunkline
from bench.gateways import BenchError, Site, Wire
from bench.loads import find_missing
from bench.processes import LOAD_CORE, ROOT, GatewaySite, Processes, ended_in_order, on_core, raise_file_limit
from bench.results import Key, Lane, Result, Samples, merge_results, summarise
from bench.table import Table, format_terminal, format_value
from bench.upstream import Upstream, start_upstream
from bench.weights import WEIGHTS, Weighed, weigh

RESULTS = ROOT / "bench" / "results"

ROWS: Mapping[str, str] = {
    # What the table says -> metric.
    "RSS before, MB": "rss_before_mb",
    "grown over 10,000 streams after 10,000, MB": "rss_growth_10000_streams_mb",
    "1,000 idle streams, MB": "rss_per_1000_streams_mb",
    "  left when they are closed, MB": "rss_left_of_streams_mb",
    "200 slow readers, MB": "rss_of_slow_readers_mb",
    "  grown in the next 10 s, MB": "rss_growth_slow_readers_mb",
    "  taken from the upstream, KB a reader": "taken_by_slow_readers_kb",
    "requests of 30 MB, 4 at once: most, MB": "rss_peak_large_mb",
    "  left after them, MB": "rss_left_of_large_mb",
    "  longest wait of a small call meanwhile, ms": "wait_beside_large_ms",
    "request of 32,000 messages: longest wait, ms": "wait_beside_many_ms",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MemraySite:
    """A site on which Python programs run under memray."""

    site: GatewaySite
    report: Path

    @property
    def folder(self) -> Path:
        """See `bench.gateways.Site`."""
        return self.site.folder

    @property
    def upstream_http_port(self) -> int:
        """See `bench.gateways.Site`."""
        return self.site.upstream_http_port

    @property
    def upstream_grpc_port(self) -> int | None:
        """See `bench.gateways.Site`."""
        return self.site.upstream_grpc_port

    def spawn(
        self, command: Sequence[str], *, environment: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> int:
        """See `bench.gateways.Site`."""
        tracked = [command[0], "-m", "memray", "run", "-q", "-f", "-o", str(self.report), *command[1:]]
        return self.site.spawn(tracked, environment=environment, folder=folder)

    def wait_for_output(self, pattern: str) -> str:
        """See `bench.gateways.Site`."""
        return self.site.wait_for_output(pattern)


def make_table(results: Sequence[Result]) -> Table:
    """The values of both wires side by side."""
    by_key = {Key(result.gateway, result.wire, result.metric): result.value for result in results}
    rows = []
    for name, metric in ROWS.items():
        values = [by_key.get(Key(TRUNKLINE, wire, metric)) for wire in (Wire.HTTP, Wire.GRPC)]
        if any(value is not None for value in values):
            rows.append((name, *("-" if value is None else format_value(value) for value in values)))
    return Table(title="What Trunkline holds in memory", head=("", "HTTP", "gRPC"), rows=rows, words=1)


def main() -> int:
    """Return 0 when everything was measured, 2 when nothing can be measured here."""
    arguments = _parse_arguments()
    missing = find_missing()
    if arguments.memray is not None and importlib.util.find_spec("memray") is None:
        missing.append("memray is not installed: pip install memray")
    if missing:
        print("\n".join(["This cannot be measured here:", *missing]), file=sys.stderr)
        return 2
    raise_file_limit()
    samples = Samples()
    with (
        ended_in_order(),
        on_core(LOAD_CORE),
        tempfile.TemporaryDirectory(prefix="trunkline-memory-") as name,
        Processes() as processes,
    ):
        folder = Path(name)
        for weight in WEIGHTS if arguments.only is None else arguments.only.split(","):
            place = folder / weight
            place.mkdir()
            upstream = start_upstream(processes, place, **WEIGHTS[weight].upstream)
            for wire in Wire:
                print(f"... {weight}, {wire}", file=sys.stderr, flush=True)
                lane = place / wire
                lane.mkdir()
                weighed = _start(processes, lane, upstream, wire, arguments.memray)
                samples.add(Lane(TRUNKLINE, wire), 1, weigh(weight, weighed, arguments.scale))
                processes.end(weighed.pids)
            processes.end([upstream.pid])
    results = summarise(samples)
    print(format_terminal(make_table(results)))
    print(f"wrote {merge_results(arguments.results, results)}")
    return 0


def _start(processes: Processes, folder: Path, upstream: Upstream, wire: Wire, memray: Path | None) -> Weighed:
    """Start a gateway for one lane. Raises BenchError."""
    site: Site
    site = plain = GatewaySite(
        folder=folder,
        upstream_http_port=upstream.http_port,
        upstream_grpc_port=upstream.grpc_port,
        processes=processes,
    )
    if memray is not None:
        memray.mkdir(parents=True, exist_ok=True)
        site = MemraySite(site=plain, report=memray.resolve() / f"{folder.parent.name}-{wire}.bin")
    running = Trunkline().start(site)
    return Weighed(
        processes=processes, folder=folder, wire=wire, call=running.calls[wire], beside=running.calls, pids=running.pids
    )


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--only", metavar="NAME,...", help=f"some of {', '.join(WEIGHTS)} alone, in that order (default: all)"
    )
    parser.add_argument(
        "--scale",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="the share of the full numbers, for a look (default: 1)",
    )
    parser.add_argument("--memray", type=Path, metavar="FOLDER", help="run under memray; its files go there")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER", help="default: bench/results")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as fault:
        sys.exit(f"This cannot be measured: {fault}")
