# SPDX-License-Identifier: Apache-2.0
"""What the calls of a gateway have in common, and what it says of the endpoints of a plan."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from trunkline_server.catalog.entry import Endpoint, EndpointKey
from trunkline_server.core.health import EndpointHealth
from trunkline_server.engine.budget import RetryBudget
from trunkline_server.engine.health import HealthBook
from trunkline_server.engine.health_page import PROBE_INTERVAL_S
from trunkline_server.engine.limits import EndpointLimits
from trunkline_server.engine.sessions import SessionPins
from trunkline_server.engine.waits import HeadWaits
from trunkline_server.routing.health import Standing, find_standings
from trunkline_server.routing.plan import Plan

LEAST_WAIT_S: Final = 1.0
"""The shortest wait that a call is advised which was refused further attempts: what the budget takes to have a retry again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledgers:
    """What everybody keeps count in, and the world's clock, dice and pauses.

    `longest_wait_s` is how long a call waits for a place at the last endpoint that it can go to; `hedge_after_s` after what time without an answer a unary
    call asks a second endpoint beside the first, None: never.
    """

    health: HealthBook
    waits: HeadWaits
    budget: RetryBudget
    limits: EndpointLimits
    pins: SessionPins
    longest_wait_s: float
    hedge_after_s: float | None = None
    monotonic_s: Callable[[], float]
    draw: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]

    def forget(self, keys: Iterable[EndpointKey]) -> None:
        """These endpoints are others than they were, such as at another address: what is known of them counts no more, nor what calls under way will find."""
        gone = [*keys]
        self.health.forget(gone)
        self.waits.forget(gone)

    def standings(self, plan: Plan) -> dict[EndpointKey, Standing]:
        """How the plan's endpoints stand now, model by model; those that stand well are left out."""
        health, now_s = self.waits.snapshot(), self.monotonic_s()
        by_model: dict[str, list[Endpoint]] = {}
        for endpoint in plan.endpoints:
            by_model.setdefault(endpoint.model, []).append(endpoint)
        standings: dict[EndpointKey, Standing] = {}
        for endpoints in by_model.values():
            standings.update(find_standings(endpoints, health, now_s))
        return standings

    def next_chance_s(self, plan: Plan) -> float:
        """How long until an endpoint of the plan is worth a try."""
        health, now_s = self.waits.snapshot(), self.monotonic_s()
        waits_s = [_pause_left_s(health.of(endpoint), now_s) for endpoint in plan.endpoints]
        return max(min(waits_s, default=0.0), LEAST_WAIT_S)


def _pause_left_s(health: EndpointHealth, now_s: float) -> float:
    """How long an endpoint is to be left alone. One that is ejected is tried by a probe long before its time is over."""
    cooling_s = (health.cooling_until_s or now_s) - now_s
    if health.ejected_until_s is None or health.probe_due:
        return cooling_s
    return max(cooling_s, min(health.ejected_until_s - now_s, PROBE_INTERVAL_S))
