# SPDX-License-Identifier: Apache-2.0
"""The line through samples of memory, and the words about it."""

import random
from collections.abc import Sequence

import pytest

from bench.trend import Trend, fit_trend

HOUR_S = 3600
RNG = random.Random(4)
NOISE_MB = [RNG.gauss(0, 0.5) for _ in range(241)]


def make_samples(slope_mb_h: float, noise_mb: Sequence[float] = (0.0,) * 241) -> list[tuple[float, float]]:
    """Samples of 20 minutes, one each 5 s."""
    return [(5.0 * n, 90 + slope_mb_h * 5.0 * n / HOUR_S + noise_mb[n]) for n in range(241)]


@pytest.mark.parametrize("slope_mb_h", [0.0, 2.5, 60.0, -12.0])
def test_the_slope_of_a_line(slope_mb_h: float) -> None:
    """A line without noise is found as it is, without doubt."""
    trend = fit_trend(make_samples(slope_mb_h))
    assert trend.slope_mb_h == pytest.approx(slope_mb_h, abs=1e-6)
    assert trend.margin_mb_h == pytest.approx(0, abs=1e-5)
    assert trend.window_s == 1200


@pytest.mark.parametrize("slope_mb_h", [0.0, 6.0])
def test_the_interval_holds_the_slope(slope_mb_h: float) -> None:
    """With noise of half a MB the interval is about one MB an hour to each side, and holds the truth."""
    trend = fit_trend(make_samples(slope_mb_h, NOISE_MB))
    assert 0.5 < trend.margin_mb_h < 1.5
    assert abs(trend.slope_mb_h - slope_mb_h) <= trend.margin_mb_h


def test_steps_are_less_sure_than_noise() -> None:
    """Samples that follow one another alike count as fewer: the same values in long steps give a wider interval."""
    steps = [(at_s, NOISE_MB[n // 40] + 90) for n, (at_s, _) in enumerate(make_samples(0))]
    margin_mb_h = fit_trend(steps).margin_mb_h
    apart_mb_h = fit_trend(make_samples(0, NOISE_MB)).margin_mb_h
    assert margin_mb_h > 2 * apart_mb_h


@pytest.mark.parametrize(
    ("slope_mb_h", "margin_mb_h", "window_s", "verdict"),
    [
        (0.2, 0.5, 3600, "flat"),
        (-30.0, 2.0, 3600, "flat"),
        (2.0, 0.9, 1200, "flat"),
        (0.2, 5.0, 3600, "flat, though the interval reaches beyond the bound: a longer run would tell"),
        (1.5, 1.0, 3600, "not flat, though the interval holds the bound: a longer run would tell"),
        (9.0, 1.0, 1200, "not flat"),
    ],
)
def test_the_verdict(slope_mb_h: float, margin_mb_h: float, window_s: float, verdict: str) -> None:
    """Flat is up to 1 MB in the window, and no more than that in an hour; the interval says how sure that is."""
    trend = Trend(slope_mb_h=slope_mb_h, margin_mb_h=margin_mb_h, window_s=window_s)
    assert trend.verdict == verdict
    assert trend.is_flat == verdict.startswith("flat")


@pytest.mark.parametrize("samples", [[], [(0.0, 1.0), (5.0, 1.0)], [(5.0, 1.0)] * 4])
def test_too_few_samples(samples: list[tuple[float, float]]) -> None:
    """A trend needs three samples, and time between them."""
    with pytest.raises(ValueError, match="a trend needs"):
        fit_trend(samples)
