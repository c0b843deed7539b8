# SPDX-License-Identifier: Apache-2.0
"""The record of a call while it is written, and whom it is given to."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from support.builders import (
    MODEL,
    make_call,
    make_chunk,
    make_endpoint,
    make_message,
    make_provider,
    make_request,
    make_role_chunk,
    make_text_chunk,
    make_usage,
    make_usage_chunk,
)
from support.planning import plan_among
from trunkline.v1.chat_response_pb2 import ChunkChoice
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.message_pb2 import ContentPart
from trunkline.v1.usage_pb2 import CompletionTokensDetails, PromptTokensDetails
from trunkline_server.core.errors import AttemptFailure, GatewayError, Unavailability, error_body
from trunkline_server.core.record import Attempt, Generation
from trunkline_server.core.usage import count_prompt_bytes, estimate_tokens
from trunkline_server.dialects.base import RenderedRequest
from trunkline_server.engine.answer import Answer
from trunkline_server.engine.pipeline import Rendering
from trunkline_server.engine.record import CallStory, Keepers
from trunkline_server.routing.candidates import Exclusion

TIMEOUT = GatewayError(ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT, "Too late.", retry_after_s=2.0)
PRICES = {"prompt": 3, "completion": 5}
ENDPOINT = make_endpoint(make_provider("zeta", name="Zeta AI"), "acme/two", tag="zeta/fast", prices_pusd=PRICES)
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
TRIED = {"provider": "zeta", "provider_name": "Zeta AI", "endpoint_model": "acme/two"}
TRY = Attempt(
    endpoint="zeta/fast",
    provider="Zeta AI",
    model="acme/two",
    status=None,
    latency_ms=0.0,
    upstream_id=None,
    service_tier=None,
)
FAILED = AttemptFailure(provider="zeta", model="acme/two", reason=TIMEOUT.reason, retry_after_s=2.0)
USAGE = make_usage(
    7,
    4,
    prompt_tokens_details=PromptTokensDetails(cached_tokens=2),
    completion_tokens_details=CompletionTokensDetails(reasoning_tokens=1, image_tokens=3),
)
# What the usage above becomes in a record.
COUNTED = {
    "prompt_tokens": 7,
    "completion_tokens": 4,
    "cached_tokens": 2,
    "reasoning_tokens": 1,
    "image_tokens": 3,
    "upstream_cost_pusd": 41,
}


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Keeper:
    """Remembers what it was given."""

    def __init__(self) -> None:
        self.kept: list[Generation] = []

    def keep(self, generation: Generation) -> None:
        """Remembers."""
        self.kept.append(generation)


def begin(story: CallStory) -> None:
    """An attempt at the endpoint, which says nothing."""
    story.begin_attempt(Answer(make_call(), ENDPOINT, []))


def begin_role(story: CallStory) -> None:
    """An attempt at the endpoint, which says who it is and nothing else."""
    answer = Answer(make_call(), ENDPOINT, [])
    story.begin_attempt(answer)
    answer.accept([make_role_chunk()])


def begin_text(story: CallStory) -> None:
    """An attempt at the endpoint, which says eight bytes of text and nothing of usage."""
    answer = Answer(make_call(), ENDPOINT, [])
    story.begin_attempt(answer)
    answer.accept([make_text_chunk("12345678")])


def begin_whole(story: CallStory) -> None:
    """An attempt at the endpoint, which answers to the end."""
    answer = Answer(make_call(), ENDPOINT, [])
    story.begin_attempt(answer)
    end = make_chunk(ChunkChoice(finish_reason=2, native_finish_reason="MAX_TOKENS"), service_tier="flex")
    answer.accept([make_text_chunk("12345678"), end, make_usage_chunk(USAGE)])
    answer.finish()


def fail(story: CallStory) -> None:
    """The call fails for good."""
    story.fail(TIMEOUT)


# The estimate of the prompt that the builders make.
PROMPT_TOKENS = estimate_tokens(count_prompt_bytes(make_request()))
SAID = {"upstream_id": "upstream-1"}
ENDED = {"finish_reason": "length", "native_finish_reason": "MAX_TOKENS"}
FAILURE = {"status": "PROVIDER_TIMEOUT", "error": error_body(TIMEOUT)}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([], {}, id="nothing happened"),
        pytest.param([begin], {**TRIED, "tries": (TRY,)}, id="attempt"),
        pytest.param([fail], FAILURE, id="failure"),
        pytest.param([CallStory.cancel], {"status": "cancelled"}, id="cancellation"),
        pytest.param(
            [begin_whole, CallStory.succeed],
            {
                **TRIED,
                **SAID,
                **ENDED,
                **COUNTED,
                "status": "ok",
                "cost_pusd": 41,
                "tries": (replace(TRY, status=200, **SAID),),
            },
            id="success",
        ),
        pytest.param(
            [begin_whole, CallStory.succeed, CallStory.cancel],
            {
                **TRIED,
                **SAID,
                **ENDED,
                **COUNTED,
                "status": "ok",
                "cost_pusd": 41,
                "tries": (replace(TRY, status=200, **SAID),),
            },
            id="left after success",
        ),
        pytest.param(
            [begin_role, CallStory.cancel],
            {**TRIED, **SAID, "status": "cancelled", "tries": (replace(TRY, **SAID),)},
            id="left before the first content",
        ),
        pytest.param(
            [begin_text, CallStory.cancel],
            {
                **TRIED,
                **SAID,
                "status": "cancelled",
                "prompt_tokens": PROMPT_TOKENS,
                "completion_tokens": 2,
                "cost_pusd": 3 * PROMPT_TOKENS + 10,
                "upstream_cost_pusd": 3 * PROMPT_TOKENS + 10,
                "tries": (replace(TRY, **SAID),),
            },
            id="left in the middle: what came counts",
        ),
        pytest.param(
            [begin_text, fail],
            {
                **TRIED,
                **SAID,
                **FAILURE,
                "finish_reason": "error",
                "prompt_tokens": PROMPT_TOKENS,
                "completion_tokens": 2,
                "cost_pusd": 0,
                "upstream_cost_pusd": 3 * PROMPT_TOKENS + 10,
                "tries": (replace(TRY, status=504, **SAID),),
            },
            id="broken in the middle: what came counts and costs nothing",
        ),
        pytest.param(
            [begin, lambda story: story.pass_on(TIMEOUT), begin, fail],
            {
                **TRIED,
                **FAILURE,
                "attempts": (FAILED,),
                "tries": (replace(TRY, status=504), replace(TRY, status=504)),
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


def test_a_record_knows_that_the_client_left() -> None:
    """A call left in the middle is cancelled."""
    story = CallStory(make_call(), Clock())
    begin_text(story)
    story.cancel()
    assert story.end().is_cancelled


def test_times_are_measured_from_the_beginning() -> None:
    """The first content counts once, the latency to the end, an attempt from its own beginning."""
    clock = Clock()
    story = CallStory(make_call(), clock)
    clock.now_s = 100.2
    begin(story)
    for moment_s in (100.25, 101.0):
        clock.now_s = moment_s
        story.saw_content()
    clock.now_s = 102.5
    record = story.end()
    assert (record.first_token_ms, record.latency_ms) == (250.0, 2500.0)
    assert record.tries[0].latency_ms == pytest.approx(2300.0)


@pytest.mark.parametrize(
    ("model", "models", "expected"),
    [(MODEL, ["acme/two"], MODEL), (None, ["acme/two", "acme/three"], "acme/two"), (None, [], "")],
)
def test_the_model_is_the_first_one_asked_for(model: str | None, models: list[str], expected: str) -> None:
    """`model`, else the first of `models`, else nothing."""
    story = CallStory(make_call(make_request(model=model, models=models)), Clock())
    assert story.end().model == expected


def test_who_called_and_with_what() -> None:
    """The record shows the caller's own marks, and how many pieces of media the messages hold."""
    message = make_message("look")
    for part in ({"image_url": {}}, {"image_url": {}}, {"file": {}}, {"video_url": {}}, {"input_audio": {}}):
        message.user.content.append(ContentPart(**part))
    headers = {"user-agent": "curl", "http-referer": "https://site.test"}
    request = make_request(messages=[make_message("be kind", "system"), message], user="u-1")
    record = CallStory(make_call(request, headers=headers, session_id="s-1"), Clock()).end()
    assert (record.media_read, record.sounds_read) == (4, 1)
    assert (record.user, record.session_id, record.user_agent, record.referer) == (
        "u-1",
        "s-1",
        "curl",
        "https://site.test",
    )


