# SPDX-License-Identifier: Apache-2.0
"""Bad input on both wires: a clear error with its code, never a 500 or a traceback, and the next call works."""

import asyncio
import io
import json
import math
import random
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc import aio

from support.builders import make_function, make_message, make_request
from support.gateway import RunningGateway, key_row, running_gateway
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_service_pb2_grpc import ChatServiceStub
from trunkline.v1.message_pb2 import ChatMessage, ContentPart
from trunkline.v1.plugin_pb2 import Plugin

KEY = "tl-" + "k" * 43
MIB = 1024 * 1024
USER = {"role": "user", "content": "hi"}
GOOD = {"model": "sim/echo", "messages": [USER]}
JSON = {"content-type": "application/json"}
STREAMED = ("CreateChatCompletion", "StreamChatCompletion")
INVALID = grpc.StatusCode.INVALID_ARGUMENT
# What no client may ever read: where in our source something happened.
INSIDE = ("Traceback", 'File "', ".py", "trunkline_server", "jsonshape", "google.protobuf", "asyncio", "orjson")


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A plain HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture(scope="module")
async def locked() -> AsyncIterator[RunningGateway]:
    """A gateway that wants a key."""
    async with running_gateway(keys=[key_row("tester", KEY)]) as running:
        yield running


async def check_http_lives(http: aiohttp.ClientSession, gateway: RunningGateway, **headers: str) -> None:
    """The next call works."""
    async with http.post(gateway.chat_url, json=GOOD, headers=headers) as answer:
        assert answer.status == 200
        assert (await answer.json())["choices"][0]["message"]["content"] == "hi"


async def check_grpc_lives(stub: ChatServiceStub, **terms: Any) -> None:
    """The next call works."""
    answer = await stub.CreateChatCompletion(make_request("hi", model="sim/echo"), **terms)
    assert answer.choices[0].message.content[0].text == "hi"


def check_words(text: str) -> None:
    """An error tells nothing of the inside."""
    assert [word for word in INSIDE if word in text] == []


def changed(**fields: Any) -> bytes:
    """The body of a good request with some keys replaced."""
    return json.dumps({**GOOD, **fields}).encode()


BODIES: dict[str, tuple[bytes, int, str]] = {
    # name -> body, status, field of the first fault
    "nothing": (b"", 400, ""),
    "cut off": (b'{"model": "sim/echo", "messages": [', 400, ""),
    "no JSON": (b"model=sim/echo", 400, ""),
    "trailing words": (json.dumps(GOOD).encode() + b" and more", 400, ""),
    "no UTF-8": (b'{"model": "\xff\xfe"}', 400, ""),
    "NaN": (b'{"temperature": NaN, "messages": []}', 400, ""),
    "Infinity": (b'{"temperature": Infinity}', 400, ""),
    "a lone surrogate": (b'{"model": "\\ud800"}', 400, ""),
    "100,000 brackets": (b"[" * 100_000, 400, ""),
    "deep extra": (changed(knob=1).replace(b'"knob": 1', b'"knob": ' + b"[" * 300 + b"]" * 300), 400, ""),
    "an array": (b"[]", 400, ""),
    "a text": (b'"hello"', 400, ""),
    "null": (b"null", 400, ""),
    "no messages": (b'{"model": "sim/echo"}', 400, "messages"),
    "null messages": (changed(messages=None), 400, "messages"),
    "empty messages": (changed(messages=[]), 400, "messages"),
    "messages as text": (changed(messages="hi"), 400, "messages"),
    "messages as object": (changed(messages=USER), 400, "messages"),
    "a message as text": (changed(messages=["hi"]), 400, "messages[0]"),
    "a null message": (changed(messages=[None]), 400, "messages[0]"),
    "no role": (changed(messages=[{"content": "hi"}]), 400, "messages[0].role"),
    "an unknown role": (changed(messages=[{"role": "wizard", "content": "hi"}]), 400, "messages[0].role"),
    "content as number": (changed(messages=[{"role": "user", "content": 5}]), 400, "messages[0].content"),
    "an unknown part": (
        changed(messages=[{"role": "user", "content": [{"type": "smell"}]}]),
        400,
        "messages[0].content[0].type",
    ),
    "model as number": (changed(model=5), 400, "model"),
    "an unknown model": (changed(model="no/such"), 400, "model"),
    "a model of control characters": (changed(model="\u0000\r\n"), 400, "model"),
    "temperature as text": (changed(temperature="hot"), 400, "temperature"),
    "temperature out of range": (changed(temperature=2.5), 400, "temperature"),
    "n as fraction": (changed(n=1.5), 400, "n"),
    "n as boolean": (changed(n=True), 400, "n"),
    "stream as text": (changed(stream="yes"), 400, "stream"),
    "max_tokens beyond 32 bits": (changed(max_tokens=2**31), 400, "max_tokens"),
    "seed beyond 64 bits": (changed(seed=2**70), 400, "seed"),
    "five stops": (changed(stop=list("abcde")), 400, "stop"),
    "17 pairs of metadata": (changed(metadata={str(number): "x" for number in range(17)}), 400, "metadata"),
    "a long session id": (changed(session_id="x" * 257), 400, "session_id"),
    "an unknown preference": (changed(provider={"ordre": ["x"]}), 400, "provider.ordre"),
    "a bad function name": (
        changed(tools=[{"type": "function", "function": {"name": "two words"}}]),
        400,
        "tools[0].function.name",
    ),
    "an address for the key": (changed(api_base="http://127.0.0.1:1"), 400, "api_base"),
    "a web plugin": (changed(plugins=[{"id": "web"}]), 400, "plugins[0]"),
    "a server tool": (changed(tools=[{"type": "openrouter:datetime"}]), 400, "tools[0]"),
}


