# SPDX-License-Identifier: Apache-2.0
"""Records and sums of calls through the whole gateway: what a client is told of its call afterwards, on both wires."""

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from grpc import aio

from support.builders import make_request
from support.gateway import RunningGateway, key_row, running_gateway
from trunkline.v1 import generation_service_pb2_grpc, key_service_pb2_grpc, model_service_pb2_grpc
from trunkline.v1.chat_service_pb2_grpc import ChatServiceStub
from trunkline.v1.generation_service_pb2 import Generation, GetGenerationRequest
from trunkline.v1.key_service_pb2 import GetCreditsRequest, GetCurrentKeyRequest
from trunkline.v1.model_service_pb2 import RetrieveModelRequest

ALICE, BOB = "tl-" + "a" * 43, "tl-" + "b" * 43
PROMPT = "one two three four five six seven eight nine ten"
# 0.25 and 1.25 USD per million tokens, with a part that floats cannot hold.
PRICES = {"prompt": "0.000000250001", "completion": "0.00000125"}
SLOW = "acme/fault?tps=50"
BROKEN = "acme/fault?cut_after=3"
WAIT_S = 5.0

pytestmark = pytest.mark.conformance


def model_row(slug: str, upstream_model: str, **fields: Any) -> dict[str, Any]:
    """A model of the simulator that costs something."""
    return {
        "slug": slug,
        "endpoints": [{"provider": "simulator", "upstream_model": upstream_model, "prices": PRICES}],
        **fields,
    }


@pytest.fixture(scope="module")
async def priced() -> AsyncIterator[RunningGateway]:
    """A gateway with two keys, whose models cost something."""
    models = [model_row("acme/echo", "sim/echo"), model_row("acme/fault", "sim/fault", takes_query=True)]
    async with running_gateway(keys=[key_row("alice", ALICE), key_row("bob", BOB)], models=models) as gateway:
        yield gateway


def signed(key: str) -> dict[str, str]:
    """The headers of a key's owner."""
    return {"authorization": f"Bearer {key}"}


@pytest.fixture
async def http(priced: RunningGateway) -> AsyncIterator[aiohttp.ClientSession]:
    """A client with Alice's key."""
    async with aiohttp.ClientSession(f"{priced.http_url}/v1/", headers=signed(ALICE)) as session:
        yield session


def make_body(model: str = "acme/echo", *, stream: bool = False, text: str = PROMPT) -> dict[str, Any]:
    """A request to a model."""
    return {"model": model, "stream": stream, "messages": [{"role": "user", "content": text}]}


async def read_record(http: aiohttp.ClientSession, generation_id: str) -> dict[str, Any]:
    """The record of a call, for which it waits: a client that left is not told when the gateway has noticed."""
    async with asyncio.timeout(WAIT_S):
        while True:
            async with http.get("generation", params={"id": generation_id}) as answer:
                if answer.status == 200:
                    return dict((await answer.json())["data"])
            await asyncio.sleep(0.01)


async def read_money(http: aiohttp.ClientSession, route: str) -> dict[str, Any]:
    """The amounts of /key or /credits as they are written."""
    async with http.get(route) as answer:
        return dict(json.loads(await answer.text(), parse_float=Decimal)["data"])


async def test_a_record_is_its_callers_alone(priced: RunningGateway, http: aiohttp.ClientSession) -> None:
    """The id of an answer finds its record with the key that made it, and nothing with another."""
    async with http.post("chat/completions", json=make_body()) as answer:
        generation_id = (await answer.json())["id"]
    async with http.get("generation", params={"id": generation_id}) as mine:
        assert (mine.status, (await mine.json())["data"]["model"]) == (200, "acme/echo")
    async with http.get("generation", params={"id": generation_id}, headers=signed(BOB)) as other:
        assert other.status == 404
    nobody = aiohttp.ClientSession(priced.http_url)
    async with nobody, nobody.get("/v1/generation", params={"id": generation_id}) as unknown:
        assert unknown.status == 401


async def test_the_sums_are_those_of_the_answers(http: aiohttp.ClientSession) -> None:
    """What the answers said they cost is, to the last digit, what records, key and credits say."""
    before = await read_money(http, "key")
    told = Decimal(0)
    for words in range(1, 20):
        async with http.post("chat/completions", json=make_body(text="word " * words)) as answer:
            told += json.loads(await answer.text(), parse_float=Decimal)["usage"]["cost"]
    after, credits_after = await read_money(http, "key"), await read_money(http, "credits")
    assert told > 0
    for period in ("usage", "usage_daily", "usage_weekly", "usage_monthly"):
        assert after[period] - before[period] == told
    assert credits_after == {"total_credits": 0, "total_usage": after["usage"]}
    assert (await read_money_of(http, BOB))["usage"] == 0


