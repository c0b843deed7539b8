# SPDX-License-Identifier: Apache-2.0
"""Requests whose values are hostile, in JSON and in protobuf: rows H39 to H64, H66, H73, H86 and H93."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import grpc
import pytest

from support.builders import make_function, make_message, make_request, make_tool_result
from support.fault_upstream import FaultUpstream, ReceivedRequest, json_answer
from support.gateway import RunningGateway, offer, running_gateway
from support.hostile import GOOD, INVALID, body_of, check_lives, check_reply, failure_of_call, send_http
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.message_pb2 import ChatMessage
from trunkline.v1.tool_pb2 import FunctionName, NamedToolChoice, ToolChoice

USER = GOOD["messages"][0]
PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACw="


def tool(name: object, **function: object) -> dict[str, Any]:
    """A function tool."""
    return {"type": "function", "function": {"name": name, **function}}


def parts(*given: dict[str, Any], **fields: object) -> bytes:
    """A call whose one message has the parts."""
    return body_of(messages=[{"role": "user", "content": list(given)}], **fields)


def image(url: str) -> dict[str, Any]:
    """A part with an image."""
    return {"type": "image_url", "image_url": {"url": url}}


def sound(data: str) -> dict[str, Any]:
    """A part with sound."""
    return {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}


def document(data: str) -> dict[str, Any]:
    """A part with a document."""
    return {"type": "file", "file": {"filename": "a.pdf", "file_data": data}}


REFUSED: dict[str, tuple[bytes, str]] = {
    # name -> body, place of the fault; all of them 400
    "H39 an unknown preference": (body_of(provider={"ordre": ["x"]}), "provider.ordre"),
    "H40 api_base": (body_of(api_base="http://127.0.0.1:1"), "api_base"),
    "H40 base_url": (body_of(base_url="http://127.0.0.1:1"), "base_url"),
    "H40 api_key": (body_of(api_key="sk-x"), "api_key"),
    "H40 extra_headers": (body_of(extra_headers={"Authorization": "x"}), "extra_headers"),
    "H40 custom_llm_provider": (body_of(custom_llm_provider="openai"), "custom_llm_provider"),
    "H40 in a message": (body_of(messages=[{**USER, "api_base": "http://x"}]), "messages[0].api_base"),
    "H40 in a tool": (body_of(tools=[{**tool("a"), "api_key": "x"}]), "tools[0].api_key"),
    "H41 messages as text": (body_of(messages="hi"), "messages"),
    "H41 messages as object": (body_of(messages=USER), "messages"),
    "H41 a role as number": (body_of(messages=[{**USER, "role": 7}]), "messages[0].role"),
    "H41 content as object": (body_of(messages=[{**USER, "content": {}}]), "messages[0].content"),
    "H41 content as number": (body_of(messages=[{**USER, "content": 5}]), "messages[0].content"),
    "H41 a null part": (body_of(messages=[{**USER, "content": [None]}]), "messages[0].content[0]"),
    "H41 stream as text": (body_of(stream="true"), "stream"),
    "H41 stream as number": (body_of(stream=1), "stream"),
    "H41 model as array": (body_of(model=["sim/echo"]), "model"),
    "H42 no messages": (json.dumps({"model": "sim/echo"}).encode(), "messages"),
    "H42 messages []": (body_of(messages=[]), "messages"),
    "H42 100,000 messages": (body_of(messages=[USER] * 100_000), ""),
    "H43 an unknown role": (body_of(messages=[{"role": "wizard", "content": "x"}]), "messages[0].role"),
    "H43 no role": (body_of(messages=[{"content": "x"}]), "messages[0].role"),
    "H43 a result without an id": (
        body_of(messages=[USER, {"role": "tool", "content": "x"}]),
        "messages[1].tool_call_id",
    ),
    "H43 a result of no call": (
        body_of(messages=[USER, {"role": "tool", "tool_call_id": "c1", "content": "x"}]),
        "messages[1].tool_call_id",
    ),
    "H45 1,000 models": (body_of(models=["sim/echo"] * 1000), "models"),
    "H46 max_tokens 0": (body_of(max_tokens=0), "max_tokens"),
    "H46 max_tokens -1": (body_of(max_tokens=-1), "max_tokens"),
    "H46 max_tokens 2^31": (body_of(max_tokens=2**31), "max_tokens"),
    "H46 max_tokens 1.5": (body_of(max_tokens=1.5), "max_tokens"),
    "H46 max_tokens as text": (body_of(max_tokens="5"), "max_tokens"),
    "H46 max_completion_tokens 0": (body_of(max_completion_tokens=0), "max_completion_tokens"),
    "H47 temperature 1e308": (body_of(temperature=1e308), "temperature"),
    "H47 temperature -1": (body_of(temperature=-1), "temperature"),
    "H47 n 1,000": (body_of(n=1000), "n"),
    "H47 n 0": (body_of(n=0), "n"),
    "H47 top_logprobs 10^6": (body_of(logprobs=True, top_logprobs=10**6), "top_logprobs"),
    "H47 logprobs as number": (body_of(logprobs=10**6), "logprobs"),
    "H48 1,000 stops": (body_of(stop=["x"] * 1000), "stop"),
    "H48 a stop of 1 MB": (body_of(stop="x" * 1_000_000), "stop"),
    "H48 a stop of 257 characters": (body_of(stop=["x" * 257]), "stop[0]"),
    "H49 50,000 biases": (body_of(logit_bias={str(number): 1 for number in range(50_000)}), "logit_bias"),
    "H49 a key that is no number": (body_of(logit_bias={"x": 1}), "logit_bias.x"),
    "H49 a bias that is no number": (body_of(logit_bias={"1": "x"}), 'logit_bias["1"]'),
    "H49 a bias of 101": (body_of(logit_bias={"1": 101}), 'logit_bias["1"]'),
    "H50 1,000 tools": (body_of(tools=[tool(f"t{number}") for number in range(1000)]), "tools"),
    "H50 parameters as text": (body_of(tools=[tool("a", parameters="{}")]), "tools[0].function.parameters"),
    **{
        f"H51 the name {name[:12]!r}": (body_of(tools=[tool(name)]), "tools[0].function.name")
        for name in ("../x", "x" * 1000, "two words", "", "a\n", "a\0", "naïve", "а", "x" * 65)
    },
    "H51 no name": (body_of(tools=[{"type": "function", "function": {}}]), "tools[0].function.name"),
    "H51 the same name twice": (body_of(tools=[tool("a"), tool("a")]), "tools[1].function.name"),
    "H53 100,000 values": (
        body_of(
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": {"enum": list(range(100_000))}},
            }
        ),
        "",
    ),
    "H54 no such tool": (
        body_of(tools=[tool("a")], tool_choice={"type": "function", "function": {"name": "b"}}),
        "tool_choice.function.name",
    ),
    "H54 a word that is no choice": (body_of(tools=[tool("a")], tool_choice="b"), "tool_choice"),
    "H54 a choice without tools": (body_of(tool_choice="required"), "tool_choice"),
    **{
        f"H57 {url}": (parts(image(url)), "messages[0].content[0].image_url.url")
        for url in (
            "file:///etc/passwd",
            "gopher://127.0.0.1:25/x",
            "ftp://example.com/x.png",
            "jar:http://example.com!/x",
            "//example.com/x.png",
            "/etc/passwd",
            "javascript:alert(1)",
            "",
            "https:/example.com",
        )
    },
    "H63 a bad alphabet": (parts(image("data:image/png;base64,ab-_")), "messages[0].content[0].image_url.url"),
    "H63 no padding": (parts(image("data:image/png;base64,abc")), "messages[0].content[0].image_url.url"),
    "H63 padding inside": (parts(image("data:image/png;base64,ab==abcd")), "messages[0].content[0].image_url.url"),
    "H63 no base64": (parts(image("data:image/png,abcd")), "messages[0].content[0].image_url.url"),
    "H63 a line break": (parts(image("data:image/png;base64,abcd\nabcd")), "messages[0].content[0].image_url.url"),
    "H63 sound": (parts(sound("???")), "messages[0].content[0].input_audio.data"),
    "H63 a document": (parts(document("data:application/pdf;base64,é")), "messages[0].content[0].file.file_data"),
    "H63 a document that is nothing": (parts(document("x")), "messages[0].content[0].file.file_data"),
    "H66 a line break in user": (body_of(user="a\r\nX-Admin: 1"), "user"),
    "H66 a line break in session_id": (body_of(session_id="a\nb"), "session_id"),
    "H66 a line break in metadata": (body_of(metadata={"a": "b\r\nc"}), "metadata"),
    "H66 a NUL in a key of metadata": (body_of(metadata={"a\0": "b"}), "metadata"),
    "H73 a plugin with a command": (body_of(plugins=[{"id": "mcp", "command": "sh"}]), "plugins[0].id"),
    "H93 a negative price": (body_of(provider={"max_price": {"prompt": -1}}), "provider.max_price.prompt"),
    "H93 a negative price as text": (body_of(provider={"max_price": {"prompt": "-1"}}), "provider.max_price.prompt"),
    "H93 1e400": (body_of(provider={"max_price": {"prompt": "1e400"}}), "provider.max_price.prompt"),
    "H93 1e99999999": (body_of(provider={"max_price": {"prompt": "1e99999999"}}), "provider.max_price.prompt"),
    "H93 NaN": (body_of(provider={"max_price": {"prompt": "NaN"}}), "provider.max_price.prompt"),
    "H93 a word": (body_of(provider={"max_price": {"prompt": "free"}}), "provider.max_price.prompt"),
    "H93 underscores": (body_of(provider={"max_price": {"prompt": "1_000"}}), "provider.max_price.prompt"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_refused_over_http(http: aiohttp.ClientSession, gateway: RunningGateway, name: str) -> None:
    """The value is refused, and the answer names its place."""
    body, field = REFUSED[name]
    reply = await send_http(http, gateway.chat_url, body)
    check_reply(reply, {400})
    assert field in [fault["field"] for fault in json.loads(reply.body)["error"]["metadata"]["faults"]]


async def test_h41_the_next_calls_work(gateway: RunningGateway) -> None:
    """After all of these requests the gateway serves as before."""
    await check_lives(gateway)


MODELS = {
    "empty": "",
    "10 kB": "x" * 10_240,
    "a path": "../../x",
    "three pieces": "a/b/c",
    "two variants": "sim/echo:free:x",
    "a Cyrillic letter": "sim/eсho",
    "blanks": " sim/echo ",
    "control characters": "sim/echo\r\nX: \x1b[31m",
    "a template": "{{7*7}}{0}%s",
}


@pytest.mark.parametrize("name", MODELS, ids=lambda name: f"H44 {name}")
async def test_models_that_are_none(http: aiohttp.ClientSession, gateway: RunningGateway, name: str) -> None:
    """No such model on either wire, said shortly."""
    model = MODELS[name]
    reply = await send_http(http, gateway.chat_url, body_of(model=model))
    check_reply(reply, {400})
    error = json.loads(reply.body)["error"]
    assert error.get("availability", {"code": "model_not_found"})["code"] == "model_not_found"
    assert len(reply.body) < 2000
    async with gateway.connect() as stub:
        assert (await failure_of_call(stub.CreateChatCompletion(make_request("hi", model=model)))).code() is INVALID


ACCEPTED: dict[str, bytes] = {
    "H39 an unknown key": body_of(knob={"a": [1, None, "x"]}),
    "H42 only a system message": body_of(messages=[{"role": "system", "content": "hi"}]),
    "H46 max_tokens 5.0": body_of(max_tokens=5.0),
    "H47 temperature -0.0": body_of(temperature=-0.0),
    "H50 a schema that holds itself": body_of(tools=[tool("a", parameters={"$ref": "#"})]),
    "H50 a schema of 100 kB": body_of(tools=[tool("a", parameters={"description": "x" * 100_000})]),
    "H52 a pattern that explodes": body_of(tools=[tool("a", parameters={"pattern": "(a+)+$"})]),
    "H63 base64": parts(
        image(PIXEL), sound("UklGRg=="), document("data:application/pdf;base64,JVBERg=="), model="sim/vision"
    ),
    "H70 a template as user": body_of(user="{{7*7}}${7*7}%s{0}"),
    "H93 a small price": body_of(provider={"max_price": {"prompt": "1e2"}}),
}


@pytest.mark.parametrize("name", ACCEPTED)
async def test_accepted_over_http(http: aiohttp.ClientSession, gateway: RunningGateway, name: str) -> None:
    """What only looks hostile is served."""
    check_reply(await send_http(http, gateway.chat_url, ACCEPTED[name]), {200})


async def test_h50_a_schema_of_1_mb(http: aiohttp.ClientSession, gateway: RunningGateway) -> None:
    """Whether a large schema is taken is the provider's to say; the simulator takes none so large."""
    body = body_of(tools=[tool("a", parameters={"description": "x" * 1_000_000})])
    check_reply(await send_http(http, gateway.chat_url, body), {400})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^(a+)+$"},
        {"type": "string", "pattern": "(.*)*x"},
        {"allOf": [{"type": "string"}, {"type": "number"}]},
        {"$ref": "#"},
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"type": "string", "minLength": 10**9},
        {"type": "array", "minItems": 10**9, "items": {"type": "string"}},
    ],
    ids=lambda schema: f"{'H52' if 'pattern' in schema else 'H53'} {schema}"[:40],
)
async def test_schemas_that_nothing_fits(http: aiohttp.ClientSession, gateway: RunningGateway, schema: object) -> None:
    """A schema that explodes, or that nothing fits, is answered or refused, and holds nobody up."""
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    reply = await send_http(http, gateway.chat_url, body_of(response_format=form))
    check_reply(reply, {200, 400})
    await check_lives(gateway)


