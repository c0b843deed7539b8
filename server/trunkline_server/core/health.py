# SPDX-License-Identifier: Apache-2.0
"""What is known of one endpoint at one moment, as a value: the engine keeps it, routing decides by it, the catalog's lists show it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class EndpointStatus(IntEnum):
    """How an endpoint is, in the numbers of the contract's `Endpoint.status`: the lower, the worse."""

    WELL = 0
    """In order, or nothing is known against it."""
    UNSTABLE = -1
    """A significant share of its calls failed within the last 30 s."""
    COOLING = -2
    """Its provider asked for a pause, or refuses the gateway's key."""
    OUT = -3
    """Ejected after failures in a row, and not yet seen to work again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Four percentiles of a measurement, in its unit."""

    p50: float
    p75: float
    p90: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointHealth:
    """What is known of one endpoint, over the last five minutes where nothing else is said.

    `requests` counts finished attempts; `success_rate` is 0 to 1; `latency_s` is the time to the end of an answer, `first_token_s` to its first content,
    `throughput_tps` tokens a second after that. None: nothing was measured. `unstable`: a significant share failed within the last 30 s.
    `ejected_until_s` and `cooling_until_s` are moments of the monotonic clock, None: never; an ejection whose time is over still
    needs a success to be forgotten. `probe_due` says that an ejected endpoint may be tried once; `ejections` is how often in a row it was ejected, 0: it is not.
    While it is, its times are those of before, where it has answered nobody since.
    """

    requests: int = 0
    success_rate: float | None = None
    latency_s: Percentiles | None = None
    first_token_s: Percentiles | None = None
    throughput_tps: Percentiles | None = None
    unstable: bool = False
    ejected_until_s: float | None = None
    ejections: int = 0
    probe_due: bool = False
    cooling_until_s: float | None = None

    @property
    def status(self) -> EndpointStatus:
        """How the endpoint is, by itself: a plan may still call it, where its model's other endpoints are no better."""
        if self.ejected_until_s is not None:
            return EndpointStatus.OUT
        if self.cooling_until_s is not None:
            return EndpointStatus.COOLING
        return EndpointStatus.UNSTABLE if self.unstable else EndpointStatus.WELL
