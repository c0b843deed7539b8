# SPDX-License-Identifier: Apache-2.0
"""Anthropic, Gemini and OpenAI's Responses played by a program that is not ours: aimock answers in each wire, and is strict about what it is asked."""

import json
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import openai
import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletion

from support.aimock import KEY, read_journal, running_aimock
from support.gateway import RunningGateway, running_gateway

pytestmark = [pytest.mark.slow, pytest.mark.conformance]

# Dialect -> its provider's row without the URL, the base's path, the model there, the path that is asked.
PROVIDERS: dict[str, tuple[dict[str, str], str, str, str]] = {
    "anthropic": ({"auth": "x-api-key"}, "/v1", "claude-sonnet-4-6", "/v1/messages"),
    "gemini": (
        {"auth": "bearer"},
        "/v1beta",
        "gemini-2.5-pro",
        "/v1beta/models/gemini-2.5-pro:streamGenerateContent",
    ),
    "openai_responses": ({"auth": "bearer"}, "/v1", "gpt-5.1", "/v1/responses"),
}
TEXTS = {
    "greet me": "Hello! How can I help you today?",
    "in many scripts": 'Grüße, 日本語 and 🙂\n\n- a list\n- with "quotes" and \\ strokes',
    "at length": "All work and no play. " * 200,
}
CALL = {"name": "get_weather", "arguments": json.dumps({"city": "Oslo", "days": 3})}
FIXTURES = {
    "fixtures": [
        {"match": {"hasToolResult": True, "userMessage": "the weather"}, "response": {"content": "It rains."}},
        *({"match": {"userMessage": asked}, "response": {"content": said}} for asked, said in TEXTS.items()),
        {"match": {"userMessage": "think"}, "response": {"content": "Four.", "reasoning": "Two and two are four."}},
        {"match": {"userMessage": "the weather"}, "response": {"toolCalls": [CALL], "reasoning": "I have to look."}},
        {
            "match": {"userMessage": "no luck"},
            "response": {"error": {"message": "slow down", "type": "rate_limit_error"}, "status": 429},
        },
    ]
}
TOOLS: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
every_dialect = pytest.mark.parametrize("dialect", PROVIDERS)


