# SPDX-License-Identifier: Apache-2.0
"""A second attempt beside the first: who has an answer first serves the call, the other one is left without a trace but in the record and the route."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace

import aiohttp
import pytest

from support.builders import MODEL, make_answer_chunks, make_call, make_catalog, make_request, make_text_chunk
from support.fault_calls import Client
from support.fault_upstream import Answer, FaultUpstream, Pause, json_answer
from support.fault_upstream import Hang as Silence
from support.gateway import running_gateway
from support.playbook import Hang, Heard, Play, Stage, TinyDialect, fail, say, tiny_endpoint
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.provider_preferences_pb2 import ProviderPreferences
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.core.health import EndpointStatus
from trunkline_server.dialects.base import RenderedRequest
from trunkline_server.engine.answer import Answer as CallAnswer
from trunkline_server.engine.budget import FLOOR
from trunkline_server.engine.budget import WINDOW_S as RETRIES_WINDOW_S
from trunkline_server.engine.health_page import FAILURES_TO_EJECT, OUTAGE_S, PROBE_INTERVAL_S
from trunkline_server.engine.hedge import OVERTAKEN, HedgedCourse
from trunkline_server.engine.record import CallStory

GOOD = Play(say(*make_answer_chunks("hello there"), end=True))
SLOW = Play(Hang(), head=False)
OVERLOADED = ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED
UNAVAILABLE = ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE
AFTER_S = 0.02


def make_stage(after_s: float | None = AFTER_S, *, most_concurrent: int | None = None, **plays: list[Play]) -> Stage:
    """A stage whose unary calls ask a second endpoint after a moment of the real clock; retries have no pause."""
    ends = [tiny_endpoint(slug, most_concurrent=most_concurrent) for slug in plays]
    stage = Stage(make_catalog(*ends), **plays)
    object.__setattr__(stage.ledgers, "hedge_after_s", after_s)
    return stage


async def listen(stage: Stage, *, streamed: bool = False) -> Heard:
    """One call that would go to the first endpoint."""
    call = make_call(
        make_request(provider=ProviderPreferences(order=["a"])),
        streamed=streamed,
        wants_router_metadata=True,
        deadline_s=1_000.0,
    )
    async with asyncio.timeout(5):
        return await stage.listen(call)


async def test_the_second_one_is_faster() -> None:
    """It serves the call; the first one is left, nothing is held against it, and both are told of."""
    stage = make_stage(a=[SLOW], b=[GOOD], c=[GOOD])
    heard = await listen(stage)
    assert (heard.text, heard.error, {chunk.provider for chunk in heard.chunks}) == ("hello there", None, {"B"})
    assert stage.log == ["a: sent", "b: sent", "b: left", "a: left"]
    route = heard.chunks[-1].openrouter_metadata
    assert [(attempt.provider, attempt.status) for attempt in route.attempts] == [("A", OVERTAKEN), ("B", 200)]
    [record] = stage.records
    assert [(attempt.provider, attempt.status) for attempt in record.tries] == [("A", OVERTAKEN), ("B", 200)]
    assert (record.provider, record.status, list(record.attempts)) == ("b", "ok", [])
    assert list(stage.ledgers.health.snapshot().endpoints) == []


async def test_it_is_told_once_and_paid_once() -> None:
    """The answer is the winner's alone: its text, its usage."""
    heard = await listen(make_stage(a=[SLOW], b=[GOOD]))
    assert [chunk.HasField("usage") for chunk in heard.chunks].count(True) == 1
    assert heard.chunks[-1].usage.completion_tokens == 5


@pytest.mark.parametrize(
    ("stage", "streamed"),
    [
        pytest.param(make_stage(None, a=[SLOW], b=[GOOD]), False, id="off by default"),
        pytest.param(make_stage(a=[SLOW], b=[GOOD]), True, id="a stream"),
        pytest.param(make_stage(a=[Play(say(make_text_chunk("a")), Hang())], b=[GOOD]), False, id="content has come"),
        pytest.param(make_stage(a=[SLOW]), False, id="nobody else is there"),
    ],
)
async def test_nobody_is_asked_beside(stage: Stage, streamed: bool) -> None:
    """Only unary calls that have heard nothing are hedged, and only where that is switched on."""
    calling = asyncio.create_task(listen(stage, streamed=streamed))
    await asyncio.sleep(5 * AFTER_S)
    assert stage.log == ["a: sent"]
    calling.cancel()


