# SPDX-License-Identifier: Apache-2.0
"""The health of endpoints, kept as attempts end, in constant memory for each of them.

Rules. A failure counts where its reason speaks of the endpoint and not of the caller; so does a silence that the call's own hurry ended, where nothing was
heard of the endpoint meanwhile. What ejects an endpoint, and brings it back, is said in `health_page.py`. A provider that asks for a pause cools down for as
long as it asks; one that refuses the gateway's key, or says that its account is empty, for a minute, once it has done so twice with no answer between: a
single refusal may be about a caller's prompt. Neither is an ejection, and neither counts as a call: rate limits and keys say nothing of whether an endpoint
works.

An endpoint that nobody called for five minutes, and that is not kept out, is forgotten.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from itertools import islice
from types import MappingProxyType
from typing import Final

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.catalog.entry import EndpointKey
from trunkline_server.core.health import EndpointHealth
from trunkline_server.engine.health_page import Page
from trunkline_server.routing.health import EMPTY_HEALTH, HealthSnapshot

PAUSE_S: Final = 5.0
"""How long one cools down whose provider limits the rate of calls and names no wait."""
MOST_ENDPOINTS: Final = 10_000
REFRESH_S: Final = 0.25
"""How old a snapshot gets before what passes with time is looked at again. What a failure changes is in the next one."""
MEASURED_S: Final = 5.0
"""How old an endpoint's numbers get, as long as no more than `MOST_MEASURED` endpoints are due at once."""
MOST_MEASURED: Final = 25
"""How many endpoints' numbers a snapshot reads, so that none takes much longer than a millisecond."""
MOST_SHOWN: Final = 200
"""How many endpoints a snapshot looks at whose standing passes with time, for the same reason: thousands may be out together."""


class Blame(Enum):
    """What a failure says of the endpoint where it happened."""

    FAULT = "it does not work"
    PAUSE = "it asks for a pause"
    QUARANTINE = "it refuses the gateway's key or account"


BLAMES: Final[Mapping[ErrorReason.ValueType, Blame]] = MappingProxyType(
    {
        ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE: Blame.FAULT,
        ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT: Blame.FAULT,
        ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE: Blame.FAULT,
        ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED: Blame.FAULT,
        ErrorReason.ERROR_REASON_UNMAPPED: Blame.FAULT,
        # Its provider does not have what the catalog says it has.
        ErrorReason.ERROR_REASON_MODEL_NOT_FOUND: Blame.FAULT,
        ErrorReason.ERROR_REASON_MODEL_DEPRECATED: Blame.FAULT,
        ErrorReason.ERROR_REASON_MODEL_UNAVAILABLE_UPSTREAM: Blame.FAULT,
        ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED: Blame.PAUSE,
        ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION: Blame.QUARANTINE,
    }
)
"""Reasons that speak of the endpoint; all others speak of the request, the caller or the gateway, and change nothing."""