@pytest.mark.parametrize("name", BODIES)
async def test_bad_bodies_over_http(http: aiohttp.ClientSession, gateway: RunningGateway, name: str) -> None:
    """A bad body is refused with its status and the place of the fault."""
    body, status, field = BODIES[name]
    async with http.post(gateway.chat_url, data=body, headers=JSON) as answer:
        text = await answer.text()
    error = json.loads(text)["error"]
    check_words(text)
    assert (answer.status, error["code"], answer.content_type) == (status, status, "application/json")
    assert error["message"]
    assert field in [fault["field"] for fault in error["metadata"].get("faults", [{"field": ""}])]
    await check_http_lives(http, gateway)


async def test_an_unknown_model_over_both_wires(
    http: aiohttp.ClientSession, gateway: RunningGateway, stub: ChatServiceStub
) -> None:
    """400 with the availability code model_not_found; INVALID_ARGUMENT with the same code in its details."""
    async with http.post(gateway.chat_url, json={**GOOD, "model": "no/such"}) as answer:
        body = await answer.json()
    assert (answer.status, body["error"]["availability"]["code"]) == (400, "model_not_found")
    error = await failure(stub.CreateChatCompletion(make_request(model="no/such")))
    assert (error.code(), error_info(error).reason) == (INVALID, "MODEL_NOT_FOUND")
    assert error_info(error).metadata["availabilityCode"] == "model_not_found"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/v1/chat/completions", {}, 405),
        ("PUT", "/v1/chat/completions", JSON, 405),
        ("POST", "/v1/chat/nothing", JSON, 404),
        ("POST", "/v1//chat/completions", JSON, 404),
        ("POST", "/v1/chat/completions", {"content-type": "text/plain"}, 415),
        ("POST", "/v1/chat/completions", {**JSON, "content-encoding": "gzip"}, 415),
        ("POST", "/v1/chat/completions", {**JSON, "origin": "https://evil.example"}, 403),
        ("POST", "/v1/chat/completions", {**JSON, "host": "evil.example"}, 403),
        ("POST", "/v1/chat/completions", {**JSON, "x-request-timeout": "soon"}, 400),
        ("GET", "/v1/models?limit=x", {}, 400),
        ("GET", "/v1/model/no/such", {}, 404),
        ("GET", "/../../etc/passwd", {}, 404),
    ],
)
async def test_bad_requests_over_http(
    http: aiohttp.ClientSession, gateway: RunningGateway, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    """Wrong methods, paths and headers have their status."""
    body = json.dumps(GOOD).encode() if method != "GET" else None
    async with http.request(method, gateway.http_url + path, data=body, headers=headers) as answer:
        text = await answer.text()
    check_words(text)
    assert (answer.status, json.loads(text)["error"]["code"]) == (status, status)
    await check_http_lives(http, gateway)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": KEY},
        {"authorization": f"Basic {KEY}"},
        {"authorization": "Bearer "},
    ],
)
async def test_a_wrong_key(http: aiohttp.ClientSession, locked: RunningGateway, headers: dict[str, str]) -> None:
    """Without the right key: 401 and UNAUTHENTICATED, and the key is not repeated."""
    async with http.post(locked.chat_url, json=GOOD, headers=headers) as answer:
        text = await answer.text()
    assert (answer.status, json.loads(text)["error"]["code"]) == (401, 401)
    assert KEY not in text
    check_words(text)
    await check_http_lives(http, locked, authorization=f"Bearer {KEY}")
    async with locked.connect() as stub:
        for method in STREAMED:
            call = getattr(stub, method)(make_request(model="sim/echo"), metadata=list(headers.items()))
            error = await failure(call)
            assert error.code() is grpc.StatusCode.UNAUTHENTICATED
            assert KEY not in str(error)
        await check_grpc_lives(stub, metadata=[("authorization", f"Bearer {KEY}")])