async def read_money_of(http: aiohttp.ClientSession, key: str) -> dict[str, Any]:
    """The amounts of /key for another key."""
    async with http.get("key", headers=signed(key)) as answer:
        return dict((await answer.json())["data"])


async def leave_stream(http: aiohttp.ClientSession) -> str:
    """Leave a stream after its first chunk."""
    async with http.post("chat/completions", json=make_body(SLOW, stream=True)) as answer:
        await answer.content.readline()
        answer.close()
        return answer.headers["X-Generation-Id"]


async def leave_grpc_stream(priced: RunningGateway) -> str:
    """Cancel a stream over gRPC after its first chunk."""
    async with aio.insecure_channel(priced.grpc_target) as channel:
        metadata = [("authorization", f"Bearer {ALICE}")]
        call = ChatServiceStub(channel).StreamChatCompletion(make_request(PROMPT, model=SLOW), metadata=metadata)
        chunk = await call.read()
        call.cancel()
        return str(chunk.id)


@pytest.mark.parametrize("wire", ["http", "grpc"])
async def test_a_call_that_was_left(wire: str, priced: RunningGateway, http: aiohttp.ClientSession) -> None:
    """The record says so, and counts and charges what had come by then."""
    left = leave_stream(http) if wire == "http" else leave_grpc_stream(priced)
    record = await read_record(http, await left)
    assert (record["cancelled"], record["finish_reason"], record["streamed"]) == (True, None, True)
    assert 1 <= record["tokens_completion"] < 12
    assert record["tokens_prompt"] > 0
    assert record["total_cost"] == record["usage"] > 0
    assert record["provider_responses"][0]["status"] is None


async def test_a_call_that_broke_off(http: aiohttp.ClientSession) -> None:
    """The record has the failure, what had come by then, and no charge; the sums do not move."""
    before = await read_money(http, "key")
    async with http.post("chat/completions", json=make_body(BROKEN, stream=True)) as answer:
        assert answer.status == 200
        assert b'"error"' in await answer.read()
    record = await read_record(http, answer.headers["X-Generation-Id"])
    assert (record["cancelled"], record["finish_reason"], record["total_cost"]) == (False, "error", 0)
    assert record["tokens_completion"] > 0
    assert record["error"]["code"] == record["provider_responses"][0]["status"] == 502
    assert (await read_money(http, "key"))["usage"] == before["usage"]


async def test_a_call_that_nobody_answered(http: aiohttp.ClientSession) -> None:
    """A call without an answer has its record too: no tokens, no charge, the failure as it was told."""
    async with http.post("chat/completions", json=make_body("acme/fault?status=503")) as answer:
        told = (await answer.json())["error"]
    record = await read_record(http, answer.headers["X-Generation-Id"])
    assert (record["tokens_prompt"], record["total_cost"], record["finish_reason"]) == (0, 0, None)
    assert record["error"] == told


async def test_the_services_over_grpc(priced: RunningGateway) -> None:
    """The same answers come over gRPC, with the generated stubs."""
    metadata = [("authorization", f"Bearer {ALICE}")]
    async with aio.insecure_channel(priced.grpc_target) as channel:
        whole = await ChatServiceStub(channel).CreateChatCompletion(
            make_request(PROMPT, model="acme/echo"), metadata=metadata
        )
        generations = generation_service_pb2_grpc.GenerationServiceStub(channel)
        record: Generation = (
            await generations.GetGeneration(GetGenerationRequest(id=whole.id), metadata=metadata)
        ).data
        keys = key_service_pb2_grpc.KeyServiceStub(channel)
        key = (await keys.GetCurrentKey(GetCurrentKeyRequest(), metadata=metadata)).data
        paid = (await keys.GetCredits(GetCreditsRequest(), metadata=metadata)).data
        models = model_service_pb2_grpc.ModelServiceStub(channel)
        model = (await models.RetrieveModel(RetrieveModelRequest(model="acme/echo"), metadata=metadata)).model
    assert (record.total_cost_pusd, record.tokens_completion) == (whole.usage.cost_pusd, whole.usage.completion_tokens)
    assert (key.label, key.usage_pusd) == ("alice", paid.total_usage_pusd)
    assert model.id == "acme/echo"
