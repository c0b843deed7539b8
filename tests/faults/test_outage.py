# SPDX-License-Identifier: Apache-2.0
"""Providers that are down, over both wires. One of three (P-17): nobody sees it, and after five failures it is asked no more. All of them (P-18): every call ends in
time, with the last failure or with 503 and a wait, the attempts are listed, and the providers are not asked more and more.

`make outage` shows the first at a gateway of its own, with 10,000 calls and the provider's recovery; tests/engine/test_course.py in virtual time.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import aiohttp
import pytest
from grpc import StatusCode

from support.fault_calls import Client, Seen
from support.fault_gateway import SPARE_TEXT, answer_well, refusing_port
from support.fault_upstream import Answer, FaultUpstream, Hang, Reset, Script, json_answer
from support.gateway import running_gateway
from trunkline_server.engine.budget import FLOOR
from trunkline_server.engine.health_page import BASE_EJECTION_S, FAILURES_TO_EJECT, PROBE_INTERVAL_S

MODEL = "acme/one"
PROVIDERS = ("first", "second", "third")
WARM_UP = 30
CALLS = 200
MOST = 1.2
AT_ONCE = 40
DEADLINE_S = 10.0
HASTY = {"connect_s": 5.0, "first_byte_s": 0.3, "first_token_s": 0.3}
LAST = {
    (502, "provider_unavailable"),
    (StatusCode.UNAVAILABLE, "provider_unavailable"),
    (504, "timeout"),
    (StatusCode.DEADLINE_EXCEEDED, "timeout"),
}
OUT = {(503, "provider_unavailable"), (StatusCode.UNAVAILABLE, "provider_unavailable")}
ASKING = [("http", True), ("http", False), ("grpc", True), ("grpc", False)]
# None: nobody listens there.
DOWN: Final[Mapping[str, Answer | None]] = {
    "refuse": None,
    "hang": Answer(raw=True, steps=[Hang()]),
    "5xx": json_answer({"error": {"message": "inside"}}, status=500),
    "reset": Answer(raw=True, steps=[Reset()]),
}


@asynccontextmanager
async def providers(*does: Answer | Script | None) -> AsyncIterator[tuple[Client, Sequence[FaultUpstream]]]:
    """A client of a gateway with one model at three providers, and what they do; upstreams that refuse see nothing. Those that hang are waited for shortly."""
    async with AsyncExitStack() as stack:
        refusing = stack.enter_context(refusing_port())
        upstreams = [
            await stack.enter_async_context(FaultUpstream(one or answer_well, keep_alive=callable(one))) for one in does
        ]
        rows = [
            {
                "slug": slug,
                "base_url": f"http://127.0.0.1:{refusing}/v1" if one is None else at.base_url,
                "timeouts": HASTY if one is DOWN["hang"] else {},
            }
            for slug, one, at in zip(PROVIDERS, does, upstreams, strict=True)
        ]
        models = [{"slug": MODEL, "endpoints": [{"provider": slug, "upstream_model": "one"} for slug in PROVIDERS]}]
        gateway = await stack.enter_async_context(running_gateway(providers=rows, models=models, simulator=False))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        stub = await stack.enter_async_context(gateway.connect())
        yield Client(gateway=gateway, http=http, stub=stub), upstreams


async def ask(client: Client, count: int, order: tuple[str, ...] = ()) -> Sequence[tuple[Seen, float]]:
    """So many calls over both wires, so many at once, and how long each took. Seconds."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> tuple[Seen, float]:
        wire, streamed = ASKING[number % len(ASKING)]
        async with gate:
            begun_s = time.monotonic()
            return await client.ask(MODEL, wire=wire, streamed=streamed, order=order), time.monotonic() - begun_s

    return await asyncio.gather(*map(one, range(count)))


async def tries_of(client: Client, seen: Sequence[Seen]) -> Sequence[Sequence[tuple[str, int]]]:
    """The attempts of each call, as its record has them: who was asked, and the status that it ended in."""
    records = [await client.record(one.generation_id or "") for one in seen]
    return [
        [(entry["provider_name"], entry["status"]) for entry in record["provider_responses"] or ()]
        for record in records
    ]


