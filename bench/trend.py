# SPDX-License-Identifier: Apache-2.0
"""Whether a process grows: the straight line through the samples of its memory, and how sure its slope is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

# Growth that pages and heaps make in any window; over an hour it is also the most that the project allows itself.
_UNSEEN_MB = 1.0
_HOUR_S = 3600.0
# Student's t for a two-sided 95 %, by degrees of freedom; between two of them the lower one counts.
_T95 = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 7: 2.36, 10: 2.23, 15: 2.13, 20: 2.09, 30: 2.04, 60: 2.00}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A least-squares slope in MB an hour, with half the width of its 95 % confidence interval; `window_s` is the time between first and last sample."""

    slope_mb_h: float
    margin_mb_h: float
    window_s: float

    @property
    def bound_mb_h(self) -> float:
        """The steepest slope that counts as flat: 1 MB in the window, and no more than 1 MB in an hour where the window is longer."""
        return _UNSEEN_MB * max(1.0, _HOUR_S / self.window_s)

    @property
    def is_flat(self) -> bool:
        """Whether the line rises by less than the bound. A process that shrinks does not grow."""
        return self.slope_mb_h <= self.bound_mb_h

    @property
    def verdict(self) -> str:
        """Flat, growing, or what lies between: a slope beyond the bound whose interval still holds it."""
        if self.is_flat:
            sure = self.slope_mb_h + self.margin_mb_h <= self.bound_mb_h
            return "flat" if sure else "flat, though the interval reaches beyond the bound: a longer run would tell"
        sure = self.slope_mb_h - self.margin_mb_h > self.bound_mb_h
        return "not flat" if sure else "not flat, though the interval holds the bound: a longer run would tell"


def fit_trend(samples: Sequence[tuple[float, float]]) -> Trend:
    """The trend of (seconds, MB). Raises ValueError for fewer than three samples or all at one moment.

    Samples of memory hang together: a heap that grew stays so. What follows one another alike counts as fewer samples, by the first
    autocorrelation of what the line leaves over, n (1 - r) / (1 + r).
    """
    count = len(samples)
    if count < 3:
        raise ValueError("a trend needs three samples")
    middle_s = sum(at_s for at_s, _ in samples) / count
    middle_mb = sum(mb for _, mb in samples) / count
    spread = sum((at_s - middle_s) ** 2 for at_s, _ in samples)
    if spread == 0:
        raise ValueError("a trend needs samples at different moments")
    slope = sum((at_s - middle_s) * (mb - middle_mb) for at_s, mb in samples) / spread
    left = [mb - middle_mb - slope * (at_s - middle_s) for at_s, mb in samples]
    alike = _autocorrelation(left)
    independent = max(3.0, count * (1 - alike) / (1 + alike))
    variance = sum(rest**2 for rest in left) / (count - 2) * count / independent
    margin = _student_t(independent - 2) * math.sqrt(variance / spread)
    window_s = max(at_s for at_s, _ in samples) - min(at_s for at_s, _ in samples)
    return Trend(slope_mb_h=slope * _HOUR_S, margin_mb_h=margin * _HOUR_S, window_s=window_s)


def _autocorrelation(rests: Sequence[float]) -> float:
    """How alike neighbours are, 0 to nearly 1; opposite neighbours count as strangers."""
    whole = sum(rest**2 for rest in rests)
    beside = sum(one * other for one, other in pairwise(rests))
    return min(0.99, max(0.0, beside / whole)) if whole else 0.0


def _student_t(freedom: float) -> float:
    return next((value for known, value in sorted(_T95.items(), reverse=True) if known <= freedom), _T95[1])
