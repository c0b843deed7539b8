# SPDX-License-Identifier: Apache-2.0
"""A gateway whose provider is xAI over gRPC: what its clients ask for arrives there, and what xAI says arrives at them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import grpc
import pytest
from xai_sdk.proto import chat_pb2

from support.fake_xai import FakeXai, Status, running_xai
from support.gateway import RunningGateway, running_gateway
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest

LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
HI = {"model": "x-ai/grok", "messages": [{"role": "user", "content": "hi"}]}
USAGE = {"prompt_tokens": 10, "completion_tokens": 2, "reasoning_tokens": 3, "cached_prompt_text_tokens": 8}


def said(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    """A message with one output."""
    return {"outputs": [{"delta": {"role": "ROLE_ASSISTANT", **delta}, "finish_reason": finish}]}


END = {**said("REASON_STOP"), "usage": USAGE}


@pytest.fixture(scope="module")
async def xai() -> AsyncIterator[FakeXai]:
    """The provider."""
    async with running_xai() as fake:
        yield fake


@pytest.fixture(scope="module")
async def gateway(xai: FakeXai) -> AsyncIterator[RunningGateway]:
    """The gateway in front of it."""
    row = {
        "slug": "xai-grpc",
        "dialect": "xai",
        "transport": "grpc",
        "base_url": xai.base_url,
        "api_key": "key-1",
    }
    prices = {"prompt": "0.000001", "completion": "0.00001"}
    endpoint = {"provider": "xai-grpc", "upstream_model": "grok-4.6", "prices": prices}
    async with running_gateway(providers=[row], models=[{"slug": "x-ai/grok", "endpoints": [endpoint]}]) as running:
        yield running


async def ask(gateway: RunningGateway, **more: Any) -> tuple[int, dict[str, Any]]:
    """Status and JSON of a whole answer."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(gateway.chat_url, json={**HI, **more}) as answer,
    ):
        return answer.status, await answer.json()


async def test_a_whole_answer(xai: FakeXai, gateway: RunningGateway) -> None:
    """Text, reasoning, usage and money of an answer; the key travels as a bearer's, and the place of the conversation as metadata."""
    xai.script = [said(reasoning_content="hm", encrypted_content="X"), said(content="Hel"), said(content="lo"), END]
    status, answer = await ask(gateway, reasoning={"effort": "low"}, prompt_cache_key="c-1", tools=[LOOK])
    assert (status, answer["provider"]) == (200, "xai-grpc")
    (choice,) = answer["choices"]
    assert (choice["message"]["content"], choice["message"]["reasoning"]) == ("Hello", "hm")
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("stop", "REASON_STOP")
    assert (answer["usage"]["completion_tokens"], answer["usage"]["prompt_tokens_details"]["cached_tokens"]) == (5, 8)
    assert answer["usage"]["cost"] == pytest.approx(10e-6 + 5e-5)
    asked = xai.requests[-1]
    assert (asked.model, asked.reasoning_effort, asked.use_encrypted_content) == ("grok-4.6", 1, True)
    assert [tool.function.name for tool in asked.tools] == ["look"]
    assert xai.metadata[-1]["authorization"] == "Bearer key-1"
    assert xai.metadata[-1]["x-grok-conv-id"] == "c-1"


async def test_reasoning_comes_back_as_it_came(xai: FakeXai, gateway: RunningGateway) -> None:
    """The turn that a client sends back tells xAI what only xAI can read, byte for byte."""
    xai.script = [said(reasoning_content="hm", encrypted_content="X+/="), said(content="Hello"), END]
    _, answer = await ask(gateway, reasoning={"enabled": True})
    turn = answer["choices"][0]["message"]
    await ask(gateway, messages=[*HI["messages"], turn, {"role": "user", "content": "go on"}])
    kept = xai.requests[-1].messages[1]
    assert (kept.role, kept.reasoning_content, kept.encrypted_content) == (chat_pb2.ROLE_ASSISTANT, "hm", "X+/=")
    assert [part.text for part in kept.content] == ["Hello"]
    assert xai.requests[-1].use_encrypted_content


async def test_a_stream_arrives_as_it_comes(xai: FakeXai, gateway: RunningGateway) -> None:
    """Each message is a chunk; the end has finish and usage."""
    xai.script = [said(content="Hel"), 0.05, said(content="lo"), END]
    request = ChatCompletionRequest(model="x-ai/grok")
    request.messages.add().user.content.add().text = "hi"
    async with gateway.connect() as stub:
        chunks = [chunk async for chunk in stub.StreamChatCompletion(request)]
    assert [choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content] == [
        "Hel",
        "lo",
    ]
    assert chunks[-1].usage.total_tokens == 15


@pytest.mark.parametrize(
    ("script", "status", "reason"),
    [
        ([Status(code=grpc.StatusCode.RESOURCE_EXHAUSTED, message="too many")], 429, "RATE_LIMIT_EXCEEDED"),
        ([Status(code=grpc.StatusCode.UNAUTHENTICATED, message="no such key")], 502, "PROVIDER_AUTHENTICATION"),
        (
            [Status(code=grpc.StatusCode.INVALID_ARGUMENT, message="Incorrect API key provided: ke***-1.")],
            502,
            "PROVIDER_AUTHENTICATION",
        ),
        (
            [Status(code=grpc.StatusCode.PERMISSION_DENIED, message="Content violates usage guidelines.")],
            400,
            "CONTENT_POLICY_VIOLATION",
        ),
        ([Status(code=grpc.StatusCode.NOT_FOUND, message="The model grok-9 does not exist")], 400, "MODEL_NOT_FOUND"),
        ([said(content="Hel")], 200, "PROVIDER_UNAVAILABLE"),
        ([], 502, "PROVIDER_UNAVAILABLE"),
    ],
)
async def test_failures(xai: FakeXai, gateway: RunningGateway, script: Any, status: int, reason: str) -> None:
    """A status tells what failed, an answer without its end is a failure whatever it said, and nobody is told of the gateway's key."""
    xai.script = script
    got, answer = await ask(gateway)
    assert (got, answer["error"]["metadata"]["reason"]) == (status, reason)
    assert "ke***-1" not in str(answer)
    assert "no such key" not in str(answer)


async def test_leaving_ends_the_call_there(xai: FakeXai, gateway: RunningGateway) -> None:
    """A caller who leaves in the middle ends the call at xAI within a second."""
    xai.script = [said(content="Hel"), 30.0]
    request = ChatCompletionRequest(model="x-ai/grok")
    request.messages.add().user.content.add().text = "hi"
    async with gateway.connect() as stub:
        call = stub.StreamChatCompletion(request)
        await call.read()
        call.cancel()
    async with asyncio.timeout(1):
        await xai.left.wait()


async def test_what_was_lost_is_told(xai: FakeXai, gateway: RunningGateway) -> None:
    """A caller who asks for the route reads what xAI did not get."""
    xai.script = [said(content="Hello"), END]
    async with (
        aiohttp.ClientSession() as session,
        session.post(gateway.chat_url, json={**HI, "top_k": 3}, headers={"x-openrouter-metadata": "enabled"}) as answer,
    ):
        assert "top_k" in str((await answer.json())["openrouter_metadata"]["pipeline"])
