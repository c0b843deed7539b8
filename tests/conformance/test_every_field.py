# SPDX-License-Identifier: Apache-2.0
"""Every field of the request arrives at the provider as it was sent, over both wires; a plain OpenAI server gets none of the gateway's own.

every_field.json is one request with every field that can stand beside the others; VARIANTS hold what excludes one another. A walk over the descriptors
proves that nothing is left out but what EXEMPT names.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support.fault_upstream import Answer, FaultUpstream, ReceivedRequest, json_answer, stream_answer, text_chunk
from support.gateway import FREE, UPSTREAM_MODEL, RunningGateway, offer, running_gateway
from support.messages import present, reachable
from trunkline import build_request
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.app import make_codec
from trunkline_server.jsonshape import parse_json

RAW = Path(__file__).with_name("every_field.json").read_bytes()
SENT: dict[str, Any] = json.loads(RAW)

# What cannot stand beside the field of the same name above. None takes a key out.
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "as it is": {},
    "a mode of tool_choice": {"tool_choice": "required"},
    "a mode of function_call": {"function_call": "auto"},
    "a word to sort by": {"provider": {"sort": "throughput"}},
    "text": {"response_format": {"type": "text"}},
    "json_object": {"response_format": {"type": "json_object"}},
    "grammar": {"response_format": {"type": "grammar", "grammar": "root ::= 'x'"}},
    "python": {"response_format": {"type": "python"}},
    "a budget of reasoning": {"reasoning": {"max_tokens": 2048}, "reasoning_effort": None},
}

EXEMPT = {
    **dict.fromkeys(
        [
            "Tool.advisor",
            "Tool.bash",
            "Tool.datetime",
            "Tool.files",
            "Tool.fusion",
            "Tool.image_generation",
            "Tool.search_models",
            "Tool.subagent",
            "Tool.web_fetch",
            "Tool.web_search",
            "Tool.web_search_shorthand",
            "ChatCompletionRequest.transforms",
        ],
        "not served yet: a request that has one is refused",
    ),
    "ContentPart.unknown": "only ever from a provider; from a caller an unknown type is a fault",
    "OutputImage.type": "a constant, which a request does not need",
    "AssistantMessage.role": "a constant, which the message's place says",
}

# The gateway acts on these itself; issue 2 and contract.md name them. Written here on their own, so that the table in the dialect is checked by another.
OWN_FIELDS = {
    "cache_control",
    "debug",
    "image_config",
    "include_reasoning",
    "max_tool_calls",
    "models",
    "plugins",
    "provider",
    "reasoning",
    "route",
    "session_id",
    "stop_server_tools_when",
    "structured_outputs",
    "trace",
    "transforms",
    "usage",
}
OWN_MESSAGE_FIELDS = {"annotations", "images", "model", "reasoning", "reasoning_details"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A gateway before two providers: one takes all extensions, the other is plain."""

    gateway: RunningGateway
    extended: FaultUpstream
    plain: FaultUpstream
    http: aiohttp.ClientSession


def answer_shortly(request: ReceivedRequest) -> Answer:
    """One word, streamed if that is asked for."""
    if request.json.get("stream"):
        return stream_answer(text_chunk("ok", finish_reason="stop"))
    choice = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
    return json_answer({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})


@pytest.fixture(scope="module")
async def scene() -> AsyncIterator[Scene]:
    """The gateway offers acme/one at the provider that takes extensions, and plain/one at the plain one."""
    async with FaultUpstream(answer_shortly) as extended, FaultUpstream(answer_shortly) as plain:
        first = offer(extended.base_url, prices=FREE, takes_extensions=True)
        second = offer(plain.base_url, model="plain/one", provider="plain", prices=FREE)
        both = {key: [*first[key], *second[key]] for key in first}
        async with running_gateway(**both) as gateway, aiohttp.ClientSession() as http:
            yield Scene(gateway=gateway, extended=extended, plain=plain, http=http)


