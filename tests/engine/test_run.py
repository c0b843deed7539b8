# SPDX-License-Identifier: Apache-2.0
"""The story of a call: what the client hears, whom the engine asks, when it lets go, and the one record of it all."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.builders import (
    MODEL,
    make_answer_chunks,
    make_call,
    make_catalog,
    make_endpoint,
    make_finish_chunk,
    make_provider,
    make_request,
    make_role_chunk,
    make_text_chunk,
    make_usage,
    make_usage_chunk,
)
from support.playbook import Hang, Play, Stage, Step, fail, say, tiny_endpoint
from trunkline.v1.chat_request_pb2 import DebugOptions
from trunkline.v1.chat_response_pb2 import ChatCompletionChunk
from trunkline.v1.error_pb2 import ErrorReason, Recourse
from trunkline_server.catalog.entry import Timeouts
from trunkline_server.core.chunks import has_content
from trunkline_server.core.errors import ERROR_SHAPES, AttemptFailure, reason_name
from trunkline_server.core.ports import UpstreamRequest

GOOD = say(*make_answer_chunks("hello there"), end=True)
ROLE = say(make_role_chunk())
BEGUN = say(make_role_chunk(), make_text_chunk("hel"))
OVERLOADED = ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED
UNAVAILABLE = ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE
INVALID_RESPONSE = ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE
CONTEXT = ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED
INVALID = ErrorReason.ERROR_REASON_INVALID_REQUEST
DEADLINE = ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED
SERVER = ErrorReason.ERROR_REASON_SERVER

FALLS_OVER = [
    ErrorReason.ValueType(number)
    for number, shape in ERROR_SHAPES.items()
    if shape.recourse in (Recourse.RECOURSE_RETRY, Recourse.RECOURSE_OTHER_ENDPOINT)
]
TELLS = [
    ErrorReason.ValueType(number) for number, shape in ERROR_SHAPES.items() if shape.recourse == Recourse.RECOURSE_NONE
]


# ---- a good answer ----


async def test_an_answer_is_told() -> None:
    """One endpoint, one answer: the provider is asked once and left before the last chunk; the record says it all."""
    stage = Stage(
        a=[
            Play(
                ROLE,
                say(make_text_chunk("hel")),
                say(make_text_chunk("lo"), end=False),
                say(make_finish_chunk(), make_usage_chunk(), end=True),
            )
        ]
    )
    heard = await stage.listen(make_call())
    assert (heard.text, heard.error) == ("hello", None)
    assert [len(batch) for batch in heard.batches] == [2, 1, 1, 1]
    assert stage.log == ["a: sent", "a: left"]
    [record] = stage.records
    assert (record.status, record.provider, record.endpoint_model, list(record.attempts)) == ("ok", "a", MODEL, [])
    assert (record.prompt_tokens, record.completion_tokens) == (10, 5)


async def test_every_chunk_bears_the_calls_marks() -> None:
    """Id, time, model and provider are the gateway's words, not the provider's."""
    heard = await Stage(a=[Play(GOOD)]).listen(make_call())
    marks = {(chunk.id, chunk.created, chunk.model, chunk.provider) for chunk in heard.chunks}
    assert marks == {("gen-test", 1_700_000_000, MODEL, "A")}


async def test_usage_comes_last_and_once() -> None:
    """Usage stands in the last chunk alone, wherever the provider said it."""
    early = Play(
        say(make_usage_chunk(make_usage(1, 1))),
        say(*make_answer_chunks(), make_usage_chunk(make_usage(7, 3)), end=True),
    )
    heard = await Stage(a=[early]).listen(make_call())
    assert [chunk.HasField("usage") for chunk in heard.chunks] == [False] * (len(heard.chunks) - 1) + [True]
    assert heard.chunks[-1].usage == make_usage(7, 3)


@pytest.mark.parametrize("streamed", [True, False])
async def test_the_provider_is_asked_as_the_client_asked(streamed: bool) -> None:
    """Body and head are the dialect's; deadline and time-outs go along."""
    timeouts = Timeouts(connect_s=1, first_byte_s=2, first_token_s=4, idle_s=3, total_s=5)
    provider = make_provider("a", dialect="tiny", timeouts=timeouts)
    stage = Stage(make_catalog(make_endpoint(provider)), a=[Play(GOOD)])
    await stage.listen(make_call(streamed=streamed, deadline_s=42.0))
    assert stage.upstreams["a"].requests == [
        UpstreamRequest(
            path="/chat",
            body=b'{"model":"one","stream":true}' if streamed else b'{"model":"one","stream":false}',
            headers={"content-type": "application/json"},
            deadline_s=42.0,
            connect_timeout_s=1,
            first_byte_timeout_s=2,
            first_content_timeout_s=4 if streamed else 5,
            idle_timeout_s=3,
            total_timeout_s=5,
        )
    ]


