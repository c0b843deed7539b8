# SPDX-License-Identifier: Apache-2.0
"""An unmodified Envoy with the configuration of deploy/envoy in front of the gRPC port: OpenAI's SDK, typed services, gRPC-Web, plain gRPC."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import openai
import pytest
from google.protobuf import descriptor_pb2
from grpc import aio
from openai import AsyncOpenAI

from support.builders import make_request
from support.envoy import http_filters, read_config, running_envoy
from support.gateway import RunningGateway, key_row, running_gateway
from support.source_tree import CLIENT
from trunkline import text_of
from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk
from trunkline.v1.chat_service_pb2_grpc import ChatServiceStub

pytestmark = [pytest.mark.slow, pytest.mark.conformance]

SERVICE = "/trunkline.v1.ChatService"
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]


@pytest.fixture(scope="module")
async def envoy(gateway: RunningGateway, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The URL of an Envoy in front of the gateway."""
    async with running_envoy(gateway.grpc_target, tmp_path_factory.mktemp("envoy")) as url:
        yield url


@pytest.fixture(scope="module")
async def http(envoy: str) -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client of Envoy."""
    async with aiohttp.ClientSession(envoy) as session:
        yield session


@pytest.fixture(scope="module")
async def client(envoy: str) -> AsyncIterator[AsyncOpenAI]:
    """OpenAI's SDK, pointed at Envoy."""
    async with AsyncOpenAI(base_url=f"{envoy}/v1", api_key="none", max_retries=0, timeout=20) as made:
        yield made


def ask(text: str = "Hello big world", model: str = "sim/echo", **fields: Any) -> dict[str, Any]:
    """A request with one user message."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


def test_every_service_is_transcoded() -> None:
    """The configuration names every service of the contract."""
    files = descriptor_pb2.FileDescriptorSet.FromString((CLIENT / "descriptors.binpb").read_bytes()).file
    services = [f"{file.package}.{service.name}" for file in files for service in file.service]
    transcoder = http_filters(read_config())["envoy.filters.http.grpc_json_transcoder"]
    assert sorted(transcoder["services"]) == sorted(services)


@pytest.mark.parametrize("text", ["Hello big world", "日本語 🙂 \u2028 data: [DONE]\n\n", "word " * 2000])
async def test_a_whole_answer(client: AsyncOpenAI, text: str) -> None:
    """The SDK reads a whole answer through Envoy: text, usage, ids, JSON."""
    raw = await client.chat.completions.with_raw_response.create(
        **ask(text), extra_headers={"x-request-id": "req-mine"}
    )
    answer = raw.parse()
    assert answer.choices[0].message.content == text
    assert answer.usage is not None
    assert answer.usage.total_tokens > 0
    assert (raw.headers["content-type"], raw.headers["x-request-id"]) == ("application/json", "req-mine")
    assert raw.headers["x-generation-id"] == answer.id


async def test_a_stream(client: AsyncOpenAI) -> None:
    """The SDK reads a stream through Envoy: many chunks, one finish_reason, usage in the last."""
    chunks = [chunk async for chunk in await client.chat.completions.create(**ask(), stream=True)]
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == "Hello big world"
    assert len(chunks) > 3
    assert [chunk.usage is None for chunk in chunks] == [True] * (len(chunks) - 1) + [False]


async def test_a_stream_is_incremental(http: aiohttp.ClientSession) -> None:
    """Events come as they are made, not at the end; the last is [DONE]."""
    loop = asyncio.get_running_loop()
    request = ask("one two three four five six", model="sim/fault?tps=20", stream=True)
    async with http.post("/v1/chat/completions", json=request) as answer:
        assert answer.content_type == "text/event-stream"
        came = [(loop.time(), line) async for line in answer.content if line.startswith(b"data: ")]
    assert came[-1][0] - came[0][0] > 0.1
    assert came[-1][1].strip() == b"data: [DONE]"


async def test_tools(client: AsyncOpenAI) -> None:
    """Tool calls come through, and a request's tools and integers reach the gateway."""
    answer = await client.chat.completions.create(**ask("weather", model="sim/tools", tools=TOOLS, max_tokens=50))
    calls = answer.choices[0].message.tool_calls
    assert calls
    assert answer.choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fields", "error", "reason"),
    [
        ({"model": "no/such-model"}, openai.BadRequestError, "MODEL_NOT_FOUND"),
        ({"temperature": 7}, openai.BadRequestError, "INVALID_REQUEST"),
        ({"model": "sim/fault?status=429"}, openai.RateLimitError, None),
        ({"model": "sim/fault?status=503"}, openai.InternalServerError, None),
    ],
)
async def test_failures(
    client: AsyncOpenAI, stream: bool, fields: dict[str, Any], error: type[openai.APIStatusError], reason: str | None
) -> None:
    """A failure before the first content is a gRPC status in JSON, with its details, and Envoy's HTTP status for its code."""
    with pytest.raises(error) as caught:
        await client.chat.completions.create(**{**ask(), **fields}, stream=stream)
    status = caught.value.response.json()
    [info] = [detail for detail in status["details"] if detail["@type"].endswith("ErrorInfo")]
    assert {"code", "message", "details"} == status.keys()
    assert reason in {None, info["reason"]}


