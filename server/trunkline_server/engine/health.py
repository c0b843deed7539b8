# SPDX-License-Identifier: Apache-2.0
"""The health of endpoints, kept as attempts end, in constant memory for each of them.

Rules. A failure counts where its reason speaks of the endpoint and not of the caller. Five in a row eject the endpoint, for 30 s times the ejections that are
not forgotten, 300 s at most. While it is out, one call in 15 s is let through as a probe; the first content of a call that began since then brings it back at
once, on trial: until an answer came whole, a single failure is enough for the next ejection. A minute in service lets one ejection be forgotten, so that an
endpoint that comes and goes stays out longer each time. A provider that asks for a pause cools down for as long as it asks; one that refuses the gateway's
key, or says that its account is empty, for a minute, once it has done so twice with no answer between: a single refusal may be about a caller's prompt.
Neither is an ejection, and neither counts as a call: rate limits and keys say nothing of whether an endpoint works.

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
from trunkline_server.engine.histogram import RollingHistogram
from trunkline_server.routing.health import EMPTY_HEALTH, HealthSnapshot

WINDOW_S: Final = 300.0
"""How far back measurements reach."""
FAILURES_TO_EJECT: Final = 5
BASE_EJECTION_S: Final = 30.0
LONGEST_EJECTION_S: Final = 300.0
FORGIVEN_S: Final = 60.0
"""How long an endpoint is in service for one of its ejections to be forgotten."""
PROBE_INTERVAL_S: Final = 15.0
OUTAGE_S: Final = 30.0
"""How far back failures make an endpoint unstable."""
OUTAGE_SHARE: Final = 0.25
"""The share of failures in that time that does."""
QUARANTINE_S: Final = 60.0
"""How long an endpoint cools down whose provider refuses the gateway's key or account."""
REFUSALS_TO_QUARANTINE: Final = 2
"""How many refusals in a row it takes."""
PAUSE_S: Final = 5.0
"""How long one cools down whose provider limits the rate of calls and names no wait."""
LONGEST_COOLING_S: Final = 300.0
MOST_ENDPOINTS: Final = 10_000
REFRESH_S: Final = 0.25
"""How old a snapshot gets before what passes with time is looked at again. What a failure changes is in the next one."""
MEASURED_S: Final = 5.0
"""How old an endpoint's numbers get, as long as no more than `MOST_MEASURED` endpoints are due at once."""
MOST_MEASURED: Final = 25
"""How many endpoints' numbers a snapshot reads, so that none takes much longer than a millisecond."""
MOST_SHOWN: Final = 200
"""How many endpoints a snapshot looks at whose standing passes with time, for the same reason: thousands may be out together."""

_LONG_AGO_S: Final = float("-inf")
_SLOT_S: Final = 5.0
_SLOTS: Final = int(WINDOW_S / _SLOT_S)
_OUTAGE_SLOTS: Final = int(OUTAGE_S / _SLOT_S)
# A tenth of a millisecond, and a token in ten seconds: seven decades from there hold any answer.
_SHORTEST_S: Final = 0.0001
_SLOWEST_TPS: Final = 0.1


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
        self._pages: dict[EndpointKey, _Page] = {}
        # Every page once, the one whose numbers were read longest ago first.
        self._queue: deque[tuple[EndpointKey, _Page]] = deque()
        # Those whose standing passes with time, each with the moment of that, the one looked at longest ago first; and those whose standing an attempt changed.
        self._troubled: dict[EndpointKey, float] = {}
        self._changed: set[EndpointKey] = set()
        # Never written to: a snapshot holds it.
        self._shown: dict[EndpointKey, EndpointHealth] = {}
        self._snapshot = EMPTY_HEALTH
        self._fresh_until_s = 0.0

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
        page = self._pages.get(key) or self._begin_page(key)
        page.count(now_s, failed=False)
        page.latency.add(now_s, latency_s)
        if first_token_s is not None:
            page.first_token.add(now_s, first_token_s)
            writing_s = latency_s - first_token_s
            if completion_tokens > 1 and writing_s > 0:
                page.throughput.add(now_s, completion_tokens / writing_s)
        if page.is_accused:
            began_s = now_s - latency_s - away_s
            if page.recover(now_s, began_s=began_s):
                self._changed.add(key)
            page.end_row(began_s=began_s)

    def note_content(self, key: EndpointKey, *, first_token_s: float) -> None:
        """An answer has begun, `first_token_s` after it was asked for: long before its end this shows that the endpoint works again. It counts as no call yet."""
        page = self._pages.get(key)
        if page is not None and page.is_accused:
            now_s = self._monotonic_s()
            if page.recover(now_s, began_s=now_s - first_token_s):
                self._changed.add(key)

    def note_failure(self, key: EndpointKey, reason: ErrorReason.ValueType, retry_after_s: float | None = None) -> None:
        """An attempt failed. Reasons that do not speak of the endpoint change nothing."""
        blame = BLAMES.get(reason)
        if blame is None:
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

    def begin_probe(self, key: EndpointKey) -> bool:
        """An ejected endpoint is tried; until the interval has passed nobody else probes it. Returns whether this is its probe: not where it is not ejected, or
        another call is its probe already.
        """
        page, now_s = self._pages.get(key), self._monotonic_s()
        if page is None or page.ejected_until_s is None or now_s < page.next_probe_s:
            return False
        page.next_probe_s = now_s + PROBE_INTERVAL_S
        self._changed.add(key)
        return True

    def give_back_probe(self, key: EndpointKey) -> None:
        """A probe ended before it could show anything, such as by its caller leaving: the next call may be one. For others it changes nothing."""
        page = self._pages.get(key)
        if page is not None and page.ejected_until_s is not None:
            page.next_probe_s = self._monotonic_s()
            self._changed.add(key)

    def forget(self, keys: Iterable[EndpointKey]) -> None:
        """These endpoints are others than they were: nothing that is known of them counts any more."""
        gone = self._pages.keys() & keys
        if gone:
            for key in gone:
                del self._pages[key]
            self._queue = deque(entry for entry in self._queue if entry[0] not in gone)
            self._changed |= gone

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

    def _begin_page(self, key: EndpointKey) -> _Page:
        if len(self._pages) >= MOST_ENDPOINTS:
            # The page begun first: mostly an endpoint of a catalog long gone.
            oldest = next(iter(self._pages))
            del self._pages[oldest]
            self._changed.add(oldest)
            self._queue = deque(entry for entry in self._queue if entry[0] != oldest)
        page = self._pages[key] = _Page()
        self._queue.appendleft((key, page))
        return page


