# SPDX-License-Identifier: Apache-2.0
"""Which endpoint a conversation is at, so that its next call finds the provider's prompt cache warm. Bounded: the conversation heard of longest ago goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from trunkline_server.catalog.entry import EndpointKey

MOST: Final = 10_000
"""Conversations remembered."""
MOST_OF_ONE: Final = 1_000
"""Conversations remembered of one principal, so that none makes the gateway forget those of all others."""
LIFETIME_S: Final = 3600.0
"""How long one is remembered after its last call: no provider keeps a prompt longer (an hour is the longest `ttl` of cache_control)."""


class SessionPins:
    """Endpoints by principal, session and the model asked for. `monotonic_s` is the clock.

    A session may speak with several models in turn, as coding agents do: `asked` is the model as the request names it, so that each keeps its endpoint.
    """

    def __init__(self, monotonic_s: Callable[[], float], most: int = MOST, most_of_one: int = MOST_OF_ONE) -> None:
        self._monotonic_s = monotonic_s
        self._most = most
        self._most_of_one = most_of_one
        # The one served longest ago first: of all, and the names of those of each principal.
        self._pins: OrderedDict[tuple[str, str, str], tuple[EndpointKey, float]] = OrderedDict()
        self._owned: dict[str, OrderedDict[tuple[str, str, str], None]] = {}

    def find(self, principal: str, session_id: str | None, asked: str = "") -> EndpointKey | None:
        """The endpoint of a session; None where it has none, or there is no session."""
        if not session_id:
            return None
        name = (principal, session_id, asked)
        pin = self._pins.get(name)
        if pin is None:
            return None
        key, served_s = pin
        if self._monotonic_s() - served_s > LIFETIME_S:
            self._forget(name)
            return None
        return key

    def keep(self, principal: str, session_id: str | None, key: EndpointKey, asked: str = "") -> None:
        """The session was served by an endpoint."""
        if not session_id:
            return
        name = (principal, session_id, asked)
        self._pins[name] = (key, self._monotonic_s())
        self._pins.move_to_end(name)
        owned = self._owned.setdefault(principal, OrderedDict())
        owned[name] = None
        owned.move_to_end(name)
        if len(owned) > self._most_of_one:
            self._forget(next(iter(owned)))
        elif len(self._pins) > self._most:
            self._forget(next(iter(self._pins)))

    def _forget(self, name: tuple[str, str, str]) -> None:
        del self._pins[name]
        owned = self._owned[name[0]]
        del owned[name]
        if not owned:
            del self._owned[name[0]]
