# SPDX-License-Identifier: Apache-2.0
"""The official OpenAI SDK against the gateway: tools and structured outputs."""

import asyncio
import json
from enum import Enum
from typing import Any, Literal

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel, Field

pytestmark = pytest.mark.conformance


class GetWeather(BaseModel):
    """Tells the weather of a place."""

    city: str
    days: int = Field(ge=1, le=7)


class GetTime(BaseModel):
    """Tells the time of a place."""

    zone: Literal["UTC", "CET"]


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}},
            "required": ["city"],
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}}
TOOLS = [WEATHER, CLOCK]
QUESTION = [{"role": "user", "content": "How is it in Oslo?"}]


def ask(model: str = "sim/tools", **fields: Any) -> dict[str, Any]:
    """The arguments of a request; without `messages` among the fields it holds one question."""
    return {"model": model, "messages": QUESTION, **fields}


async def test_call_result_answer(sdk: AsyncOpenAI) -> None:
    """The model calls, the client answers each call, the model speaks of the results."""
    called = await sdk.chat.completions.create(**ask(tools=TOOLS))
    (choice,) = called.choices
    calls = choice.message.tool_calls or []
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    assert [(call.type, call.function.name) for call in calls] == [
        ("function", "get_weather"),
        ("function", "get_time"),
    ]
    assert isinstance(json.loads(calls[0].function.arguments)["city"], str)
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": f"result of {call.function.name}"} for call in calls
    ]
    history: Any = [*QUESTION, choice.message, *results]
    spoken = await sdk.chat.completions.create(**ask(messages=history, tools=TOOLS))
    assert spoken.choices[0].finish_reason == "stop"
    assert spoken.choices[0].message.content == (
        "get_weather said: result of get_weather\nget_time said: result of get_time"
    )


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, ["get_weather", "get_time"]),
        ({"tool_choice": "auto"}, ["get_weather", "get_time"]),
        ({"tool_choice": "required"}, ["get_weather", "get_time"]),
        ({"tool_choice": "none"}, []),
        ({"tool_choice": {"type": "function", "function": {"name": "get_time"}}}, ["get_time"]),
        ({"parallel_tool_calls": False}, ["get_weather"]),
        ({"parallel_tool_calls": True}, ["get_weather", "get_time"]),
    ],
)
async def test_tool_choice(sdk: AsyncOpenAI, fields: dict[str, Any], names: list[str]) -> None:
    """`tool_choice` and `parallel_tool_calls` decide which tools are called."""
    answer = await sdk.chat.completions.create(**ask(tools=TOOLS, **fields))
    assert [call.function.name for call in answer.choices[0].message.tool_calls or []] == names


async def test_streamed_calls_accumulate(sdk: AsyncOpenAI) -> None:
    """The pieces of streamed calls, put together by index, are the calls of the whole answer."""
    whole = await sdk.chat.completions.create(**ask(tools=TOOLS))
    calls: dict[int, dict[str, str]] = {}
    pieces = 0
    async for chunk in await sdk.chat.completions.create(**ask(tools=TOOLS), stream=True):
        for piece in [piece for choice in chunk.choices for piece in choice.delta.tool_calls or []]:
            call = calls.setdefault(piece.index, {"id": "", "name": "", "arguments": ""})
            call["id"] += piece.id or ""
            call["name"] += (piece.function and piece.function.name) or ""
            call["arguments"] += (piece.function and piece.function.arguments) or ""
            pieces += 1
    assert pieces > len(calls)
    assert [calls[index] for index in sorted(calls)] == [
        {"id": call.id, "name": call.function.name, "arguments": call.function.arguments}
        for call in whole.choices[0].message.tool_calls or []
    ]


async def test_the_streaming_helper_puts_calls_together(sdk: AsyncOpenAI) -> None:
    """`chat.completions.stream` parses the arguments of strict tools made from pydantic models."""
    tools = [openai.pydantic_function_tool(GetWeather), openai.pydantic_function_tool(GetTime)]
    async with sdk.chat.completions.stream(**ask(tools=tools)) as stream:
        kinds = {event.type async for event in stream}
        final = await stream.get_final_completion()
    calls = final.choices[0].message.tool_calls or []
    assert {"chunk", "tool_calls.function.arguments.delta", "tool_calls.function.arguments.done"} <= kinds
    assert [type(call.function.parsed_arguments) for call in calls] == [GetWeather, GetTime]


