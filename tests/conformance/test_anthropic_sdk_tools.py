# SPDX-License-Identifier: Apache-2.0
"""Anthropic's own SDK against the gateway: tools, input that streams as JSON, and structured outputs."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from anthropic import AsyncAnthropic
from pydantic import BaseModel, Field

from support.gateway import RunningGateway

pytestmark = pytest.mark.conformance

WEATHER: Any = {
    "name": "get_weather",
    "description": "Tells the weather.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}},
        "required": ["city"],
    },
}
CLOCK: Any = {"name": "get_time", "input_schema": {"type": "object", "properties": {}}}
QUESTION: Any = {"role": "user", "content": "How is it in Oslo?"}


@pytest.fixture(scope="module")
async def claude(gateway: RunningGateway) -> AsyncIterator[AsyncAnthropic]:
    """The asynchronous client; it does not retry."""
    async with AsyncAnthropic(base_url=gateway.http_url, api_key="none needed", max_retries=0, timeout=20) as client:
        yield client


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int = Field(ge=1)


def ask(model: str = "sim/tools", **fields: Any) -> dict[str, Any]:
    """The arguments of a request with two tools; `fields` are further ones."""
    return {"model": model, "max_tokens": 500, "messages": [QUESTION], "tools": [WEATHER, CLOCK], **fields}


@pytest.mark.parametrize("streamed", [False, True])
async def test_call_result_answer(claude: AsyncAnthropic, streamed: bool) -> None:
    """The model calls, the client answers each call, the model speaks of the results."""
    if streamed:
        async with claude.messages.stream(**ask()) as stream:
            called = await stream.get_final_message()
    else:
        called = await claude.messages.create(**ask())
    calls = [block for block in called.content if block.type == "tool_use"]
    assert called.stop_reason == "tool_use"
    assert [call.name for call in calls] == ["get_weather", "get_time"]
    assert isinstance(calls[0].input["city"], str)
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": f"result of {call.name}"} for call in calls]
    history = [QUESTION, {"role": "assistant", "content": called.content}, {"role": "user", "content": results}]
    spoken = await claude.messages.create(**ask(messages=history))
    assert spoken.stop_reason == "end_turn"
    assert [block.text for block in spoken.content if block.type == "text"] == [
        "get_weather said: result of get_weather\nget_time said: result of get_time"
    ]


async def test_streamed_input_is_the_whole_input(claude: AsyncAnthropic) -> None:
    """The pieces of a call's input are the JSON of the whole answer's input."""
    whole = await claude.messages.create(**ask())
    pieces: dict[int, str] = {}
    async for event in await claude.messages.create(**ask(), stream=True):
        if event.type == "content_block_delta":
            assert event.delta.type == "input_json_delta"
            pieces[event.index] = pieces.get(event.index, "") + event.delta.partial_json
    inputs = [block.input for block in whole.content if block.type == "tool_use"]
    assert [json.loads(text) for text in pieces.values()] == inputs


async def test_the_helper_tells_the_input_as_it_grows(claude: AsyncAnthropic) -> None:
    """The SDK's own event `input_json` has a snapshot that ends as the block's input."""
    async with claude.messages.stream(**ask(tool_choice={"type": "tool", "name": "get_weather"})) as stream:
        snapshots = [event.snapshot async for event in stream if event.type == "input_json"]
        final = await stream.get_final_message()
    (call,) = [block for block in final.content if block.type == "tool_use"]
    assert snapshots[-1] == call.input
    assert len(snapshots) > 1


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"type": "auto"}, ["get_weather", "get_time"]),
        ({"type": "any"}, ["get_weather", "get_time"]),
        ({"type": "none"}, []),
        ({"type": "tool", "name": "get_time"}, ["get_time"]),
        ({"type": "auto", "disable_parallel_tool_use": True}, ["get_weather"]),
    ],
)
async def test_tool_choice(claude: AsyncAnthropic, choice: Any, names: list[str]) -> None:
    """`tool_choice` decides which tools are called."""
    answer = await claude.messages.create(**ask(tool_choice=choice))
    assert [block.name for block in answer.content if block.type == "tool_use"] == names


async def test_a_failed_tool_is_told(claude: AsyncAnthropic) -> None:
    """A result that is an error, or parts, reaches the model."""
    called = await claude.messages.create(**ask(tool_choice={"type": "tool", "name": "get_time"}))
    (call,) = [block for block in called.content if block.type == "tool_use"]
    result = {
        "type": "tool_result",
        "tool_use_id": call.id,
        "is_error": True,
        "content": [{"type": "text", "text": "no clock"}],
    }
    history = [QUESTION, {"role": "assistant", "content": called.content}, {"role": "user", "content": [result]}]
    spoken: Any = await claude.messages.create(**ask(messages=history))
    assert "no clock" in spoken.content[0].text


async def test_structured_outputs(claude: AsyncAnthropic) -> None:
    """The SDK's `parse` gets an object of its class, made by the schema that it sent."""
    answer = await claude.messages.parse(model="sim/json", max_tokens=500, messages=[QUESTION], output_format=Person)
    assert isinstance(answer.parsed_output, Person)
