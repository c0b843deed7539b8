# SPDX-License-Identifier: Apache-2.0
"""The retry budget."""

from contextlib import ExitStack

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from support.clock import Clock
from trunkline_server.engine.budget import FLOOR, SHARE, WINDOW_S, RetryBudget


def begin_calls(budget: RetryBudget, count: int) -> ExitStack:
    """So many calls under way, until the stack is closed."""
    stack = ExitStack()
    for _ in range(count):
        budget.begin_call()
        stack.callback(budget.end_call)
    return stack


def take_all(budget: RetryBudget) -> int:
    """How many retries the budget lets begin, one after the other, none of which ends."""
    taken = 0
    while budget.has_one():
        budget.take()
        taken += 1
    return taken


@pytest.mark.parametrize(("calls", "retries"), [(0, 3), (1, 3), (15, 3), (16, 4), (20, 4), (21, 5), (1000, 200)])
def test_a_fifth_and_at_least_three(calls: int, retries: int) -> None:
    """Of the calls under way, so many retries may be."""
    budget = RetryBudget(Clock())
    with begin_calls(budget, calls):
        assert take_all(budget) == retries


def test_what_has_ended_makes_room_once_the_window_has_passed() -> None:
    """A retry given back is no longer under way, but counts among those begun for ten seconds."""
    clock = Clock()
    budget = RetryBudget(clock)
    for _ in range(take_all(budget)):
        budget.give_back()
    assert not budget.has_one()
    clock.advance(WINDOW_S - 0.1)
    assert not budget.has_one()
    clock.advance(0.1)
    assert take_all(budget) == FLOOR


def test_calls_one_after_the_other() -> None:
    """At 20 calls a second with one under way at a time, a provider that always fails is asked 1.2 times as often at most, and never much less."""
    clock = Clock()
    budget = RetryBudget(clock)
    retries = 0
    for _ in range(20 * 60):
        with begin_calls(budget, 1):
            if budget.has_one():
                budget.take()
                budget.give_back()
                retries += 1
        clock.advance(0.05)
    assert 0.18 <= retries / (20 * 60) <= 0.2 + FLOOR / (20 * 60)


def test_long_retries_hold_the_budget() -> None:
    """Retries that hang are under way for as long as they do, whatever the window has forgotten."""
    clock = Clock()
    budget = RetryBudget(clock)
    take_all(budget)
    clock.advance(60)
    assert not budget.has_one()


def test_memory_is_bounded() -> None:
    """No more entries than the window has seconds, and one."""
    clock = Clock()
    budget = RetryBudget(clock)
    for _ in range(10_000):
        with begin_calls(budget, 1):
            budget.take()
            budget.give_back()
        clock.advance(0.013)
        assert len(budget._slots) <= WINDOW_S + 1


class Budgets(RuleBasedStateMachine):
    """The budget beside a model that writes every event down."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock(now_s=5.0)
        self.budget = RetryBudget(self.clock)
        self.open = list[ExitStack]()
        self.retries = 0
        self.calls_begun = list[float]()
        self.retries_begun = list[float]()

    @rule(count=st.integers(1, 30))
    def begin(self, count: int) -> None:
        """Calls begin."""
        self.open.extend(begin_calls(self.budget, 1) for _ in range(count))
        self.calls_begun += [self.clock.now_s] * count

    @precondition(lambda self: self.open)
    @rule(count=st.integers(1, 30))
    def end(self, count: int) -> None:
        """The oldest calls end."""
        for stack in self.open[:count]:
            stack.close()
        del self.open[:count]

    @precondition(lambda self: self.budget.has_one())
    @rule()
    def retry(self) -> None:
        """A retry begins."""
        self.budget.take()
        self.retries += 1
        self.retries_begun.append(self.clock.now_s)

    @precondition(lambda self: self.retries)
    @rule()
    def end_retry(self) -> None:
        """A retry ends."""
        self.budget.give_back()
        self.retries -= 1

    @rule(seconds=st.one_of(st.integers(0, 40).map(lambda quarters: quarters / 4), st.just(1e5)))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(seconds)

    @invariant()
    def agrees(self) -> None:
        """It has one exactly where both bounds leave room; what began in one second of the clock leaves the window with its beginning."""
        oldest_s = self.clock.now_s - WINDOW_S
        calls = sum(int(then_s) > oldest_s for then_s in self.calls_begun)
        retries = sum(int(then_s) > oldest_s for then_s in self.retries_begun)
        has_room = self.retries < max(FLOOR, SHARE * len(self.open))
        assert self.budget.has_one() is (has_room and retries < max(FLOOR, SHARE * calls))


TestBudgets = Budgets.TestCase
TestBudgets.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
