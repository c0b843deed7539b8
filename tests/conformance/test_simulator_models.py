# SPDX-License-Identifier: Apache-2.0
"""Each of the simulator's models gives the same answer over both wires, streamed and whole."""

import json
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import aiohttp
import grpc
import pytest
from grpc import aio

from support.gateway import RunningGateway, running_gateway
from trunkline import build_request, text_of
from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk
from trunkline.v1.chat_service_pb2_grpc import ChatServiceStub
from trunkline_server.app import make_codec
from trunkline_server.core.chunks import Fold

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 1},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}
TOOLS = [
    {"type": "function", "function": {"name": "look_up", "parameters": SCHEMA}},
    {"type": "function", "function": {"name": "get_time"}},
]
PARTS = [
    {"type": "text", "text": "look"},
    {"type": "image_url", "image_url": {"url": "data:image/gif;base64,R0lGODlhAQABAAAAACw="}},
    {"type": "file", "file": {"file_id": "file-1"}},
]
FORM = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA, "strict": True}}

REQUESTS: dict[str, dict[str, Any]] = {
    "echo": {"model": "sim/echo"},
    "echo of many": {"model": "sim/echo", "n": 3, "seed": 7, "stop": ["never"]},
    "echo cut": {"model": "sim/echo", "max_tokens": 2},
    "echo with log probabilities": {"model": "sim/echo", "logprobs": True, "top_logprobs": 2},
    "tools": {"model": "sim/tools", "tools": TOOLS},
    "one tool": {"model": "sim/tools", "tools": TOOLS, "parallel_tool_calls": False},
    "forced tool": {
        "model": "sim/echo",
        "tools": TOOLS,
        "tool_choice": {"type": "function", "function": {"name": "get_time"}},
    },
    "json": {"model": "sim/json", "response_format": FORM},
    "json without schema": {"model": "sim/json", "response_format": {"type": "json_object"}},
    "reasoner": {"model": "sim/reasoner"},
    "reasoner in private": {"model": "sim/reasoner", "reasoning": {"exclude": True}},
    "vision": {"model": "sim/vision", "messages": [{"role": "user", "content": PARTS}]},
    "image": {"model": "sim/image"},
    "fault without one": {"model": "sim/fault"},
    "fault of no harm": {"model": "sim/fault?no_usage=1&no_done=1"},
}

# model -> HTTP status, gRPC code
FAULTS = {
    "sim/fault?status=400": (400, grpc.StatusCode.INVALID_ARGUMENT),
    "sim/fault?status=403": (502, grpc.StatusCode.UNAVAILABLE),
    "sim/fault?status=404": (404, grpc.StatusCode.NOT_FOUND),
    "sim/fault?status=429": (429, grpc.StatusCode.RESOURCE_EXHAUSTED),
    "sim/fault?status=500": (502, grpc.StatusCode.UNAVAILABLE),
    "sim/fault?status=503": (503, grpc.StatusCode.UNAVAILABLE),
    "sim/fault?status=504": (504, grpc.StatusCode.DEADLINE_EXCEEDED),
    "sim/fault?refuse=1": (502, grpc.StatusCode.UNAVAILABLE),
    "sim/fault?empty=1": (502, grpc.StatusCode.UNAVAILABLE),
    "sim/fault?html=1": (502, grpc.StatusCode.UNAVAILABLE),
    "sim/fault?error_body=1": (502, grpc.StatusCode.UNAVAILABLE),
    "sim/fault?no_such_key=1": (400, grpc.StatusCode.INVALID_ARGUMENT),
}


def make(**fields: Any) -> dict[str, Any]:
    """The JSON of a request with one user message, unless the fields bring their own."""
    return {"messages": [{"role": "user", "content": "Hello big world"}], **fields}


