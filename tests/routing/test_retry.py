# SPDX-License-Identifier: Apache-2.0
"""What follows a failed attempt, by the failure's recourse and by what is left."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.builders import make_endpoint
from trunkline.v1.error_pb2 import ErrorReason, Recourse
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.core.errors import ERROR_SHAPES, GatewayError, reason_name
from trunkline_server.routing.health import Standing
from trunkline_server.routing.retry import (
    FIRST_PAUSE_S,
    LEAST_SHARE_S,
    LONGEST_PAUSE_S,
    LONGEST_WAIT_S,
    MOST_TRIES,
    MOST_TRIES_AT_ONE,
    GiveUp,
    Situation,
    Step,
    TryAgain,
    TryNext,
    next_step,
)

FAILED = make_endpoint("a", "acme/one", context_length=1000)
SAME_MODEL, OTHER_MODEL = make_endpoint("b", "acme/one"), make_endpoint("a", "acme/two")
UNAVAILABLE = ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE
RATE_LIMIT = ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED
TOO_LONG = ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED


def reasons_with(*recourses: "Recourse.ValueType") -> "list[ErrorReason.ValueType]":
    """All reasons with one of these recourses."""
    return [ErrorReason.ValueType(number) for number, shape in ERROR_SHAPES.items() if shape.recourse in recourses]


def step_after(
    reason: "ErrorReason.ValueType", *rest: Endpoint, retry_after_s: float | None = None, **situation: Any
) -> Step:
    """What follows a failure of FAILED with that reason, at its first try, with a minute and a budget left."""
    given = {
        "rest": rest,
        "tries": 1,
        "tries_here": 1,
        "standings": {},
        "has_budget": True,
        "left_s": 60.0,
        "draw": lambda: 0.5,
    }
    error = GatewayError(reason, "Failed.", retry_after_s=retry_after_s)
    return next_step(error, FAILED, Situation(**{**given, **situation}))


@pytest.mark.parametrize(
    "reason", reasons_with(Recourse.RECOURSE_RETRY, Recourse.RECOURSE_OTHER_ENDPOINT), ids=reason_name
)
def test_another_endpoint_may_help(reason: "ErrorReason.ValueType") -> None:
    """After a provider's failure the next endpoint is tried, whatever its model, without the budget."""
    assert step_after(reason, SAME_MODEL, OTHER_MODEL, has_budget=False) == TryNext(place=0, spends=False)
    assert step_after(reason, OTHER_MODEL, has_budget=False) == TryNext(place=0, spends=False)


@pytest.mark.parametrize("reason", reasons_with(Recourse.RECOURSE_OTHER_MODEL), ids=reason_name)
def test_only_another_model_may_help(reason: "ErrorReason.ValueType") -> None:
    """After a failure of the model its other endpoints are passed over, and the same one is not asked again."""
    assert step_after(reason, SAME_MODEL, OTHER_MODEL) == TryNext(place=1, spends=False)
    assert step_after(reason, SAME_MODEL) == GiveUp()
    assert step_after(reason) == GiveUp()


@pytest.mark.parametrize("reason", reasons_with(Recourse.RECOURSE_NONE), ids=reason_name)
def test_nothing_helps(reason: "ErrorReason.ValueType") -> None:
    """What is wrong with the request or the gateway is wrong everywhere."""
    assert step_after(reason, SAME_MODEL, OTHER_MODEL) == GiveUp()


@pytest.mark.parametrize("reason", reasons_with(Recourse.RECOURSE_RETRY), ids=reason_name)
def test_the_same_endpoint_again(reason: "ErrorReason.ValueType") -> None:
    """Where no other is left, the same one is asked again after a pause, if the budget has a retry."""
    assert step_after(reason) == TryAgain(after_s=FIRST_PAUSE_S / 2)
    assert step_after(reason, has_budget=False) == GiveUp(held_back=True)


@pytest.mark.parametrize("reason", reasons_with(Recourse.RECOURSE_OTHER_ENDPOINT), ids=reason_name)
def test_the_same_endpoint_would_fail_again(reason: "ErrorReason.ValueType") -> None:
    """After a rate limit or a refused key only another endpoint helps."""
    assert step_after(reason) == GiveUp()


@pytest.mark.parametrize(
    ("window", "model", "helps"),
    [
        pytest.param(2000, "acme/one", True, id="a larger one of the same model"),
        pytest.param(1000, "acme/one", False, id="one as large"),
        pytest.param(1000, "acme/two", False, id="another model with one as large"),
        pytest.param(1001, "acme/two", True, id="another model with a larger one"),
        pytest.param(None, "acme/one", False, id="unknown, of the same model"),
        pytest.param(None, "acme/two", True, id="unknown, of another model"),
    ],
)
@pytest.mark.parametrize("reason", [TOO_LONG, ErrorReason.ERROR_REASON_TOKEN_LIMIT_EXCEEDED], ids=reason_name)
def test_a_larger_context_may_help(
    reason: "ErrorReason.ValueType", window: int | None, model: str, helps: bool
) -> None:
    """A prompt that was too long goes where the context is larger, and nowhere else."""
    other = make_endpoint("b", model, context_length=window)
    assert step_after(reason, other) == (TryNext(place=0, spends=False) if helps else GiveUp())


