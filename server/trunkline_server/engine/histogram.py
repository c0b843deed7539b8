# SPDX-License-Identifier: Apache-2.0
"""Percentiles of what was measured in the last five minutes, in constant memory.

Theory. Values are counted in buckets whose bounds grow by a constant factor, as in DDSketch (Masson, Rim, Lee 2019) and Prometheus' native histograms: a
bucket's middle is then off by the same share at most wherever in the range a value lies, and histograms are merged by adding. The range is fixed (seven
decades), so a bucket's place is one logarithm. Each minute counts into an array of its own and into the sum of them all; a minute that leaves the window is
taken off the sum, so that reading walks one array, however many minutes there are. docs/decisions/0001 says why it is no library.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from itertools import accumulate
from math import ceil, exp, isnan, log
from operator import sub
from typing import Final

from trunkline_server.core.health import Percentiles

ACCURACY: Final = 0.03
"""The largest share by which a percentile is off, within the range."""
DECADES: Final = 7
"""The range ends at the lowest value times 10 to this."""
SLOT_S: Final = 60.0
SLOTS: Final = 5
"""The window: the slot under way and the ones before it, so it reaches back four to five minutes."""

_FACTOR: Final = (1 + ACCURACY) / (1 - ACCURACY)
_PER_E: Final = 1 / log(_FACTOR)
_BUCKETS: Final = ceil(DECADES * log(10) * _PER_E)
_LAST: Final = _BUCKETS - 1
# The range's end, in lowest values: infinity has a logarithm but no bucket.
_END: Final = 10.0**DECADES
# Between a bucket's bounds, as far from the lower one as from the upper one, in shares of them.
_MIDDLE: Final = 2 * _FACTOR / (_FACTOR + 1)
_NOTHING: Final = bytes(_BUCKETS * array("I").itemsize)


class RollingHistogram:
    """One measurement over the last five minutes. Below `lowest` all values count as it, beyond the range as its end."""

    __slots__ = ("_closed", "_lowest", "_open", "_scale", "_slot", "_slot_ends_s", "_whole")

    def __init__(self, lowest: float) -> None:
        self._lowest = lowest
        self._scale = 1 / lowest
        self._slot = 0
        self._slot_ends_s = SLOT_S
        self._open: array[int] | None = None
        self._closed: dict[int, array[int]] = {}
        self._whole: array[int] | None = None

    def add(self, now_s: float, value: float) -> None:
        """Count a value. One that is no number is none."""
        if isnan(value):
            return
        if now_s >= self._slot_ends_s:
            self._turn_to(now_s)
        scaled = min(value * self._scale, _END)
        place = min(int(log(scaled) * _PER_E), _LAST) if scaled > 1 else 0
        if self._open is None or self._whole is None:
            self._open, self._whole = array("I", _NOTHING), self._whole or array("I", _NOTHING)
        self._open[place] += 1
        self._whole[place] += 1

    def percentiles(self, now_s: float, *, higher_is_better: bool = False) -> Percentiles | None:
        """The percentiles, None without a measurement. They count from the good end: where higher is better, p90 is what nine in ten reached."""
        self._turn_to(now_s)
        if self._whole is None:
            return None
        counted = list(accumulate(self._whole))
        most = counted[-1] - 1
        p50, p75, p90, p99 = (
            self._value(bisect_right(counted, (1 - share if higher_is_better else share) * most))
            for share in (0.5, 0.75, 0.9, 0.99)
        )
        return Percentiles(p50=p50, p75=p75, p90=p90, p99=p99)

    def _value(self, place: int) -> float:
        return self._lowest * exp(place / _PER_E) * _MIDDLE

    def _turn_to(self, now_s: float) -> None:
        """Close the slot under way where its time is over, and forget those that left the window."""
        slot = int(now_s / SLOT_S)
        if slot <= self._slot:
            return
        if self._open is not None:
            self._closed[self._slot] = self._open
            self._open = None
        self._slot = slot
        self._slot_ends_s = (slot + 1) * SLOT_S
        for then in [then for then in self._closed if then <= slot - SLOTS]:
            gone = self._closed.pop(then)
            if self._whole is not None:
                self._whole = array("I", map(sub, self._whole, gone)) if self._closed else None