class _Page:
    """One endpoint's numbers, and what is held against it."""

    __slots__ = (
        "_back_since_s", "_calls", "_cooling_since_s", "_ejected_since_s", "_ejections", "_fails_in_a_row", "_failures", "_numbers", "_refusals", "_refused_s", "_row_since_s", "_slot",
        "cooling_until_s", "ejected_until_s", "first_token", "is_accused", "latency", "measured_s", "next_probe_s", "throughput",
    )  # fmt: skip

    def __init__(self) -> None:
        self.latency = RollingHistogram(_SHORTEST_S)
        self.first_token = RollingHistogram(_SHORTEST_S)
        self.throughput = RollingHistogram(_SLOWEST_TPS)
        self._slot = 0
        self._calls = [0] * _SLOTS
        self._failures = [0] * _SLOTS
        self._numbers = EndpointHealth()
        self.measured_s = float("-inf")
        self.is_accused = False
        self._fails_in_a_row = 0
        self._row_since_s = _LONG_AGO_S
        self._ejections = 0
        self._ejected_since_s = 0.0
        self.ejected_until_s: float | None = None
        self._back_since_s = 0.0
        self.next_probe_s = 0.0
        self._refusals = 0
        self._refused_s = 0.0
        self._cooling_since_s = 0.0
        self.cooling_until_s: float | None = None

    def count(self, now_s: float, *, failed: bool) -> None:
        """A call ended."""
        place = self._turn_to(now_s)
        self._calls[place] += 1
        if failed:
            self._failures[place] += 1

    def fail(self, now_s: float) -> None:
        """One failure more in a row. After the time of an ejection one is enough for the next."""
        self.is_accused = True
        if not self._fails_in_a_row:
            self._row_since_s = now_s
        self._fails_in_a_row += 1
        until_s = self.ejected_until_s
        if self._fails_in_a_row < FAILURES_TO_EJECT or (until_s is not None and now_s < until_s):
            return
        if until_s is None:
            self._ejections = max(0, self._ejections - int((now_s - self._back_since_s) / FORGIVEN_S))
        self._ejections += 1
        self._ejected_since_s = now_s
        self.ejected_until_s = now_s + min(BASE_EJECTION_S * self._ejections, LONGEST_EJECTION_S)
        self.next_probe_s = now_s + PROBE_INTERVAL_S

    def refuse(self, now_s: float) -> None:
        """One refusal more in a row. After a quarantine one is enough for the next."""
        self.is_accused = True
        self._refusals += 1
        self._refused_s = now_s
        if self._refusals >= REFUSALS_TO_QUARANTINE:
            self.cool(now_s, QUARANTINE_S)

    def cool(self, now_s: float, wait_s: float) -> None:
        """It is not to be called for a while."""
        self.is_accused = True
        self._cooling_since_s = now_s
        self.cooling_until_s = max(now_s + min(wait_s, LONGEST_COOLING_S), self.cooling_until_s or now_s)

    def recover(self, now_s: float, *, began_s: float) -> bool:
        """A call that began then has brought content. Whether anything that was held against the endpoint is forgotten.

        A call that was under way when the endpoint was ejected, or asked for a pause, shows nothing of what it does with a new one.
        """
        if began_s >= self._row_since_s:
            # Calls are answered since the row began, so that the end of any answer ends it.
            self._row_since_s = _LONG_AGO_S
        is_back = self.ejected_until_s is not None and began_s >= self._ejected_since_s
        if is_back:
            self.ejected_until_s = None
            self._back_since_s = now_s
            self._fails_in_a_row = FAILURES_TO_EJECT - 1
            self._row_since_s = self._ejected_since_s
        if began_s >= self._refused_s:
            self._refusals = 0
        is_warm = self.cooling_until_s is not None and began_s >= self._cooling_since_s
        if is_warm:
            self.cooling_until_s = None
        return is_back or is_warm

    def end_row(self, *, began_s: float) -> None:
        """An answer came whole to a call that began then. Where nothing has been heard from any call that began since the row, a call from before ends no row:
        long streams of before an outage say nothing of it. Nor does any end one by which the endpoint is out: when its time is over, one failure is still enough.
        """
        if self.ejected_until_s is None and began_s >= self._row_since_s:
            self._fails_in_a_row = 0
        is_kept_out = self.ejected_until_s is not None or self.cooling_until_s is not None
        self.is_accused = is_kept_out or self._refusals > 0 or self._fails_in_a_row > 0

    def measure(self, now_s: float) -> None:
        """Read the numbers of the window."""
        self._turn_to(now_s)
        requests, failures = sum(self._calls), sum(self._failures)
        self._numbers = EndpointHealth(
            requests=requests,
            success_rate=(requests - failures) / requests if requests else None,
            latency_s=self.latency.percentiles(now_s),
            first_token_s=self.first_token.percentiles(now_s),
            throughput_tps=self.throughput.percentiles(now_s, higher_is_better=True),
        )
        self.measured_s = now_s

    def show(self, now_s: float) -> EndpointHealth:
        """The numbers as they were last read, and how the endpoint stands now."""
        self._turn_to(now_s)
        numbers, ejected, cooling = self._numbers, self.ejected_until_s, self.cooling_until_s
        return EndpointHealth(
            requests=numbers.requests,
            success_rate=numbers.success_rate,
            latency_s=numbers.latency_s,
            first_token_s=numbers.first_token_s,
            throughput_tps=numbers.throughput_tps,
            unstable=self._is_unstable(),
            ejected_until_s=ejected,
            probe_due=ejected is not None and now_s >= self.next_probe_s,
            cooling_until_s=cooling if cooling is not None and now_s < cooling else None,
        )

    def passes_s(self, health: EndpointHealth, now_s: float) -> float | None:
        """The moment from which `show` may say something else than this, if nothing happens until then; None: never."""
        moments_s = [] if health.cooling_until_s is None else [health.cooling_until_s]
        if health.unstable:
            moments_s.append((int(now_s / _SLOT_S) + 1) * _SLOT_S)
        if health.ejected_until_s is not None and not health.probe_due:
            moments_s.append(self.next_probe_s)
        return min(moments_s, default=None)

    def is_empty(self, now_s: float) -> bool:
        """Whether it says no more than no page would: no call in the window, and what was held against the endpoint is as long over."""
        self._turn_to(now_s)
        held_until_s = max(self.ejected_until_s or 0.0, self.cooling_until_s or 0.0, self._refused_s)
        return not any(self._calls) and (not held_until_s or held_until_s + WINDOW_S < now_s)

    def _is_unstable(self) -> bool:
        places = [(self._slot - passed) % _SLOTS for passed in range(_OUTAGE_SLOTS)]
        failures = sum(self._failures[place] for place in places)
        return failures > 0 and failures >= OUTAGE_SHARE * sum(self._calls[place] for place in places)

    def _turn_to(self, now_s: float) -> int:
        """The place of this moment's slot in the rings; slots that have left the window are emptied."""
        slot = int(now_s / _SLOT_S)
        if slot > self._slot:
            for passed in range(min(slot - self._slot, _SLOTS)):
                place = (slot - passed) % _SLOTS
                self._calls[place] = self._failures[place] = 0
            self._slot = slot
        return self._slot % _SLOTS
