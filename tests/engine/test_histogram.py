# SPDX-License-Identifier: Apache-2.0
"""Percentiles of the last five minutes."""

import tracemalloc
from collections.abc import Sequence
from math import inf, nan
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline_server.core.health import Percentiles
from trunkline_server.engine.histogram import ACCURACY, DECADES, SLOT_S, SLOTS, RollingHistogram

LOWEST = 0.0001
VALUES = st.floats(min_value=LOWEST, max_value=LOWEST * 10**DECADES)
SHARES = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p99": 0.99}


def filled(values: Sequence[float], now_s: float = 0.0) -> RollingHistogram:
    """A histogram of these values."""
    histogram = RollingHistogram(LOWEST)
    for value in values:
        histogram.add(now_s, value)
    return histogram


def exact(values: Sequence[float], share: float) -> float:
    """The value at a share of the sorted ones, the lower where it falls between two."""
    return sorted(values)[int(share * (len(values) - 1))]


@given(st.lists(VALUES, min_size=1, max_size=200))
def test_percentiles_are_as_exact_as_promised(values: list[float]) -> None:
    """Each percentile is within the accuracy of that of the sorted values, wherever in the range they lie."""
    found = filled(values).percentiles(0.0)
    assert found is not None
    wanted = [pytest.approx(exact(values, share), rel=ACCURACY + 1e-9) for share in SHARES.values()]
    assert [getattr(found, name) for name in SHARES] == wanted


@pytest.mark.parametrize("sigma", [0.1, 0.6, 2.0])
def test_percentiles_of_what_is_usual(sigma: float) -> None:
    """Twenty thousand log-normal values, the shape of latencies, read as exactly as a handful."""
    draw = Random(5)
    values = [draw.lognormvariate(0.0, sigma) for _ in range(20_000)]
    found = filled(values).percentiles(0.0)
    assert [getattr(found, name) for name in SHARES] == [
        pytest.approx(exact(values, share), rel=ACCURACY + 1e-9) for share in SHARES.values()
    ]


@given(st.lists(VALUES, min_size=1, max_size=50))
def test_percentiles_are_in_order(values: list[float]) -> None:
    """A higher percentile is a worse value, by whichever end is the good one."""
    histogram = filled(values)
    low, high = histogram.percentiles(0.0), histogram.percentiles(0.0, higher_is_better=True)
    assert low is not None
    assert high is not None
    assert low.p50 <= low.p75 <= low.p90 <= low.p99
    assert high.p50 >= high.p75 >= high.p90 >= high.p99


def test_where_higher_is_better() -> None:
    """p90 is what nine in ten reached."""
    found = filled([float(value) for value in range(1, 101)]).percentiles(0.0, higher_is_better=True)
    wanted = [pytest.approx(value, rel=ACCURACY) for value in (50.0, 25.0, 10.0, 1.0)]
    assert found is not None
    assert [found.p50, found.p75, found.p90, found.p99] == wanted


@pytest.mark.parametrize(
    ("value", "read"),
    [(0.0, LOWEST), (-1.0, LOWEST), (1e-9, LOWEST), (1e9, LOWEST * 10**DECADES), (inf, LOWEST * 10**DECADES)],
)
def test_what_is_out_of_range(value: float, read: float) -> None:
    """It counts at the end of the range that it is beyond."""
    found = filled([value]).percentiles(0.0)
    assert found is not None
    assert found.p50 == pytest.approx(read, rel=2 * ACCURACY)


@pytest.mark.parametrize(
    ("asked_s", "median"),
    [(59.0, 1.0), (239.0, 1.0), (299.9, 1.0), (300.0, 4.0), (359.9, 4.0), (360.0, None), (1e6, None)],
)
def test_the_window(asked_s: float, median: float | None) -> None:
    """A minute's values are there for five minutes from its beginning, and then gone; what was measured since stays."""
    histogram = filled([1.0, 1.0, 1.0])
    histogram.add(60.0, 4.0)
    found = histogram.percentiles(asked_s)
    assert (found and found.p50) == (median and pytest.approx(median, rel=ACCURACY))


def test_it_begins_again_after_a_silence() -> None:
    """Values after an empty window are the only ones."""
    histogram = filled([1.0] * 10)
    histogram.add(SLOT_S * SLOTS * 3, 8.0)
    assert histogram.percentiles(SLOT_S * SLOTS * 3) == filled([8.0]).percentiles(0.0)


@given(
    st.lists(st.tuples(st.floats(min_value=0.0, max_value=90.0), st.sampled_from((0.01, 1.0, 30.0))), max_size=40),
    st.floats(min_value=0.0, max_value=400.0),
)
def test_it_is_a_histogram_of_the_last_slots(steps: list[tuple[float, float]], wait_s: float) -> None:
    """Whatever comes when, what is read is what a fresh histogram of the values in the window reads."""
    histogram, now_s, noted = RollingHistogram(LOWEST), 0.0, list[tuple[float, float]]()
    for passed_s, value in steps:
        now_s += passed_s
        histogram.add(now_s, value)
        noted.append((now_s, value))
    now_s += wait_s
    oldest = int(now_s / SLOT_S) - SLOTS
    assert histogram.percentiles(now_s) == filled(
        [v for then_s, v in noted if int(then_s / SLOT_S) > oldest]
    ).percentiles(0)


def test_no_number() -> None:
    """What is no number is not counted, and breaks nothing."""
    assert filled([nan]).percentiles(0.0) is None
    assert filled([1.0, nan]).percentiles(0.0) == filled([1.0]).percentiles(0.0)


def test_nothing_measured() -> None:
    """Without a value there are no percentiles."""
    assert RollingHistogram(LOWEST).percentiles(0.0) is None


def size_after(count: int) -> int:
    """The bytes that a histogram holds after so many values in five minutes, read now and then."""
    draw = Random(3)
    values = [draw.lognormvariate(0.0, 3.0) for _ in range(1000)]
    tracemalloc.start()
    try:
        histogram = RollingHistogram(LOWEST)
        for number in range(count):
            histogram.add(number * 300 / count, values[number % 1000])
            if number % 997 == 0:
                assert isinstance(histogram.percentiles(number * 300 / count), Percentiles)
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_memory_is_constant() -> None:
    """A hundred times the values take no more room; the whole is a few kilobytes."""
    small, large = size_after(1_000), size_after(100_000)
    assert abs(large - small) < 4_000
    assert large < 12_000