def with_price(pusd: int) -> ChatCompletionRequest:
    """A request with a highest price in 1e-12 USD."""
    request = make_request("hi", model="sim/echo")
    request.provider.max_price.prompt_pusd = pusd
    return request


def with_image(url: str) -> ChatCompletionRequest:
    """A request with an image."""
    message = ChatMessage()
    message.user.content.add().image_url.url = url
    return make_request(model="sim/echo", messages=[message])


def choosing(name: str) -> ToolChoice:
    """The choice of one function."""
    return ToolChoice(named=NamedToolChoice(type="function", function=FunctionName(name=name)))


def given(**fields: Any) -> ChatCompletionRequest:
    """A request for the echo with further fields."""
    return make_request("hi", model="sim/echo", **fields)


MESSAGES: dict[str, ChatCompletionRequest] = {
    "H40 api_base": given(extra={"api_base": '"http://127.0.0.1:1"'}),
    "H40 api_key": given(extra={"api_key": '"sk-x"'}),
    "H40 extra_headers": given(extra={"extra_headers": "{}"}),
    "H41 a typed key as unknown, of the wrong type": given(extra={"stream": '"true"'}),
    "H42 no messages": ChatCompletionRequest(model="sim/echo"),
    "H43 no role": given(messages=[ChatMessage()]),
    "H43 a result without an id": given(messages=[make_message("x"), make_tool_result("")]),
    "H43 a result of no call": given(messages=[make_message("x"), make_tool_result("c1")]),
    "H45 1,000 models": given(models=["sim/echo"] * 1000),
    "H46 max_tokens 0": given(max_tokens=0),
    "H46 max_tokens -1": given(max_tokens=-1),
    "H47 temperature 1e308": given(temperature=1e308),
    "H47 n 1,000": given(n=1000),
    "H47 top_logprobs 10^6": given(top_logprobs=10**6),
    "H48 1,000 stops": given(stop=["x"] * 1000),
    "H48 a stop of 1 MB": given(stop=["x" * 1_000_000]),
    "H49 50,000 biases": given(logit_bias={str(number): 1 for number in range(50_000)}),
    "H49 a key that is no number": given(logit_bias={"x": 1}),
    "H50 1,000 tools": given(tools=[make_function(f"t{number}") for number in range(1000)]),
    "H50 parameters that are no object": given(tools=[make_function(parameters="[]")]),
    "H51 a path as name": given(tools=[make_function("../x")]),
    "H51 a line break in a name": given(tools=[make_function("a\n")]),
    "H51 no name": given(tools=[make_function("")]),
    "H51 the same name twice": given(tools=[make_function("a"), make_function("a")]),
    "H54 no such tool": given(tools=[make_function("a")], tool_choice=choosing("b")),
    "H57 a file": with_image("file:///etc/passwd"),
    "H63 a bad alphabet": with_image("data:image/png;base64,ab-_"),
    "H66 a line break in user": given(user="a\r\nb"),
    "H66 a line break in metadata": given(metadata={"a": "b\nc"}),
    "H86 an unknown number of an enum": given(provider={"data_collection": 99}),
    "H93 a negative price": with_price(-1),
}


