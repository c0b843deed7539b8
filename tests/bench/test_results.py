# SPDX-License-Identifier: Apache-2.0
"""What follows from the values of the rounds: medians, what a gateway adds, the throughput frontier; and the files."""

import json
from pathlib import Path

import pytest

from bench.gateways import Wire
from bench.results import Key, Lane, Result, Samples, best_rates, find_unit, read_results, summarise, write_results

DIRECT = Lane("direct", Wire.HTTP)
OURS = Lane("trunkline", Wire.HTTP)
CONDITIONS = {"date": "2026-11-22T12:00:00+00:00", "plan": "quick"}


def summary(samples: Samples) -> dict[Key, tuple[float, tuple[float, float]]]:
    """What the rounds come to: the median and the spread of each metric."""
    results = summarise(samples)
    return {Key(result.gateway, result.wire, result.metric): (result.value, result.spread) for result in results}


def test_the_median_and_the_extremes_of_the_rounds_count() -> None:
    """One round that was disturbed moves the spread, not the value."""
    samples = Samples()
    samples.add(OURS, 1, {"rps": 100.0})
    samples.add(OURS, 2, {"rps": 20.0})
    samples.add(OURS, 3, {"rps": 110.0})
    assert summary(samples) == {Key(*OURS, "rps"): (100.0, (20.0, 110.0))}


def test_what_is_lost_in_one_round_is_lost() -> None:
    """Chunks that one round of several lost are shown, not the median of none."""
    samples = Samples()
    for number, lost in enumerate((0.0, 7.0, 0.0), start=1):
        samples.add(OURS, number, {"lost_chunks": lost, "lost_burst_chunks": lost})
    found = summary(samples)
    assert found == {Key(*OURS, name): (7.0, (0.0, 7.0)) for name in ("lost_chunks", "lost_burst_chunks")}


def test_what_is_added_is_counted_within_a_round() -> None:
    """A slow round is slow for both, and a round that only one of them has is no part of it."""
    samples = Samples()
    samples.add(DIRECT, 1, {"ttft_p50_us": 100.0})
    samples.add(OURS, 1, {"ttft_p50_us": 150.0})
    samples.add(DIRECT, 2, {"ttft_p50_us": 1000.0})
    samples.add(OURS, 2, {"ttft_p50_us": 1070.0})
    samples.add(OURS, 3, {"ttft_p50_us": 9000.0})
    found = summary(samples)
    assert found[Key(*OURS, "ttft_added_p50_us")] == (60.0, (50.0, 70.0))
    assert Key(*DIRECT, "ttft_added_p50_us") not in found


POINTS = {1: (900.0, 800.0), 8: (3000.0, 2500.0), 64: (3200.0, 21_000.0), 128: (3100.0, 60_000.0)}
DIRECT_P99_US = {1: 100.0, 8: 300.0, 64: 1500.0, 128: 3000.0}


@pytest.mark.parametrize(
    ("points", "direct", "expected"),
    [
        (POINTS, DIRECT_P99_US, {1: 900.0, 5: 3000.0, 10: 3000.0, 50: 3200.0}),
        ({8: (10.0, 7300.0)}, DIRECT_P99_US, {10: 10.0, 50: 10.0}),
        ({8: (10.0, 5300.0)}, DIRECT_P99_US, {5: 10.0, 10: 10.0, 50: 10.0}),
        ({8: (10.0, 90_000.0)}, DIRECT_P99_US, {}),
        ({16: (10.0, 400.0)}, DIRECT_P99_US, {}),
        ({}, DIRECT_P99_US, {}),
    ],
    ids=["all", "late", "on-the-bound", "never", "no-direct-point", "nothing"],
)
def test_the_frontier_is_the_best_rate_within_each_bound(
    points: dict[int, tuple[float, float]], direct: dict[int, float], expected: dict[int, float]
) -> None:
    """The p99 counts that comes on top of no gateway's at the same concurrency; a bound that nothing meets has no rate."""
    assert best_rates(points, direct) == expected


def test_the_frontier_comes_from_all_concurrencies() -> None:
    """The points are found by the names of their metrics."""
    samples = Samples()
    samples.add(DIRECT, 1, {"rps_c8": 9000.0, "latency_c8_p99_us": 300.0, "rps_c64": 9.0, "latency_c64_p99_us": 400.0})
    samples.add(
        OURS, 1, {"rps_c8": 3000.0, "latency_c8_p99_us": 2500.0, "rps_c64": 3200.0, "latency_c64_p99_us": 9000.0}
    )
    found = {key.metric: value for key, (value, _) in summary(samples).items() if key.gateway == OURS.gateway}
    rates = {metric: value for metric, value in found.items() if metric.startswith("rps_at")}
    assert rates == {
        "rps_at_added_p99_5ms": 3000.0,
        "rps_at_added_p99_10ms": 3200.0,
        "rps_at_added_p99_50ms": 3200.0,
    }


@pytest.mark.parametrize(
    ("metric", "unit"),
    [
        ("cpu_us_per_request", "us"),
        ("cpu_us_per_burst_chunk", "us"),
        ("latency_c1_p50_us", "us"),
        ("rps", "req/s"),
        ("rps_at_added_p99_5ms", "req/s"),
        ("rss_idle_mb", "MB"),
        ("start_s", "s"),
        ("lost_chunks", ""),
    ],
)
def test_a_metric_is_named_with_its_unit(metric: str, unit: str) -> None:
    """Readers of the JSON need not guess."""
    assert find_unit(metric) == unit


def test_the_latest_run_is_a_list_of_rows(tmp_path: Path) -> None:
    """Four keys a row, with a unit where there is one and a spread where there was more than one round."""
    results = [
        Result(gateway="nginx", wire=Wire.HTTP, metric="cpu_us_per_request", value=18.12345, spread=(17.5, 19.0)),
        Result(gateway="nginx", wire=Wire.HTTP, metric="lost_chunks", value=0.0, spread=(0.0, 0.0)),
    ]
    rows = json.loads(write_results(tmp_path, results, CONDITIONS).read_text(encoding="utf-8"))
    assert rows == [
        {
            "gateway": "nginx",
            "wire": "http",
            "metric": "cpu_us_per_request",
            "value": 18.12,
            "unit": "us",
            "spread": [17.5, 19.0],
        },
        {"gateway": "nginx", "wire": "http", "metric": "lost_chunks", "value": 0.0},
    ]


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    """Other programs of the bench start from the file."""
    results = [Result(gateway="envoy", wire=Wire.GRPC, metric="rps", value=5100.0, spread=(5000.0, 5200.0))]
    assert read_results(write_results(tmp_path, results, CONDITIONS)) == results


def test_the_history_keeps_runs_with_their_conditions(tmp_path: Path) -> None:
    """Each run is a file of its own beside the latest."""
    write_results(tmp_path, [], CONDITIONS)
    write_results(tmp_path, [], {**CONDITIONS, "date": "2026-11-23T12:00:00+00:00"})
    kept = sorted((tmp_path / "history").iterdir())
    assert [path.name for path in kept] == ["2026-11-22T120000+0000.json", "2026-11-23T120000+0000.json"]
    assert json.loads(kept[0].read_text(encoding="utf-8")) == {"conditions": CONDITIONS, "results": []}