def is_told(seen: Seen) -> bool:
    """Whether the failure is the last attempt's, or says that the model is out of service, with a wait; and nothing else came."""
    if seen.text or seen.ended:
        return False
    if seen.reason == "TEMPORARILY_UNAVAILABLE":
        return seen.error in OUT and seen.retry_after_s is not None and seen.earlier >= 1
    return seen.error in LAST and seen.earlier >= 1


def is_well(seen: Seen) -> bool:
    """Whether a whole answer came, from one of the two that live."""
    return (seen.error, seen.text, seen.ended) == (None, SPARE_TEXT, True) and seen.provider in PROVIDERS[1:]


@pytest.mark.parametrize("how", ["refuse", *(pytest.param(how, marks=pytest.mark.slow) for how in ("hang", "5xx"))])
@pytest.mark.parametrize("calls", [1_000, pytest.param(5_000, marks=pytest.mark.slow)], ids="{:,} on each wire".format)
async def test_one_of_three_is_dead(how: str, calls: int) -> None:
    """P-17: no failure reaches a client that wants the dead one first; after five it is out, and asked by nobody but a probe now and then."""
    async with providers(DOWN[how], answer_well, answer_well) as (client, (dead, *_)):
        begun_s = time.monotonic()
        early = [
            await client.ask(MODEL, wire=wire, streamed=streamed, order=PROVIDERS) for wire, streamed in ASKING * 2
        ]
        tries = await tries_of(client, early)
        late = [seen for seen, _ in await ask(client, 2 * calls, order=PROVIDERS)]
        passed_s = time.monotonic() - begun_s
    assert [seen for seen in (*early, *late) if not is_well(seen)] == []
    assert [len(made) for made in tries] == [2] * FAILURES_TO_EJECT + [1] * (len(early) - FAILURES_TO_EJECT)
    # A call now and then probes it; where the time of an ejection is over, all that are under way then may try it, until the first fails.
    probes, returns = passed_s // PROBE_INTERVAL_S, passed_s // BASE_EJECTION_S
    assert len(dead.requests) <= FAILURES_TO_EJECT + probes + AT_ONCE * returns


@pytest.mark.parametrize("how", DOWN)
async def test_all_providers_down(how: str) -> None:
    """Each call fails in time and as promised; from the first ejection on there are at most 1.2 attempts for each, and the floor of the budget."""
    async with providers(*[DOWN[how]] * 3) as (client, upstreams):
        early = await ask(client, WARM_UP)
        before = sum(len(upstream.requests) for upstream in upstreams)
        late = await ask(client, CALLS)
        asked = sum(len(upstream.requests) for upstream in upstreams) - before
        tries = sum(map(len, await tries_of(client, [seen for seen, _ in late])))
    assert [seen for seen, _ in (*early, *late) if not is_told(seen)] == []
    assert max(took_s for _, took_s in (*early, *late)) < DEADLINE_S
    assert asked <= tries <= MOST * CALLS + FLOOR
    assert {seen.reason for seen, _ in late} >= {"TEMPORARILY_UNAVAILABLE"}


@pytest.mark.parametrize(("wire", "streamed"), ASKING)
async def test_the_list_of_attempts(wire: str, streamed: bool) -> None:
    """A call that finds all providers down for the first time asks each of them, and names those before the last; the record has them all."""
    async with providers(*[DOWN["5xx"]] * 3) as (client, upstreams):
        seen = await client.ask(MODEL, wire=wire, streamed=streamed, order=PROVIDERS)
        [tries] = await tries_of(client, [seen])
        record = await client.record(seen.generation_id or "")
    assert [name for name, _ in tries[: len(PROVIDERS)]] == list(PROVIDERS)
    assert {status for _, status in tries} == {502}
    assert (seen.earlier, record["total_cost"]) == (len(tries) - 1, 0)
    assert sum(len(upstream.requests) for upstream in upstreams) == len(tries)
    assert seen.error in LAST
