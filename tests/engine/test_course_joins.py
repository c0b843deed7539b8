# SPDX-License-Identifier: Apache-2.0
"""Another endpoint going on with a text that broke off: when it does, what the caller reads, and what a failure of it is called."""

from typing import Any

import pytest

from support.builders import (
    MODEL,
    make_answer_chunks,
    make_call,
    make_call_chunk,
    make_catalog,
    make_finish_chunk,
    make_reasoning_chunk,
    make_request,
    make_role_chunk,
    make_text_chunk,
    make_usage_chunk,
)
from support.playbook import Play, Stage, fail, say, tiny_endpoint
from trunkline.v1.chat_response_pb2 import ChatCompletionChunk
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.provider_preferences_pb2 import MidStream, ProviderPreferences
from trunkline_server.core.call import Call
from trunkline_server.core.errors import reason_name

BEGINNING = "hello and welcome to everybody"
GOOD = Play(say(*make_answer_chunks(f"{BEGINNING} there"), end=True))
UNAVAILABLE = fail(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE)
REFUSED = Play(UNAVAILABLE, head=False)


def joining_stage(**plays: list[Play]) -> Stage:
    """A stage of endpoints that take a text to go on with, at a price."""
    prices = {"prompt": 1_000, "completion": 1_000}
    endpoints = [tiny_endpoint(slug, takes_prefill=True, prices_pusd=prices) for slug in plays]
    return Stage(make_catalog(*endpoints), **plays)


def make_joined_call(mid_stream: "MidStream.ValueType" = MidStream.MID_STREAM_CONTINUE, **fields: Any) -> Call:
    """A call whose text may be gone on with."""
    return make_call(make_request(provider=ProviderPreferences(mid_stream=mid_stream)), **fields)


def broken(*texts: str) -> Play:
    """An answer that breaks off after some texts."""
    return Play(*(say(make_text_chunk(text)) for text in texts), UNAVAILABLE)


REST = Play(say(make_role_chunk(), make_text_chunk("there")), say(make_finish_chunk(), make_usage_chunk(), end=True))


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(REST, id="goes on"),
        pytest.param(GOOD, id="begins anew"),
    ],
)
async def test_another_endpoint_goes_on(rest: Play) -> None:
    """The text comes whole and once; the first chunk of the endpoint that goes on says so; both parts are paid for."""
    stage = joining_stage(a=[broken(BEGINNING, " ")], b=[rest])
    heard = await stage.listen(make_joined_call())
    assert (heard.text, heard.error) == (f"{BEGINNING} there", None)
    [mark] = [chunk.continuation for chunk in heard.chunks if chunk.HasField("continuation")]
    assert (mark.provider, mark.model, mark.after_error) == ("B", MODEL, "provider_unavailable")
    assert next(chunk.HasField("continuation") for chunk in heard.chunks if chunk.provider == "B")
    assert not any(choice.delta.role for chunk in heard.chunks for choice in chunk.choices if chunk.provider == "B")
    usage = heard.chunks[-1].usage
    assert (usage.completion_tokens, usage.estimated, usage.cost_pusd) == (5 + 8, True, (10 + 2 + 5 + 8) * 1_000)
    [record] = stage.records
    assert (record.status, record.cost_pusd) == ("ok", usage.cost_pusd)
    assert [(attempt.provider, attempt.status) for attempt in record.tries] == [("A", 502), ("B", 200)]


async def test_who_goes_on_may_fail_too() -> None:
    """The third gets what both had said."""
    stage = joining_stage(a=[broken(BEGINNING[:9])], b=[broken(f"{BEGINNING[9:]} ")], c=[GOOD])
    heard = await stage.listen(make_joined_call())
    assert (heard.text, heard.error) == (f"{BEGINNING} there", None)
    marks = [chunk.continuation.provider for chunk in heard.chunks if chunk.HasField("continuation")]
    assert marks == ["B", "C"]


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(make_joined_call(MidStream.MID_STREAM_FAIL), id="fail"),
        pytest.param(make_call(), id="unset"),
        pytest.param(make_joined_call(streamed=False), id="whole"),
    ],
)
async def test_nobody_goes_on_unasked(call: Call) -> None:
    """It is for streams, and for those who ask."""
    heard = await joining_stage(a=[broken("hello ")], b=[GOOD]).listen(call)
    assert (heard.text, heard.reason) == ("hello ", ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param([make_text_chunk("a"), make_call_chunk(0, "{")], id="a tool call"),
        pytest.param([make_text_chunk("a"), make_text_chunk("b", 1)], id="two choices"),
        pytest.param([make_reasoning_chunk("hm")], id="no text yet"),
        pytest.param([make_text_chunk("a"), make_finish_chunk()], id="an end"),
    ],
)
async def test_what_is_no_text_is_not_gone_on_with(said: list[ChatCompletionChunk]) -> None:
    """The failure is told, as without the preference."""
    heard = await joining_stage(a=[Play(say(*said), UNAVAILABLE)], b=[GOOD]).listen(make_joined_call())
    assert heard.reason == ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE


