# SPDX-License-Identifier: Apache-2.0
"""What follows a failure, and what everybody who keeps count is told: the retry budget, the health of endpoints, limits, conversations, the route.

Time is the stage's: only steps and pauses move it.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing

import pytest

from support.builders import (
    MODEL,
    make_answer_chunks,
    make_call,
    make_catalog,
    make_endpoint,
    make_finish_chunk,
    make_provider,
    make_request,
    make_text_chunk,
)
from support.playbook import Hang, Heard, Play, Stage, Step, fail, say, tiny_endpoint
from trunkline.v1.chat_response_pb2 import FinishReason
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.provider_preferences_pb2 import ProviderPreferences
from trunkline_server.catalog.entry import Timeouts
from trunkline_server.core.errors import reason_name
from trunkline_server.core.health import EndpointStatus
from trunkline_server.engine.budget import FLOOR
from trunkline_server.engine.health_page import FAILURES_TO_EJECT, PROBE_INTERVAL_S

GOOD = Play(say(*make_answer_chunks("hello there"), end=True))
OVERLOADED = fail(ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED)
UNAVAILABLE = fail(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE)
TIMEOUT = fail(ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT)
REFUSED = Play(UNAVAILABLE, head=False)
BUSY = Play(OVERLOADED, head=False)
KEY_A = (MODEL, "a")
FOREVER_S = 1e9


def health_of(stage: Stage, slug: str) -> EndpointStatus:
    """How the endpoint of a provider stands."""
    return stage.ledgers.health.snapshot().endpoints[(MODEL, slug)].status


async def listen_times(stage: Stage, times: int, every_s: float = 0.0) -> list[Heard]:
    """So many calls, one after the other, that would all go to the first endpoint."""
    heard = []
    request = make_request(provider=ProviderPreferences(order=["a"]))
    for _ in range(times):
        heard.append(await stage.listen(make_call(request, deadline_s=stage.now_s + 60)))
        stage.now_s += every_s
    return heard


# ---- the same endpoint again ----


async def test_the_only_endpoint_is_tried_again_after_a_pause() -> None:
    """Where no other is left and the failure may pass, the endpoint gets a second chance; the first failure is in the record."""
    stage = Stage(a=[REFUSED, GOOD])
    stage.draws = [0.5]
    heard = await stage.listen(make_call())
    assert (heard.text, heard.error, stage.pauses) == ("hello there", None, [0.1])
    [record] = stage.records
    assert [attempt.provider for attempt in record.attempts] == ["a"]
    assert [attempt.status for attempt in record.tries] == [502, 200]


async def test_two_tries_at_one_endpoint_are_enough() -> None:
    """The failure of the second one is told."""
    stage = Stage(a=[REFUSED])
    heard = await stage.listen(make_call())
    assert (reason_name(heard.reason or 0), len(stage.pauses)) == ("PROVIDER_UNAVAILABLE", 1)
    assert stage.log == ["a: sent", "a: left"] * 2


async def test_a_retry_counts_until_it_has_ended() -> None:
    """The budget gets each back, also where the call is left during it."""
    stage = Stage(a=[REFUSED, Play(say(make_text_chunk("a")), Hang())])
    async with aclosing(stage.engine.run(make_call())) as batches:
        await anext(batches)
        for _ in range(FLOOR - 1):
            assert stage.ledgers.budget.has_one()
            stage.ledgers.budget.take()
        assert not stage.ledgers.budget.has_one()
    stage.now_s += 20
    assert stage.ledgers.budget.has_one()


@pytest.mark.parametrize("failed_s", [59.0, 60.0, 61.0])
async def test_no_pause_goes_beyond_the_deadline(failed_s: float) -> None:
    """Where the provider asks for a longer wait than is left, its failure is told at once."""
    stage = Stage(a=[])
    failure = fail(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, retry_after_s=5.0)
    stage.upstreams["a"].plays.append(Play(stage.wait_until(failed_s), failure, head=False))
    heard = await stage.listen(make_call(deadline_s=60.0))
    assert (reason_name(heard.reason or 0), stage.pauses) == ("PROVIDER_UNAVAILABLE", [])


# ---- health ----


async def test_an_endpoint_that_fails_is_put_out() -> None:
    """After five failures in a row others come first; nobody sees a failure."""
    stage = Stage(a=[REFUSED], b=[GOOD])
    heard = await listen_times(stage, 20)
    assert [call.error for call in heard] == [None] * 20
    assert stage.log.count("a: sent") == FAILURES_TO_EJECT
    assert health_of(stage, "a") is EndpointStatus.OUT


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("deadline_s", [5.0, 12.0, 60.0])
async def test_a_callers_hurry_is_no_fault_of_the_endpoint(deadline_s: float, streamed: bool) -> None:
    """A time-out that the share of a caller's deadline made says nothing of the endpoint, however often it happens."""
    stage = Stage(a=[], b=[GOOD])
    stage.upstreams["a"].plays.append(hang(stage, streamed=streamed))
    request = make_request(provider=ProviderPreferences(order=["a"]))
    for _ in range(FAILURES_TO_EJECT):
        heard = await stage.listen(make_call(request, deadline_s=stage.now_s + deadline_s, streamed=streamed))
        assert (heard.text, heard.error) == ("hello there", None)
    assert KEY_A not in stage.ledgers.health.snapshot().endpoints