@pytest.mark.parametrize("method", ["CreateChatCompletion", "StreamChatCompletion"])
@pytest.mark.parametrize("name", MESSAGES)
async def test_refused_over_grpc(gateway: RunningGateway, name: str, method: str) -> None:
    """The same values over gRPC, whole and streamed."""
    async with gateway.connect() as stub:
        error = await failure_of_call(getattr(stub, method)(MESSAGES[name]))
    assert error.code() in {INVALID, grpc.StatusCode.FAILED_PRECONDITION}


ANSWER = json_answer(
    {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
)


@pytest.fixture(scope="module")
async def upstream() -> AsyncIterator[FaultUpstream]:
    """A provider that answers everything alike and remembers what it was sent."""
    async with FaultUpstream(ANSWER) as running:
        yield running


@pytest.fixture(scope="module")
async def named() -> AsyncIterator[FaultUpstream]:
    """A place that requests name and nobody should call."""
    async with FaultUpstream(ANSWER) as running:
        yield running


@pytest.fixture(scope="module")
async def provided(upstream: FaultUpstream) -> AsyncIterator[RunningGateway]:
    """A gateway with that provider."""
    async with running_gateway(**offer(upstream.base_url)) as running:
        yield running


async def send_on(
    http: aiohttp.ClientSession, provided: RunningGateway, upstream: FaultUpstream, part: dict[str, Any], **headers: str
) -> ReceivedRequest:
    """What the provider gets of a call with the part."""
    body = json.loads(parts(part)) | {"model": "acme/one"}
    check_reply(await send_http(http, provided.chat_url, json.dumps(body).encode(), headers=headers), {200})
    return upstream.requests[-1]


LOCAL_URLS = (
    "http://127.0.0.1:{port}/x.png",
    "http://localhost.:{port}/x.png",
    "http://0:{port}/x.png",
    "http://0x7f.1:{port}/x.png",
    "http://017700000001:{port}/x.png",
    "http://[::1]:{port}/x.png",
    "http://[::ffff:127.0.0.1]:{port}/x.png",
)
PRIVATE_URLS = (
    "http://10.0.0.1/x",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00::1]/x",
    "http://[fe80::1]/x",
)


