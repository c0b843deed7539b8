# SPDX-License-Identifier: Apache-2.0
"""A health book in virtual time, and short words for what happens at one endpoint."""

from __future__ import annotations

from typing import Any

from support.clock import Clock
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.catalog.entry import Endpoint, EndpointKey, Provider
from trunkline_server.core.health import EndpointHealth
from trunkline_server.engine.health import HealthBook
from trunkline_server.routing.health import Standing, find_standings

BROKEN = ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE
LIMITED = ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED
KEY_REFUSED = ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION
ENDPOINTS = [
    Endpoint(model="acme/one", provider=Provider(slug=slug, name=slug), upstream_model="one", tag=slug)
    for slug in ("a", "b", "c")
]
KEY: EndpointKey = ENDPOINTS[0].key


class Story:
    """A book and its clock, and short words for what happens at one endpoint."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.book = HealthBook(self.clock)

    @property
    def health(self) -> EndpointHealth:
        """What the snapshot says of the endpoint."""
        return self.book.snapshot().of(ENDPOINTS[0])

    @property
    def standing(self) -> Standing:
        """How the endpoint stands among the three of its model."""
        standings = find_standings(ENDPOINTS, self.book.snapshot(), self.clock.now_s)
        return standings.get(KEY, Standing.WELL)

    def succeed(self, times: int = 1, *, latency_s: float = 0.5, key: EndpointKey = KEY, **facts: Any) -> None:
        """Answers came."""
        for _ in range(times):
            self.book.note_success(
                key, **{"latency_s": latency_s, "first_token_s": None, "completion_tokens": 10, **facts}
            )

    def fail(self, times: int = 1, reason: ErrorReason.ValueType = BROKEN, retry_after_s: float | None = None) -> None:
        """Attempts failed."""
        for _ in range(times):
            self.book.note_failure(KEY, reason, retry_after_s)

    def wait(self, for_s: float) -> None:
        """Time passes."""
        self.clock.advance(for_s)