async def pieces() -> AsyncIterator[bytes]:
    """33 MiB without a declared length."""
    for _ in range(33):
        yield b" " * MIB


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_of_33_mib(http: aiohttp.ClientSession, gateway: RunningGateway, declared: bool) -> None:
    """Over 32 MiB is a 413, whether the length was declared or not."""
    body: Any = io.BytesIO(b" " * (33 * MIB)) if declared else pieces()
    async with http.post(gateway.chat_url, data=body, headers=JSON) as answer:
        text = await answer.text()
    check_words(text)
    assert (answer.status, json.loads(text)["error"]["metadata"]["error_type"]) == (413, "payload_too_large")
    await check_http_lives(http, gateway)


@pytest.mark.parametrize("method", STREAMED)
async def test_a_message_of_33_mib(stub: ChatServiceStub, method: str) -> None:
    """Over 32 MiB is RESOURCE_EXHAUSTED."""
    error = await failure(getattr(stub, method)(make_request("x" * (33 * MIB), model="sim/echo")))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    check_words(error.details() or "")
    await check_grpc_lives(stub)


def request_with(**fields: Any) -> ChatCompletionRequest:
    """A request for sim/echo with further fields."""
    return make_request("hi", model="sim/echo", **fields)


def with_preference(number: int) -> ChatCompletionRequest:
    """A request with an enum number that may not exist."""
    request = request_with()
    request.provider.data_collection = number  # type: ignore[assignment] # on purpose no value of the enum
    return request


def with_plugin() -> ChatCompletionRequest:
    """A request that enables the web plugin."""
    plugin = Plugin()
    plugin.web.SetInParent()
    return request_with(plugins=[plugin])


MESSAGES: dict[str, tuple[ChatCompletionRequest, grpc.StatusCode, str]] = {
    # name -> request, code, field of a fault
    "NaN": (request_with(temperature=math.nan), INVALID, "temperature"),
    "Infinity": (request_with(top_p=math.inf), INVALID, "top_p"),
    "NaN in a map": (request_with(logit_bias={"1": math.nan}), INVALID, 'logit_bias["1"]'),
    "out of range": (request_with(temperature=2.5), INVALID, "temperature"),
    "five stops": (request_with(stop=list("abcde")), INVALID, "stop"),
    "broken parameters": (
        request_with(tools=[make_function(parameters="{broken")]),
        INVALID,
        "tools[0].function.parameters",
    ),
    "parameters that are no object": (
        request_with(tools=[make_function(parameters="[1]")]),
        INVALID,
        "tools[0].function.parameters",
    ),
    "NaN in parameters": (
        request_with(tools=[make_function(parameters='{"a": NaN}')]),
        INVALID,
        "tools[0].function.parameters",
    ),
    "deep parameters": (
        request_with(tools=[make_function(parameters='{"a":' + "[" * 1000 + "]" * 1000 + "}")]),
        INVALID,
        "tools[0].function.parameters",
    ),
    "broken extra": (request_with(extra={"knob": "{broken"}), INVALID, "knob"),
    "an address for the key": (request_with(extra={"api_base": '"http://127.0.0.1:1"'}), INVALID, "api_base"),
    "a bad function name": (request_with(tools=[make_function("two words")]), INVALID, "tools[0].function.name"),
    "no messages": (ChatCompletionRequest(model="sim/echo"), INVALID, "messages"),
    "an empty message": (request_with(messages=[ChatMessage()]), INVALID, "messages[0].role"),
    "an empty part": (
        request_with(messages=[make_message(), ChatMessage(user={"content": [ContentPart()]})]),
        INVALID,
        "messages[1].content[0].type",
    ),
    "an unknown enum number": (with_preference(99), INVALID, "provider.data_collection"),
    "an unknown model": (make_request(model="no/such"), INVALID, "model"),
    "a plugin": (with_plugin(), grpc.StatusCode.FAILED_PRECONDITION, "plugins[0]"),
}