async def test_a_stream_that_fails(client: AsyncOpenAI) -> None:
    """A failure after the first content is the stream's last event, which the SDK raises."""
    stream = await client.chat.completions.create(
        **ask("one two three four", model="sim/fault?cut_after=2"), stream=True
    )
    with pytest.raises(openai.APIError) as caught:
        [chunk async for chunk in stream]
    assert caught.value.code in {502, "502"}


async def test_keys(tmp_path: Path) -> None:
    """The SDK's key reaches the gateway; a wrong one is its AuthenticationError."""
    async with (
        running_gateway(keys=[key_row("tester", "sk-right")]) as locked,
        running_envoy(locked.grpc_target, tmp_path) as url,
        AsyncOpenAI(base_url=f"{url}/v1", api_key="sk-right", max_retries=0) as right,
    ):
        answer = await right.chat.completions.create(**ask())
        with pytest.raises(openai.AuthenticationError):
            await right.with_options(api_key="sk-wrong").chat.completions.create(**ask())
    assert answer.choices[0].message.content == "Hello big world"


async def test_typed_chat(http: aiohttp.ClientSession) -> None:
    """The typed path answers canonical ProtoJSON: enums by name, 64-bit integers as strings, content in parts."""
    message = {"user": {"content": [{"text": "Hello"}]}}
    async with http.post("/v1/typed/chat/completions", json={"model": "sim/echo", "messages": [message]}) as answer:
        told = await answer.json()
    assert answer.status == 200, told
    assert told["choices"][0]["finish_reason"] == "FINISH_REASON_STOP"
    assert isinstance(told["created"], str)


async def test_typed_stream(http: aiohttp.ClientSession) -> None:
    """The typed stream answers each chunk as an event, in canonical ProtoJSON, without [DONE]."""
    message = {"user": {"content": [{"text": "Hello big world"}]}}
    path = "/v1/typed/chat/completions/stream"
    async with http.post(path, json={"model": "sim/echo", "messages": [message]}) as answer:
        body = (await answer.read()).decode()
    chunks = [json.loads(line.removeprefix("data: ")) for line in body.split("\n\n") if line]
    choices = [choice for chunk in chunks for choice in chunk.get("choices", [])]
    assert "".join(choice.get("delta", {}).get("content", "") for choice in choices) == "Hello big world"


async def test_models(http: aiohttp.ClientSession) -> None:
    """Other services share their paths with our own edge, in canonical ProtoJSON."""
    async with http.get("/v1/models", params={"q": "echo"}) as answer:
        told = await answer.json()
    async with http.get("/v1/models/sim/echo/endpoints") as answer:
        assert answer.status == 200
    async with http.get("/v1/model/sim/nothing") as answer:
        assert answer.status == 404
    assert "sim/echo" in [model["id"] for model in told["data"]]


