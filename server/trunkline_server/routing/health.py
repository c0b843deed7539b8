# SPDX-License-Identifier: Apache-2.0
"""What is known of endpoints at one moment, as values, and what follows for their place in a plan.

The numbers are kept by `engine/health.py`; here they are an immutable snapshot, so that a plan is a pure function of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType

from trunkline_server.catalog.entry import Endpoint, EndpointKey
from trunkline_server.core.health import EndpointHealth, Percentiles

__all__ = ["EMPTY_HEALTH", "EndpointHealth", "HealthSnapshot", "Percentiles", "Standing", "find_standings"]


class Standing(IntEnum):
    """How an endpoint stands; the lower, the earlier it is tried."""

    DUE = -1
    """Ejected, and due for one call that shows whether it is back."""
    WELL = 0
    """In order, or nothing is known against it."""
    UNSTABLE = 1
    """A significant share of its calls failed within the last 30 s."""
    COOLING = 2
    """Its provider asked for a pause that has not passed, or refuses the gateway's key."""
    OUT = 3
    """Ejected after failures in a row."""


_NOTHING_KNOWN = EndpointHealth()
_NO_ENDPOINTS: Mapping[EndpointKey, EndpointHealth] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSnapshot:
    """The health of all endpoints that were tried, at one moment."""

    endpoints: Mapping[EndpointKey, EndpointHealth] = field(default_factory=lambda: _NO_ENDPOINTS)

    def of(self, endpoint: Endpoint) -> EndpointHealth:
        """What is known of an endpoint; a blank page where it was never tried."""
        return self.endpoints.get(endpoint.key, _NOTHING_KNOWN)


EMPTY_HEALTH = HealthSnapshot()
"""Nothing was tried yet."""


def find_standings(endpoints: Sequence[Endpoint], health: HealthSnapshot, now_s: float) -> dict[EndpointKey, Standing]:
    """How the endpoints of one model stand; those that stand well are left out, so mostly it is empty.

    At most half of them are out: where more are ejected, those whose time ends first count as unstable instead. Where none would be left, all are let in
    again as unstable ("panic mode"): a try that may fail beats none.
    """
    known = health.endpoints
    if not known:
        return {}
    standings: dict[EndpointKey, Standing] = {}
    ejected: list[tuple[float, EndpointKey]] = []
    for endpoint in endpoints:
        found = known.get(endpoint.key)
        if found is None or (not found.unstable and found.ejected_until_s is None and found.cooling_until_s is None):
            continue
        if found.ejected_until_s is not None and not found.probe_due and now_s < found.ejected_until_s:
            ejected.append((found.ejected_until_s, endpoint.key))
        elif found.cooling_until_s is not None and now_s < found.cooling_until_s:
            standings[endpoint.key] = Standing.COOLING
        elif found.ejected_until_s is not None and found.probe_due:
            standings[endpoint.key] = Standing.DUE
        elif found.unstable or found.ejected_until_s is not None:
            standings[endpoint.key] = Standing.UNSTABLE
    ejected.sort(reverse=True)
    allowed = len(endpoints) // 2 if len(ejected) < len(endpoints) else 0
    for place, (_, key) in enumerate(ejected):
        standings[key] = Standing.OUT if place < allowed else Standing.UNSTABLE
    return standings