def comparable(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without what differs between two calls."""
    return {key: value for key, value in answer.items() if key not in {"id", "created"}}


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A plain HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session


async def post_whole(http: aiohttp.ClientSession, gateway: RunningGateway, sent: dict[str, Any]) -> dict[str, Any]:
    """The whole answer over HTTP."""
    async with http.post(gateway.chat_url, json=sent) as answer:
        assert answer.status == 200, await answer.text()
        return comparable(await answer.json())


async def post_streamed(
    http: aiohttp.ClientSession, gateway: RunningGateway, sent: dict[str, Any]
) -> list[dict[str, Any]]:
    """The chunks over HTTP."""
    async with http.post(gateway.chat_url, json={**sent, "stream": True}) as answer:
        events = (await answer.text()).removesuffix("\n\n").split("\n\n")
    assert events[-1] == "data: [DONE]"
    return [json.loads(event.removeprefix("data: ")) for event in events[:-1]]


@pytest.mark.parametrize("name", REQUESTS)
async def test_four_ways_one_answer(
    http: aiohttp.ClientSession, gateway: RunningGateway, stub: ChatServiceStub, name: str
) -> None:
    """Whole and streamed, over HTTP and over gRPC: one answer, usage included."""
    codec = make_codec()
    sent = make(**REQUESTS[name])
    whole = await post_whole(http, gateway, sent)
    chunks = [
        codec.decode(ChatCompletionChunk, value, strict=False) for value in await post_streamed(http, gateway, sent)
    ]
    called = await stub.CreateChatCompletion(build_request(sent))
    received = [chunk async for chunk in stub.StreamChatCompletion(build_request(sent))]
    assert comparable(codec.encode(called)) == whole
    assert comparable(codec.encode(fold(chunks))) == whole
    assert comparable(codec.encode(fold(received))) == whole
    assert [chunk.HasField("usage") for chunk in received] == [False] * (len(received) - 1) + [True]


def fold(chunks: list[ChatCompletionChunk]) -> ChatCompletion:
    """The answer that the chunks of a stream make."""
    folding = Fold()
    folding.add(chunks)
    return folding.result()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", FAULTS)
async def test_a_fault_is_told_alike(http: aiohttp.ClientSession, model: str, stream: bool) -> None:
    """A failure before the first content has its status on each wire, and the same reason and words.

    Each has a gateway of its own: where several failed before, the retry budget would be spent and the answer another one.
    """
    status, code = FAULTS[model]
    async with running_gateway() as gateway, gateway.connect() as stub:
        async with http.post(gateway.chat_url, json=make(model=model, stream=stream)) as answer:
            body = (await answer.json())["error"]
        call = (stub.StreamChatCompletion if stream else stub.CreateChatCompletion)(build_request(make(model=model)))
        with pytest.raises(aio.AioRpcError) as caught:
            await (call.read() if stream else call)
    assert (answer.status, body["code"], caught.value.code()) == (status, status, code)
    assert caught.value.details() == body["message"]


async def read_text(call: AsyncIterable[ChatCompletionChunk], texts: list[str]) -> None:
    """Put the texts of a stream into a list, as far as they come."""
    async for chunk in call:
        texts.append(text_of(chunk))  # noqa: PERF401 - what came before a failure must be in the list


async def test_a_stream_that_breaks(
    http: aiohttp.ClientSession, gateway: RunningGateway, stub: ChatServiceStub
) -> None:
    """After the first content SSE ends in an event with the error and without [DONE]; gRPC in its status after the chunks."""
    sent = make(model="sim/fault?cut_after=3")
    async with http.post(gateway.chat_url, json={**sent, "stream": True}) as answer:
        events = (await answer.text()).removesuffix("\n\n").split("\n\n")
    last = json.loads(events[-1].removeprefix("data: "))
    assert (answer.status, last["error"]["code"], last["choices"][0]["finish_reason"]) == (200, 502, "error")
    texts: list[str] = []
    with pytest.raises(aio.AioRpcError) as caught:
        await read_text(stub.StreamChatCompletion(build_request(sent)), texts)
    assert ("".join(texts), caught.value.code()) == ("Hello big", grpc.StatusCode.UNAVAILABLE)


async def test_every_model_is_asked(http: aiohttp.ClientSession, gateway: RunningGateway) -> None:
    """The requests above use all models that the simulator offers."""
    async with http.get(f"{gateway.http_url}/v1/models") as answer:
        offered = {model["id"] for model in (await answer.json())["data"]}
    assert {request["model"].partition("?")[0] for request in REQUESTS.values()} == offered