@pytest.fixture(scope="module")
async def aimock(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The URL of a running aimock with the answers above, which refuses turns that Anthropic would refuse."""
    async with running_aimock(tmp_path_factory.mktemp("aimock"), FIXTURES, strict=True) as url:
        yield url


@pytest.fixture(scope="module")
async def front(aimock: str) -> AsyncIterator[RunningGateway]:
    """A gateway with one provider for each dialect, all of them aimock; the models are named acme/DIALECT."""
    providers = [
        {"slug": dialect.replace("_", "-"), "dialect": dialect, "base_url": aimock + base, "api_key": KEY, **row}
        for dialect, (row, base, _, _) in PROVIDERS.items()
    ]
    free = {"prompt": "0", "completion": "0"}
    models = [
        {
            "slug": f"acme/{dialect}",
            "endpoints": [{"provider": dialect.replace("_", "-"), "upstream_model": model, "prices": free}],
        }
        for dialect, (_, _, model, _) in PROVIDERS.items()
    ]
    async with running_gateway(simulator=False, providers=providers, models=models) as running:
        yield running


@pytest.fixture
async def client(front: RunningGateway) -> AsyncIterator[AsyncOpenAI]:
    """OpenAI's SDK."""
    async with AsyncOpenAI(base_url=front.openai_url, api_key="none", max_retries=0, timeout=20) as made:
        yield made


def make(dialect: str, asked: str, **fields: Any) -> dict[str, Any]:
    """A request with one user message."""
    return {"model": f"acme/{dialect}", "messages": [{"role": "user", "content": asked}], "max_tokens": 4000, **fields}


async def stream(client: AsyncOpenAI, **fields: Any) -> ChatCompletion:
    """What the SDK makes of a stream."""
    async with client.chat.completions.stream(**fields) as events:
        return await events.get_final_completion()


@every_dialect
@pytest.mark.parametrize("asked", TEXTS)
async def test_texts(client: AsyncOpenAI, dialect: str, asked: str) -> None:
    """Whole and streamed, aimock's text comes unchanged and ends as it ended."""
    whole = await client.chat.completions.create(**make(dialect, asked))
    streamed = await stream(client, **make(dialect, asked))
    for answer in (whole, streamed):
        assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == (TEXTS[asked], "stop")
        assert answer.usage is not None


@every_dialect
async def test_calls(client: AsyncOpenAI, dialect: str) -> None:
    """Calls come with the arguments that aimock wrote, and their results go back."""
    fields = make(dialect, "the weather", tools=TOOLS)
    for answer in (await client.chat.completions.create(**fields), await stream(client, **fields)):
        (choice,) = answer.choices
        (call,) = choice.message.tool_calls or []
        assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Oslo", "days": 3})
        assert choice.finish_reason == "tool_calls"
        history = [
            *fields["messages"],
            choice.message.model_dump(exclude_none=True, exclude={"parsed": True}),
            {"role": "tool", "tool_call_id": call.id, "content": "rain"},
        ]
        spoken = await client.chat.completions.create(**{**fields, "messages": history})
        assert spoken.choices[0].message.content == "It rains."


@every_dialect
async def test_reasoning(client: AsyncOpenAI, dialect: str) -> None:
    """Thoughts come apart from the text, whole and streamed."""
    fields = make(dialect, "think", reasoning_effort="low")
    for answer in (await client.chat.completions.create(**fields), await stream(client, **fields)):
        message: Any = answer.choices[0].message
        assert (message.content, message.model_extra["reasoning"]) == ("Four.", "Two and two are four.")


async def test_aimock_is_strict(aimock: str) -> None:
    """Asked without the gateway, it refuses a turn with calls whose thinking is not signed: what the next test shows is no accident."""
    call = {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {}}
    thinking = {"type": "thinking", "thinking": "I have to look.", "signature": ""}
    result: Any = {"type": "tool_result", "tool_use_id": "t1", "content": "rain"}
    turns: Any = [
        {"role": "user", "content": "the weather"},
        {"role": "assistant", "content": [thinking, call]},
        {"role": "user", "content": [result]},
    ]
    async with AsyncAnthropic(base_url=aimock, api_key=KEY, max_retries=0) as claude:
        with pytest.raises(anthropic.BadRequestError, match="signature"):
            await claude.messages.create(
                model="claude-sonnet-4-6",
                max_tokens=4000,
                messages=turns,
                thinking={"type": "enabled", "budget_tokens": 1024},
            )


async def test_signed_thoughts_go_back(client: AsyncOpenAI) -> None:
    """With thinking on, a turn with calls goes back with its thinking first and signed, so that aimock takes it."""
    fields = make("anthropic", "the weather", tools=TOOLS, reasoning_effort="low")
    turn = (await client.chat.completions.create(**fields)).choices[0].message.model_dump(exclude_none=True)
    result = {"role": "tool", "tool_call_id": turn["tool_calls"][0]["id"], "content": "rain"}
    spoken = await client.chat.completions.create(**{**fields, "messages": [*fields["messages"], turn, result]})
    assert spoken.choices[0].message.content == "It rains."


@every_dialect
@pytest.mark.parametrize("streamed", [False, True])
async def test_failures(client: AsyncOpenAI, dialect: str, streamed: bool) -> None:
    """The rate limit of aimock is the SDK's RateLimitError, in the gateway's words."""
    with pytest.raises(openai.RateLimitError, match="limits the rate"):
        await client.chat.completions.create(**make(dialect, "no luck"), stream=streamed)


@every_dialect
async def test_what_aimock_got(client: AsyncOpenAI, aimock: str, dialect: str) -> None:
    """Its own journal shows the path of the vendor and none of the gateway's fields."""
    await stream(client, **make(dialect, "greet me"), extra_body={"session_id": "s"})
    entry = (await read_journal(aimock))[-1]
    assert entry["path"].partition("?")[0] == PROVIDERS[dialect][3]
    assert "session_id" not in json.dumps(entry["body"])


@every_dialect
async def test_from_face_to_provider(front: RunningGateway, dialect: str) -> None:
    """Anthropic's SDK before the gateway, any vendor's wire behind it; thinking goes back with the calls that it led to."""
    async with AsyncAnthropic(base_url=front.http_url, api_key="none", max_retries=0, timeout=20) as claude:
        fields: Any = make(dialect, "the weather", thinking={"type": "enabled", "budget_tokens": 1024})
        tools: Any = [{"name": "get_weather", "input_schema": {"type": "object"}}]
        async with claude.messages.stream(**fields, tools=tools) as events:
            called = await events.get_final_message()
        (call,) = [block for block in called.content if block.type == "tool_use"]
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "rain"}
        turns = [{"role": "assistant", "content": called.content}, {"role": "user", "content": [result]}]
        spoken: Any = await claude.messages.create(**{**fields, "messages": [*fields["messages"], *turns]}, tools=tools)
    assert [called.content[0].type, called.content[-1].type] == ["thinking", "tool_use"]
    assert call.input == {"city": "Oslo", "days": 3}
    assert spoken.content[-1].text == "It rains."
