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
from trunkline_server.core.errors import GatewayError, reason_name
from trunkline_server.core.health import EndpointStatus
from trunkline_server.engine.budget import FLOOR
from trunkline_server.engine.health import FAILURES_TO_EJECT, PROBE_INTERVAL_S
from trunkline_server.engine.patience import PROBE_S
from trunkline_server.engine.waits import SUSPECT_S
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


@pytest.mark.parametrize("deadline_s", [3.0, 5.0, 15.0])
async def test_callers_with_little_time_find_out_too(deadline_s: float) -> None:
    """An endpoint that used to be quick is put out by calls with any deadline, even those that end with it."""
    stage = Stage(a=[GOOD], b=[GOOD])
    request = make_request(provider=ProviderPreferences(order=["a"]))
    for _ in range(60):
        await stage.listen(make_call(request, deadline_s=stage.now_s + 60))
        stage.now_s += 0.1
    silence(stage, "a")
    for _ in range(FAILURES_TO_EJECT):
        await stage.listen(make_call(request, deadline_s=stage.now_s + deadline_s))
    assert status_of(stage, "a") is EndpointStatus.OUT


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
