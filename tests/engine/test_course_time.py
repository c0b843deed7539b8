# SPDX-License-Identifier: Apache-2.0
"""Calls with little time, providers that say nothing, and what either costs others: parts of the time, probes, suspicion, the retry budget.

Time is the stage's: only steps and pauses move it.
"""

import asyncio
from contextlib import aclosing
from functools import partial

import pytest

from support.builders import (
    MODEL,
    make_answer_chunks,
    make_call,
    make_catalog,
    make_endpoint,
    make_provider,
    make_request,
    make_text_chunk,
)
from support.playbook import Hang, Play, Stage, fail, say, tiny_endpoint
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.provider_preferences_pb2 import ProviderPreferences
from trunkline_server.catalog.entry import Timeouts
from trunkline_server.core.call import Principal
from trunkline_server.core.errors import GatewayError, reason_name
from trunkline_server.core.health import EndpointHealth, EndpointStatus
from trunkline_server.engine.budget import FLOOR
from trunkline_server.engine.health import MEASURED_S
from trunkline_server.engine.health_page import FAILURES_TO_EJECT, OUTAGE_S, PROBE_INTERVAL_S
from trunkline_server.engine.patience import PROBE_S
from trunkline_server.engine.waits import SUSPECT_S, WHOLE_SUSPECT_S
from trunkline_server.routing.retry import MOST_TRIES

GOOD = Play(say(*make_answer_chunks("hello there"), end=True))
KEY_A = (MODEL, "a")
NAMES = "abcdefghij"


def be_silent(stage: Stage, slug: str) -> None:
    """Takes the request, and says nothing until the time-out or the deadline."""
    request = stage.upstreams[slug].requests[-1]
    stage.now_s += min(request.first_byte_timeout_s, max(request.deadline_s - stage.now_s, 0.0))
    if stage.now_s >= request.deadline_s:
        raise fail(ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED)
    raise fail(ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT)


def silence(stage: Stage, *slugs: str) -> None:
    """These providers hang from now on."""
    for slug in slugs:
        stage.upstreams[slug].plays[:] = [Play(partial(be_silent, stage, slug), head=False)]


def sent(stage: Stage) -> int:
    """How many requests providers were sent."""
    return sum(len(upstream.requests) for upstream in stage.upstreams.values())


def status_of(stage: Stage, slug: str) -> EndpointStatus:
    """How the endpoint of a provider stands."""
    return stage.ledgers.waits.snapshot().endpoints[(MODEL, slug)].status


@pytest.mark.parametrize(
    ("deadline_s", "most_a_call"),
    [pytest.param(3.0, 1, id="too little for two"), pytest.param(5.0, 2, id="two"), pytest.param(30.0, 4, id="more")],
)
async def test_little_time_makes_few_requests(deadline_s: float, most_a_call: int) -> None:
    """No part of a call's time is shorter than the least share, however many endpoints there are: nobody asks eight of them for milliseconds."""
    stage = Stage(**{slug: [GOOD] for slug in NAMES})
    silence(stage, *NAMES)
    for _ in range(20):
        begun_s, before = stage.now_s, sent(stage)
        heard = await stage.listen(make_call(deadline_s=begun_s + deadline_s))
        assert heard.error is not None
        assert (sent(stage) - before <= most_a_call, stage.now_s <= begun_s + deadline_s) == (True, True)


async def test_hurry_takes_from_the_budget() -> None:
    """The first fallback after a hurried time-out is always allowed, as to any healthy endpoint; further ones take from the budget, and end where it does."""
    stage = Stage(**{slug: [GOOD] for slug in NAMES})
    silence(stage, *NAMES)
    for _ in range(FLOOR):
        stage.ledgers.budget.take()
    # The whole call fits into the window of the budget.
    heard = await stage.listen(make_call(deadline_s=9.0))
    assert (sent(stage), reason_name(heard.reason or 0)) == (2, "TEMPORARILY_UNAVAILABLE")