async def test_a_quick_answer_is_left_alone() -> None:
    """The second one is never asked."""
    stage = make_stage(60.0, a=[GOOD], b=[GOOD])
    heard = await listen(stage)
    assert (heard.text, stage.log) == ("hello there", ["a: sent", "a: left"])


async def test_only_those_that_stand_well_are_asked_beside() -> None:
    """An endpoint that failed just now is no help."""
    stage = make_stage(a=[SLOW], b=[GOOD], c=[GOOD])
    stage.ledgers.health.note_failure((MODEL, "b"), UNAVAILABLE)
    heard = await listen(stage)
    assert {chunk.provider for chunk in heard.chunks} == {"C"}


async def test_who_leaves_is_recorded_with_both() -> None:
    """Neither attempt has a status then."""
    stage = make_stage(a=[SLOW], b=[SLOW])
    calling = asyncio.create_task(listen(stage))
    await asyncio.sleep(5 * AFTER_S)
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    [record] = stage.records
    assert record.status == "cancelled"
    assert sorted((attempt.provider, attempt.status) for attempt in record.tries) == [("A", None), ("B", None)]
    assert sorted(stage.log) == ["a: left", "a: sent", "b: left", "b: sent"]


async def test_only_the_first_attempt_is_hedged() -> None:
    """A call that fell back already takes its time."""
    stage = make_stage(a=[Play(fail(OVERLOADED))], b=[SLOW], c=[GOOD])
    calling = asyncio.create_task(listen(stage))
    await asyncio.sleep(5 * AFTER_S)
    assert stage.log == ["a: sent", "a: left", "b: sent"]
    calling.cancel()


async def test_hedges_take_from_the_budget() -> None:
    """Without a retry left none begins; a hedge counts until it has ended."""
    stage = make_stage(a=[SLOW], b=[SLOW])
    calls = [asyncio.create_task(listen(stage)) for _ in range(FLOOR + 2)]
    await asyncio.sleep(5 * AFTER_S)
    assert stage.log.count("b: sent") == FLOOR
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert sorted(stage.log[-2 * FLOOR - 2 :]) == ["a: left"] * (FLOOR + 2) + ["b: left"] * FLOOR
    stage.now_s += 20.0
    assert stage.ledgers.budget.has_one()


async def test_the_second_one_fails() -> None:
    """The call waits for the first, whose endpoint is not blamed for the other's failure."""
    stage = make_stage(a=[SLOW], b=[Play(fail(OVERLOADED))])
    calling = asyncio.create_task(listen(stage))
    await asyncio.sleep(5 * AFTER_S)
    assert (stage.log, calling.done()) == (["a: sent", "b: sent", "b: left"], False)
    assert list(stage.ledgers.health.snapshot().endpoints) == [(MODEL, "b")]
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    [record] = stage.records
    assert [(attempt.provider, attempt.status) for attempt in record.tries] == [("B", 503), ("A", None)]


async def leave_after(stage: Stage, steps: int) -> None:
    """One call at two endpoints, whose caller leaves so many steps of the loop after the second one began to answer."""
    answering = asyncio.Event()
    stage.upstreams["b"].plays[:] = [Play(answering.set, *GOOD.steps)]
    calling = asyncio.create_task(listen(stage))
    await answering.wait()
    for _ in range(steps):
        await asyncio.sleep(0)
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)


@pytest.mark.parametrize("steps", range(12))
async def test_who_leaves_at_any_moment_leaves_nothing(steps: int) -> None:
    """The retry is given back, and both attempts are told of, also where the caller leaves while the slower one is left."""
    stage = make_stage(a=[SLOW], b=[GOOD])
    for _ in range(FLOOR):
        await leave_after(stage, steps)
        stage.now_s += 20.0
    assert stage.ledgers.budget.has_one()
    assert [sorted(attempt.provider for attempt in record.tries) for record in stage.records] == [["A", "B"]] * FLOOR
    assert stage.log.count("a: left") == stage.log.count("b: left") == FLOOR


