# SPDX-License-Identifier: Apache-2.0
"""Calls whose answer's head has not come. A provider that takes requests and says nothing is known by its time-outs only after minutes; until then the calls
that wait there make it suspect, so that those which follow go elsewhere.

The head of a stream comes at once. That of a whole answer mostly comes with its end: there the time that such answers usually take counts, and none of the
endpoint's may have come since.

Keeping count costs a call the same however many wait; who waits too long is looked for four times a second.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from trunkline_server.catalog.entry import EndpointKey
from trunkline_server.core.health import EndpointHealth
from trunkline_server.engine.health import REFRESH_S, HealthBook
from trunkline_server.engine.patience import BEYOND
from trunkline_server.routing.health import HealthSnapshot

SUSPECT_S: Final = 10.0
"""How long a head may be missing before its endpoint is suspect; longer where its streams usually take longer to begin, its whole answers to end."""
WHOLE_SUSPECT_S: Final = 60.0
"""The same for a whole answer of an endpoint of which nothing is known."""

_NOTHING_KNOWN: Final = EndpointHealth()


class HeadWaits:
    """Who waits for the head of an answer, and the health of endpoints in that light. `health` knows how attempts ended; `monotonic_s` is the clock."""

    def __init__(self, health: HealthBook, monotonic_s: Callable[[], float]) -> None:
        self._health = health
        self._monotonic_s = monotonic_s
        # The one that has waited longest first. Of a plain dict the first entry is found behind all those that were taken out before it.
        self._waiting: OrderedDict[object, tuple[EndpointKey, float, bool]] = OrderedDict()
        self._suspects: dict[tuple[EndpointKey, bool], float] = {}
        self._looked_s = float("-inf")
        self._plain = self._shown = health.snapshot()

    def begin(self, who: object, key: EndpointKey, now_s: float, *, streamed: bool) -> None:
        """An attempt, which `who` stands for, waits for its head from now on."""
        self._waiting[who] = (key, now_s, streamed)

    def end(self, who: object) -> None:
        """Its head has come, or it has ended; changes nothing where it did not wait."""
        self._waiting.pop(who, None)

    def forget(self, keys: Iterable[EndpointKey]) -> None:
        """These endpoints are others than they were: who waits there says nothing of them."""
        gone = {*keys}
        for who in [who for who, (key, _, _) in self._waiting.items() if key in gone]:
            del self._waiting[who]
        self._looked_s = float("-inf")

    def snapshot(self) -> HealthSnapshot:
        """The health of all endpoints now, those unstable where a call has waited for too long."""
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

    def _find_suspects(self, now_s: float) -> dict[tuple[EndpointKey, bool], float]:
        """Endpoints, and whether it is for streams, with the moment since which a call has waited there, where that is long ago."""
        found: dict[tuple[EndpointKey, bool], float] = {}
        for key, since_s, streamed in self._waiting.values():
            if since_s > now_s - SUSPECT_S:
                break
            found.setdefault((key, streamed), since_s)
        return found

    def _darken(self, plain: HealthSnapshot, now_s: float) -> HealthSnapshot:
        shown = dict(plain.endpoints)
        for (key, streamed), since_s in self._suspects.items():
            health = shown.get(key, _NOTHING_KNOWN)
            was_heard = not streamed and self._health.has_heard(key, since_s)
            if not was_heard and now_s - since_s >= _patience_s(health, streamed=streamed):
                shown[key] = replace(health, unstable=True)
        return HealthSnapshot(endpoints=MappingProxyType(shown))


def _patience_s(health: EndpointHealth, *, streamed: bool) -> float:
    usual = health.first_token_s if streamed else health.latency_s
    if usual is None:
        return SUSPECT_S if streamed else WHOLE_SUSPECT_S
    return max(SUSPECT_S, BEYOND * usual.p99)