async def failure(call: Any) -> aio.AioRpcError:
    """How a call over gRPC failed."""
    first = call.read() if isinstance(call, aio.UnaryStreamCall) else call
    with pytest.raises(aio.AioRpcError) as caught:
        await first
    return caught.value


def details(error: aio.AioRpcError) -> status_pb2.Status:
    """The rich status of a failure."""
    pairs = dict(error.trailing_metadata() or ())
    return status_pb2.Status.FromString(pairs["grpc-status-details-bin"])


def error_info(error: aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    """The ErrorInfo among the details."""
    info = error_details_pb2.ErrorInfo()
    assert [True for detail in details(error).details if detail.Unpack(info)] == [True]
    return info


@pytest.mark.parametrize("method", STREAMED)
@pytest.mark.parametrize("name", MESSAGES)
async def test_bad_messages_over_grpc(stub: ChatServiceStub, name: str, method: str) -> None:
    """A bad message is refused with its code, and its details name the place of the fault."""
    request, code, field = MESSAGES[name]
    error = await failure(getattr(stub, method)(request))
    faults = error_details_pb2.BadRequest()
    assert [True for detail in details(error).details if detail.Unpack(faults)] == [True]
    assert error.code() is code
    assert field in [violation.field for violation in faults.field_violations]
    assert error_info(error).domain == "trunkline"
    check_words(str(error.details()) + str(faults))
    await check_grpc_lives(stub)


def noise(seed: int, size: int = 400) -> bytes:
    """Bytes that are the same in every run."""
    return random.Random(seed).randbytes(size)


@pytest.mark.parametrize(
    "raw", [b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"hello", b"", *(noise(seed) for seed in range(8))]
)
@pytest.mark.parametrize("method", STREAMED)
async def test_garbage_as_a_message(gateway: RunningGateway, stub: ChatServiceStub, method: str, raw: bytes) -> None:
    """Bytes that are no message are INVALID_ARGUMENT, not UNKNOWN."""
    async with aio.insecure_channel(gateway.grpc_target) as channel:
        call = channel.unary_stream(f"/trunkline.v1.ChatService/{method}")
        error = await failure(call(raw))
    assert error.code() is INVALID
    check_words(error.details() or "")
    await check_grpc_lives(stub)


async def test_an_unknown_method(gateway: RunningGateway, stub: ChatServiceStub) -> None:
    """What is not served is UNIMPLEMENTED."""
    async with aio.insecure_channel(gateway.grpc_target) as channel:
        error = await failure(channel.unary_unary("/trunkline.v1.ChatService/Nothing")(b""))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    await check_grpc_lives(stub)


async def talk(address: str, data: bytes) -> bytes:
    """Sends bytes to a port and reads until the other end closes, at most two seconds."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(data)
        async with asyncio.timeout(2):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


NOISES = [
    noise(1),
    noise(2, 100_000),
    b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + noise(3),
    b"\x16\x03\x01\x02\x00\x01\x00",
]


@pytest.mark.parametrize("data", NOISES)
async def test_noise_on_the_grpc_port(gateway: RunningGateway, stub: ChatServiceStub, data: bytes) -> None:
    """Bytes that are no HTTP/2 end their own connection and no other."""
    check_words((await talk(gateway.grpc_target, data)).decode("latin-1"))
    await check_grpc_lives(stub)


@pytest.mark.parametrize("data", [data for data in NOISES if not data.startswith(b"GET")])
async def test_noise_on_the_http_port(http: aiohttp.ClientSession, gateway: RunningGateway, data: bytes) -> None:
    """Bytes that are no HTTP are a 400 in JSON, and the connection is closed."""
    answer = await talk(urlsplit(gateway.http_url).netloc, data)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["error"]["code"] == 400
    check_words(answer.decode())
    await check_http_lives(http, gateway)