@pytest.mark.parametrize(
    ("standings", "has_budget", "expected"),
    [
        pytest.param([], False, TryNext(place=0, spends=False), id="well"),
        pytest.param([Standing.DUE], False, TryNext(place=0, spends=False), id="a probe"),
        pytest.param([Standing.UNSTABLE], True, TryNext(place=0, spends=True), id="unstable takes from the budget"),
        pytest.param(
            [Standing.UNSTABLE], False, TryNext(place=1, spends=False), id="without it the healthy one is next"
        ),
        pytest.param([Standing.OUT, Standing.COOLING], True, TryNext(place=0, spends=True), id="nobody well"),
        pytest.param([Standing.OUT, Standing.COOLING], False, GiveUp(held_back=True), id="nobody well, no budget"),
    ],
)
def test_the_budget(standings: list[Standing], has_budget: bool, expected: Step) -> None:
    """A fallback to an endpoint that stands well is always allowed; any other is a retry."""
    rest = (SAME_MODEL, OTHER_MODEL)
    known = {endpoint.key: standing for endpoint, standing in zip(rest, standings, strict=False)}
    assert step_after(UNAVAILABLE, *rest, standings=known, has_budget=has_budget) == expected


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        pytest.param({"tries": MOST_TRIES}, GiveUp(), id="tries enough"),
        pytest.param({"tries_here": MOST_TRIES_AT_ONE}, GiveUp(), id="tries enough at this one"),
        pytest.param({"left_s": 0.0}, GiveUp(), id="no time"),
        pytest.param({"left_s": FIRST_PAUSE_S / 2}, GiveUp(), id="no time after the pause"),
        pytest.param({"retry_after_s": 7.0}, TryAgain(after_s=7.0 + FIRST_PAUSE_S / 2), id="the wait asked for"),
        pytest.param({"retry_after_s": 7.0, "left_s": 7.0}, GiveUp(), id="a wait beyond the deadline"),
        pytest.param(
            {"retry_after_s": LONGEST_WAIT_S, "left_s": 600.0},
            TryAgain(after_s=LONGEST_WAIT_S + FIRST_PAUSE_S / 2),
            id="the longest wait",
        ),
        pytest.param({"retry_after_s": LONGEST_WAIT_S + 0.1, "left_s": 600.0}, GiveUp(), id="a longer one is told"),
        pytest.param({"retry_after_s": 120.0, "left_s": 600.0}, GiveUp(), id="minutes"),
        pytest.param({"retry_after_s": 0.0}, TryAgain(after_s=FIRST_PAUSE_S / 2), id="no wait at all"),
        pytest.param({"draw": lambda: 0.0}, TryAgain(after_s=0.0), id="the shortest pause"),
        pytest.param({"standings": {FAILED.key: Standing.OUT}}, GiveUp(held_back=True), id="it was ejected meanwhile"),
        pytest.param(
            {"standings": {FAILED.key: Standing.COOLING}, "retry_after_s": 1.0}, TryAgain(after_s=1.1), id="it cools"
        ),
    ],
)
def test_trying_again(situation: dict[str, Any], expected: Step) -> None:
    """Bounded in number and in time, and never sooner than the provider asks."""
    assert step_after(UNAVAILABLE, **situation) == expected


@pytest.mark.parametrize("situation", [{"tries": MOST_TRIES}, {"left_s": 0.0}, {"left_s": -1.0}])
def test_bounds_hold_for_others_too(situation: dict[str, Any]) -> None:
    """After the last try and after the deadline nobody is asked."""
    assert step_after(UNAVAILABLE, SAME_MODEL, **situation) == GiveUp()


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        pytest.param({"hurries": 1, "has_budget": False}, TryNext(place=0, spends=False), id="the first is as any"),
        pytest.param({"hurries": 2}, TryNext(place=0, spends=True), id="the second takes from the budget"),
        pytest.param({"hurries": 2, "has_budget": False}, GiveUp(held_back=True), id="and needs it"),
        pytest.param({"hurries": 1, "left_s": LEAST_SHARE_S}, TryNext(place=0, spends=False), id="time for one more"),
        pytest.param({"hurries": 1, "left_s": LEAST_SHARE_S - 0.2}, GiveUp(), id="too little time for it"),
        pytest.param({"left_s": 0.1}, TryNext(place=0, spends=False), id="little time, and no hurry so far"),
    ],
)
def test_hurry(situation: dict[str, Any], expected: Step) -> None:
    """After a time-out that the call's own hurry made, little follows: endpoints are not asked one after the other for moments."""
    assert step_after(ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT, SAME_MODEL, **situation) == expected


