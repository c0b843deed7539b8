# SPDX-License-Identifier: Apache-2.0
"""grpc-gateway generated from the contract in front of the gRPC port: OpenAI's SDK and plain HTTP on the façade's paths, typed services."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import openai
import pytest
from openai import AsyncOpenAI

from support.gateway import RunningGateway
from support.grpc_gateway import build_grpc_gateway, running_grpc_gateway

pytestmark = [pytest.mark.slow, pytest.mark.conformance]


@pytest.fixture(scope="module")
async def grpc_gateway(gateway: RunningGateway) -> AsyncIterator[str]:
    """The URL of a grpc-gateway in front of the gateway."""
    program = await asyncio.to_thread(build_grpc_gateway)
    async with running_grpc_gateway(program, gateway.grpc_target) as url:
        yield url


@pytest.fixture(scope="module")
async def http(grpc_gateway: str) -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client of grpc-gateway."""
    async with aiohttp.ClientSession(grpc_gateway) as session:
        yield session


@pytest.fixture(scope="module")
async def client(grpc_gateway: str) -> AsyncIterator[AsyncOpenAI]:
    """OpenAI's SDK, pointed at grpc-gateway."""
    async with AsyncOpenAI(base_url=f"{grpc_gateway}/v1", api_key="none", max_retries=0, timeout=20) as made:
        yield made


def ask(text: str = "Hello big world", model: str = "sim/echo", **fields: Any) -> dict[str, Any]:
    """A request with one user message."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/v1/chat/completions"])
async def test_a_whole_answer(http: aiohttp.ClientSession, path: str) -> None:
    """A whole answer is OpenAI's JSON on both paths."""
    async with http.post(path, json=ask(max_tokens=50)) as answer:
        told = await answer.json()
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert told["choices"][0]["message"]["content"] == "Hello big world"
    assert answer.headers["grpc-metadata-x-generation-id"] == told["id"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/v1/chat/completions"])
async def test_a_stream(http: aiohttp.ClientSession, path: str) -> None:
    """A stream is server-sent events that end in [DONE], as they come."""
    async with http.post(path, json=ask(stream=True)) as answer:
        blocks = [block async for block in answer.content.iter_any()]
    lines = [line for line in b"".join(blocks).decode().splitlines() if line]
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert answer.content_type == "text/event-stream"
    assert lines[-1] == "data: [DONE]"
    assert "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]) == (
        "Hello big world"
    )


async def test_the_sdk(client: AsyncOpenAI) -> None:
    """OpenAI's SDK reads whole answers and streams."""
    whole = await client.chat.completions.create(**ask())
    chunks = [chunk async for chunk in await client.chat.completions.create(**ask(), stream=True)]
    streamed = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert [whole.choices[0].message.content, streamed] == ["Hello big world"] * 2
    assert chunks[-1].usage == whole.usage


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "error"),
    [("no/such-model", openai.BadRequestError), ("sim/fault?status=429", openai.RateLimitError)],
)
async def test_failures(client: AsyncOpenAI, stream: bool, model: str, error: type[openai.APIStatusError]) -> None:
    """A failure before the first content is a gRPC status in JSON with its details, under `error` since the façade's RPC streams."""
    with pytest.raises(error) as caught:
        await client.chat.completions.create(**ask(model=model), stream=stream)
    status = caught.value.response.json()["error"]
    assert {"code", "message", "details"} == status.keys()
    assert "trunkline" in [detail.get("domain") for detail in status["details"]]


async def test_a_stream_that_fails(client: AsyncOpenAI) -> None:
    """A failure after the first content is the stream's last event."""
    stream = await client.chat.completions.create(**ask("a b c d", model="sim/fault?cut_after=2"), stream=True)
    with pytest.raises(openai.APIError) as caught:
        [chunk async for chunk in stream]
    assert caught.value.code in {502, "502"}


async def test_typed_chat(http: aiohttp.ClientSession) -> None:
    """The typed paths answer canonical ProtoJSON, a stream as grpc-gateway writes streams: an object a line."""
    request = {"model": "sim/echo", "messages": [{"user": {"content": [{"text": "Hello big world"}]}}]}
    async with http.post("/v1/typed/chat/completions", json=request) as answer:
        whole = await answer.json()
    async with http.post("/v1/typed/chat/completions/stream", json=request) as answer:
        lines = (await answer.text()).splitlines()
    chunks = [json.loads(line)["result"] for line in lines if line]
    assert whole["choices"][0]["finishReason"] == "FINISH_REASON_STOP"
    assert "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]) == (
        "Hello big world"
    )


async def test_models(http: aiohttp.ClientSession) -> None:
    """Other services answer canonical ProtoJSON on the paths that they share with our own edge."""
    async with http.get("/v1/models", params={"q": "echo"}) as answer:
        models = (await answer.json())["data"]
    async with http.get("/v1/models/count") as answer:
        assert answer.status == 200
    async with http.get("/v1/model/sim/nothing") as answer:
        refused = await answer.json()
    assert "sim/echo" in [model["id"] for model in models]
    assert (answer.status, refused["code"]) == (404, 5)