def test_a_record_is_small() -> None:
    """What others may write at any length is cut, so that records in memory are bounded."""
    long = "x" * 100_000
    request = make_request(model=long, user=long)
    story = CallStory(make_call(request, headers={"user-agent": long, "referer": long}), Clock())
    answer = Answer(make_call(), ENDPOINT, [])
    story.begin_attempt(answer)
    finish = make_chunk(ChunkChoice(finish_reason=1, native_finish_reason=long), id=long, service_tier=long)
    answer.accept([finish])
    missing = Unavailability(requested_models=[long])
    story.fail(GatewayError(ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, long, unavailability=missing))
    record = story.end()
    texts = [value for value in (getattr(record, name) for name in record.__slots__) if isinstance(value, str)]
    assert max(map(len, texts)) == 256
    assert record.error is not None
    assert record.error.ByteSize() < 1000
    assert len(record.tries[0].upstream_id or "") == len(record.tries[0].service_tier or "") == 256


def test_a_record_goes_to_every_keeper() -> None:
    """Each keeper gets the same record."""
    one, two = Keeper(), Keeper()
    Keepers(one, two).keep(UNTOUCHED)
    assert one.kept == two.kept == [UNTOUCHED]


def test_a_record_names_what_the_last_provider_did_not_get() -> None:
    """Parameters that the last endpoint was asked without stand in the record; those of an earlier one do not."""
    story = CallStory(make_call(), Clock())
    lost = (
        RenderedRequest(path="/", headers={}, body=b"", dropped=("route",)),
        RenderedRequest(
            path="/", headers={}, body=b"", dropped=("messages.reasoning",), changed=(("temperature", "clamped to 1"),)
        ),
    )
    for rendered in lost:
        answer = Answer(make_call(), ENDPOINT, [])
        answer.rendering = Rendering.of("openai_chat", rendered)
        story.begin_attempt(answer)
    record = story.end()
    assert record.unsent == ("messages.reasoning",)
    assert record.changed == (("temperature", "clamped to 1"),)