def vary(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The request with some keys replaced or taken out."""
    return {key: value for key, value in {**SENT, **changes}.items() if value is not None}


async def post_whole(scene: Scene, sent: dict[str, Any]) -> None:
    """Over HTTP, whole."""
    async with scene.http.post(scene.gateway.chat_url, json={**sent, "stream": False}) as answer:
        assert answer.status == 200, await answer.text()


async def post_streamed(scene: Scene, sent: dict[str, Any]) -> None:
    """Over HTTP, streamed."""
    async with scene.http.post(scene.gateway.chat_url, json={**sent, "stream": True}) as answer:
        assert (await answer.read()).endswith(b"data: [DONE]\n\n"), answer.status


async def call_whole(scene: Scene, sent: dict[str, Any]) -> None:
    """Over gRPC, whole, although the request says `stream`."""
    async with scene.gateway.connect() as stub:
        await stub.CreateChatCompletion(build_request(sent))


async def call_streamed(scene: Scene, sent: dict[str, Any]) -> None:
    """Over gRPC, streamed."""
    async with scene.gateway.connect() as stub:
        chunks = [chunk async for chunk in stub.StreamChatCompletion(build_request(sent))]
        assert chunks[-1].HasField("usage")


Way = Callable[[Scene, dict[str, Any]], Awaitable[None]]
WAYS = [(post_whole, False), (post_streamed, True), (call_whole, False), (call_streamed, True)]


def expected(sent: dict[str, Any], *, streamed: bool) -> dict[str, Any]:
    """What must arrive: all that was sent, save the model's name and how the answer travels."""
    arrived = {**sent, "model": UPSTREAM_MODEL, "stream": streamed}
    options = arrived.pop("stream_options")
    return {**arrived, "stream_options": {**options, "include_usage": True}} if streamed else arrived


@pytest.mark.parametrize(("way", "streamed"), WAYS)
@pytest.mark.parametrize("variant", VARIANTS)
async def test_every_field_arrives_as_it_was_sent(scene: Scene, variant: str, way: Way, streamed: bool) -> None:
    """At a provider that takes all extensions the request is equal after parsing, over both wires, streamed or not."""
    sent = vary(VARIANTS[variant])
    await way(scene, sent)
    assert scene.extended.requests[-1].json == expected(sent, streamed=streamed)


async def test_both_wires_send_the_same_bytes(scene: Scene) -> None:
    """The order of keys does not depend on the wire either."""
    await post_streamed(scene, SENT)
    await call_streamed(scene, SENT)
    over_http, over_grpc = scene.extended.requests[-2:]
    assert over_http.body == over_grpc.body


@pytest.mark.parametrize(
    "text", [b'"maximum": 9007199254740993', b'"budget": 12345678901234567', b'"seed": 9007199254740993']
)
async def test_large_integers_arrive_in_full(scene: Scene, text: bytes) -> None:
    """Integers beyond 2^53 keep their digits, in typed fields, schemas and unknown keys."""
    await call_streamed(scene, SENT)
    assert text in RAW
    assert text.replace(b": ", b":") in scene.extended.requests[-1].body


async def test_schemas_keep_the_order_of_their_keys(scene: Scene) -> None:
    """A schema arrives with its keys in the caller's order, which models follow."""
    await post_whole(scene, SENT)
    received = scene.extended.requests[-1].json
    assert list(received["tools"][0]["function"]["parameters"]["properties"]) == ["zone", "city"]
    assert list(received["response_format"]["json_schema"]["schema"]["properties"]) == ["b", "a"]


@pytest.mark.parametrize(("way", "streamed"), WAYS)
async def test_a_plain_server_gets_none_of_the_gateways_fields(scene: Scene, way: Way, streamed: bool) -> None:
    """At a provider marked plain the gateway's own fields are absent, at every depth, and OpenAI's are there as sent."""
    sent = vary({"model": "plain/one", "models": ["plain/one"], "provider": {"only": ["plain"]}})
    await way(scene, sent)
    received = scene.plain.requests[-1].json
    wanted = expected(sent, streamed=streamed)
    assert OWN_FIELDS & received.keys() == set()
    assert "cache_control" not in set(keys_within(received))
    assert [OWN_MESSAGE_FIELDS & message.keys() for message in received["messages"]] == [set()] * 5
    kept = wanted.keys() - OWN_FIELDS - {"messages", "tools"}
    assert {key: received.get(key) for key in kept} == {key: wanted[key] for key in kept}
    assert received.keys() == kept | {"messages", "tools"}


def keys_within(value: Any) -> Iterator[str]:
    """All keys of a JSON value, at every depth."""
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from keys_within(item)


NORMAL_FORMS = [
    ({"stop": "END"}, {"stop": ["END"]}),
    ({"stop": None}, {}),
    ({"stop": []}, {}),
    ({"temperature": None, "provider": None, "tools": [], "metadata": {}, "logit_bias": None}, {}),
    ({"seed": 5.0}, {"seed": 5}),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}, {}),
    ({"messages": [{"role": "user", "content": "hi", "name": None}]}, {}),
    ({"metadata": {"b": "2", "a": "1"}}, {"metadata": {"a": "1", "b": "2"}}),
    (
        {"prediction": {"type": "content", "content": [{"type": "text", "text": "x"}]}},
        {"prediction": {"type": "content", "content": "x"}},
    ),
    (
        {"provider": {"max_price": {"prompt": 1.5, "completion": "2.50"}}},
        {"provider": {"max_price": {"prompt": "1.5", "completion": "2.5"}}},
    ),
]