async def test_only_endpoints_that_take_it_go_on() -> None:
    """Others are passed over; where none is left, the failure is told, its choice still open."""
    ends = [tiny_endpoint("a"), tiny_endpoint("b"), tiny_endpoint("c", takes_prefill=True)]
    stage = Stage(make_catalog(*ends), a=[broken("hello ")], b=[GOOD], c=[REFUSED])
    heard = await stage.listen(make_joined_call())
    assert [entry for entry in stage.log if "sent" in entry] == ["a: sent", "c: sent", "c: sent"]
    assert heard.error is not None
    assert (heard.text, heard.error.open_choices) == ("hello ", (0,))
    [record] = stage.records
    assert (record.cost_pusd or 0, record.finish_reason) == (0, "error")


@pytest.mark.parametrize(
    ("reason", "goes_on"),
    [
        ("PROVIDER_UNAVAILABLE", True),
        ("PROVIDER_INVALID_RESPONSE", True),
        ("RATE_LIMIT_EXCEEDED", True),
        ("CONTENT_POLICY_VIOLATION", False),
        ("REFUSAL", False),
        ("TOKEN_LIMIT_EXCEEDED", False),
        ("INVALID_REQUEST", False),
    ],
)
async def test_nobody_goes_on_with_what_was_stopped(reason: str, goes_on: bool) -> None:
    """Only where the endpoint failed: not where a filter, a refusal or the request itself ended the text, though another of the caller's models is left."""
    ends = [
        tiny_endpoint("a", takes_prefill=True),
        tiny_endpoint("b", model="acme/other", takes_prefill=True),
    ]
    stopped = Play(say(make_text_chunk(f"{BEGINNING} ")), fail(ErrorReason.Value(f"ERROR_REASON_{reason}")))
    stage = Stage(make_catalog(*ends), a=[stopped], b=[REST])
    request = make_request(
        models=["acme/other"], provider=ProviderPreferences(mid_stream=MidStream.MID_STREAM_CONTINUE)
    )
    heard = await stage.listen(make_call(request))
    assert ("b: sent" in stage.log) is goes_on
    assert [reason_name(heard.reason or 0)] == [reason_name(0) if goes_on else reason]


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        ("INVALID_REQUEST", "PROVIDER_UNAVAILABLE"),
        ("UNPROCESSABLE", "PROVIDER_UNAVAILABLE"),
        ("CONTEXT_LENGTH_EXCEEDED", "PROVIDER_UNAVAILABLE"),
        ("CONTENT_POLICY_VIOLATION", "PROVIDER_UNAVAILABLE"),
        ("RATE_LIMIT_EXCEEDED", "RATE_LIMIT_EXCEEDED"),
        ("PROVIDER_INVALID_RESPONSE", "PROVIDER_INVALID_RESPONSE"),
        ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"),
    ],
)
async def test_a_refused_continuation_is_no_fault_of_the_caller(refusal: str, told: str) -> None:
    """The caller's request was served until a provider failed, so that failure is told; both stand among the attempts, and the choice is open."""
    refuse = fail(ErrorReason.Value(f"ERROR_REASON_{refusal}"))
    stage = joining_stage(a=[broken(f"{BEGINNING} ")], b=[Play(refuse, head=False)])
    heard = await stage.listen(make_joined_call())
    assert heard.error is not None
    assert (reason_name(heard.error.reason), heard.error.open_choices) == (told, (0,))
    is_turned_down = told != refusal
    assert heard.error.provider == ("A" if is_turned_down else "B")
    assert [attempt.provider for attempt in heard.error.attempts] == (["a", "b"] if is_turned_down else ["a"])
    [record] = stage.records
    assert (record.status, [attempt.provider for attempt in record.tries]) == (told, ["A", "B"])


async def test_a_filter_at_the_endpoint_that_goes_on_is_told() -> None:
    """What it said itself was stopped, and that is what the caller hears."""
    stopped = Play(say(make_text_chunk("there")), fail(ErrorReason.ERROR_REASON_CONTENT_POLICY_VIOLATION))
    heard = await joining_stage(a=[broken(f"{BEGINNING} ")], b=[stopped]).listen(make_joined_call())
    assert (heard.text, heard.reason) == (f"{BEGINNING} there", ErrorReason.ERROR_REASON_CONTENT_POLICY_VIOLATION)
