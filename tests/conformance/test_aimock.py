# SPDX-License-Identifier: Apache-2.0
"""A provider that is not ours: the npm program aimock plays OpenAI, the SDK and the generated stub ask it through the gateway."""

import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from support.aimock import KEY, read_journal, running_aimock
from support.gateway import RunningGateway, offer, running_gateway
from trunkline import build_request, text_of
from trunkline.v1.chat_response_pb2 import ChatCompletion
from trunkline.v1.chat_service_pb2_grpc import ChatServiceStub
from trunkline_server.core.chunks import Fold

pytestmark = [pytest.mark.slow, pytest.mark.conformance]

TEXTS = {
    "greet me": "Hello! How can I help you today?",
    "in many scripts": 'Grüße, 日本語 and 🙂\n\n- a list\n- with "quotes" and \\ strokes',
    "at length": "All work and no play. " * 200,
}
CALL = {"name": "get_weather", "arguments": json.dumps({"city": "Oslo", "days": 3})}
FIXTURES = {
    "fixtures": [
        *({"match": {"userMessage": asked}, "response": {"content": said}} for asked, said in TEXTS.items()),
        {"match": {"userMessage": "the weather"}, "response": {"toolCalls": [CALL]}},
        {
            "match": {"userMessage": "no luck"},
            "response": {"error": {"message": "slow down", "type": "rate_limit_error"}, "status": 429},
        },
    ]
}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]


@pytest.fixture(scope="module")
async def aimock(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The URL of a running aimock with the answers above; it is ended with the tests."""
    async with running_aimock(tmp_path_factory.mktemp("aimock"), FIXTURES) as url:
        yield url


@pytest.fixture(scope="module")
async def before_aimock(aimock: str) -> AsyncIterator[RunningGateway]:
    """A gateway whose only provider is aimock."""
    async with running_gateway(simulator=False, **offer(f"{aimock}/v1", api_key=KEY)) as running:
        yield running


@pytest.fixture
async def client(before_aimock: RunningGateway) -> AsyncIterator[AsyncOpenAI]:
    """OpenAI's SDK."""
    async with AsyncOpenAI(base_url=before_aimock.openai_url, api_key="none", max_retries=0) as made:
        yield made


@pytest.fixture
async def stub(before_aimock: RunningGateway) -> AsyncIterator[ChatServiceStub]:
    """The generated stub."""
    async with before_aimock.connect() as connected:
        yield connected


def make(asked: str, **fields: Any) -> dict[str, Any]:
    """A request with one user message."""
    return {"model": "acme/one", "messages": [{"role": "user", "content": asked}], **fields}


async def fold(stub: ChatServiceStub, **fields: Any) -> ChatCompletion:
    """What the chunks of a stream over gRPC make."""
    folding = Fold()
    async for chunk in stub.StreamChatCompletion(build_request(make(**fields))):
        folding.add([chunk])
    return folding.result()


@pytest.mark.parametrize("asked", TEXTS)
async def test_one_text_by_sdk_and_by_stub(client: AsyncOpenAI, stub: ChatServiceStub, asked: str) -> None:
    """Streamed and whole, by the SDK and by the stub: aimock's text, unchanged."""
    chunks = [chunk async for chunk in await client.chat.completions.create(**make(asked), stream=True)]
    streamed = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    whole = await client.chat.completions.create(**make(asked))
    received = await fold(stub, asked=asked)
    called = await stub.CreateChatCompletion(build_request(make(asked)))
    assert len(chunks) > 3
    assert [streamed, whole.choices[0].message.content, text_of(received), text_of(called)] == [TEXTS[asked]] * 4
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == received.usage.completion_tokens > 0


async def test_tool_calls_by_sdk_and_by_stub(client: AsyncOpenAI, stub: ChatServiceStub) -> None:
    """Tool calls arrive with the arguments that aimock wrote, streamed and whole."""
    whole = await client.chat.completions.create(**make("the weather", tools=TOOLS))
    async with client.chat.completions.stream(**make("the weather", tools=TOOLS)) as stream:
        streamed = await stream.get_final_completion()
    received = await fold(stub, asked="the weather", tools=TOOLS)
    calls = [(whole.choices[0].message.tool_calls or [])[0], (streamed.choices[0].message.tool_calls or [])[0]]
    calls.append(received.choices[0].message.tool_calls[0])
    assert [json.loads(call.function.arguments) for call in calls] == [{"city": "Oslo", "days": 3}] * 3
    assert [call.function.name for call in calls] == ["get_weather"] * 3
    assert whole.choices[0].finish_reason == streamed.choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize("stream", [False, True])
async def test_its_errors_are_told(client: AsyncOpenAI, stream: bool) -> None:
    """The rate limit of aimock is the SDK's RateLimitError, in the gateway's words."""
    with pytest.raises(openai.RateLimitError, match="limits the rate"):
        await client.chat.completions.create(**make("no luck"), stream=stream)


async def test_what_aimock_got(client: AsyncOpenAI, aimock: str) -> None:
    """Its own journal shows its name of the model and none of the gateway's fields. Without the gateway's key it would have answered 401."""
    await client.chat.completions.create(**make("greet me"), extra_body={"session_id": "s"})
    entry = (await read_journal(aimock))[-1]
    assert (entry["path"], entry["body"]["model"]) == ("/v1/chat/completions", "upstream-one")
    assert "session_id" not in entry["body"]