async def test_a_failure_of_chance_is_no_fault_of_the_endpoint() -> None:
    """A conflict of two requests is made good by another endpoint, and the next call comes to the first one again."""
    conflict = fail(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE)
    conflict.is_chance = True
    stage = Stage(a=[Play(conflict, head=False)], b=[GOOD])
    heard = await listen_times(stage, FAILURES_TO_EJECT + 1)
    assert [call.error for call in heard] == [None] * len(heard)
    assert stage.log.count("a: sent") == len(heard)
    assert KEY_A not in stage.ledgers.health.snapshot().endpoints


async def test_a_time_out_of_its_own_is_a_fault() -> None:
    """An endpoint that does not take a connection in its own time is blamed, though the caller would have waited longer."""
    stage = Stage(a=[], b=[GOOD])
    stage.upstreams["a"].plays.append(Play(stage.wait_until(Timeouts().connect_s), TIMEOUT, head=False))
    await stage.listen(make_call(deadline_s=12.0))
    assert health_of(stage, "a") is EndpointStatus.UNSTABLE


async def test_silence_far_longer_than_usual_is_a_fault() -> None:
    """Callers with less patience than the provider's time-outs put an endpoint out all the same, where it was quick before."""
    stage = Stage(a=[GOOD], b=[GOOD])
    await listen_times(stage, 100, every_s=0.1)
    stage.upstreams["a"].plays[:] = [hang(stage)]
    await listen_times(stage, FAILURES_TO_EJECT)
    assert health_of(stage, "a") is EndpointStatus.OUT


async def test_a_whole_answer_has_the_time_that_its_endpoint_needs() -> None:
    """Nothing is heard of it before its end, so it has more than half of the time; all of it where the endpoint is known to be slow."""
    stage = Stage(a=[], b=[GOOD])

    def work() -> None:
        stage.now_s += 40.0

    stage.upstreams["a"].plays.append(Play(work, *GOOD.steps))
    request = make_request(provider=ProviderPreferences(order=["a"]))
    for _ in range(2):
        await stage.listen(make_call(request, deadline_s=stage.now_s + 60, streamed=False))
    asked = stage.upstreams["a"].requests
    assert [one.first_content_timeout_s >= least_s for one, least_s in zip(asked, [45.0, 60.0], strict=True)] == [
        True
    ] * 2
    assert stage.log == ["a: sent", "a: left"] * 2


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([say(make_text_chunk("a")), UNAVAILABLE], id="broken off"),
        pytest.param(
            [say(make_text_chunk("a"), make_finish_chunk(FinishReason.FINISH_REASON_ERROR), end=True)],
            id="finished by an error",
        ),
    ],
)
async def test_a_failure_after_content_counts(steps: list[Step]) -> None:
    """What breaks off or ends in an error is no success."""
    stage = Stage(a=[Play(*steps)])
    await listen_times(stage, FAILURES_TO_EJECT)
    assert health_of(stage, "a") is EndpointStatus.OUT


async def test_a_success_is_measured() -> None:
    """Time to the first content and to the end, and tokens a second between them."""
    stage = Stage(a=[])
    first, last = say(make_text_chunk("a")), say(*make_answer_chunks(), end=True)
    stage.upstreams["a"].plays.append(Play(stage.wait_until(2.0), first, stage.wait_until(4.0), last))
    await stage.listen(make_call())
    stage.now_s = 10.0
    health = stage.ledgers.health.snapshot().endpoints[KEY_A]
    assert (health.requests, health.success_rate) == (1, 1.0)
    assert health.latency_s is not None
    assert health.first_token_s is not None
    assert health.throughput_tps is not None
    assert [health.latency_s.p50, health.first_token_s.p50, health.throughput_tps.p50] == pytest.approx(
        [4.0, 2.0, 2.5], rel=0.05
    )


