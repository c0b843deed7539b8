# SPDX-License-Identifier: Apache-2.0
"""A gateway whose provider is another gateway, over one of its faces: what is written in a dialect is read from it again, over sockets."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletion

from support.gateway import RunningGateway, key_row, running_gateway

pytestmark = pytest.mark.conformance

KEY = "tl-" + "k" * 43
DIALECTS = ("anthropic", "openai_responses", "openai_chat")
# Model before -> model behind.
MODELS = {
    **{f"sim/{name}": f"sim/{name}" for name in ("echo", "tools", "json", "reasoner", "vision")},
    "sim/broken": "sim/fault?error_at=3",
    "sim/limited": "sim/fault?status=429",
}
FREE = {"prompt": "0", "completion": "0"}
USER = {"role": "user", "content": "Hello big world"}
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "look_up",
            "parameters": {"type": "object", "properties": {"word": {"enum": ["nickel"]}}, "required": ["word"]},
        },
    },
    {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}},
]
FORM: Any = {
    "type": "json_schema",
    "json_schema": {
        "name": "person",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"name": {"type": "string"}},
            "required": ["name"],
            "additionalProperties": False,
        },
    },
}
PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PARTS = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": PNG}}]


@pytest.fixture(scope="module")
async def far() -> AsyncIterator[RunningGateway]:
    """The gateway behind, with the simulator and one key."""
    async with running_gateway(keys=[key_row("front", KEY)]) as running:
        yield running


@pytest.fixture(scope="module")
async def clients(far: RunningGateway) -> AsyncIterator[dict[str, AsyncOpenAI]]:
    """OpenAI's SDK before one gateway for each dialect that asks the far one by it, and before the far one itself as `none`."""
    async with AsyncExitStack() as stack:
        urls = {"none": far.openai_url}
        for dialect in DIALECTS:
            front = await stack.enter_async_context(running_gateway(simulator=False, **settings(far, dialect)))
            urls[dialect] = front.openai_url
        yield {
            name: await stack.enter_async_context(AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0, timeout=20))
            for name, url in urls.items()
        }


def settings(far: RunningGateway, dialect: str) -> dict[str, Any]:
    """The settings of a gateway whose one provider is the far gateway."""
    auth = {"auth": "x-api-key"} if dialect == "anthropic" else {}
    provider = {"slug": "far", "base_url": far.openai_url, "dialect": dialect, "api_key": KEY, **auth}
    return {
        "providers": [provider],
        "models": [
            {"slug": slug, "endpoints": [{"provider": "far", "upstream_model": behind, "prices": FREE}]}
            for slug, behind in MODELS.items()
        ],
    }


# What a model makes up depends on the whole request, and effort becomes a budget on the way: so tools have one possible argument, and the effort is the usual one.
ASKED: dict[str, dict[str, Any]] = {
    "text": {"model": "sim/echo", "messages": [{"role": "system", "content": "Be brief."}, USER]},
    "turns": {"model": "sim/echo", "messages": [USER, {"role": "assistant", "content": "Hello."}, USER]},
    "cut": {"model": "sim/echo", "messages": [{"role": "user", "content": "word " * 40}], "max_tokens": 20},
    "stopped": {"model": "sim/echo", "messages": [USER], "max_tokens": 50, "temperature": 0.5, "top_p": 0.9},
    "tools": {"model": "sim/tools", "messages": [USER], "tools": TOOLS},
    "one tool": {"model": "sim/tools", "messages": [USER], "tools": TOOLS, "parallel_tool_calls": False},
    "forced tool": {
        "model": "sim/tools",
        "messages": [USER],
        "tools": TOOLS,
        "tool_choice": {"type": "function", "function": {"name": "get_time"}},
    },
    "image": {"model": "sim/vision", "messages": [{"role": "user", "content": PARTS}]},
    "reasoning": {"model": "sim/reasoner", "messages": [USER], "reasoning_effort": "medium"},
}