async def test_one_hurried_time_out_is_made_good() -> None:
    """Without any budget too: one dead provider is seen by nobody."""
    stage = Stage(a=[GOOD], b=[GOOD])
    silence(stage, "a")
    for _ in range(FLOOR):
        stage.ledgers.budget.take()
    heard = await stage.listen(make_call(deadline_s=5.0))
    assert (heard.text, heard.error) == ("hello there", None)


FIRST_A = make_request(provider=ProviderPreferences(order=["a"]))


async def quick_stage() -> Stage:
    """The first of two endpoints is known to be quick, and says nothing from now on."""
    stage = Stage(a=[GOOD], b=[GOOD])
    for _ in range(60):
        await stage.listen(make_call(FIRST_A, deadline_s=stage.now_s + 60))
        stage.now_s += 0.1
    silence(stage, "a")
    return stage


@pytest.mark.parametrize("deadline_s", [3.0, 5.0, 15.0])
@pytest.mark.parametrize(
    ("callers", "within_s"), [pytest.param(2, 0.0, id="two"), pytest.param(1, OUTAGE_S, id="one alone, later")]
)
async def test_callers_with_little_time_find_out_too(deadline_s: float, callers: int, within_s: float) -> None:
    """An endpoint that used to be quick is put out by calls with any deadline, even those that end with it: by one caller's alone after half a minute."""
    stage = await quick_stage()
    heard_s = stage.now_s
    for number in range(FAILURES_TO_EJECT):
        if number == FAILURES_TO_EJECT - 1:
            stage.now_s = max(stage.now_s, heard_s + within_s)
        caller = Principal(name=f"caller {number % callers}")
        await stage.listen(make_call(FIRST_A, deadline_s=stage.now_s + deadline_s, principal=caller))
    assert status_of(stage, "a") is EndpointStatus.OUT


@pytest.mark.parametrize("streamed", [True, False])
async def test_one_callers_hurry_is_not_held_against_an_endpoint(streamed: bool) -> None:
    """Its long prompts with short deadlines take no endpoint from the others, who call less often than it."""
    stage = await quick_stage()
    for _ in range(2 * FAILURES_TO_EJECT):
        await stage.listen(make_call(FIRST_A, deadline_s=stage.now_s + 2.1, streamed=streamed))
    assert status_of(stage, "a") is not EndpointStatus.OUT


async def test_a_silence_in_which_others_were_answered() -> None:
    """It says nothing of the endpoint, however many callers had no time to wait longer."""
    stage = await quick_stage()
    for number in range(2 * FAILURES_TO_EJECT):
        stage.upstreams["a"].plays[:] = [Play(partial(be_silent_beside_others, stage), head=False)]
        await stage.listen(make_call(FIRST_A, deadline_s=stage.now_s + 3, principal=Principal(name=str(number))))
    assert status_of(stage, "a") is EndpointStatus.WELL


def be_silent_beside_others(stage: Stage) -> None:
    """Says nothing to this call, and answers another one meanwhile."""
    stage.now_s += 1.0
    stage.ledgers.health.note_content(KEY_A, first_token_s=0.5)
    be_silent(stage, "a")


async def leave_after(stage: Stage, left_s: float, **fields: object) -> bool:
    """A caller's patience has its end. Whether it was served before."""
    call = make_call(deadline_s=stage.now_s + 600, **fields)
    running = asyncio.create_task(stage.listen(call))
    for _ in range(20):
        await asyncio.sleep(0)
    if was_served := running.done():
        return was_served
    stage.now_s += left_s
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return False


@pytest.mark.parametrize("streamed", [True, False])
async def test_callers_who_leave_find_out_too(streamed: bool) -> None:
    """A silence that is long for the endpoint is held against it though the client did not wait for any time-out."""
    stage = await quick_stage()
    stage.upstreams["a"].plays[:] = [Play(Hang(), head=False)]
    served = [await leave_after(stage, 8.0, streamed=streamed, request=FIRST_A) for _ in range(10)]
    assert served == [False] * FAILURES_TO_EJECT + [True] * FAILURES_TO_EJECT


