# SPDX-License-Identifier: Apache-2.0
"""What Trunkline is to reach, as ratios to others of the same run, and whether it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.gateways import Wire
from bench.results import Key, Result

OURS = "trunkline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A bound for one metric of ours, divided by another gateway's where `beside` names one. `least`: the value must be no less than the bound, else no more."""

    name: str
    wire: Wire
    metric: str
    beside: str = ""
    bound: float
    least: bool = False
    unit: str = ""

    def measure(self, values: Mapping[Key, float]) -> float | None:
        """The value to hold against the bound, None where a part of it was not measured."""
        ours, theirs = self._parts(values)
        if not self.beside or ours is None:
            return ours
        return ours / theirs if theirs else None

    def judge(self, values: Mapping[Key, float]) -> str:
        """What to say: "reached", by how much of the bound it is missed, or whose part was not measured."""
        value = self.measure(values)
        if value is None:
            missing = OURS if self._parts(values)[0] is None else self.beside
            return f"not measured: needs {missing}"
        if value >= self.bound if self.least else value <= self.bound:
            return "reached"
        missed = (self.bound - value if self.least else value - self.bound) / self.bound
        return f"missed by {missed:.0%}"

    def _parts(self, values: Mapping[Key, float]) -> tuple[float | None, float | None]:
        return values.get(Key(OURS, self.wire, self.metric)), values.get(Key(self.beside, self.wire, self.metric))


TARGETS: Sequence[Target] = (
    Target(name="CPU per HTTP request / nginx", wire=Wire.HTTP, metric="cpu_us_per_request", beside="nginx", bound=14),
    Target(name="CPU per paced chunk / nginx", wire=Wire.HTTP, metric="cpu_us_per_chunk", beside="nginx", bound=3),
    Target(
        name="CPU per gRPC unary call / bare grpc.aio proxy",
        wire=Wire.GRPC,
        metric="cpu_us_per_request",
        beside="grpc-aio-proxy",
        bound=1.8,
    ),
    Target(
        name="requests/s, c=64 / tuned LiteLLM", wire=Wire.HTTP, metric="rps", beside="litellm", bound=40, least=True
    ),
    Target(
        name="added latency p50 at c=1 / tuned LiteLLM",
        wire=Wire.HTTP,
        metric="added_latency_c1_p50_us",
        beside="litellm",
        bound=1 / 30,
    ),
    Target(name="RSS idle", wire=Wire.HTTP, metric="rss_idle_mb", bound=90, unit="MB"),
    Target(name="start to first answer", wire=Wire.HTTP, metric="start_s", bound=1.2, unit="s"),
    Target(name="import trunkline (client)", wire=Wire.GRPC, metric="import_s", bound=0.3, unit="s"),
    Target(
        name="RSS per 1,000 idle open streams", wire=Wire.HTTP, metric="rss_per_1000_streams_mb", bound=60, unit="MB"
    ),
)


def index_values(results: Sequence[Result]) -> dict[Key, float]:
    """The results by what they are of."""
    return {Key(result.gateway, result.wire, result.metric): result.value for result in results}
