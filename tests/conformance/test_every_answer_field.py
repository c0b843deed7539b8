# SPDX-License-Identifier: Apache-2.0
"""Every field of an answer arrives at the client as the provider said it, over both wires, whole and streamed.

every_answer_field.json holds one whole answer and one stream with every field that a provider can say, and with keys that nobody knows. A walk over the
descriptors proves that nothing is left out but what EXEMPT names.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from openai import AsyncOpenAI
from openrouter import OpenRouter

from support.builders import make_request
from support.fault_upstream import Answer, FaultUpstream, ReceivedRequest, json_answer, stream_answer
from support.gateway import RunningGateway, offer, running_gateway
from support.messages import present, reachable
from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk
from trunkline.v1.chat_service_pb2_grpc import ChatServiceStub
from trunkline_server.app import make_codec

MODEL = "acme/one"
SAID: dict[str, Any] = json.loads(Path(__file__).with_name("every_answer_field.json").read_bytes())
# What the gateway says in the provider's place.
OWN_FIELDS = {"id", "created", "model", "provider"}
EXEMPT = {
    **dict.fromkeys(["ChatCompletion.error", "ChatCompletionChunk.error"], "a failure: an answer that has one is none"),
    **dict.fromkeys(["Choice.error", "ChunkChoice.error"], "a failure of the provider becomes the call's"),
    **dict.fromkeys(
        [
            "ChatCompletion.openrouter_metadata",
            "ChatCompletionChunk.openrouter_metadata",
            "ChatCompletionChunk.debug",
            "ChatCompletionChunk.continuation",
        ],
        "only the gateway's own to say",
    ),
    **dict.fromkeys(
        [
            "AssistantMessage.role",
            "ChatCompletion.object",
            "ChatCompletionChunk.object",
            "OutputImage.type",
            "ToolCall.type",
        ],
        "a constant, which the JSON above has and messages need not",
    ),
    **dict.fromkeys(
        [
            "ContentPart.cache_control",
            "ContentPart.extra",
            "ContentPart.file",
            "ContentPart.image_url",
            "ContentPart.input_audio",
            "ContentPart.prompt_cache_breakpoint",
            "ContentPart.refusal",
            "ContentPart.unknown",
            "ContentPart.video_url",
        ],
        "parts of a file's annotation are texts; the others are in test_every_field.py",
    ),
    "ToolCall.index": "the order of the list says it; in chunks it tells which call grows",
    "CostDetails.priced_as_tier": "the gateway's word for prices of another service tier than the one served",
    "Usage.estimated": "the gateway's word for usage that it counted itself",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A gateway before a provider that says all there is, and a client on each wire."""

    gateway: RunningGateway
    http: aiohttp.ClientSession
    stub: ChatServiceStub


def say_all(request: ReceivedRequest) -> Answer:
    """The answer of the file, in the form that was asked for."""
    return stream_answer(*SAID["chunks"]) if request.json.get("stream") else json_answer(SAID["whole"])


@pytest.fixture(scope="module")
async def scene() -> AsyncIterator[Scene]:
    """The scene."""
    async with (
        FaultUpstream(say_all) as upstream,
        running_gateway(**offer(upstream.base_url, takes_extensions=True)) as gateway,
        aiohttp.ClientSession() as http,
        gateway.connect() as stub,
    ):
        yield Scene(gateway=gateway, http=http, stub=stub)


def arriving(said: dict[str, Any]) -> dict[str, Any]:
    """What must arrive of it: all but what the gateway says in its place."""
    return {key: value for key, value in said.items() if key not in OWN_FIELDS}


async def post(scene: Scene, *, stream: bool) -> str:
    """The body of the answer over HTTP."""
    body = {"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
    async with scene.http.post(scene.gateway.chat_url, json=body) as answer:
        assert answer.status == 200
        return await answer.text()


async def test_a_whole_answer_over_http(scene: Scene) -> None:
    """The JSON is equal to what the provider said, but for the gateway's own fields."""
    body = json.loads(await post(scene, stream=False))
    assert arriving(body) == arriving(SAID["whole"])


async def test_a_stream_over_http(scene: Scene) -> None:
    """Chunk by chunk the JSON is equal to what the provider said."""
    *events, done, rest = (await post(scene, stream=True)).split("\n\n")
    assert [arriving(json.loads(event.removeprefix("data: "))) for event in events] == list(
        map(arriving, SAID["chunks"])
    )
    assert (done, rest) == ("data: [DONE]", "")


async def test_a_whole_answer_over_grpc(scene: Scene) -> None:
    """The message says the same as the JSON over HTTP."""
    answer = await scene.stub.CreateChatCompletion(make_request(model=MODEL))
    assert arriving(json.loads(make_codec().dump(answer))) == arriving(SAID["whole"])


async def test_a_stream_over_grpc(scene: Scene) -> None:
    """The chunks say the same as those over HTTP; neighbours are joined only where nothing but a text grows."""
    codec = make_codec()
    chunks = [
        json.loads(codec.dump(chunk)) async for chunk in scene.stub.StreamChatCompletion(make_request(model=MODEL))
    ]
    assert list(map(arriving, chunks)) == list(map(arriving, SAID["chunks"]))


@pytest.mark.parametrize(("message", "name"), [(ChatCompletion, "whole"), (ChatCompletionChunk, "chunks")])
def test_no_field_is_left_out(message: type[Message], name: str) -> None:
    """The answers set every field of the contract's answers, at every depth, but those that EXEMPT names."""
    descriptor: Descriptor = message.DESCRIPTOR
    said = SAID[name] if isinstance(SAID[name], list) else [SAID[name]]
    decoded = [make_codec().decode(message, value, strict=False) for value in said]
    found = {field for answer in decoded for field in present(answer)}
    assert reachable(descriptor, EXEMPT) - found == set()


@pytest.mark.conformance
async def test_strict_sdks_take_it_all(scene: Scene) -> None:
    """OpenRouter's SDK, which checks answers against its models, finds nothing to refuse in any field, whole or streamed; OpenAI's reads the same text."""
    asked: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
    async with (
        OpenRouter(api_key="none", server_url=scene.gateway.openrouter_url, retry_config=None) as strict,
        AsyncOpenAI(api_key="none", base_url=scene.gateway.openai_url, max_retries=0) as plain,
    ):
        checked = await strict.chat.send_async(**asked)
        chunks = [chunk async for chunk in await strict.chat.send_async(**asked, stream=True)]
        read = await plain.chat.completions.create(**asked)
    details = checked.choices[0].message.reasoning_details or []
    assert [detail.type for detail in details[:4]] == [
        detail["type"] for detail in SAID["whole"]["choices"][0]["message"]["reasoning_details"][:4]
    ]
    assert checked.choices[0].message.content == read.choices[0].message.content == "Hé"
    assert [chunk.usage.cost for chunk in chunks if chunk.usage] == [0.000123456789]