async def gather(client: AsyncOpenAI, **fields: Any) -> ChatCompletion:
    """What the SDK makes of a stream."""
    async with client.chat.completions.stream(**fields) as stream:
        return await stream.get_final_completion()


def essence(answer: ChatCompletion) -> dict[str, Any]:
    """What an answer says, without ids and counts."""
    (choice,) = answer.choices
    message: Any = choice.message
    calls = message.tool_calls or []
    return {
        "content": message.content or "",
        "reasoning": (message.model_extra or {}).get("reasoning") or "",
        "calls": [(call.function.name, json.loads(call.function.arguments)) for call in calls],
        "finish": choice.finish_reason,
    }


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("fields", ASKED.values(), ids=ASKED)
async def test_the_same_answer(clients: dict[str, AsyncOpenAI], dialect: str, fields: dict[str, Any]) -> None:
    """Whole and streamed, the answer is the one of the far gateway."""
    direct = essence(await clients["none"].chat.completions.create(**fields))
    assert essence(await clients[dialect].chat.completions.create(**fields)) == direct
    streamed = [chunk async for chunk in await clients[dialect].chat.completions.create(**fields, stream=True)]
    deltas = [choice.delta for chunk in streamed for choice in chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == direct["content"]
    assert "".join((delta.model_extra or {}).get("reasoning") or "" for delta in deltas) == direct["reasoning"]
    assert streamed[-1].usage is not None


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_streamed_calls(clients: dict[str, AsyncOpenAI], dialect: str) -> None:
    """The helper's calls are those of the far gateway."""
    fields = ASKED["tools"]
    direct = essence(await clients["none"].chat.completions.create(**fields))
    assert essence(await gather(clients[dialect], **fields)) == direct


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_results_of_tools(clients: dict[str, AsyncOpenAI], dialect: str) -> None:
    """A turn with calls and their results goes through."""
    client = clients[dialect]
    called: Any = (await client.chat.completions.create(**ASKED["tools"])).choices[0].message
    results = [{"role": "tool", "tool_call_id": call.id, "content": "found"} for call in called.tool_calls]
    history: Any = [USER, called.model_dump(exclude_none=True), *results]
    spoken = await client.chat.completions.create(model="sim/tools", messages=history, tools=TOOLS)
    assert spoken.choices[0].message.content == "look_up said: found\nget_time said: found"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_reasoning_goes_back_unchanged(clients: dict[str, AsyncOpenAI], dialect: str, streamed: bool) -> None:
    """The simulator checks the signature of its own thoughts: they came back through two gateways as they were."""
    client, fields = clients[dialect], ASKED["reasoning"]
    answer = await (gather(client, **fields) if streamed else client.chat.completions.create(**fields))
    turn: Any = answer.choices[0].message.model_dump(exclude_none=True)
    assert turn["reasoning_details"]
    turn.pop("parsed", None)
    history: Any = [USER, turn, {"role": "user", "content": "And then?"}]
    second = await client.chat.completions.create(model="sim/reasoner", messages=history)
    assert second.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_structured_outputs(clients: dict[str, AsyncOpenAI], dialect: str) -> None:
    """The schema arrives, and the answer fits it."""
    answer = await clients[dialect].chat.completions.create(
        model="sim/json",
        messages=[USER],
        response_format=FORM,  # type: ignore[list-item] # a plain message
    )
    assert set(json.loads(answer.choices[0].message.content or "")) == {"name"}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [False, True])
async def test_failures(clients: dict[str, AsyncOpenAI], dialect: str, stream: bool) -> None:
    """A rate limit is one, and a stream that broke off ends in an error."""
    client = clients[dialect]
    with pytest.raises(openai.RateLimitError):
        await client.chat.completions.create(model="sim/limited", messages=[USER], stream=stream)  # type: ignore[list-item] # a plain message
    broken = await client.chat.completions.create(model="sim/broken", messages=[USER], stream=True)  # type: ignore[list-item] # a plain message
    with pytest.raises(openai.APIError):
        [chunk async for chunk in broken]
