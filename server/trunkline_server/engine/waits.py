# SPDX-License-Identifier: Apache-2.0
"""Streams whose head has not come. A provider that takes requests and says nothing is known by its time-outs only after a minute; until then the calls that wait
there make it suspect, so that those which follow go elsewhere.

Keeping count costs a call the same however many wait; who waits too long is looked for four times a second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from trunkline_server.catalog.entry import EndpointKey
from trunkline_server.core.health import EndpointHealth
from trunkline_server.engine.health import REFRESH_S, HealthBook
from trunkline_server.engine.patience import BEYOND
from trunkline_server.routing.health import HealthSnapshot

SUSPECT_S: Final = 10.0
"""How long a stream's head may be missing before its endpoint is suspect; longer where its streams usually take longer to begin."""

_NOTHING_KNOWN: Final = EndpointHealth()


class HeadWaits:
    """Who waits for the head of a stream, and the health of endpoints in that light. `health` knows how attempts ended; `monotonic_s` is the clock."""

    def __init__(self, health: HealthBook, monotonic_s: Callable[[], float]) -> None:
        self._health = health
        self._monotonic_s = monotonic_s
        # The one that has waited longest first.
        self._waiting: dict[object, tuple[EndpointKey, float]] = {}
        self._suspects: dict[EndpointKey, float] = {}
        self._looked_s = float("-inf")
        self._plain = self._shown = health.snapshot()

    def begin(self, who: object, key: EndpointKey, now_s: float) -> None:
        """An attempt, which `who` stands for, waits for its head from now on."""
        self._waiting[who] = (key, now_s)

    def end(self, who: object) -> None:
        """Its head has come, or it has ended; changes nothing where it did not wait."""
        self._waiting.pop(who, None)

    def snapshot(self) -> HealthSnapshot:
        """The health of all endpoints now, those unstable where a stream has waited for too long."""
        plain, now_s = self._health.snapshot(), self._monotonic_s()
        waiting = self._waiting
        if not waiting or next(iter(waiting.values()))[1] > now_s - SUSPECT_S:
            return plain
        is_old = now_s >= self._looked_s + REFRESH_S
        if is_old:
            self._looked_s = now_s
            self._suspects = self._find_suspects(now_s)
        if is_old or plain is not self._plain:
            self._plain, self._shown = plain, self._darken(plain, now_s)
        return self._shown

    def _find_suspects(self, now_s: float) -> dict[EndpointKey, float]:
        """Endpoints with the moment since which a stream has waited there, where that is long ago."""
        found: dict[EndpointKey, float] = {}
        for key, since_s in self._waiting.values():
            if since_s > now_s - SUSPECT_S:
                break
            found.setdefault(key, since_s)
        return found

    def _darken(self, plain: HealthSnapshot, now_s: float) -> HealthSnapshot:
        shown = dict(plain.endpoints)
        for key, since_s in self._suspects.items():
            health = shown.get(key, _NOTHING_KNOWN)
            usual = health.first_token_s
            if usual is None or now_s - since_s >= BEYOND * usual.p99:
                shown[key] = replace(health, unstable=True)
        return HealthSnapshot(endpoints=MappingProxyType(shown))
