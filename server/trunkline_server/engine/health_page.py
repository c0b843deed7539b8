# SPDX-License-Identifier: Apache-2.0
"""The page of one endpoint in the health book: what was measured of it, and what is held against it.

Rules. Five failures in a row eject the endpoint, for 30 s times the ejections that are not forgotten, 300 s at most, where they are a third of the calls that
ended since the row began: answers that take long end no row that began after them, and among many of those a few failures are no outage. A silence that the
call's own hurry ended counts as well, but a row of one caller's silences ejects only where nothing was heard of the endpoint for half a minute: that caller's
long prompts are no outage.
While it is out, one call in 15 s is let through as a probe; the first content of a call that began since then brings it back at
once, on trial: until an answer came whole, a single failure is enough for the next ejection. A minute in service lets one ejection be forgotten, so that an
endpoint that comes and goes stays out longer each time.
"""

from __future__ import annotations

from typing import Final

from trunkline_server.core.health import EndpointHealth
from trunkline_server.engine.histogram import RollingHistogram

WINDOW_S: Final = 300.0
"""How far back measurements reach."""
FAILURES_TO_EJECT: Final = 5
BASE_EJECTION_S: Final = 30.0
LONGEST_EJECTION_S: Final = 300.0
FORGIVEN_S: Final = 60.0
"""How long an endpoint is in service for one of its ejections to be forgotten."""
PROBE_INTERVAL_S: Final = 15.0
"""How long after an ejection a probe is due, and after the one before."""
OUTAGE_S: Final = 30.0
"""How far back failures make an endpoint unstable."""
OUTAGE_SHARE: Final = 0.25
"""The share of failures in that time that does."""
QUARANTINE_S: Final = 60.0
"""How long an endpoint cools down whose provider refuses the gateway's key or account."""
REFUSALS_TO_QUARANTINE: Final = 2
"""How many refusals in a row it takes."""
LONGEST_COOLING_S: Final = 300.0
LEAST_SHARE: Final = 1 / 3
"""The share of failures among the calls that ended since the first one of a row, below which the row is no outage."""
MOST_IN_ROW: Final = 60
"""How many calls of a row count; the earlier ones count ever less, so that an outage in a long row is found soon."""

_LONG_AGO_S: Final = float("-inf")
_NOBODY: Final = ""
_SLOT_S: Final = 5.0
_SLOTS: Final = int(WINDOW_S / _SLOT_S)
_OUTAGE_SLOTS: Final = int(OUTAGE_S / _SLOT_S)
# A tenth of a millisecond, and a token in ten seconds: seven decades from there hold any answer.
_SHORTEST_S: Final = 0.0001
_SLOWEST_TPS: Final = 0.1