async def test_a_caller_who_leaves_in_a_pause_says_nothing_more() -> None:
    """The failure before it was told; no attempt is under way."""
    stage = Stage(a=[GOOD])
    await stage.listen(make_call())
    stage.upstreams["a"].plays[:] = [Play(fail(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE), head=False)]
    object.__setattr__(stage.ledgers, "sleep", lambda _: asyncio.Event().wait())
    await leave_after(stage, 20.0)
    stage.now_s += MEASURED_S
    health = stage.ledgers.health.snapshot().endpoints[KEY_A]
    assert (health.requests, health.success_rate) == (2, 0.5)


@pytest.mark.parametrize("left_s", [0.5, 3.0, 8.0, 11.0])
async def test_a_dead_endpoint_is_probed_rarely_by_callers_who_leave(left_s: float) -> None:
    """However short their patience: nearly all others are served elsewhere."""
    stage = Stage(a=[Play(Hang(), head=False)], b=[GOOD])
    for _ in range(FAILURES_TO_EJECT):
        stage.ledgers.health.note_failure(KEY_A, ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE)
    served = 0
    for _ in range(60):
        stage.now_s += 1.0
        served += await leave_after(stage, left_s)
    probes = stage.log.count("a: sent")
    assert (probes + served, probes <= 2 * (stage.now_s / PROBE_INTERVAL_S + 1)) == (60, True)
    assert served >= (40 if left_s < PROBE_S else 25)


@pytest.mark.parametrize("usual_s", [None, 5.0])
async def test_an_endpoint_is_brought_back_however_long_its_answers_take(usual_s: float | None) -> None:
    """Whole answers take longer than a first probe waits, since nothing is known of it or it has become slower: later ones wait longer."""
    stage = Stage(a=[GOOD], b=[GOOD])
    if usual_s is not None:
        stage.ledgers.health.note_success(KEY_A, latency_s=usual_s, first_token_s=None, completion_tokens=5)
    stage.upstreams["a"].plays[:] = [Play(partial(take, stage, 45.0), *GOOD.steps, head=False)]
    for _ in range(FAILURES_TO_EJECT):
        stage.ledgers.health.note_failure(KEY_A, ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE)
    for _ in range(20):
        stage.now_s += PROBE_INTERVAL_S
        heard = await stage.listen(make_call(deadline_s=stage.now_s + 600, streamed=False))
        assert heard.text == "hello there"
    assert status_of(stage, "a") is not EndpointStatus.OUT


def take(stage: Stage, needed_s: float) -> None:
    """Answers whole after so long, where it is given the time."""
    given_s = stage.upstreams["a"].requests[-1].first_byte_timeout_s
    stage.now_s += min(needed_s, given_s)
    if needed_s > given_s:
        raise fail(ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT)


async def test_a_probe_is_short() -> None:
    """A call that finds an endpoint out gives it seconds to begin its answer, and is served by the next one."""
    stage = Stage(a=[GOOD], b=[GOOD])
    silence(stage, "a")
    for _ in range(FAILURES_TO_EJECT):
        stage.ledgers.health.note_failure(KEY_A, ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE)
    stage.now_s += PROBE_INTERVAL_S
    begun_s = stage.now_s
    heard = await stage.listen(make_call(make_request(provider=ProviderPreferences(order=["a"])), deadline_s=1_000.0))
    assert (heard.text, stage.now_s - begun_s) == ("hello there", PROBE_S)
    assert status_of(stage, "a") is EndpointStatus.OUT


async def test_a_silent_provider_is_left_alone_before_its_time_out() -> None:
    """While calls wait there for the head of a stream, those that follow go elsewhere first; the head ends that."""
    stage = Stage(a=[Play(Hang(), head=False)], b=[GOOD])
    waiting = asyncio.create_task(stage.listen(make_call(deadline_s=1_000.0)))
    await asyncio.sleep(0.01)
    stage.now_s = SUSPECT_S
    heard = await stage.listen(make_call(deadline_s=1_000.0))
    assert [chunk.provider for chunk in heard.chunks[:1]] == ["B"]
    assert stage.log == ["a: sent", "b: sent", "b: left"]
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    stage.now_s += 1.0
    assert KEY_A not in stage.ledgers.waits.snapshot().endpoints