class HealthBook:
    """What happened at each endpoint. `monotonic_s` is the clock; not for use by several threads."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._pages: dict[EndpointKey, Page] = {}
        # Every page once, the one whose numbers were read longest ago first.
        self._queue: deque[tuple[EndpointKey, Page]] = deque()
        # Those whose standing passes with time, each with the moment of that, the one looked at longest ago first; and those whose standing an attempt changed.
        self._troubled: dict[EndpointKey, float] = {}
        self._changed: set[EndpointKey] = set()
        # Never written to: a snapshot holds it.
        self._shown: dict[EndpointKey, EndpointHealth] = {}
        self._snapshot = EMPTY_HEALTH
        self._fresh_until_s = 0.0
        # When endpoints became others than they were, the latest last.
        self._changed_s: dict[EndpointKey, float] = {}

    def note_success(
        self,
        key: EndpointKey,
        *,
        latency_s: float,
        first_token_s: float | None,
        completion_tokens: int,
        away_s: float = 0.0,
    ) -> None:
        """An answer came whole, `latency_s` after it was asked for and the time `away_s` in which nobody read it. `first_token_s` is None where its content
        came at once, with its end.
        """
        now_s = self._monotonic_s()
        began_s = now_s - latency_s - away_s
        if self._is_of_before(key, began_s):
            return
        page = self._pages.get(key) or self._begin_page(key)
        page.heard_s = now_s
        page.count(now_s, failed=False)
        page.latency.add(now_s, latency_s)
        if first_token_s is not None:
            page.first_token.add(now_s, first_token_s)
            writing_s = latency_s - first_token_s
            if completion_tokens > 1 and writing_s > 0:
                page.throughput.add(now_s, completion_tokens / writing_s)
        if page.is_accused:
            if page.recover(now_s, began_s=began_s):
                self._changed.add(key)
            page.end_row(began_s=began_s)

    def note_content(self, key: EndpointKey, *, first_token_s: float) -> None:
        """An answer has begun, `first_token_s` after it was asked for: long before its end this shows that the endpoint works again. It counts as no call yet."""
        page = self._pages.get(key)
        if page is None:
            return
        now_s = self._monotonic_s()
        began_s = now_s - first_token_s
        if self._is_of_before(key, began_s):
            return
        page.heard_s = now_s
        if page.is_accused and page.recover(now_s, began_s=began_s):
            self._changed.add(key)

    def note_failure(
        self,
        key: EndpointKey,
        reason: ErrorReason.ValueType,
        retry_after_s: float | None = None,
        *,
        began_s: float | None = None,
    ) -> None:
        """An attempt that began then (None: now) failed. Reasons that do not speak of the endpoint change nothing."""
        blame = BLAMES.get(reason)
        if blame is None or (began_s is not None and self._is_of_before(key, began_s)):
            return
        now_s = self._monotonic_s()
        page = self._pages.get(key) or self._begin_page(key)
        if blame is Blame.QUARANTINE:
            page.refuse(now_s)
        elif blame is Blame.PAUSE:
            page.cool(now_s, PAUSE_S if retry_after_s is None else retry_after_s)
        else:
            page.count(now_s, failed=True)
            page.fail(now_s)
            if retry_after_s is not None:
                page.cool(now_s, retry_after_s)
        self._changed.add(key)

    def note_silence(self, key: EndpointKey, caller: str, *, began_s: float) -> None:
        """A caller's call, which began then, ended by its own hurry after a silence that is long for the endpoint. Where that was heard of meanwhile it changes
        nothing: what took so long was this call's work. It is told because those who have little time would never find out by a time-out that an endpoint is dead.
        """
        page = self._pages.get(key)
        if page is None or page.heard_s > began_s or self._is_of_before(key, began_s):
            return
        now_s = self._monotonic_s()
        page.count(now_s, failed=True)
        page.fail(now_s, hurried=caller)
        self._changed.add(key)

    def has_heard(self, key: EndpointKey, since_s: float) -> bool:
        """Whether an answer of the endpoint has begun since."""
        page = self._pages.get(key)
        return page is not None and page.heard_s > since_s

    def begin_probe(self, key: EndpointKey) -> bool:
        """An ejected endpoint is tried; until the interval has passed nobody else probes it. Returns whether this is its probe: not where it is not ejected, or
        another call is its probe already.
        """
        page, now_s = self._pages.get(key), self._monotonic_s()
        if page is None or not page.begin_probe(now_s):
            return False
        self._changed.add(key)
        return True

    def give_back_probe(self, key: EndpointKey) -> None:
        """A probe ended before it could show anything, such as by its caller leaving at once: the next call may be one, though not again and again. For others it
        changes nothing.
        """
        page = self._pages.get(key)
        if page is not None and page.give_back_probe(self._monotonic_s()):
            self._changed.add(key)

    def forget(self, keys: Iterable[EndpointKey]) -> None:
        """These endpoints are others than they were: nothing that is known of them counts any more, nor what calls say that are under way there."""
        keys, now_s = set(keys), self._monotonic_s()
        for key in keys:
            self._changed_s.pop(key, None)
            self._changed_s[key] = now_s
        while len(self._changed_s) > MOST_ENDPOINTS:
            del self._changed_s[next(iter(self._changed_s))]
        gone = self._pages.keys() & keys
        if gone:
            for key in gone:
                del self._pages[key]
            self._queue = deque(entry for entry in self._queue if entry[0] not in gone)
            self._changed |= gone

    def _is_of_before(self, key: EndpointKey, began_s: float) -> bool:
        """Whether a call that began then was of an endpoint that is another one now."""
        return bool(self._changed_s) and began_s < self._changed_s.get(key, began_s)

    def snapshot(self) -> HealthSnapshot:
        """The health of all endpoints now: the same object until an attempt has changed how one stands, or a quarter of a second has passed."""
        now_s = self._monotonic_s()
        if self._changed or now_s >= self._fresh_until_s:
            self._renew(now_s)
        return self._snapshot

    def _renew(self, now_s: float) -> None:
        due, self._changed = self._changed, set()
        if now_s >= self._fresh_until_s:
            self._fresh_until_s = now_s + REFRESH_S
            due |= set(islice((key for key, passes_s in self._troubled.items() if passes_s <= now_s), MOST_SHOWN))
            due |= self._measure(now_s)
        if not due:
            return
        shown = self._shown.copy()
        for key in due:
            page = self._pages.get(key)
            self._troubled.pop(key, None)
            if page is None:
                shown.pop(key, None)
                continue
            health = shown[key] = page.show(now_s)
            passes_s = page.passes_s(health, now_s)
            if passes_s is not None:
                self._troubled[key] = passes_s
        self._shown = shown
        self._snapshot = HealthSnapshot(endpoints=MappingProxyType(shown))

    def _measure(self, now_s: float) -> set[EndpointKey]:
        """Read the numbers of pages whose turn it is, a bounded count at once, and tear out empty ones. Returns whose pages that was."""
        due: set[EndpointKey] = set()
        for _ in range(min(MOST_MEASURED, len(self._queue))):
            key, page = self._queue[0]
            if page.measured_s + MEASURED_S > now_s:
                break
            self._queue.popleft()
            due.add(key)
            if page.is_empty(now_s):
                del self._pages[key]
            else:
                page.measure(now_s)
                self._queue.append((key, page))
        return due

    def _begin_page(self, key: EndpointKey) -> Page:
        if len(self._pages) >= MOST_ENDPOINTS:
            # The page begun first: mostly an endpoint of a catalog long gone.
            oldest = next(iter(self._pages))
            del self._pages[oldest]
            self._changed.add(oldest)
            self._queue = deque(entry for entry in self._queue if entry[0] != oldest)
        page = self._pages[key] = Page()
        self._queue.appendleft((key, page))
        return page