@contextmanager
def no_collection() -> Iterator[None]:
    """While it lasts only what nobody holds is freed."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def courses() -> int:
    """How many calls are in memory."""
    return sum(isinstance(thing, HedgedCourse) for thing in gc.get_objects())


def break_down() -> None:
    """Fails with an error of its own, as providers do."""
    raise fail(UNAVAILABLE)


@pytest.mark.parametrize("after_s", [AFTER_S, 60.0])
@pytest.mark.parametrize("play", [Play(break_down), Play(break_down, head=False)])
async def test_a_failure_made_good_is_not_kept(play: Play, after_s: float) -> None:
    """A call that fell back is freed with its end: no error holds it."""
    with no_collection():
        before = courses()
        for _ in range(3):
            await listen(make_stage(after_s, a=[play], b=[GOOD]))
        assert courses() == before


async def test_a_probe_that_lost_was_one() -> None:
    """An endpoint that is out and hangs is not asked first again until the next probe is due."""
    stage = make_stage(a=[SLOW], b=[GOOD], c=[GOOD])
    for _ in range(FAILURES_TO_EJECT):
        stage.ledgers.health.note_failure((MODEL, "a"), UNAVAILABLE)
    stage.now_s = PROBE_INTERVAL_S
    for _ in range(3):
        heard = await listen(stage)
        assert heard.text == "hello there"
    assert stage.log.count("a: sent") == 1


@pytest.mark.parametrize(
    ("usual_s", "silent_s", "status"),
    [
        pytest.param(0.5, 5.0, EndpointStatus.OUT, id="it is known to be quick"),
        pytest.param(0.5, 1.9, EndpointStatus.WELL, id="not for long"),
        pytest.param(5.0, 15.0, EndpointStatus.WELL, id="it often takes long"),
    ],
)
async def test_an_endpoint_that_hangs_is_found_out(usual_s: float, silent_s: float, status: EndpointStatus) -> None:
    """By its silence, though another one always answers before any time-out."""
    stage = make_stage(a=[SLOW], b=[GOOD])
    stage.ledgers.health.note_success((MODEL, "a"), latency_s=usual_s, first_token_s=None, completion_tokens=5)
    stage.now_s = OUTAGE_S
    for _ in range(FAILURES_TO_EJECT):
        stage.upstreams["b"].plays[:] = [Play(stage.wait_until(stage.now_s + silent_s), *GOOD.steps)]
        assert (await listen(stage)).text == "hello there"
        stage.now_s += RETRIES_WINDOW_S
    assert stage.ledgers.health.snapshot().endpoints[(MODEL, "a")].status == status


class Plain(TinyDialect):
    """A dialect whose providers do not take a parameter."""

    def render_request(self, request: ChatCompletionRequest, endpoint: Endpoint, *, stream: bool) -> RenderedRequest:
        """The request, without it."""
        return replace(super().render_request(request, endpoint, stream=stream), dropped=(f"top_{endpoint.tag}",))


@pytest.mark.parametrize(
    ("plays", "unsent"),
    [
        pytest.param({"a": [GOOD]}, "top_a", id="it answers"),
        pytest.param({"a": [SLOW], "b": [GOOD]}, "top_b", id="the second answers"),
        pytest.param({"a": [Play(fail(UNAVAILABLE))]}, "top_a", id="it fails"),
        pytest.param({"a": [Play(say(make_text_chunk("a")), fail(UNAVAILABLE))]}, "top_a", id="it breaks off"),
    ],
)
async def test_the_record_names_what_was_not_sent(plays: dict[str, list[Play]], unsent: str) -> None:
    """That of the last attempt, however it ended."""
    stage = make_stage(**plays)
    stage.engine._dialects = {Plain.name: Plain()}
    await listen(stage)
    assert [record.unsent for record in stage.records] == [(unsent,)]


@pytest.mark.parametrize("second_fails_first", [True, False])
async def test_hurry_is_counted_wherever_it_was(second_fails_first: bool) -> None:
    """Time-outs of both attempts that the call's own hurry made are two: what follows takes from the budget."""
    stage = make_stage(a=[SLOW], b=[SLOW], c=[GOOD])
    call = make_call(streamed=False, deadline_s=20.0)
    story, plan = CallStory(call, lambda: stage.now_s), stage.engine.prepare(call.request, call.principal, None)()
    timeout = fail(ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT)
    with HedgedCourse(call, plan, story, stage.ledgers) as course:
        answer = CallAnswer(call, course.endpoint, [])
        course.begin_attempt(answer)
        course.begin_sending()
        beside = course.fork()
        assert beside is not None
        beside.begin_sending()
        stage.now_s = 16.0
        first, last = (beside, course) if second_fails_first else (course, beside)
        first.drop_out(timeout, last)
        course.follow(last)
        for _ in range(FLOOR):
            stage.ledgers.budget.take()
        assert not await course.go_on(timeout, answer)


