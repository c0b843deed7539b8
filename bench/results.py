# SPDX-License-Identifier: Apache-2.0
"""What was measured: values of each round, what follows from them, and the files that hold it.

A metric is named with its unit. What a gateway adds is its value less that of nothing in between in the same round, so that what the machine does beside it
weighs on both; the value that is shown is the median of the rounds (of what is lost, the worst), the spread their extremes.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bench.gateways import Wire

DIRECT = "direct"
FRONTIER_MS = (1, 5, 10, 50)
# A metric -> what a gateway adds to it.
ADDED: Mapping[str, str] = {
    "latency_c1_p50_us": "added_latency_c1_p50_us",
    "latency_c1_p99_us": "added_latency_c1_p99_us",
    "ttft_p50_us": "ttft_added_p50_us",
    "ttft_p99_us": "ttft_added_p99_us",
    "gap_p50_us": "gap_added_p50_us",
    "gap_p99_us": "gap_added_p99_us",
    "delay_p50_us": "delay_added_p50_us",
    "delay_p99_us": "delay_added_p99_us",
}
# What must never happen: the worst round counts, not the median.
LOST = frozenset({"lost_chunks", "lost_burst_chunks"})
# Ends of names -> units, for those who read the JSON.
_UNITS = {"_us": "us", "_mb": "MB", "_s": "s", "_ms": "ms", "_kb": "KB", "_mb_h": "MB/h"}


class Key(NamedTuple):
    """What a value is of."""

    gateway: str
    wire: Wire
    metric: str


class Lane(NamedTuple):
    """A gateway on one wire."""

    gateway: str
    wire: Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One value: the median of the rounds, or the worst of what is lost, with the lowest and the highest."""

    gateway: str
    wire: Wire
    metric: str
    value: float
    spread: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """The row of latest.json; a spread stands there only where there was more than one round."""
        row: dict[str, Any] = {"gateway": self.gateway, "wire": self.wire.value, "metric": self.metric}
        row["value"] = _round(self.value)
        if unit := find_unit(self.metric):
            row["unit"] = unit
        if self.spread[0] != self.spread[1]:
            row["spread"] = [_round(bound) for bound in self.spread]
        return row


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The values of a run, by what they are of and by round."""

    values: dict[Key, dict[int, float]] = field(default_factory=dict)

    def add(self, lane: Lane, round_number: int, measured: Mapping[str, float]) -> None:
        """Keep what one lane's round measured."""
        for metric, value in measured.items():
            self.values.setdefault(Key(lane.gateway, lane.wire, metric), {})[round_number] = value

    def median(self, lane: Lane, metric: str) -> float | None:
        """The median of the rounds, None where nothing was measured."""
        rounds = self.values.get(Key(lane.gateway, lane.wire, metric))
        return statistics.median(rounds.values()) if rounds else None


def summarise(samples: Samples) -> list[Result]:
    """All results of a run, those that follow from others included, in the order in which they were measured."""
    rows = dict(samples.values)
    for key, rounds in samples.values.items():
        direct = samples.values.get(Key(DIRECT, key.wire, key.metric), {})
        added = {number: rounds[number] - direct[number] for number in rounds.keys() & direct.keys()}
        if key.metric in ADDED and key.gateway != DIRECT and added:
            rows[Key(key.gateway, key.wire, ADDED[key.metric])] = added
    results = [_summary(key, list(rounds.values())) for key, rounds in rows.items()]
    return results + _frontiers(results)


def best_rates(
    points: Mapping[int, tuple[float, float]],
    direct_p99_us: Mapping[int, float],
    bounds_ms: Iterable[int] = FRONTIER_MS,
) -> dict[int, float]:
    """The throughput frontier: for each bound the best rate among the points whose p99 is within it, added to direct's at the same concurrency.

    `points` has (requests a second, p99 in µs) for each concurrency. A bound that no point meets has no entry.
    """
    best: dict[int, float] = {}
    for bound_ms in bounds_ms:
        within = [
            rps
            for concurrency, (rps, p99_us) in points.items()
            if concurrency in direct_p99_us and p99_us - direct_p99_us[concurrency] <= bound_ms * 1000
        ]
        if within:
            best[bound_ms] = max(within)
    return best


def find_unit(metric: str) -> str:
    """The unit that a metric's name ends in, "" for plain numbers."""
    if metric.startswith("cpu_us_"):
        return "us"
    if metric.startswith("rps"):
        return "req/s"
    return next((unit for end, unit in _UNITS.items() if metric.endswith(end)), "")


def write_results(folder: Path, results: Sequence[Result], conditions: Mapping[str, Any]) -> Path:
    """Write latest.json, a list of rows, and the same with its conditions below history/; returns the path of the first."""
    rows = [result.to_json() for result in results]
    history = folder / "history"
    history.mkdir(parents=True, exist_ok=True)
    stamp = str(conditions["date"]).replace(":", "")
    (history / f"{stamp}.json").write_text(
        json.dumps({"conditions": conditions, "results": rows}, indent=1) + "\n", encoding="utf-8"
    )
    return _write_latest(folder, rows)


def merge_results(folder: Path, results: Sequence[Result]) -> Path:
    """Put values into latest.json in place of those of the same name, beside all others; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "latest.json"
    new = {Key(result.gateway, result.wire, result.metric) for result in results}
    old: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    kept = [row for row in old if Key(row["gateway"], Wire(row["wire"]), row["metric"]) not in new]
    return _write_latest(folder, [*kept, *(result.to_json() for result in results)])


def read_results(path: Path) -> list[Result]:
    """Read what `write_results` wrote as latest.json."""
    return [
        Result(
            gateway=row["gateway"],
            wire=Wire(row["wire"]),
            metric=row["metric"],
            value=row["value"],
            spread=tuple(row.get("spread", (row["value"], row["value"]))),
        )
        for row in json.loads(path.read_text(encoding="utf-8"))
    ]


def _write_latest(folder: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    latest = folder / "latest.json"
    lines = ",\n".join(json.dumps(row) for row in rows)
    latest.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    return latest


def _summary(key: Key, values: Sequence[float]) -> Result:
    return Result(
        gateway=key.gateway,
        wire=key.wire,
        metric=key.metric,
        # What is lost once is lost: a median would hide the one round of several in which it was.
        value=max(values) if key.metric in LOST else statistics.median(values),
        spread=(min(values), max(values)),
    )


def _frontiers(results: Sequence[Result]) -> list[Result]:
    by_key = {Key(result.gateway, result.wire, result.metric): result.value for result in results}
    lanes = dict.fromkeys(Lane(result.gateway, result.wire) for result in results)
    found = []
    for lane in lanes:
        direct = {point: p99_us for point, (_, p99_us) in _points(by_key, Lane(DIRECT, lane.wire)).items()}
        for bound_ms, rps in best_rates(_points(by_key, lane), direct).items():
            found.append(_summary(Key(lane.gateway, lane.wire, f"rps_at_added_p99_{bound_ms}ms"), [rps]))
    return found


def _points(by_key: Mapping[Key, float], lane: Lane) -> dict[int, tuple[float, float]]:
    """Concurrency -> rate and p99, from the metrics rps_cN and latency_cN_p99_us."""
    points = {}
    for key, rps in by_key.items():
        number = key.metric.removeprefix("rps_c")
        if (key.gateway, key.wire) == lane and number != key.metric:
            points[int(number)] = (rps, by_key[Key(*lane, f"latency_c{number}_p99_us")])
    return points


def _round(value: float) -> float:
    """A value with at most four digits that mean something."""
    return float(f"{value:.4g}")
