# SPDX-License-Identifier: Apache-2.0
"""The retry budget: what keeps a failing provider from being asked more and more.

Two bounds, each a fifth and at least three. Retries under way, of the calls under way, as Envoy counts them: that holds when many calls are open at once.
Retries begun in the last ten seconds, of the calls begun in them: that holds when calls come one after the other, where the first never would.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

SHARE: Final = 0.2
FLOOR: Final = 3
WINDOW_S: Final = 10.0
SLOT_S: Final = 1.0
"""How finely time is told: what began in one slot leaves the window together, up to a slot early."""


class RetryBudget:
    """Counts calls and retries of one process. `monotonic_s` is the clock."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._calls = 0
        self._retries = 0
        # One entry a second in which anything began, the oldest first, and their sums.
        self._slots: deque[_Slot] = deque()
        self._calls_begun = 0
        self._retries_begun = 0

    def begin_call(self) -> None:
        """A call begins; `end_call` once it has ended, however it did."""
        self._calls += 1
        self._calls_begun += 1
        self._slot().calls += 1

    def end_call(self) -> None:
        """A call has ended."""
        self._calls -= 1

    def has_one(self) -> bool:
        """Whether a retry may begin. It is there for whoever takes it before anything is awaited."""
        if self._retries >= max(FLOOR, SHARE * self._calls):
            return False
        self._forget()
        return self._retries_begun < max(FLOOR, SHARE * self._calls_begun)

    def take(self) -> None:
        """A retry begins, once its pause is over; `give_back` once it has ended."""
        self._retries += 1
        self._retries_begun += 1
        self._slot().retries += 1

    def give_back(self) -> None:
        """A retry has ended."""
        self._retries -= 1

    def _slot(self) -> _Slot:
        """The entry of this second."""
        slots, number = self._slots, int(self._forget() / SLOT_S)
        if slots and number <= slots[-1].number:
            return slots[-1]
        slot = _Slot(number)
        slots.append(slot)
        return slot

    def _forget(self) -> float:
        """Take off what the window has left behind. Returns the moment."""
        now_s = self._monotonic_s()
        while self._slots and self._slots[0].number * SLOT_S <= now_s - WINDOW_S:
            gone = self._slots.popleft()
            self._calls_begun -= gone.calls
            self._retries_begun -= gone.retries
        return now_s


class _Slot:
    """What began in one second of the clock."""

    __slots__ = ("calls", "number", "retries")

    def __init__(self, number: int) -> None:
        self.number = number
        self.calls = 0
        self.retries = 0