@pytest.mark.parametrize("path", ["/nowhere", "/v1/nowhere", "/v1/typed/chat/completions"])
async def test_other_paths(http: aiohttp.ClientSession, path: str) -> None:
    """What the contract has no route for is 404."""
    async with http.get(path) as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (404, 5)


async def test_a_typed_stream_that_fails(http: aiohttp.ClientSession) -> None:
    """A typed stream that fails after its first content just ends: why the façade says it in an event."""
    message = {"user": {"content": [{"text": "one two three four"}]}}
    request = {"model": "sim/fault?cut_after=2", "messages": [message]}
    async with http.post("/v1/typed/chat/completions/stream", json=request) as answer:
        body = await answer.text()
    assert answer.status == 200
    assert "error" not in body


async def test_plain_grpc(envoy: str) -> None:
    """A call of plain gRPC passes through as it is."""
    async with aio.insecure_channel(envoy.removeprefix("http://")) as channel:
        answer = await ChatServiceStub(channel).CreateChatCompletion(make_request("Hello", model="sim/echo"))
        with pytest.raises(aio.AioRpcError) as caught:
            await ChatServiceStub(channel).CreateChatCompletion(make_request(temperature=7))
    assert text_of(answer) == "Hello"
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def grpc_web_frames(body: bytes) -> list[tuple[int, bytes]]:
    """The frames of a gRPC-Web body: flags and content. 0x80 marks the trailer."""
    frames = []
    while body:
        size = int.from_bytes(body[1:5], "big")
        frames.append((body[0], body[5 : 5 + size]))
        body = body[5 + size :]
    return frames


async def call_web(http: aiohttp.ClientSession, method: str, message: bytes, form: str) -> list[tuple[int, bytes]]:
    """A gRPC-Web call as a browser sends it; gives the frames of the answer."""
    text = form.startswith("application/grpc-web-text")
    data = b"\0" + len(message).to_bytes(4, "big") + message
    headers = {"content-type": form, "accept": form, "x-grpc-web": "1", "origin": "http://localhost:3000"}
    body = base64.b64encode(data) if text else data
    async with http.post(f"{SERVICE}/{method}", data=body, headers=headers) as answer:
        assert answer.status == 200
        assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
        raw = await answer.read()
    if text:  # pieces that were encoded apart, each padded
        raw = b"".join(base64.b64decode(raw[start : start + 4]) for start in range(0, len(raw), 4))
    return grpc_web_frames(raw)


@pytest.mark.parametrize("form", ["application/grpc-web+proto", "application/grpc-web-text+proto"])
async def test_grpc_web(http: aiohttp.ClientSession, form: str) -> None:
    """Browsers call whole and streamed by gRPC-Web, binary and as text; the status comes in the last frame."""
    message = make_request("Hello big world", model="sim/echo").SerializeToString()
    [(_, whole), (flags, trailer)] = await call_web(http, "CreateChatCompletion", message, form)
    *chunks, (_, last) = await call_web(http, "StreamChatCompletion", message, form)
    assert text_of(ChatCompletion.FromString(whole)) == "Hello big world"
    assert "".join(text_of(ChatCompletionChunk.FromString(raw)) for _, raw in chunks) == "Hello big world"
    assert flags == 0x80
    assert b"grpc-status:0" in trailer.replace(b" ", b"")
    assert b"grpc-status:0" in last.replace(b" ", b"")


async def test_a_preflight(http: aiohttp.ClientSession) -> None:
    """A page of the origin that the configuration names may call; one of another may not."""
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "x-grpc-web,content-type"}
    path = f"{SERVICE}/CreateChatCompletion"
    async with http.options(path, headers={"origin": "http://localhost:3000", **asked}) as allowed:
        assert allowed.headers["access-control-allow-origin"] == "http://localhost:3000"
        assert "x-grpc-web" in allowed.headers["access-control-allow-headers"]
    async with http.options(path, headers={"origin": "https://evil.test", **asked}) as refused:
        assert "access-control-allow-origin" not in refused.headers