async def test_reading_stops_at_the_end_of_the_answer() -> None:
    """A provider that keeps the connection open after the end of its answer holds up nobody."""
    stage = Stage(a=[Play(GOOD, Hang())])
    heard = await asyncio.wait_for(stage.listen(make_call()), timeout=5)
    assert (heard.text, heard.error) == ("hello there", None)


# ---- falling over before the first content ----


@pytest.mark.parametrize("reason", FALLS_OVER, ids=reason_name)
async def test_a_providers_failure_is_made_good(reason: "ErrorReason.ValueType") -> None:
    """Before the first content the next endpoint takes over unseen; the failure is in the record."""
    stage = Stage(a=[Play(fail(reason), head=False)], b=[Play(ROLE, fail(reason))], c=[Play(GOOD)])
    heard = await stage.listen(make_call())
    assert (heard.text, heard.error) == ("hello there", None)
    assert {chunk.provider for chunk in heard.chunks} == {"C"}
    assert stage.log == ["a: sent", "a: left", "b: sent", "b: left", "c: sent", "c: left"]
    [record] = stage.records
    assert (record.status, record.provider) == ("ok", "c")
    assert [(attempt.provider, attempt.model, attempt.reason) for attempt in record.attempts] == [
        ("a", MODEL, reason),
        ("b", MODEL, reason),
    ]


@pytest.mark.parametrize("reason", TELLS, ids=reason_name)
async def test_a_failure_that_nothing_helps_is_told(reason: "ErrorReason.ValueType") -> None:
    """No other endpoint is asked where it would fail as well."""
    stage = Stage(a=[Play(fail(reason))], b=[Play(GOOD)])
    heard = await stage.listen(make_call())
    assert (heard.reason, heard.batches) == (reason, [])
    assert stage.log == ["a: sent", "a: left"]
    assert [record.status for record in stage.records] == [reason_name(reason)]


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        pytest.param([], UNAVAILABLE, id="nothing at all"),
        pytest.param([ROLE], UNAVAILABLE, id="cut after the role"),
        pytest.param([say(end=True)], INVALID_RESPONSE, id="an end without an answer"),
        pytest.param([ROLE, say(end=True)], INVALID_RESPONSE, id="a role and the end"),
        pytest.param([say(make_usage_chunk(), end=True)], INVALID_RESPONSE, id="usage of nothing"),
        pytest.param([say(make_role_chunk(), make_text_chunk(""), end=True)], INVALID_RESPONSE, id="an empty text"),
    ],
)
async def test_an_empty_answer_is_a_failure(steps: list[Step], reason: "ErrorReason.ValueType") -> None:
    """A provider that says nothing is passed over; where it was the last one, the client is told."""
    stage = Stage(a=[Play(*steps)], b=[Play(GOOD)])
    heard = await stage.listen(make_call())
    assert (heard.text, heard.error) == ("hello there", None)
    assert {chunk.provider for chunk in heard.chunks} == {"B"}
    alone = await Stage(a=[Play(*steps)]).listen(make_call())
    assert (alone.reason, alone.batches) == (reason, [])


async def test_what_a_failed_endpoint_said_is_not_heard() -> None:
    """The role of an endpoint that fell over does not stand before another one's answer."""
    heard = await Stage(a=[Play(ROLE, fail(OVERLOADED))], b=[Play(GOOD)]).listen(make_call())
    assert sum(choice.delta.role == "assistant" for chunk in heard.chunks for choice in chunk.choices) == 1


async def test_another_model_takes_over() -> None:
    """What one model cannot do is tried with the next one, past the other endpoints of the first."""
    endpoints = [tiny_endpoint("a"), tiny_endpoint("b"), tiny_endpoint("c", "acme/two")]
    stage = Stage(make_catalog(*endpoints), a=[Play(fail(CONTEXT))], b=[], c=[Play(GOOD)])
    heard = await stage.listen(make_call(make_request(models=["acme/two"])))
    assert (heard.text, {chunk.model for chunk in heard.chunks}) == ("hello there", {"acme/two"})
    assert stage.log == ["a: sent", "a: left", "c: sent", "c: left"]
    [record] = stage.records
    assert (record.model, record.endpoint_model) == (MODEL, "acme/two")