REASONS = st.sampled_from([ErrorReason.ValueType(number) for number in ERROR_SHAPES])
PLACES = [
    make_endpoint(slug, model, context_length=window)
    for slug in "abc"
    for model, window in (("acme/one", 500), ("acme/two", 2000))
]
STANDINGS = st.dictionaries(
    st.sampled_from([endpoint.key for endpoint in (*PLACES, FAILED)]), st.sampled_from(list(Standing))
)
SITUATIONS = st.builds(
    Situation,
    rest=st.lists(
        st.sampled_from([place for place in PLACES if place.key != FAILED.key]), max_size=4, unique_by=lambda e: e.key
    ),
    tries=st.integers(1, MOST_TRIES + 1),
    tries_here=st.integers(1, MOST_TRIES_AT_ONE + 1),
    standings=STANDINGS,
    has_budget=st.booleans(),
    left_s=st.floats(-1, 5),
    draw=st.floats(0, 1, exclude_max=True).map(lambda value: lambda: value),
)
WAITS = st.none() | st.floats(0, LONGEST_WAIT_S)


def healthy(situation: Situation, candidates: Sequence[Endpoint]) -> list[Endpoint]:
    """Those that nothing is held against."""
    return [endpoint for endpoint in candidates if endpoint.key not in situation.standings]


@given(reason=REASONS, wait_s=WAITS, situation=SITUATIONS)
def test_the_laws_of_retrying(reason: "ErrorReason.ValueType", wait_s: float | None, situation: Situation) -> None:
    """Whatever fails: the same endpoint never after a caller's fault, nobody after the deadline, no retry without budget."""
    error = GatewayError(reason, "Failed.", retry_after_s=wait_s)
    step = next_step(error, FAILED, situation)
    recourse = error.shape.recourse
    again, following = isinstance(step, TryAgain), isinstance(step, TryNext)
    assert not again or (recourse == Recourse.RECOURSE_RETRY and situation.has_budget and not situation.rest)
    assert not again or (wait_s or 0.0) <= step.after_s < situation.left_s
    assert not again or step.after_s <= (wait_s or 0.0) + LONGEST_PAUSE_S
    assert not again or situation.tries_here < MOST_TRIES_AT_ONE
    assert not (again or following) or (situation.left_s > 0 and situation.tries < MOST_TRIES)
    assert not following or recourse != Recourse.RECOURSE_NONE
    assert not following or situation.rest[step.place].key != FAILED.key
    assert not following or situation.has_budget or not step.spends
    assert not (again or following) or not hasattr(step, "held_back")


@given(
    reason=st.sampled_from(reasons_with(Recourse.RECOURSE_RETRY, Recourse.RECOURSE_OTHER_ENDPOINT)),
    situation=SITUATIONS,
)
def test_a_healthy_fallback_is_always_allowed(reason: "ErrorReason.ValueType", situation: Situation) -> None:
    """As long as there are time and tries, one healthy endpoint among those left is enough for a next attempt."""
    step = next_step(GatewayError(reason, "Failed."), FAILED, situation)
    bounded = situation.left_s <= 0 or situation.tries >= MOST_TRIES
    assert bounded or not healthy(situation, situation.rest) or isinstance(step, TryNext)


@given(reason=st.sampled_from(reasons_with(Recourse.RECOURSE_OTHER_MODEL)), situation=SITUATIONS)
def test_a_model_s_fault_leaves_its_endpoints_alone(reason: "ErrorReason.ValueType", situation: Situation) -> None:
    """Another model may be tried; of the same one only an endpoint with a larger context, after a prompt that was too long."""
    step = next_step(GatewayError(reason, "Failed."), FAILED, situation)
    assert not isinstance(step, TryAgain)
    assert not isinstance(step, TryNext) or situation.rest[step.place].model != FAILED.model


@given(wait_s=WAITS, draw=st.floats(0, 1, exclude_max=True))
def test_the_pause_is_bounded(wait_s: float | None, draw: float) -> None:
    """Full jitter: anything from nothing to the longest pause, on top of the wait that was asked for."""
    step = step_after(UNAVAILABLE, retry_after_s=wait_s, draw=lambda: draw)
    assert isinstance(step, TryAgain)
    assert 0 <= step.after_s - (wait_s or 0.0) <= FIRST_PAUSE_S + 1e-9


def test_a_rate_limit_is_not_waited_for() -> None:
    """A provider that limits calls is left alone, however short the wait that it asks for."""
    assert step_after(RATE_LIMIT, retry_after_s=0.1) == GiveUp()