@pytest.mark.parametrize("way", [post_whole, call_whole])
@pytest.mark.parametrize(("fields", "arriving"), NORMAL_FORMS)
async def test_normal_forms(scene: Scene, way: Way, fields: dict[str, Any], arriving: dict[str, Any]) -> None:
    """What can be written in several ways arrives in one."""
    base = {"model": "acme/one", "messages": [{"role": "user", "content": "hi"}]}
    await way(scene, {**base, **fields})
    received = scene.extended.requests[-1].json
    received.pop("stream", None)
    assert received == {**base, "model": UPSTREAM_MODEL, **arriving}


async def test_a_debugging_caller_sees_what_arrived(scene: Scene) -> None:
    """`debug.echo_upstream_body` shows in the stream's first chunk the body that the provider got."""
    async with scene.http.post(scene.gateway.chat_url, json=SENT) as answer:
        first = (await answer.text()).partition("\n\n")[0]
    chunk = json.loads(first.removeprefix("data: "))
    assert chunk["choices"] == []
    assert chunk["debug"]["echo_upstream_body"] == scene.extended.requests[-1].json


def test_no_field_is_left_out() -> None:
    """The requests sent above set every field of the contract's request, at every depth, but those that EXEMPT names."""
    requests = [build_request(vary(changes)) for changes in VARIANTS.values()]
    found = {name for request in requests for name in present(request)}
    assert reachable(ChatCompletionRequest.DESCRIPTOR, EXEMPT) - found == set()


def test_no_exemption_is_stale() -> None:
    """What is exempt exists and is in none of the requests."""
    pool = ChatCompletionRequest.DESCRIPTOR.file.pool
    messages = {name: pool.FindMessageTypeByName(f"trunkline.v1.{name.partition('.')[0]}") for name in EXEMPT}
    assert [name for name in EXEMPT if name.partition(".")[2] not in messages[name].fields_by_name] == []
    requests = [build_request(vary(changes)) for changes in VARIANTS.values()]
    assert EXEMPT.keys() & {name for request in requests for name in present(request)} == set()


def test_the_client_builds_what_the_codec_reads() -> None:
    """The message that the Python client builds is, once validated, the one that the HTTP edge decodes."""
    codec = make_codec()
    built = build_request(SENT)
    assert codec.validate(built) == []
    assert built == codec.decode(ChatCompletionRequest, parse_json(RAW))