@asynccontextmanager
async def two_providers(
    first: Answer, second: Answer, **settings: object
) -> AsyncIterator[tuple[Client, FaultUpstream, FaultUpstream]]:
    """A client of a gateway with one model at two providers over sockets, which asks the second after 0.1 s."""
    async with AsyncExitStack() as stack:
        upstreams = [await stack.enter_async_context(FaultUpstream(answer)) for answer in (first, second)]
        slugs = ("first", "second")
        rows = [{"slug": slug, "base_url": at.base_url} for slug, at in zip(slugs, upstreams, strict=True)]
        endpoints = [{"provider": slug, "upstream_model": "one", **settings} for slug in slugs]
        gateway = await stack.enter_async_context(
            running_gateway(
                providers=rows,
                models=[{"slug": MODEL, "endpoints": endpoints}],
                simulator=False,
                attempts={"hedge_after_s": 0.1},
            )
        )
        http = await stack.enter_async_context(aiohttp.ClientSession())
        stub = await stack.enter_async_context(gateway.connect())
        yield Client(gateway=gateway, http=http, stub=stub), upstreams[0], upstreams[1]


def whole(text: str) -> Answer:
    """An answer as a provider gives it."""
    message = {"role": "assistant", "content": text}
    used = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return json_answer({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": used})


HANGS = Answer(steps=[Silence()])


@pytest.mark.parametrize("wire", ["http", "grpc"])
async def test_over_sockets(wire: str) -> None:
    """The provider that hangs is left within a second, and its only place is free again."""
    async with two_providers(HANGS, whole("second best"), most_concurrent=1) as (client, first, second):
        for _ in range(2):
            seen = await client.ask(MODEL, wire=wire, streamed=False, order=("first", "second"))
            assert (seen.error, seen.text, seen.provider) == (None, "second best", "second")
        async with asyncio.timeout(1):
            for request in first.requests:
                await request.aborted.wait()
        record = await client.record(seen.generation_id or "")
    assert (len(first.requests), len(second.requests)) == (2, 2)
    assert [entry["status"] for entry in record["provider_responses"]] == [OVERTAKEN, 200]


def failing(after_s: float) -> Answer:
    """A failure of the provider after a time."""
    return Answer(status=500, steps=[Pause(seconds=after_s), b'{"error": {"message": "inside"}}'])


async def test_the_first_one_fails_meanwhile() -> None:
    """The call goes on with the second, which makes good what the first did."""
    slow = whole("second best")
    slow = Answer(headers=slow.headers, steps=[Pause(seconds=0.4), *slow.steps])
    async with two_providers(failing(0.2), slow) as (client, first, second):
        seen = await client.ask(MODEL, wire="http", streamed=False, order=("first", "second"))
        record = await client.record(seen.generation_id or "")
    assert (seen.error, seen.text, len(first.requests), len(second.requests)) == (None, "second best", 1, 1)
    assert [entry["status"] for entry in record["provider_responses"]] == [502, 200]


async def test_both_fail() -> None:
    """The last failure decides what follows, as ever: the one endpoint left is asked again, and then its failure is told with those before."""
    async with two_providers(failing(0.2), failing(0.3)) as (client, first, second):
        seen = await client.ask(MODEL, wire="http", streamed=False, order=("first", "second"))
        record = await client.record(seen.generation_id or "")
    assert (seen.error, seen.earlier) == ((502, "provider_unavailable"), 2)
    assert (len(first.requests), len(second.requests)) == (1, 2)
    assert [entry["provider_name"] for entry in record["provider_responses"]] == ["first", "second", "second"]


async def test_a_caller_who_leaves() -> None:
    """Both providers are left."""
    async with two_providers(HANGS, HANGS) as (client, first, second):
        calling = asyncio.create_task(client.ask(MODEL, wire="http", streamed=False, order=("first", "second")))
        await second.wait_for_requests(1)
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        async with asyncio.timeout(1):
            await first.requests[0].aborted.wait()
            await second.requests[0].aborted.wait()