@pytest.mark.parametrize(
    "url", [*LOCAL_URLS, *PRIVATE_URLS], ids=lambda url: f"{'H55' if url in LOCAL_URLS else 'H56'} {url}"
)
async def test_no_address_is_fetched(
    http: aiohttp.ClientSession, provided: RunningGateway, upstream: FaultUpstream, named: FaultUpstream, url: str
) -> None:
    """An image's address is passed on as text: nobody connects to it from here."""
    part = image(url.replace("{port}", str(named.port)))
    received = await send_on(http, provided, upstream, part)
    assert received.json["messages"][0]["content"] == [part]
    assert named.requests == []


@pytest.mark.parametrize(
    "data",
    [b"%PDF-1.7\n/JavaScript (app.alert(1))", b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'],
    ids=["H64 a script in a PDF", "H64 an entity"],
)
async def test_documents_are_passed_on(
    http: aiohttp.ClientSession, provided: RunningGateway, upstream: FaultUpstream, data: bytes
) -> None:
    """A document goes to the provider byte by byte, never parsed here."""
    part = document("data:application/pdf;base64," + base64.b64encode(data).decode())
    received = await send_on(http, provided, upstream, part)
    assert received.json["messages"][0]["content"] == [part]


HEADERS = {
    "X-Title": "a title",
    "HTTP-Referer": "https://example.com",
    "X-Session-Id": "s-1",
    "Cookie": "a=b",
    "X-Api-Key": "sk-x",
    "X-Forwarded-Host": "evil.example",
    "Connection": "keep-alive, X-Title",
}


@pytest.mark.parametrize("row", ["H66", "H68", "H40"])
async def test_no_header_is_copied_to_a_provider(
    http: aiohttp.ClientSession, provided: RunningGateway, upstream: FaultUpstream, row: str
) -> None:
    """What a provider gets as headers is the gateway's own."""
    del row
    received = await send_on(http, provided, upstream, image(PIXEL), **HEADERS)
    assert not {name.lower() for name in HEADERS if name != "Connection"} & received.headers.keys()
    assert received.headers["host"] == f"127.0.0.1:{upstream.port}"
