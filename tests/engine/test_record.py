# SPDX-License-Identifier: Apache-2.0
"""The record of a call while it is written."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from support.builders import MODEL, make_call, make_endpoint, make_provider, make_request, make_usage
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import AttemptFailure, GatewayError
from trunkline_server.core.record import Generation
from trunkline_server.engine.record import CallStory

TIMEOUT = GatewayError(ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT, "Too late.", retry_after_s=2.0)
ENDPOINT = make_endpoint(make_provider("zeta", name="Zeta AI"), "acme/two")
UNTOUCHED = Generation(
    generation_id="gen-test",
    request_id="req-test",
    principal="tester",
    wire="http",
    streamed=True,
    model=MODEL,
    endpoint_model=None,
    provider=None,
    attempts=(),
    status="SERVER",
    created_s=1_700_000_000,
    latency_ms=0.0,
    first_token_ms=None,
    prompt_tokens=0,
    completion_tokens=0,
    cost_pusd=None,
)


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def begin(story: CallStory) -> None:
    """An attempt at the endpoint."""
    story.begin_attempt(ENDPOINT)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([], {}, id="nothing happened"),
        pytest.param([begin], {"provider": "zeta", "endpoint_model": "acme/two"}, id="attempt"),
        pytest.param([lambda story: story.fail(TIMEOUT)], {"status": "PROVIDER_TIMEOUT"}, id="failure"),
        pytest.param([lambda story: story.cancel()], {"status": "cancelled"}, id="cancellation"),
        pytest.param([lambda story: story.succeed(None)], {"status": "ok"}, id="success without usage"),
        pytest.param(
            [lambda story: story.succeed(make_usage(7, 3, cost_pusd=0))],
            {"status": "ok", "prompt_tokens": 7, "completion_tokens": 3, "cost_pusd": 0},
            id="success",
        ),
        pytest.param(
            [lambda story: story.succeed(make_usage(7, 3)), lambda story: story.cancel()],
            {"status": "ok", "prompt_tokens": 7, "completion_tokens": 3},
            id="left after success",
        ),
        pytest.param(
            [begin, lambda story: story.pass_on(TIMEOUT), begin, lambda story: story.fail(TIMEOUT)],
            {
                "provider": "zeta",
                "endpoint_model": "acme/two",
                "status": "PROVIDER_TIMEOUT",
                "attempts": (
                    AttemptFailure(provider="zeta", model="acme/two", reason=TIMEOUT.reason, retry_after_s=2.0),
                ),
            },
            id="the attempts before the last",
        ),
    ],
)
def test_a_story_becomes_a_record(steps: list[Callable[[CallStory], None]], expected: dict[str, Any]) -> None:
    """The record says what happened and nothing else; a call that nobody settled was ended by a fault of ours."""
    story = CallStory(make_call(), Clock())
    for step in steps:
        step(story)
    assert story.end() == replace(UNTOUCHED, **expected)


def test_times_are_measured_from_the_beginning() -> None:
    """The first content counts once, the latency to the end."""
    clock = Clock()
    story = CallStory(make_call(), clock)
    for moment_s in (100.25, 101.0):
        clock.now_s = moment_s
        story.saw_content()
    clock.now_s = 102.5
    record = story.end()
    assert (record.first_token_ms, record.latency_ms) == (250.0, 2500.0)


@pytest.mark.parametrize(
    ("model", "models", "expected"),
    [(MODEL, ["acme/two"], MODEL), (None, ["acme/two", "acme/three"], "acme/two"), (None, [], "")],
)
def test_the_model_is_the_first_one_asked_for(model: str | None, models: list[str], expected: str) -> None:
    """`model`, else the first of `models`, else nothing."""
    story = CallStory(make_call(make_request(model=model, models=models)), Clock())
    assert story.end().model == expected