@pytest.mark.parametrize(("usual_s", "suspect_s"), [(0.5, SUSPECT_S), (20.0, 40.0), (None, WHOLE_SUSPECT_S)])
async def test_whole_answers_that_do_not_come_make_suspect(usual_s: float | None, suspect_s: float) -> None:
    """Later where they usually take longer, or nothing is known; what the endpoint answers meanwhile ends it."""
    stage = Stage(a=[Play(Hang(), head=False)], b=[GOOD])
    health, waits = stage.ledgers.health, stage.ledgers.waits
    if usual_s is not None:
        health.note_success(KEY_A, latency_s=usual_s, first_token_s=None, completion_tokens=5)
        health.snapshot()
    waiting = asyncio.create_task(stage.listen(make_call(deadline_s=1_000.0, streamed=False)))
    await asyncio.sleep(0.01)
    stage.now_s = suspect_s * 0.9
    assert not waits.snapshot().endpoints.get(KEY_A, EndpointHealth()).unstable
    stage.now_s = suspect_s * 1.1
    assert waits.snapshot().endpoints[KEY_A].unstable
    assert (await stage.listen(make_call(deadline_s=1_000.0, streamed=False))).text == "hello there"
    assert stage.log == ["a: sent", "b: sent", "b: left"]
    health.note_success(KEY_A, latency_s=0.5, first_token_s=None, completion_tokens=5)
    stage.now_s += 1.0
    assert not waits.snapshot().endpoints[KEY_A].unstable
    waiting.cancel()


async def test_a_model_that_thinks_is_not_suspect() -> None:
    """Once the head is there, minutes of silence say nothing."""
    stage = Stage(a=[Play(Hang())], b=[GOOD])
    thinking = asyncio.create_task(stage.listen(make_call(deadline_s=1_000.0)))
    await asyncio.sleep(0.01)
    stage.now_s = 10 * SUSPECT_S
    assert KEY_A not in stage.ledgers.waits.snapshot().endpoints
    thinking.cancel()


async def test_the_gateways_own_queue_makes_nobody_suspect() -> None:
    """Who waits for a place has asked nobody."""
    stage = Stage(
        make_catalog(tiny_endpoint("a", most_concurrent=1)), a=[Play(say(make_text_chunk("a")), Hang()), GOOD]
    )
    async with aclosing(stage.engine.run(make_call(deadline_s=1_000.0))) as batches:
        await anext(batches)
        waiting = asyncio.create_task(stage.listen(make_call(deadline_s=1_000.0)))
        await asyncio.sleep(0.01)
        stage.now_s = SUSPECT_S
        assert KEY_A not in stage.ledgers.waits.snapshot().endpoints
    assert (await waiting).text == "hello there"


async def test_places_are_looked_for_everywhere() -> None:
    """Endpoints at their limit are passed over, however many: they were never asked, so they are no tries, and the route does not name them."""
    slugs = NAMES[: MOST_TRIES + 1]
    full = [tiny_endpoint(slug, most_concurrent=1) for slug in slugs[:-1]]
    stage = Stage(make_catalog(*full, tiny_endpoint(slugs[-1])), **{slug: [GOOD] for slug in slugs})
    for slug in slugs[:-1]:
        stage.upstreams[slug].plays[:] = [Play(say(make_text_chunk("a")), Hang())]
    only = [make_request(provider=ProviderPreferences(only=[slug])) for slug in slugs[:-1]]
    running = [asyncio.create_task(stage.listen(make_call(request, deadline_s=1e9))) for request in only]
    await asyncio.sleep(0.05)
    heard = await stage.listen(make_call(wants_router_metadata=True))
    for task in running:
        task.cancel()
    assert (heard.text, heard.error) == ("hello there", None)
    route = heard.chunks[-1].openrouter_metadata
    assert [(attempt.provider, attempt.status) for attempt in route.attempts] == [(slugs[-1].upper(), 200)]
    assert list(stage.records[0].attempts) == []