class Page:
    """One endpoint's numbers, and what is held against it. `heard_s` is when an answer of it has last begun, or ended."""

    __slots__ = (
        "_back_since_s", "_calls", "_cooling_since_s", "_ejected_since_s", "_ejections", "_fails_in_a_row", "_failures", "_given_back_s", "_numbers", "_refusals", "_refused_s", "_row_caller", "_row_failures", "_row_since_s", "_row_successes", "_slot",
        "cooling_until_s", "ejected_until_s", "first_token", "heard_s", "is_accused", "latency", "measured_s", "next_probe_s", "throughput",
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
        # Whose hurry alone made the row; _NOBODY: nobody yet, None: it has other failures.
        self._row_caller: str | None = _NOBODY
        self._begin_row(_LONG_AGO_S)
        self.heard_s = _LONG_AGO_S
        self._ejections = 0
        self._ejected_since_s = 0.0
        self.ejected_until_s: float | None = None
        self._back_since_s = 0.0
        self.next_probe_s = 0.0
        self._given_back_s = _LONG_AGO_S
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

    def fail(self, now_s: float, *, hurried: str | None = None) -> None:
        """One failure more in a row; `hurried` is the caller whose hurry ended a silence, None: it is another failure. After the time of an ejection one is enough for the next."""
        self.is_accused = True
        if not self._fails_in_a_row:
            self._begin_row(now_s)
        self._row_caller = hurried if self._row_caller in {_NOBODY, hurried} else None
        self._fails_in_a_row += 1
        self._count_in_row(failed=True)
        until_s = self.ejected_until_s
        if (until_s is not None and now_s < until_s) or not self._is_dead(now_s):
            return
        if until_s is None:
            self._ejections = max(0, self._ejections - int((now_s - self._back_since_s) / FORGIVEN_S))
        self._ejections += 1
        self._ejected_since_s = now_s
        self.ejected_until_s = now_s + min(BASE_EJECTION_S * self._ejections, LONGEST_EJECTION_S)
        self.next_probe_s = now_s + PROBE_INTERVAL_S

    def _begin_row(self, since_s: float) -> None:
        self._row_since_s = since_s
        self._row_failures = self._row_successes = 0
        self._row_caller = _NOBODY

    def _count_in_row(self, *, failed: bool) -> None:
        if failed:
            self._row_failures += 1
        else:
            self._row_successes += 1
        if self._row_failures + self._row_successes > MOST_IN_ROW:
            self._row_failures //= 2
            self._row_successes //= 2

    def _is_dead(self, now_s: float) -> bool:
        """Whether the row is an outage."""
        if self._row_caller is not None and now_s - self.heard_s < OUTAGE_S:
            return False
        ended = self._row_failures + self._row_successes
        return self._fails_in_a_row >= FAILURES_TO_EJECT and self._row_failures >= LEAST_SHARE * ended

    def begin_probe(self, now_s: float) -> bool:
        """Whether a call that is tried now is a probe."""
        if self.ejected_until_s is None or now_s < self.next_probe_s:
            return False
        self.next_probe_s = now_s + PROBE_INTERVAL_S
        return True

    def give_back_probe(self, now_s: float) -> bool:
        """Another probe is due at once, though only once in the time of one: callers who leave quickly would all be sent to an endpoint that says nothing."""
        if self.ejected_until_s is None or now_s < self._given_back_s + PROBE_INTERVAL_S:
            return False
        self.next_probe_s = self._given_back_s = now_s
        return True

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
            self._begin_row(self._ejected_since_s)
        if began_s >= self._refused_s:
            self._refusals = 0
        is_warm = self.cooling_until_s is not None and began_s >= self._cooling_since_s
        if is_warm:
            self.cooling_until_s = None
        return is_back or is_warm

    def end_row(self, *, began_s: float) -> None:
        """An answer came whole to a call that began then. Where nothing has been heard from any call that began since the row, a call from before ends no row:
        long streams of before an outage say nothing of it. Nor does any end one by which the endpoint is out: when its time is over, one failure is still enough.
        Those that end no row are counted beside it.
        """
        self._count_in_row(failed=False)
        if self.ejected_until_s is None and began_s >= self._row_since_s:
            self._fails_in_a_row = 0
        is_kept_out = self.ejected_until_s is not None or self.cooling_until_s is not None
        self.is_accused = is_kept_out or self._refusals > 0 or self._fails_in_a_row > 0

    def measure(self, now_s: float) -> None:
        """Read the numbers of the window."""
        self._turn_to(now_s)
        requests, failures = sum(self._calls), sum(self._failures)
        # While it is out it is not forgotten how long it took: a probe is to have that time.
        last = EndpointHealth() if self.ejected_until_s is None else self._numbers
        self._numbers = EndpointHealth(
            requests=requests,
            success_rate=(requests - failures) / requests if requests else None,
            latency_s=self.latency.percentiles(now_s) or last.latency_s,
            first_token_s=self.first_token.percentiles(now_s) or last.first_token_s,
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
            ejections=self._ejections if ejected is not None else 0,
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
