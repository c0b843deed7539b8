# SPDX-License-Identifier: Apache-2.0
"""The tables of a run, for the terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.gateways import Wire
from bench.results import DIRECT, FRONTIER_MS, Key, Lane, Result
from bench.targets import TARGETS, index_values

# Heading of a column -> the metric below it.
COST: Mapping[str, str] = {
    "CPU µs / request": "cpu_us_per_request",
    "CPU µs / paced chunk": "cpu_us_per_chunk",
    "CPU µs / burst chunk": "cpu_us_per_burst_chunk",
    "requests/s, c=64": "rps",
    "p50 µs, c=64": "latency_c64_p50_us",
    "p99 µs, c=64": "latency_c64_p99_us",
    "RSS MB": "rss_idle_mb",
    "start s": "start_s",
}
ADDED: Mapping[str, str] = {
    "latency p50, c=1": "added_latency_c1_p50_us",
    "latency p99, c=1": "added_latency_c1_p99_us",
    "first chunk p50": "ttft_added_p50_us",
    "first chunk p99": "ttft_added_p99_us",
    "gap p50": "gap_added_p50_us",
    "gap p99": "gap_added_p99_us",
    "delay p50": "delay_added_p50_us",
    "delay p99": "delay_added_p99_us",
    "lost chunks": "lost_chunks",
}
FRONTIER: Mapping[str, str] = {f"+{bound_ms} ms": f"rps_at_added_p99_{bound_ms}ms" for bound_ms in FRONTIER_MS}
# Rates and times whose spread shows how quiet the machine was.
_WITH_SPREAD = frozenset({"cpu_us_per_request", "cpu_us_per_chunk", "cpu_us_per_burst_chunk", "rps"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of texts below a head. The first `words` columns are words, the others numbers."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 2


def make_tables(results: Sequence[Result], conditions: Mapping[str, Any]) -> list[Table]:
    """All tables of a run."""
    lanes = sorted(dict.fromkeys(Lane(result.gateway, result.wire) for result in results), key=_place(results))
    by_key = {Key(result.gateway, result.wire, result.metric): result for result in results}
    gateways = conditions["gateways"]
    return [
        _lane_table("What it costs (median, in brackets the spread over the rounds)", COST, lanes, by_key),
        _lane_table(
            "What it adds to no gateway, µs (latency: whole answers one at a time; the others: 64 streams paced at 5 ms)",
            ADDED,
            [lane for lane in lanes if lane.gateway != DIRECT],
            by_key,
        ),
        _lane_table(
            "Throughput frontier: requests/s while p99 is at most this much over no gateway's", FRONTIER, lanes, by_key
        ),
        _target_table(results),
        Table(
            title="Measured",
            head=("gateway", "version", "set up as"),
            rows=[(name, row["version"], row["settings"]) for name, row in gateways.items()],
            words=3,
        ),
        Table(
            title="Not measured",
            head=("gateway", "why, and what to do"),
            rows=list(conditions["absent"].items()),
        ),
    ]


def format_terminal(table: Table) -> str:
    """The table in aligned columns; without rows nothing."""
    if not table.rows:
        return ""
    widths = [max(len(row[i]) for row in (table.head, *table.rows)) for i in range(len(table.head))]
    lines = [_align(row, widths, table.words, "  ") for row in (table.head, *table.rows)]
    rule = "  ".join("-" * width for width in widths)
    return "\n".join([table.title, "", lines[0], rule, *lines[1:], ""])


def format_markdown(table: Table) -> str:
    """The table as Markdown; without rows nothing."""
    if not table.rows:
        return ""
    rule = ["---" if i < table.words else "---:" for i in range(len(table.head))]
    lines = [f"| {' | '.join(row)} |" for row in (table.head, rule, *table.rows)]
    return "\n".join([f"## {table.title}", "", *lines, ""])


def format_value(value: float) -> str:
    """A number with three digits that mean something, thousands apart: 31,200, 4.05, 0.024."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:.3g}"


def _place(results: Sequence[Result]) -> Callable[[Lane], tuple[bool, int]]:
    """Where a lane stands: HTTP before gRPC, gateways in the order in which they were measured."""
    names = list(dict.fromkeys(result.gateway for result in results))
    return lambda lane: (lane.wire is Wire.GRPC, names.index(lane.gateway))


def _lane_table(title: str, columns: Mapping[str, str], lanes: Sequence[Lane], by_key: Mapping[Key, Result]) -> Table:
    rows = []
    for lane in lanes:
        found = [by_key.get(Key(*lane, metric)) for metric in columns.values()]
        if any(found):
            rows.append((lane.gateway, lane.wire.value, *(_cell(result) for result in found)))
    return Table(title=title, head=("gateway", "wire", *columns), rows=rows)


def _cell(result: Result | None) -> str:
    if result is None:
        return "-"
    low, high = result.spread
    spread = f" ({format_value(low)}–{format_value(high)})" if result.metric in _WITH_SPREAD and low != high else ""
    return format_value(result.value) + spread


def _target_table(results: Sequence[Result]) -> Table:
    values = index_values(results)
    rows = []
    for target in TARGETS:
        value = target.measure(values)
        bound = f"{'≥' if target.least else '≤'} {format_value(target.bound)} {target.unit}".strip()
        shown = "-" if value is None else f"{format_value(value)} {target.unit}".strip()
        rows.append((target.name, target.judge(values), bound, shown))
    return Table(title="Trunkline's first targets", head=("target", "verdict", "bound", "measured"), rows=rows)


def _align(row: Sequence[str], widths: Sequence[int], words: int, gap: str) -> str:
    cells = [
        cell.ljust(width) if i < words else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return gap.join(cells).rstrip()
