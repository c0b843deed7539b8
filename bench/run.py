# SPDX-License-Identifier: Apache-2.0
"""`python -m bench.run`: start every gateway that is there, measure them in turns, print the tables, write the results and the plots."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.floors import DIRECT, ENVOY, NGINX, TRUNKLINE, list_floors
from bench.gateways import BenchError, Gateway, find_peers
from bench.lanes import PLANS
from bench.loads import find_missing
from bench.plots import draw_plots
from bench.processes import GATEWAY_CORE, LOAD_CORE, ROOT, Processes, can_pin, ended_in_order, on_core, raise_file_limit
from bench.results import Result, summarise, write_results
from bench.stage import Stage
from bench.table import format_markdown, format_terminal, make_tables
from bench.upstream import start_upstream

RESULTS = ROOT / "bench" / "results"
# Those whose memory with many streams is looked at.
_HOLDING = (NGINX, ENVOY, TRUNKLINE)


def main() -> int:
    """Return 0 when Trunkline could be measured whole, 1 when something of that failed, 2 when nothing can be measured here."""
    arguments = _parse_arguments()
    if missing := find_missing():
        print("\n".join(["This cannot be measured here:", *missing]), file=sys.stderr)
        return 2
    raise_file_limit()
    started_s, machine = time.monotonic(), _describe_machine()
    with (
        ended_in_order(),
        on_core(LOAD_CORE),
        tempfile.TemporaryDirectory(prefix="trunkline-bench-") as folder,
        Processes() as processes,
    ):
        stage = Stage(
            plan=PLANS[arguments.plan],
            processes=processes,
            folder=Path(folder),
            upstream=start_upstream(processes, Path(folder)),
            say=_say,
        )
        for gateway in _choose(arguments):
            _say(f"starting {gateway.name}")
            stage.admit(gateway)
        stage.measure_import()
        rounds = stage.measure_rounds(started_s + stage.plan.budget_s)
        _say("idle streams")
        stage.measure_idle_streams(_HOLDING)
    conditions = {
        **machine,
        "plan": arguments.plan,
        "rounds": rounds,
        "seconds": round(time.monotonic() - started_s),
        "gateways": stage.measured,
        "absent": stage.absent,
        "faults": stage.faults,
    }
    _report(arguments.results, summarise(stage.samples), conditions)
    return 1 if TRUNKLINE in stage.absent or any(fault.startswith((DIRECT, TRUNKLINE)) for fault in stage.faults) else 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description="Measure gateways side by side.")
    parser.add_argument("--plan", choices=sorted(PLANS), default="quick", help="how thoroughly (default: %(default)s)")
    parser.add_argument(
        "--peers", action="store_true", help="measure the gateways of bench/peers too, those that are here"
    )
    parser.add_argument(
        "--only", metavar="NAME,...", help="these gateways alone, and `direct`, which is always measured"
    )
    parser.add_argument(
        "--results", type=Path, default=RESULTS, metavar="FOLDER", help="where the results go (default: bench/results)"
    )
    return parser.parse_args()


def _choose(arguments: argparse.Namespace) -> Sequence[Gateway]:
    gateways = list_floors() + (find_peers() if arguments.peers else [])
    if not arguments.only:
        return gateways
    names = {DIRECT, *arguments.only.split(",")}
    if unknown := names - {gateway.name for gateway in gateways}:
        raise SystemExit(
            f"no gateway is called {', '.join(sorted(unknown))}; there are {', '.join(gateway.name for gateway in gateways)}"
        )
    return [gateway for gateway in gateways if gateway.name in names]


def _report(folder: Path, results: Sequence[Result], conditions: Mapping[str, Any]) -> None:
    """Print the tables; write them, the results and the plots."""
    tables = make_tables(results, conditions)
    setting = (
        f"{conditions['date']}, {conditions['machine']}, {conditions['cores']}, load average before {conditions['load_before']}; "
        f"plan {conditions['plan']}, {conditions['rounds']} rounds, {conditions['seconds']} s"
    )
    faults = [f"Failed: {fault}" for fault in conditions["faults"]]
    print("\n".join(["", *filter(None, map(format_terminal, tables)), setting, *faults]))
    latest = write_results(folder, results, conditions)
    parts = ["# The latest run", f"{setting}\n", *filter(None, map(format_markdown, tables)), *faults]
    (folder / "latest.md").write_text("\n".join(parts), encoding="utf-8")
    for path in [latest, folder / "latest.md", *draw_plots(folder, results)]:
        print(f"wrote {os.path.relpath(path)}")


def _describe_machine() -> Mapping[str, str]:
    cpu = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = information.read_text(encoding="utf-8").splitlines()
        cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), cpu)
    pinned = f"gateway on core {GATEWAY_CORE}, load and upstream on core {LOAD_CORE}" if can_pin() else "not pinned"
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "machine": f"{cpu}, Linux {platform.release()}",
        "load_before": f"{os.getloadavg()[0]:.1f}",
        "cores": f"{os.cpu_count()} cores, {pinned}",
    }


def _say(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except BenchError as fault:
        sys.exit(f"This cannot be measured: {fault}")