async def test_a_request_that_cannot_be_written_falls_over() -> None:
    """A dialect that cannot express the request is a failed attempt without a connection."""
    endpoints = [tiny_endpoint("a", upstream_model="unwritable"), tiny_endpoint("b", "acme/two")]
    stage = Stage(make_catalog(*endpoints), a=[], b=[Play(GOOD)])
    heard = await stage.listen(make_call(make_request(models=["acme/two"])))
    assert (heard.text, heard.error) == ("hello there", None)
    assert [attempt.provider for attempt in stage.records[0].attempts] == ["a"]


async def test_the_last_failure_is_told_with_the_others() -> None:
    """When everybody fails, the client hears of the last failure, its provider, the earlier ones and the least wait."""
    stage = Stage(
        a=[Play(fail(OVERLOADED, retry_after_s=3.0))],
        b=[Play(fail(UNAVAILABLE))],
        c=[Play(fail(ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED, retry_after_s=9.0))],
    )
    heard = await stage.listen(make_call())
    assert heard.error is not None
    assert (heard.reason, heard.error.provider) == (ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED, "C")
    assert heard.error.attempts == (
        AttemptFailure(provider="a", model=MODEL, reason=OVERLOADED, retry_after_s=3.0),
        AttemptFailure(provider="b", model=MODEL, reason=UNAVAILABLE),
    )
    assert heard.error.retry_after_s == 3.0
    [record] = stage.records
    assert (record.status, record.provider, len(record.attempts)) == ("RATE_LIMIT_EXCEEDED", "c", 2)


# ---- after the first content ----


@pytest.mark.parametrize("reason", [*FALLS_OVER, CONTEXT], ids=reason_name)
async def test_nobody_takes_over_after_the_first_content(reason: "ErrorReason.ValueType") -> None:
    """What has left cannot be taken back: the failure is told, and no other endpoint is asked."""
    stage = Stage(a=[Play(BEGUN, fail(reason))], b=[Play(GOOD)])
    heard = await stage.listen(make_call())
    assert (heard.text, heard.reason) == ("hel", reason)
    assert stage.log == ["a: sent", "a: left"]
    assert [(record.status, record.provider) for record in stage.records] == [(reason_name(reason), "a")]
    assert not any(chunk.HasField("usage") for chunk in heard.chunks)


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        pytest.param([BEGUN], UNAVAILABLE, id="cut"),
        pytest.param([BEGUN, say(end=True)], INVALID_RESPONSE, id="no finish"),
        pytest.param(
            [BEGUN, say(make_text_chunk("x", 1), make_finish_chunk(index=0), end=True)],
            INVALID_RESPONSE,
            id="one of two choices has no finish",
        ),
    ],
)
async def test_an_answer_without_an_end_is_a_failure(steps: list[Step], reason: "ErrorReason.ValueType") -> None:
    """A stream is never cut silently."""
    heard = await Stage(a=[Play(*steps)], b=[Play(GOOD)]).listen(make_call())
    assert heard.reason == reason
    assert heard.text == "hel"


# ---- no plan ----


async def test_a_call_without_a_plan_is_recorded() -> None:
    """A call that reaches nobody has its record too."""
    stage = Stage(a=[Play(GOOD)])
    heard = await stage.listen(make_call(make_request(model="no/such")))
    assert heard.reason == ErrorReason.ERROR_REASON_MODEL_NOT_FOUND
    assert stage.log == []
    [record] = stage.records
    assert (record.status, record.provider, record.endpoint_model) == ("MODEL_NOT_FOUND", None, None)


# ---- the deadline ----


async def test_nothing_begins_after_the_deadline() -> None:
    """A call whose time is up reaches nobody."""
    stage = Stage(a=[Play(GOOD)])
    stage.now_s = 60.0
    heard = await stage.listen(make_call(deadline_s=60.0))
    assert (heard.reason, stage.log) == (DEADLINE, [])
    assert [(record.status, record.provider) for record in stage.records] == [("DEADLINE_EXCEEDED", None)]


async def test_nobody_takes_over_after_the_deadline() -> None:
    """A failure at the deadline is not followed by another attempt; the one made is told."""
    stage = Stage(a=[], b=[Play(GOOD)])
    stage.upstreams["a"].plays.append(Play(stage.wait_until(61.0), fail(OVERLOADED)))
    heard = await stage.listen(make_call(deadline_s=60.0))
    assert heard.error is not None
    assert (heard.reason, [attempt.provider for attempt in heard.error.attempts]) == (DEADLINE, ["a"])
    assert stage.log == ["a: sent", "a: left"]
    assert [(record.provider, len(record.attempts)) for record in stage.records] == [("a", 1)]


# ---- cancellation ----


