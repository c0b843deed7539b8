# SPDX-License-Identifier: Apache-2.0
"""The figures of the guard: each is the difference of two counts, so that what surrounds the work cancels out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.guard.counted import CountedGateway, Counts
from bench.guard.wire import GrpcCalls, HttpCalls, Provider
from bench.guard.works import make_works

CALIBRATION: Final = "calibration, instructions"
"""The figure that is no figure of ours: see works.py."""

_ROUNDS: Final = 3
# Python's specialising interpreter and all caches have settled by then.
_WARM_UP: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is repeated, and how often in the shorter and in the longer count. `syscalls`: system calls are a figure of it, too."""

    run: Callable[[int], None]
    few: int
    many: int
    syscalls: bool


def measure() -> dict[str, float]:
    """All figures by name, per piece of work."""
    with Provider() as provider, CountedGateway(provider.port) as gateway:
        http_port, grpc_target = gateway.wait_for_ports()
        with HttpCalls(http_port, provider) as http, GrpcCalls(grpc_target, provider) as grpc:
            works = {**_works_without_sockets(gateway), **_works_of_the_wires(http, grpc)}
            for work in works.values():
                work.run(_WARM_UP)
            gateway.order("count")
            figures: dict[str, float] = {}
            for name, work in works.items():
                rounds = [_count_one(gateway, name, work) for _ in range(_ROUNDS)]
                figures[f"{name}, instructions"] = median(counts.instructions for counts in rounds)
                if work.syscalls:
                    figures[f"{name}, system calls"] = median(counts.syscalls for counts in rounds)
    return figures


def _works_without_sockets(gateway: CountedGateway) -> Mapping[str, Work]:
    def ordered(name: str) -> Callable[[int], None]:
        return lambda times: gateway.order(f"run {times} {name}")

    return {name: Work(run=ordered(name), few=5, many=25, syscalls=False) for name in make_works()}


def _works_of_the_wires(http: HttpCalls, grpc: GrpcCalls) -> Mapping[str, Work]:
    # How often grpc's threads wake each other differs from run to run, and so do its system calls.
    return {
        "http: a call": Work(run=http.calls, few=2, many=12, syscalls=True),
        "http: a chunk alone": Work(run=http.stream, few=5, many=30, syscalls=True),
        "http: a chunk of a burst": Work(run=http.burst, few=5, many=30, syscalls=False),
        "grpc: a call": Work(run=grpc.calls, few=2, many=12, syscalls=False),
        "grpc: a chunk alone": Work(run=grpc.stream, few=5, many=30, syscalls=False),
    }


def _count_one(gateway: CountedGateway, name: str, work: Work) -> Counts:
    """What one piece of the work costs: two counts, of few and of many, and the slope between them."""
    few, many = _count(gateway, name, work.run, work.few), _count(gateway, name, work.run, work.many)
    pieces = work.many - work.few
    return Counts(
        instructions=(many.instructions - few.instructions) / pieces, syscalls=(many.syscalls - few.syscalls) / pieces
    )


def _count(gateway: CountedGateway, name: str, run: Callable[[int], None], times: int) -> Counts:
    gateway.order("zero")
    run(times)
    return gateway.count(name)