async def test_no_place_after_a_failure() -> None:
    """Where the last endpoint left has no place, the gateway says so of itself, and names the one that was asked and failed."""
    ends = [tiny_endpoint("a"), tiny_endpoint("b", most_concurrent=1)]
    down = Play(fail(ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED), head=False)
    stage = Stage(make_catalog(*ends), a=[down], b=[Play(say(make_text_chunk("a")), Hang())])
    request = make_request(provider=ProviderPreferences(only=["b"]))
    running = [asyncio.create_task(stage.listen(make_call(request, deadline_s=1e9))) for _ in range(3)]
    await asyncio.sleep(0.01)
    heard = await stage.listen(make_call(make_request(provider=ProviderPreferences(order=["a"]))))
    for task in running:
        task.cancel()
    assert heard.error is not None
    assert (reason_name(heard.reason or 0), heard.error.provider) == ("CAPACITY_EXHAUSTED", None)
    assert [attempt.provider for attempt in heard.error.attempts] == ["a"]


async def test_a_pause_keeps_no_retry_from_others() -> None:
    """The budget is taken from after the pause: calls that wait for a provider leave it to the others."""
    stage = Stage(a=[Play(fail(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, retry_after_s=9.0), head=False)])
    gate = asyncio.Event()
    had_one: list[bool] = []

    async def pause(pause_s: float) -> None:
        await gate.wait()

    object.__setattr__(stage.ledgers, "sleep", pause)
    waiting = [asyncio.create_task(stage.listen(make_call())) for _ in range(FLOOR + 2)]
    await asyncio.sleep(0.01)
    had_one.append(stage.ledgers.budget.has_one())
    gate.set()
    heard = await asyncio.gather(*waiting)
    assert had_one == [True]
    # Where others were faster, a call is told when to come back, and its one attempt is named once.
    reasons = sorted(reason_name(call.reason or 0) for call in heard)
    assert reasons == ["PROVIDER_UNAVAILABLE"] * FLOOR + ["TEMPORARILY_UNAVAILABLE"] * 2
    refused = [call.error for call in heard if call.reason == ErrorReason.ERROR_REASON_TEMPORARILY_UNAVAILABLE]
    assert [len(error.attempts) for error in refused if error is not None] == [1, 1]
    assert len(stage.upstreams["a"].requests) == 2 * FLOOR + 2


async def test_who_leaves_in_a_pause_has_seen_a_failure() -> None:
    """The record has the attempt that failed before, with its status, and nothing that was cut."""
    stage = Stage(a=[Play(fail(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE), head=False)])
    pausing = asyncio.Event()

    async def pause(pause_s: float) -> None:
        pausing.set()
        await asyncio.Event().wait()

    object.__setattr__(stage.ledgers, "sleep", pause)
    calling = asyncio.create_task(stage.listen(make_call()))
    await pausing.wait()
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    [record] = stage.records
    assert (record.status, [attempt.status for attempt in record.tries]) == ("cancelled", [502])
    assert [failure.provider for failure in record.attempts] == ["a"]


async def test_a_call_ends_however_it_ends() -> None:
    """A call that is left, or that breaks, is no longer under way, and waits for nothing."""
    stage = Stage(a=[Play(Hang(), head=False), Play(ValueError("a bug"), head=False)])
    waiting = asyncio.create_task(stage.listen(make_call()))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    with pytest.raises(ValueError, match="a bug"):
        await stage.listen(make_call())
    assert (stage.ledgers.budget._calls, stage.ledgers.waits._waiting) == (0, {})


@pytest.mark.parametrize("away_s", [0.0, 30.0])
async def test_the_end_of_time_after_content_is_nobodys_fault(away_s: float) -> None:
    """How long an answer takes once it has begun depends on who reads it: a time-out of the whole changes nothing."""
    total_s = 60.0
    provider = make_provider("a", dialect="tiny", timeouts=Timeouts(total_s=total_s))
    stage = Stage(make_catalog(make_endpoint(provider)), a=[])
    late = Play(say(make_text_chunk("a")), stage.wait_until(total_s), fail(ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT))
    stage.upstreams["a"].plays.append(late)
    async with aclosing(stage.engine.run(make_call(deadline_s=1_000.0))) as batches:
        await anext(batches)
        stage.now_s += away_s
        with pytest.raises(GatewayError, match="failed"):
            await anext(batches)
    assert KEY_A not in stage.ledgers.health.snapshot().endpoints