def test_a_provider_that_got_everything_leaves_no_trace() -> None:
    """Where the last endpoint got everything, the record says nothing of what an earlier one did not get."""
    story = CallStory(make_call(), Clock())
    for dropped in (("route",), ()):
        answer = Answer(make_call(), ENDPOINT, [])
        rendered = RenderedRequest(path="/", headers={}, body=b"", dropped=dropped)
        answer.rendering = Rendering.of("openai_chat", rendered)
        story.begin_attempt(answer)
    record = story.end()
    assert (record.unsent, record.changed) == ((), ())
    untouched = CallStory(make_call(), Clock()).end()
    assert (untouched.unsent, untouched.changed) == ((), ())


def test_exclusions_are_bounded() -> None:
    """A caller who leaves out five hundred endpoints gets a record no longer than one who leaves out a few."""
    endpoints = [make_endpoint(tag=f"p/{number}") for number in range(500)]
    plan = replace(
        plan_among([ENDPOINT], make_request()),
        exclusions=tuple(Exclusion(endpoint=endpoint, reason="allowed_providers") for endpoint in endpoints),
    )
    story = CallStory(make_call(), Clock())
    story.follow(plan)
    kept = story.end().exclusions
    assert (len(kept), kept[0]) == (32, ("p/0", "allowed_providers"))
