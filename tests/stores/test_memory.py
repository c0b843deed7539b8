# SPDX-License-Identifier: Apache-2.0
"""Records and sums in memory: bounded, exact, each principal's own."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.builders import make_generation
from trunkline_server.stores.memory import MemoryRecords, Spending

NOTHING = Spending(total_pusd=0, daily_pusd=0, weekly_pusd=0, monthly_pusd=0)
# A Wednesday.
NOW_S = datetime(2026, 4, 15, 12, tzinfo=UTC).timestamp()


def seconds(*moment: int) -> int:
    """Unix seconds of a moment in UTC."""
    return int(datetime(*moment, tzinfo=UTC).timestamp())  # type: ignore[misc,arg-type] # year, month, day and so on


def make_store(*spent: tuple[int, int], most: int = 10) -> MemoryRecords:
    """A store that kept a call of "tester" for each (created_s, cost_pusd)."""
    store = MemoryRecords(most=most)
    for place, (created_s, cost_pusd) in enumerate(spent):
        store.keep(make_generation(generation_id=f"gen-{place}", created_s=created_s, cost_pusd=cost_pusd))
    return store


def test_a_record_is_found_by_its_owner_alone() -> None:
    """Another principal's id is as unknown as one that never was."""
    store = MemoryRecords(most=2)
    record = make_generation(generation_id="gen-a", principal="one")
    store.keep(record)
    assert store.find("one", "gen-a") is record
    assert [store.find("two", "gen-a"), store.find("one", "gen-b"), store.find("two", "")] == [None, None, None]


def test_the_oldest_records_go() -> None:
    """No more than `most` records are kept, in the order they came; the sums forget nothing."""
    store = make_store(*[(0, 7)] * 5, most=3)
    assert [place for place in range(5) if store.find("tester", f"gen-{place}")] == [2, 3, 4]
    assert store.spending("tester", 0).total_pusd == 35


@pytest.mark.parametrize(
    ("created_s", "expected"),
    [
        pytest.param(seconds(2026, 4, 15), (1, 1, 1), id="today from midnight"),
        pytest.param(seconds(2026, 4, 14, 23, 59, 59), (0, 1, 1), id="yesterday"),
        pytest.param(seconds(2026, 4, 13), (0, 1, 1), id="Monday"),
        pytest.param(seconds(2026, 4, 12, 23, 59, 59), (0, 0, 1), id="Sunday"),
        pytest.param(seconds(2026, 4, 1), (0, 0, 1), id="the first"),
        pytest.param(seconds(2026, 3, 31, 23, 59, 59), (0, 0, 0), id="last month"),
    ],
)
def test_periods_are_those_of_utc(created_s: int, expected: tuple[int, int, int]) -> None:
    """A call counts for the day, the week from Monday and the month in which it came."""
    spent = make_store((created_s, 1)).spending("tester", NOW_S)
    assert (spent.daily_pusd, spent.weekly_pusd, spent.monthly_pusd) == expected
    assert spent.total_pusd == 1


def test_a_week_may_begin_in_the_month_before() -> None:
    """Days of the week count for it, whichever month they are of."""
    store = make_store((seconds(2026, 6, 29), 1), (seconds(2026, 7, 1), 2))
    spent = store.spending("tester", seconds(2026, 7, 2))
    assert (spent.daily_pusd, spent.weekly_pusd, spent.monthly_pusd) == (0, 3, 2)


def test_the_days_are_bounded() -> None:
    """Only the latest days are remembered one by one, and they are enough for a month."""
    store = make_store(*[(day * 86_400, 1) for day in range(20_000, 20_400)], most=1)
    assert len(store._sums["tester"].by_day) == 40
    assert store.spending("tester", 20_399 * 86_400).total_pusd == 400


def test_each_principal_has_its_own_sums() -> None:
    """What one spends is nothing to another; a question makes nobody remembered."""
    store = make_store((0, 5))
    assert store.spending("other", 0) == NOTHING
    assert list(store._sums) == ["tester"]


@pytest.mark.parametrize("cost_pusd", [None, 0])
def test_what_costs_nothing_adds_nothing(cost_pusd: int | None) -> None:
    """A cost that is unknown, and one of nothing, leave the sums as they are."""
    store = MemoryRecords(most=1)
    store.keep(make_generation(cost_pusd=cost_pusd))
    assert store.spending("tester", NOW_S) == NOTHING


@given(costs=st.lists(st.integers(min_value=0, max_value=2**63 - 1), max_size=30))
def test_sums_are_exact(costs: list[int]) -> None:
    """However large the amounts, their sum is exact."""
    store = make_store(*[(int(NOW_S), cost_pusd) for cost_pusd in costs])
    assert store.spending("tester", NOW_S) == Spending(
        total_pusd=sum(costs), daily_pusd=sum(costs), weekly_pusd=sum(costs), monthly_pusd=sum(costs)
    )


def test_what_another_memory_spent_is_counted_in() -> None:
    """Sums that are added count as if they had been spent here, on their days."""
    one, two = MemoryRecords(most=9), MemoryRecords(most=9)
    for store, cost in ((one, 5), (two, 7)):
        store.keep(make_generation(principal="a", created_s=int(NOW_S), cost_pusd=cost))
    for principal, total_pusd, by_day in one.sums():
        two.add_sums(principal, total_pusd + 100, by_day)
    spent = two.spending("a", NOW_S)
    assert (spent.total_pusd, spent.daily_pusd) == (112, 12)


def test_all_records_in_order() -> None:
    """The oldest first, however long ago they were kept."""
    store = MemoryRecords(most=2)
    for name in ("gen-a", "gen-b", "gen-c"):
        store.keep(make_generation(generation_id=name))
    assert [record.generation_id for record in store.records()] == ["gen-b", "gen-c"]