class Colour(Enum):
    """A choice of three."""

    RED = "red"
    GREEN = "green"
    BLUE = "blue"


class Step(BaseModel):
    """One step, nested in a list."""

    title: str
    minutes: int = Field(ge=1, le=60)
    colour: Colour


class Plan(BaseModel):
    """Nested, enumerated, listed and optional values."""

    name: str
    steps: list[Step] = Field(min_length=1, max_length=3)
    favourite: Step
    note: str | None
    weight: float = Field(ge=0, le=1)
    done: bool


class Leaf(BaseModel):
    """A recursive value."""

    label: str
    children: list["Leaf"] = Field(max_length=2)


@pytest.mark.parametrize("form", [Plan, Leaf, Step])
@pytest.mark.parametrize("model", ["sim/json", "sim/echo"])
async def test_parse_gives_the_model(sdk: AsyncOpenAI, model: str, form: type[BaseModel]) -> None:
    """`chat.completions.parse` gives an instance of the pydantic model that was asked for."""
    answer = await sdk.chat.completions.parse(**ask(model), response_format=form)
    assert isinstance(answer.choices[0].message.parsed, form)
    assert answer.choices[0].finish_reason == "stop"


async def test_another_seed_fills_another_value(sdk: AsyncOpenAI) -> None:
    """The answer follows from the seed."""
    answers = [
        await sdk.chat.completions.parse(**ask("sim/json", seed=seed), response_format=Plan) for seed in (1, 1, 2)
    ]
    first, again, other = (answer.choices[0].message.parsed for answer in answers)
    assert first == again != other


async def test_a_streamed_form_is_parsed_at_the_end(sdk: AsyncOpenAI) -> None:
    """The streaming helper gives text as it comes and the parsed value at the end."""
    async with sdk.chat.completions.stream(**ask("sim/json"), response_format=Plan) as stream:
        deltas = [event.delta async for event in stream if event.type == "content.delta"]
        final = await stream.get_final_completion()
    assert len(deltas) > 3
    assert final.choices[0].message.content == "".join(deltas)
    assert isinstance(final.choices[0].message.parsed, Plan)
    assert final.usage is not None


async def test_parse_with_tools(sdk: AsyncOpenAI) -> None:
    """`parse` reads the arguments of strict tools into their models."""
    answer = await sdk.chat.completions.parse(**ask(tools=[openai.pydantic_function_tool(GetWeather)]))
    (call,) = answer.choices[0].message.tool_calls or []
    assert isinstance(call.function.parsed_arguments, GetWeather)


async def test_json_mode(sdk: AsyncOpenAI) -> None:
    """`json_object` answers with an object."""
    answer = await sdk.chat.completions.create(**ask("sim/json", response_format={"type": "json_object"}))
    assert json.loads(answer.choices[0].message.content or "") == {"text": "How is it in Oslo?"}


async def test_a_keyword_that_is_not_served_is_named(sdk: AsyncOpenAI) -> None:
    """A schema outside the subset is refused with the path of the keyword."""
    schema = {"type": "object", "properties": {"a": {"not": {}}}}
    form: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    with pytest.raises(openai.BadRequestError, match=r"properties\.a\.not"):
        await sdk.chat.completions.create(**ask("sim/json", response_format=form))


async def test_the_order_of_keys_survives(sdk: AsyncOpenAI) -> None:
    """The answer's keys stand in the order of the schema's, so the schema was not reordered on its way."""
    names = ["zeta", "alpha", "midway", "beta"]
    schema = {
        "type": "object",
        "properties": {name: {"type": "boolean"} for name in names},
        "required": names,
        "additionalProperties": False,
    }
    form: Any = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}
    answer = await sdk.chat.completions.create(**ask("sim/json", response_format=form))
    assert list(json.loads(answer.choices[0].message.content or "")) == names


def use_blocking(sdk: OpenAI) -> tuple[Any, Any]:
    """What the blocking client parses, whole and streamed."""
    whole = sdk.chat.completions.parse(**ask("sim/json"), response_format=Plan)
    with sdk.chat.completions.stream(**ask("sim/json"), response_format=Plan) as stream:
        final = stream.get_final_completion()
    return whole.choices[0].message.parsed, final.choices[0].message.parsed


async def test_the_blocking_client_parses(blocking_sdk: OpenAI) -> None:
    """The blocking client's helpers give the same values."""
    whole, streamed = await asyncio.to_thread(use_blocking, blocking_sdk)
    assert isinstance(whole, Plan)
    assert whole == streamed