async def test_the_readers_time_is_not_the_endpoints() -> None:
    """A client that reads slowly makes no endpoint slow: the time in which it was away does not count, and then nobody knows how fast the text was written."""
    stage = Stage(a=[Play(say(make_text_chunk("a")), say(make_text_chunk("b")), say(*make_answer_chunks(), end=True))])
    async with aclosing(stage.engine.run(make_call(deadline_s=1_000.0))) as batches:
        async for _ in batches:
            stage.now_s += 30.0
    health = stage.ledgers.health.snapshot().endpoints[KEY_A]
    assert health.latency_s is not None
    assert (health.latency_s.p99 < 0.1, health.throughput_tps) == (True, None)


async def test_a_slow_reader_of_an_old_answer_brings_nobody_back() -> None:
    """An answer that began before the endpoint was put out says nothing of it now, however little of the time was the endpoint's."""
    stage = Stage(a=[Play(say(make_text_chunk("a")), say(*make_answer_chunks(), end=True))])
    async with aclosing(stage.engine.run(make_call(deadline_s=1_000.0))) as batches:
        await anext(batches)
        stage.now_s += 30.0
        for _ in range(FAILURES_TO_EJECT):
            stage.ledgers.health.note_failure(KEY_A, ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE)
        stage.now_s += 30.0
        async for _ in batches:
            pass
    assert health_of(stage, "a") is EndpointStatus.OUT


async def test_the_gateways_own_queue_is_not_the_endpoints_time() -> None:
    """An endpoint is timed from the moment in which it is asked."""
    stage = Stage(
        make_catalog(tiny_endpoint("a", most_concurrent=1)), a=[Play(say(make_text_chunk("a")), Hang()), GOOD]
    )
    async with aclosing(stage.engine.run(make_call())) as batches:
        await anext(batches)
        waiting = asyncio.create_task(stage.listen(make_call()))
        await asyncio.sleep(0)
        stage.now_s = 8.0
    heard = await waiting
    health = stage.ledgers.health.snapshot().endpoints[KEY_A]
    assert (heard.text, health.latency_s is not None and health.latency_s.p99 < 0.1) == ("hello there", True)


async def test_an_answer_that_has_begun_brings_an_endpoint_back() -> None:
    """Its first content is enough; the end may be minutes away."""
    stage = Stage(a=[Play(say(make_text_chunk("a")), Hang())])
    for _ in range(FAILURES_TO_EJECT):
        stage.ledgers.health.note_failure(KEY_A, ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE)
    async with aclosing(stage.engine.run(make_call())) as batches:
        await anext(batches)
        assert health_of(stage, "a") is not EndpointStatus.OUT


# ---- one of three providers is dead (P-17) ----


def refuse(stage: Stage) -> Play:
    """Nobody listens there."""
    return REFUSED


def hang(stage: Stage, *, streamed: bool = True) -> Play:
    """A connection is taken, and nothing comes until the time-out."""

    def wait() -> None:
        request = stage.upstreams["a"].requests[-1]
        stage.now_s += request.first_byte_timeout_s if streamed else request.first_content_timeout_s

    return Play(wait, TIMEOUT, head=False)


def break_down(stage: Stage) -> Play:
    """It answers with a status of its own fault."""
    return Play(UNAVAILABLE)


