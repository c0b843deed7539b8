# SPDX-License-Identifier: Apache-2.0
"""What is measured of one gateway on one wire, with a load that only notes what it was asked for."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bench.gateways import BURST_MODEL, PACED_MODEL, Wire, http_call
from bench.lanes import PLANS, Plan, Speed, Subject, warm_up
from bench.loads import Loader, NothingEndedError, Spread, StreamRun, UnaryRun
from bench.results import Lane

PLAN = Plan(
    rounds=1,
    c1_s=0.3,
    c64_s=0.5,
    point_s=0.2,
    points=(4, 128),
    paced_passes=3,
    burst_s=0.5,
    warm_up_s=0.3,
    longest_s=4.0,
    budget_s=60.0,
)
FAST = Speed(rps=10_000.0, streams_per_s=1000.0)
SLOW = Speed(rps=100.0, streams_per_s=10.0)
TIMES_US = Spread(p50=100.0, p99=200.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedLoader(Loader):
    """Answers each load with the same report; loads of less than `needs_s` seconds end without an answer."""

    asked: list[tuple[object, ...]] = field(default_factory=list)
    needs_s: float = 0.0

    def run_unary(self, *, concurrency: int, seconds: float) -> UnaryRun:
        """Note a load of whole answers."""
        self.asked.append((concurrency, seconds))
        if seconds < self.needs_s:
            raise NothingEndedError("no request ended in time")
        return UnaryRun(requests=500, rps=1000.0, p50_us=10.0, p99_us=20.0)

    def run_streams(self, *, model: str, streams: int, connections: int, seconds: float) -> StreamRun:
        """Note a load of streams."""
        self.asked.append((model, streams, connections))
        chunks = streams * 100 - 1
        return StreamRun(
            streams=streams,
            chunks=chunks,
            lost_chunks=1,
            seconds=0.5,
            ttft_us=TIMES_US,
            gap_us=TIMES_US,
            delay_us=TIMES_US,
        )


def make_loader(tmp_path: Path, *, needs_s: float = 0.0) -> NotedLoader:
    """A load for a gateway that is not there."""
    return NotedLoader(wire=Wire.HTTP, call=http_call(1), folder=tmp_path, needs_s=needs_s)


def make_subject(loader: Loader, speed: Speed, *, pids: tuple[int, ...] = ()) -> Subject:
    """A lane with that load."""
    return Subject(lane=Lane("x", Wire.HTTP), loader=loader, pids=pids, plan=PLAN, speed=speed)


def test_a_round_has_four_loads(tmp_path: Path) -> None:
    """One request at a time, 64 at once, three passes of paced streams, and as many in bursts as fit."""
    loader = make_loader(tmp_path)
    make_subject(loader, FAST).measure_round()
    assert loader.asked == [(1, 0.3), (64, 0.5), (PACED_MODEL, 192, 64), (BURST_MODEL, 500, 64)]


def test_a_slow_gateway_gets_more_time_and_fewer_streams(tmp_path: Path) -> None:
    """So that enough requests end, within bounds; streams that it cannot keep up with are opened once."""
    loader = make_loader(tmp_path)
    make_subject(loader, SLOW).measure_round()
    assert loader.asked == [(1, 0.5), (64, 4.0), (PACED_MODEL, 64, 64), (BURST_MODEL, 64, 64)]


def test_each_connection_has_several_answers(tmp_path: Path) -> None:
    """However slow the gateway is: at 10 requests a second 64 at once take more than the bound."""
    loader = make_loader(tmp_path)
    make_subject(loader, Speed(rps=10.0, streams_per_s=10.0)).measure_round()
    assert loader.asked[:2] == [(1, 4.0), (64, 19.2)]


def test_the_frontier_has_its_points(tmp_path: Path) -> None:
    """Each concurrency has its rate and its latencies."""
    loader = make_loader(tmp_path)
    measured = make_subject(loader, FAST).measure_points()
    assert loader.asked == [(4, 0.2), (128, 0.2)]
    assert measured.keys() == {
        f"{metric}{concurrency}{end}"
        for concurrency in (4, 128)
        for metric, end in (("rps_c", ""), ("latency_c", "_p50_us"), ("latency_c", "_p99_us"))
    }


def test_a_round_measures_what_the_tables_show(tmp_path: Path) -> None:
    """Rates, times, lost chunks; and for a gateway, here this process, its CPU time for each piece of work."""
    subject = make_subject(make_loader(tmp_path), FAST, pids=(os.getpid(),))
    measured = subject.measure_round()
    costs = {metric for metric in measured if metric.startswith("cpu_us_per_")}
    assert costs == {"cpu_us_per_request", "cpu_us_per_chunk", "cpu_us_per_burst_chunk"}
    assert (measured["rps"], measured["rps_c1"], measured["latency_c1_p50_us"]) == (1000.0, 1000.0, 10.0)
    assert (measured["ttft_p50_us"], measured["gap_p99_us"], measured["lost_chunks"]) == (100.0, 200.0, 1.0)


def test_nothing_in_between_costs_nothing(tmp_path: Path) -> None:
    """Without processes there is no CPU time to tell."""
    measured = make_subject(make_loader(tmp_path), FAST).measure_round()
    assert [metric for metric in measured if metric.startswith("cpu")] == []


@pytest.mark.parametrize(
    ("needs_s", "asked"),
    [(0.0, [(8, 0.3), (BURST_MODEL, 16, 16)]), (1.0, [(8, 0.3), (1, 4.0), (BURST_MODEL, 16, 16)])],
    ids=["fast", "slow"],
)
def test_the_warm_up_finds_the_speed(tmp_path: Path, needs_s: float, asked: list[tuple[object, ...]]) -> None:
    """Of whole answers and of streams; where nothing ended in the time given it is tried again with more."""
    loader = make_loader(tmp_path, needs_s=needs_s)
    assert warm_up(loader, PLAN) == Speed(rps=1000.0, streams_per_s=32.0)
    assert loader.asked == asked


def test_a_gateway_that_never_answers_is_refused(tmp_path: Path) -> None:
    """The second try fails, too."""
    with pytest.raises(NothingEndedError):
        warm_up(make_loader(tmp_path, needs_s=100.0), PLAN)


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_the_frontier_is_measured_beyond_one_and_sixty_four(plan: Plan) -> None:
    """Those two are part of every round, and 128 is the most."""
    assert not {1, 64}.intersection(plan.points)
    assert max(plan.points) <= 128