async def test_closing_leaves_the_upstream_at_once() -> None:
    """A client that goes away after the first content aborts the upstream; the record says so."""
    stage = Stage(a=[Play(BEGUN, Hang())], b=[Play(GOOD)])
    batches = stage.engine.run(make_call())
    assert await anext(batches)
    assert (stage.log, stage.records) == (["a: sent"], [])
    await batches.aclose()
    assert stage.log == ["a: sent", "a: left"]
    assert [record.status for record in stage.records] == ["cancelled"]


@pytest.mark.parametrize(
    "play",
    [Play(Hang(), head=False), Play(Hang()), Play(ROLE, Hang()), Play(BEGUN, Hang())],
    ids=["head", "body", "role", "text"],
)
async def test_cancelling_leaves_the_upstream_at_once(play: Play) -> None:
    """A cancelled task leaves the upstream wherever it waits; nothing swallows the cancellation."""
    stage = Stage(a=[play], b=[Play(GOOD)])
    task = asyncio.create_task(stage.listen(make_call()))
    for _ in range(10):
        await asyncio.sleep(0)
    assert stage.log == ["a: sent"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stage.log == ["a: sent", "a: left"]
    assert [record.status for record in stage.records] == ["cancelled"]


@pytest.mark.parametrize(("after_s", "is_due"), [(0.1, True), (1.9, True), (2.0, False), (9.0, False)])
async def test_a_caller_who_leaves_gives_the_probe_back(after_s: float, is_due: bool) -> None:
    """Others may ask the ejected endpoint at once; not where it was silent for seconds: callers with no more patience would all be sent to a dead one."""
    stage = Stage(a=[Play(Hang(), head=False)])
    book, key = stage.ledgers.health, tiny_endpoint("a").key
    for _ in range(5):
        book.note_failure(key, ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE)
    stage.now_s += 15
    task = asyncio.create_task(stage.listen(make_call()))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not book.snapshot().endpoints[key].probe_due
    stage.now_s += after_s
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert book.snapshot().endpoints[key].probe_due is is_due


async def test_an_answer_that_was_whole_is_not_cancelled() -> None:
    """A client that leaves with the last chunk had its answer."""
    stage = Stage(a=[Play(GOOD)])
    batches = stage.engine.run(make_call())
    heard = [await anext(batches), await anext(batches)]
    assert heard[-1][-1].HasField("usage")
    await batches.aclose()
    assert [record.status for record in stage.records] == ["ok"]


async def test_a_fault_of_our_own_is_recorded_as_one() -> None:
    """An exception that is no GatewayError goes through as it is, leaves the upstream, and is neither success nor cancellation in the record."""
    stage = Stage(a=[Play(BEGUN, ZeroDivisionError("a bug"))], b=[Play(GOOD)])
    with pytest.raises(ZeroDivisionError):
        await stage.listen(make_call())
    assert stage.log == ["a: sent", "a: left"]
    assert [record.status for record in stage.records] == [reason_name(SERVER)]


# ---- debug ----


async def test_debug_shows_each_attempt() -> None:
    """Each attempt's body comes ahead of the first content, in a chunk of its own that bears the provider."""
    stage = Stage(a=[Play(fail(OVERLOADED))], b=[Play(GOOD)])
    heard = await stage.listen(make_call(make_request(debug=DebugOptions(echo_upstream_body=True))))
    assert [chunk.provider for chunk in heard.batches[0] if chunk.HasField("debug")] == ["A", "B"]
    assert [chunk.HasField("debug") for chunk in heard.chunks][:3] == [True, True, False]
    assert heard.chunks[0].debug.echo_upstream_body == '{"model":"one","stream":true}'
    assert list(heard.chunks[0].choices) == []
    assert heard.chunks[0].id == "gen-test"


@pytest.mark.parametrize(
    ("streamed", "debug"),
    [
        (False, DebugOptions(echo_upstream_body=True)),
        (True, DebugOptions()),
        (True, DebugOptions(echo_upstream_body=False)),
    ],
)
async def test_debug_is_for_streams_that_ask(streamed: bool, debug: DebugOptions) -> None:
    """Whole answers and calls that do not ask have no debug chunk."""
    heard = await Stage(a=[Play(GOOD)]).listen(make_call(make_request(debug=debug), streamed=streamed))
    assert not any(chunk.HasField("debug") for chunk in heard.chunks)


# ---- whatever happens ----


FAILURES = st.sampled_from([OVERLOADED, UNAVAILABLE, INVALID, CONTEXT]).map(fail)
BLOCKS = st.lists(
    st.sampled_from(
        [
            make_role_chunk(),
            make_text_chunk("a"),
            make_text_chunk("b", 1),
            make_usage_chunk(),
            make_finish_chunk(),
            make_finish_chunk(index=1),
        ]
    ),
    max_size=3,
).flatmap(lambda chunks: st.booleans().map(lambda end: say(*chunks, end=end)))
PLAYS = st.builds(lambda steps, end: Play(*steps, *end), st.lists(BLOCKS, max_size=4), st.lists(FAILURES, max_size=1))


@given(plays=st.lists(PLAYS, min_size=1, max_size=3))
async def test_the_promises_of_a_stream_hold(plays: list[Play]) -> None:
    """Whatever the providers do, the first batch has content, choices end once, usage is last and means success, and there is one record."""
    stage = Stage(**{slug: [play] for slug, play in zip("abc", plays, strict=False)})
    heard = await stage.listen(make_call())
    finishes = [choice.index for chunk in heard.chunks for choice in chunk.choices if choice.finish_reason]
    seen = {choice.index for chunk in heard.chunks for choice in chunk.choices}
    assert not heard.batches or any(map(has_content, heard.batches[0]))
    assert all(heard.batches)
    assert len(finishes) == len(set(finishes))
    assert [chunk.HasField("usage") for chunk in heard.chunks[:-1]] == [False] * len(heard.chunks[:-1])
    assert heard.error is not None or (heard.chunks[-1].HasField("usage") and set(finishes) == seen)
    assert len({chunk.provider for chunk in heard.chunks}) <= 1
    assert stage.log[1::2] == [entry.replace("sent", "left") for entry in stage.log[::2]]
    assert [record.status for record in stage.records] == [
        "ok" if heard.error is None else reason_name(heard.error.reason)
    ]


async def test_a_failure_about_a_model_names_what_was_asked_for() -> None:
    """The provider says that it does not have the model; the caller reads which models his request was about."""
    stage = Stage(a=[Play(fail(ErrorReason.ERROR_REASON_MODEL_UNAVAILABLE_UPSTREAM), head=False)])
    heard = await stage.listen(make_call(make_request(models=["acme/none"])))
    assert heard.error is not None
    assert heard.error.unavailability is not None
    assert list(heard.error.unavailability.requested_models) == [MODEL, "acme/none"]


# ---- the share of the time, and what is left when nobody can do better ----


async def test_each_attempt_has_its_share_of_the_time() -> None:
    """While others could follow, an endpoint may be silent for half of the time that is left; the last one has its own time-out."""
    stage = Stage(a=[], b=[Play(fail(OVERLOADED))], c=[Play(GOOD)])
    stage.upstreams["a"].plays.append(Play(stage.wait_until(30.0), fail(OVERLOADED)))
    await stage.listen(make_call(deadline_s=60.0))
    asked = [stage.upstreams[slug].requests[0] for slug in "abc"]
    assert [request.first_byte_timeout_s for request in asked] == [30.0, 15.0, Timeouts().stream_first_byte_s]
    assert [request.first_content_timeout_s for request in asked] == [30.0, 15.0, Timeouts().first_token_s]
    assert {request.deadline_s for request in asked} == {60.0}


async def test_partial_content_is_told_when_nobody_can_do_better() -> None:
    """What a provider had said before it failed leaves ahead of the failure, unless another endpoint answers."""
    failure = fail(UNAVAILABLE)
    failure.partial = [make_role_chunk(), make_text_chunk("hel")]
    alone = await Stage(a=[Play(failure)]).listen(make_call())
    assert (alone.text, alone.reason) == ("hel", UNAVAILABLE)
    followed = await Stage(a=[Play(failure)], b=[Play(GOOD)]).listen(make_call())
    assert (followed.text, followed.error) == ("hello there", None)


@pytest.mark.parametrize(
    ("said", "left_open"),
    [
        pytest.param([], None, id="nothing said"),
        pytest.param([make_text_chunk("a"), make_text_chunk("b", index=1)], (0, 1), id="two open"),
        pytest.param([make_text_chunk("a"), make_text_chunk("b", index=1), make_finish_chunk()], (1,), id="one ended"),
        pytest.param([make_text_chunk("a"), make_finish_chunk()], (), id="all ended"),
    ],
)
async def test_a_failure_tells_which_choices_are_open(
    said: list[ChatCompletionChunk], left_open: tuple[int, ...] | None
) -> None:
    """An edge ends each open choice once, and no other."""
    heard = await Stage(a=[Play(say(*said), fail(UNAVAILABLE))]).listen(make_call())
    assert heard.error is not None
    assert heard.error.open_choices == left_open