@pytest.mark.parametrize("die", [refuse, hang, break_down])
@pytest.mark.parametrize("calls", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_nobody_sees_that_one_of_three_is_dead(die: Callable[[Stage], Play], calls: int) -> None:
    """P-17: no failure reaches a client; after five the endpoint is out, but for a probe now and then; it is back within 30 s of its recovery."""
    stage = Stage(a=[GOOD], b=[GOOD], c=[GOOD])
    stage.upstreams["a"].plays[:] = [die(stage)]
    begun_s = stage.now_s
    heard = await listen_times(stage, calls, every_s=0.1)
    assert [call.error for call in heard if call.error is not None] == []
    most_probes = (stage.now_s - begun_s) / PROBE_INTERVAL_S + 1
    assert FAILURES_TO_EJECT <= stage.log.count("a: sent") <= FAILURES_TO_EJECT + most_probes
    stage.upstreams["a"].plays[:] = [GOOD]
    await listen_times(stage, 300, every_s=0.1)
    assert health_of(stage, "a") is not EndpointStatus.OUT
    stage.log.clear()
    stage.now_s += 31
    await listen_times(stage, 10)
    assert stage.log == ["a: sent", "a: left"] * 10


# ---- everything is down (P-18) ----


async def test_when_all_are_down_few_are_asked_twice() -> None:
    """P-18: from the first ejection on there are at most 1.2 attempts a call; callers are told when to come back, and hear of each attempt."""
    stage = Stage(a=[REFUSED], b=[REFUSED], c=[REFUSED])
    await listen_times(stage, FAILURES_TO_EJECT, every_s=0.01)
    stage.log.clear()
    heard = await listen_times(stage, 1_000, every_s=0.01)
    assert stage.log.count("a: sent") + stage.log.count("b: sent") + stage.log.count("c: sent") <= 1.2 * 1_000 + FLOOR
    refused = [call.error for call in heard if call.reason == ErrorReason.ERROR_REASON_TEMPORARILY_UNAVAILABLE]
    assert len(refused) > 700
    assert all(error is not None and (error.retry_after_s or 0) >= 1 and error.attempts for error in refused)
    assert {reason_name(call.reason or 0) for call in heard} <= {"TEMPORARILY_UNAVAILABLE", "PROVIDER_UNAVAILABLE"}


async def test_a_call_that_is_held_back_names_its_attempts() -> None:
    """The one attempt made is in the list and in the record, once."""
    stage = Stage(a=[REFUSED])
    for _ in range(FLOOR):
        stage.ledgers.budget.take()
    heard = await stage.listen(make_call())
    assert heard.error is not None
    assert heard.reason == ErrorReason.ERROR_REASON_TEMPORARILY_UNAVAILABLE
    assert [(attempt.provider, reason_name(attempt.reason)) for attempt in heard.error.attempts] == [
        ("a", "PROVIDER_UNAVAILABLE")
    ]
    assert heard.error.unavailability is not None
    assert list(heard.error.unavailability.requested_models) == [MODEL]
    [record] = stage.records
    assert (record.status, record.provider) == ("TEMPORARILY_UNAVAILABLE", "a")
    assert [attempt.status for attempt in record.tries] == [502]


# ---- the gateway's own limits ----


async def full_stage(**plays: list[Play]) -> tuple[Stage, "asyncio.Task[Heard]"]:
    """A stage of endpoints that take one call at once, the first of which has one."""
    stage = Stage(make_catalog(*(tiny_endpoint(slug, most_concurrent=1) for slug in plays)), **plays)
    running = asyncio.create_task(stage.listen(make_call(deadline_s=FOREVER_S)))
    await asyncio.sleep(0.01)
    return stage, running


STAYS = Play(say(make_text_chunk("a")), Hang())


async def test_a_full_endpoint_passes_calls_on() -> None:
    """Nobody waits for a place where another endpoint has one; the full one is neither asked nor blamed."""
    stage, running = await full_stage(a=[STAYS], b=[GOOD])
    heard = await stage.listen(make_call())
    running.cancel()
    assert (heard.text, {chunk.provider for chunk in heard.chunks}) == ("hello there", {"B"})
    assert stage.log[:3] == ["a: sent", "b: sent", "b: left"]
    assert KEY_A not in stage.ledgers.health.snapshot().endpoints
    [record, *_] = stage.records
    assert list(record.attempts) == []
    assert [attempt.provider for attempt in record.tries] == ["B"]


async def test_the_last_endpoint_is_waited_for() -> None:
    """Where no other is left, a call waits until one leaves."""
    stage, running = await full_stage(a=[STAYS, GOOD])
    waiting = asyncio.create_task(stage.listen(make_call(deadline_s=FOREVER_S)))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    running.cancel()
    heard = await asyncio.wait_for(waiting, timeout=5)
    assert (heard.text, heard.error) == ("hello there", None)


async def test_calls_without_a_place_are_refused() -> None:
    """Where every endpoint is full and as many wait as may, a call is refused at once and told when to come back."""
    stage, running = await full_stage(a=[STAYS])
    waiting = [asyncio.create_task(stage.listen(make_call(deadline_s=FOREVER_S))) for _ in range(2)]
    await asyncio.sleep(0.01)
    heard = await stage.listen(make_call())
    for task in (running, *waiting):
        task.cancel()
    assert heard.error is not None
    assert heard.reason == ErrorReason.ERROR_REASON_CAPACITY_EXHAUSTED
    assert (heard.error.retry_after_s, list(heard.error.attempts)) == (1.0, [])
    assert stage.log[:2] == ["a: sent"]


async def test_a_deadline_that_passes_in_the_queue() -> None:
    """F61: the caller hears of its deadline; nobody was tried."""
    stage, running = await full_stage(a=[STAYS])
    waiting = asyncio.create_task(stage.listen(make_call(deadline_s=0.05)))
    await asyncio.sleep(0.01)
    stage.now_s = 0.05
    heard = await asyncio.wait_for(waiting, timeout=5)
    running.cancel()
    assert (reason_name(heard.reason or 0), stage.log) == ("DEADLINE_EXCEEDED", ["a: sent"])
    assert [list(record.tries) for record in stage.records] == [[]]


# ---- conversations ----


async def test_a_conversation_stays_where_it_was_served() -> None:
    """The endpoint that answered comes first in the session's next call, whatever the draw says."""
    stage = Stage(a=[GOOD], b=[GOOD])
    stage.draws = [0.9, 0.0, 0.0]
    await stage.listen(make_call(session_id="talk"))
    await stage.listen(make_call(session_id="talk"))
    await stage.listen(make_call(session_id="other"))
    assert [entry for entry in stage.log if "sent" in entry] == ["b: sent", "b: sent", "a: sent"]


# ---- the route, told and recorded ----


async def test_the_last_chunk_tells_the_route() -> None:
    """Callers who ask read what was tried and who served; others do not."""
    stage = Stage(a=[BUSY], b=[GOOD])
    heard = await stage.listen(make_call(wants_router_metadata=True))
    assert [chunk.HasField("openrouter_metadata") for chunk in heard.chunks[-2:]] == [False, True]
    route = heard.chunks[-1].openrouter_metadata
    assert (route.requested, route.strategy, route.endpoints.total) == (MODEL, "direct", 2)
    assert [(attempt.provider, attempt.status) for attempt in route.attempts] == [("A", 503), ("B", 200)]
    assert [endpoint.selected for endpoint in route.endpoints.available] == [False, True]
    unasked = await stage.listen(make_call())
    assert not any(chunk.HasField("openrouter_metadata") for chunk in unasked.chunks)


@pytest.mark.parametrize("play", [GOOD, REFUSED], ids=["answer", "failure"])
async def test_the_route_tells_what_the_provider_did_not_get(play: Play) -> None:
    """Parameters that the last provider got otherwise, or not at all, are a stage of the pipeline, and stand in the record."""
    stage = Stage(a=[play])
    request = make_request(verbosity="low", top_k=40)
    heard = await stage.listen(make_call(request, wants_router_metadata=True))
    route = heard.chunks[-1].openrouter_metadata if heard.error is None else heard.error.route
    assert route is not None
    [told] = route.pipeline
    assert (told.type, told.name) == ("dialect", "tiny")
    assert json.loads(told.data) == {"dropped": ["verbosity"], "changed": {"top_k": "clamped to 5"}}
    [record] = stage.records
    assert (record.unsent, record.changed) == (("verbosity",), (("top_k", "clamped to 5"),))


async def test_a_provider_that_got_everything_leaves_the_pipeline_empty() -> None:
    """Nothing is told where nothing happened."""
    heard = await Stage(a=[GOOD]).listen(make_call(wants_router_metadata=True))
    assert list(heard.chunks[-1].openrouter_metadata.pipeline) == []


@pytest.mark.parametrize(
    ("stage", "model", "attempts"),
    [
        pytest.param(Stage(a=[BUSY], b=[REFUSED]), MODEL, ["A", "B"], id="all failed"),
        pytest.param(Stage(a=[GOOD]), "no/such", [], id="no plan"),
    ],
)
async def test_a_failure_knows_its_route(stage: Stage, model: str, attempts: list[str]) -> None:
    """Each provider that was tried is in it, none is selected."""
    heard = await stage.listen(make_call(make_request(model=model), wants_router_metadata=True))
    assert heard.error is not None
    assert heard.error.route is not None
    assert list(dict.fromkeys(attempt.provider for attempt in heard.error.route.attempts)) == attempts
    assert not any(endpoint.selected for endpoint in heard.error.route.endpoints.available)


async def test_the_record_tells_who_was_left_out() -> None:
    """Each endpoint that the preferences left out is in the record, with its word."""
    stage = Stage(a=[GOOD], b=[GOOD])
    await stage.listen(make_call(make_request(provider=ProviderPreferences(only=["b"]))))
    [record] = stage.records
    assert (record.strategy, list(record.exclusions)) == ("direct", [("a", "allowed_providers")])


# ---- time ----


async def test_an_endpoint_has_its_own_time_outs() -> None:
    """They are the provider's, whoever asks."""
    provider = make_provider("a", dialect="tiny", timeouts=Timeouts(total_s=7.0, first_token_s=3.0))
    stage = Stage(make_catalog(tiny_endpoint("b"), make_endpoint(provider)), a=[GOOD], b=[BUSY])
    await stage.listen(make_call())
    [request] = stage.upstreams["a"].requests
    assert (request.total_timeout_s, request.first_content_timeout_s) == (7.0, 3.0)
