# SPDX-License-Identifier: Apache-2.0
"""How one gateway on one wire is measured: how long each load is, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.gateways import BURST_MODEL, PACED_MODEL
from bench.loads import Loader, NothingEndedError, UnaryRun
from bench.measure import read_cpu_s
from bench.payload import CHUNKS, GAP_US
from bench.results import Lane

US_PER_S = 1_000_000
CONNECTIONS = 64
WARM_UP_CALLS_AT_ONCE = 8
WARM_UP_STREAMS = 16
# So many whole answers at least, or those that a load leaves behind unfinished would weigh.
LEAST_REQUESTS = 1000
LEAST_ALONE = 50
LEAST_PASSES = 3
MOST_STREAMS = 4096
PACED_STREAM_S = CHUNKS * GAP_US / US_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How thoroughly a run measures: rounds over all lanes, and the length of each load in seconds.

    `points` are the concurrencies of the throughput frontier beside 1 and 64. `paced_passes`: streams one after another on each of 64 connections, half a
    second each. `longest_s` bounds the loads that slow gateways get for enough requests, `budget_s` the run: a round that would end after it is left out.
    """

    rounds: int
    c1_s: float
    c64_s: float
    point_s: float
    points: Sequence[int]
    paced_passes: int
    burst_s: float
    warm_up_s: float
    longest_s: float
    budget_s: float


PLANS = {
    "quick": Plan(
        rounds=3,
        c1_s=0.3,
        c64_s=0.5,
        point_s=0.25,
        points=(4, 16, 128),
        paced_passes=2,
        burst_s=0.3,
        warm_up_s=0.3,
        longest_s=1.5,
        budget_s=84.0,
    ),
    "full": Plan(
        rounds=5,
        c1_s=0.8,
        c64_s=1.5,
        point_s=0.7,
        points=(2, 4, 8, 16, 32, 128),
        paced_passes=4,
        burst_s=1.0,
        warm_up_s=1.0,
        longest_s=10.0,
        budget_s=560.0,
    ),
    # For the test that the whole works: the figures mean little.
    "short": Plan(
        rounds=1,
        c1_s=0.2,
        c64_s=0.2,
        point_s=0.2,
        points=(8,),
        paced_passes=1,
        burst_s=0.1,
        warm_up_s=0.2,
        longest_s=1.0,
        budget_s=60.0,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """What the warm-up found: whole answers and streams in bursts, a second."""

    rps: float
    streams_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One lane, ready to be measured: its load, and the first processes of the gateway's trees (none: nothing in between)."""

    lane: Lane
    loader: Loader
    pids: Sequence[int]
    plan: Plan
    speed: Speed

    def measure_round(self) -> dict[str, float]:
        """One round: whole answers one at a time and 64 at once, paced streams, streams in bursts. Raises BenchError."""
        return {**self._measure_unary(), **self._measure_paced(), **self._measure_burst()}

    def measure_points(self) -> dict[str, float]:
        """The further concurrencies of the throughput frontier. Raises BenchError."""
        measured: dict[str, float] = {}
        for concurrency in self.plan.points:
            run = self.loader.run_unary(
                concurrency=concurrency,
                seconds=self._seconds(self.plan.point_s, concurrency, least_requests=concurrency),
            )
            measured |= _point(concurrency, run)
        return measured

    def _measure_unary(self) -> dict[str, float]:
        alone = self.loader.run_unary(
            concurrency=1, seconds=self._seconds(self.plan.c1_s, 1, least_requests=LEAST_ALONE)
        )
        before_s = read_cpu_s(self.pids)
        many = self.loader.run_unary(
            concurrency=CONNECTIONS, seconds=self._seconds(self.plan.c64_s, CONNECTIONS, least_requests=LEAST_REQUESTS)
        )
        spent_s = read_cpu_s(self.pids) - before_s
        measured = {**_point(1, alone), **_point(CONNECTIONS, many), "rps": many.rps}
        return measured | self._per_piece("cpu_us_per_request", spent_s, many.requests)

    def _measure_paced(self) -> dict[str, float]:
        # One that cannot keep up is given one stream a connection, and the time that it needs.
        needed_s = CONNECTIONS / self.speed.streams_per_s
        passes = self.plan.paced_passes if needed_s < PACED_STREAM_S else 1
        before_s = read_cpu_s(self.pids)
        run = self.loader.run_streams(
            model=PACED_MODEL,
            streams=CONNECTIONS * passes,
            connections=CONNECTIONS,
            seconds=passes * PACED_STREAM_S + needed_s,
        )
        spent_s = read_cpu_s(self.pids) - before_s
        measured = {"lost_chunks": float(run.lost_chunks)}
        for name, spread in (("ttft", run.ttft_us), ("gap", run.gap_us), ("delay", run.delay_us)):
            measured |= {f"{name}_p50_us": spread.p50, f"{name}_p99_us": spread.p99}
        return measured | self._per_piece("cpu_us_per_chunk", spent_s, run.chunks)

    def _measure_burst(self) -> dict[str, float]:
        wanted = self.speed.streams_per_s * self.plan.burst_s
        streams = int(min(max(wanted, CONNECTIONS), MOST_STREAMS))
        before_s = read_cpu_s(self.pids)
        run = self.loader.run_streams(
            model=BURST_MODEL,
            streams=streams,
            connections=CONNECTIONS,
            seconds=self.plan.longest_s + streams / self.speed.streams_per_s,
        )
        spent_s = read_cpu_s(self.pids) - before_s
        measured = {"lost_burst_chunks": float(run.lost_chunks), "burst_chunks_per_s": run.chunks / run.seconds}
        return measured | self._per_piece("cpu_us_per_burst_chunk", spent_s, run.chunks)

    def _seconds(self, planned_s: float, concurrency: int, *, least_requests: int) -> float:
        """How long a load of whole answers is: so that enough of them end, within bounds, and each connection has several."""
        wanted_s = min(self.plan.longest_s, least_requests / self.speed.rps)
        return max(planned_s, wanted_s, LEAST_PASSES * concurrency / self.speed.rps)

    def _per_piece(self, metric: str, spent_s: float, pieces: int) -> dict[str, float]:
        """CPU time for each request or chunk; nothing where there is no gateway."""
        return {metric: spent_s * US_PER_S / pieces} if self.pids else {}


def warm_up(loader: Loader, plan: Plan) -> Speed:
    """Use every path once and learn how fast the gateway is. Raises BenchError when it does not answer well."""
    try:
        rps = loader.run_unary(concurrency=WARM_UP_CALLS_AT_ONCE, seconds=plan.warm_up_s).rps
    except NothingEndedError:
        rps = loader.run_unary(concurrency=1, seconds=plan.longest_s).rps
    run = loader.run_streams(
        model=BURST_MODEL, streams=WARM_UP_STREAMS, connections=WARM_UP_STREAMS, seconds=plan.longest_s
    )
    return Speed(rps=rps, streams_per_s=run.streams / run.seconds)


def _point(concurrency: int, run: UnaryRun) -> dict[str, float]:
    return {
        f"rps_c{concurrency}": run.rps,
        f"latency_c{concurrency}_p50_us": run.p50_us,
        f"latency_c{concurrency}_p99_us": run.p99_us,
    }
