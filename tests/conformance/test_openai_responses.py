# SPDX-License-Identifier: Apache-2.0
"""The official OpenAI SDK's Responses and text completions against the gateway."""

from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.responses import Response
from pydantic import BaseModel, Field

from support.gateway import key_row, running_gateway

pytestmark = pytest.mark.conformance

KEY = "tl-" + "k" * 43
TEXTS = ["Hello big world", "  two\n\n\tlines ", "日本語 🙂 \u2028", "data: [DONE]\n\ndata: {}\n\n", "word " * 2000]
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "Tells the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}
CLOCK: Any = {
    "type": "function",
    "name": "get_time",
    "parameters": {"type": "object", "properties": {}},
    "strict": False,
}
QUESTION: Any = {"role": "user", "content": "How is it in Oslo?"}


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int = Field(ge=1)


def ask(text: Any = "Hello big world", model: str = "sim/echo", **fields: Any) -> dict[str, Any]:
    """The arguments of a request."""
    return {"model": model, "input": text, **fields}


async def test_a_whole_response(sdk: AsyncOpenAI) -> None:
    """It has all that the SDK knows of a response."""
    answer = await sdk.responses.create(**ask())
    assert (answer.object, answer.status, answer.model) == ("response", "completed", "sim/echo")
    assert answer.id.startswith("resp_")
    assert answer.output_text == "Hello big world"
    assert answer.usage is not None
    assert (answer.usage.output_tokens, answer.error, answer.incomplete_details) == (3, None, None)
    assert answer.usage.total_tokens == answer.usage.input_tokens + 3


@pytest.mark.parametrize("text", TEXTS)
async def test_a_stream_is_the_whole_response(sdk: AsyncOpenAI, text: str) -> None:
    """What the helper gathers is what a whole answer is, character for character."""
    whole = await sdk.responses.create(**ask(text))
    async with sdk.responses.stream(**ask(text)) as stream:
        pieces = [event.delta async for event in stream if event.type == "response.output_text.delta"]
        final = await stream.get_final_response()
    assert "".join(pieces) == whole.output_text == final.output_text == text
    assert (final.status, final.usage) == (whole.status, whole.usage)


async def test_the_order_of_events(sdk: AsyncOpenAI) -> None:
    """An item is added before it grows and done before the response is; the numbers count up."""
    events = [event async for event in await sdk.responses.create(**ask(), stream=True)]
    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))


async def test_instructions_and_items(sdk: AsyncOpenAI) -> None:
    """Instructions, earlier turns and parts are taken, and answered turn by turn without state."""
    first = await sdk.responses.create(**ask(instructions="Be brief.", metadata={"a": "b"}, store=False))
    history: Any = [{"role": "user", "content": "Hello big world"}, *first.output]
    history.append({"role": "user", "content": [{"type": "input_text", "text": "And now?"}]})
    second = await sdk.responses.create(**ask(history))
    assert second.output_text == "And now?"
    assert first.metadata == {"a": "b"}


@pytest.mark.parametrize("streamed", [False, True])
async def test_call_result_answer(sdk: AsyncOpenAI, streamed: bool) -> None:
    """The model calls, the client answers each call, the model speaks of the results."""
    fields = ask([QUESTION], model="sim/tools", tools=[WEATHER, CLOCK])
    called = await read(sdk, **fields) if streamed else await sdk.responses.create(**fields)
    calls = [item for item in called.output if item.type == "function_call"]
    assert [call.name for call in calls] == ["get_weather", "get_time"]
    assert "city" in calls[0].arguments
    results = [
        {"type": "function_call_output", "call_id": call.call_id, "output": f"result of {call.name}"} for call in calls
    ]
    spoken = await sdk.responses.create(**{**fields, "input": [QUESTION, *called.output, *results]})
    assert spoken.output_text == "get_weather said: result of get_weather\nget_time said: result of get_time"


async def read(sdk: AsyncOpenAI, **fields: Any) -> Response:
    """What the helper makes of a stream."""
    async with sdk.responses.stream(**fields) as stream:
        return await stream.get_final_response()


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"tool_choice": "required"}, ["get_weather", "get_time"]),
        ({"tool_choice": "none"}, []),
        ({"tool_choice": {"type": "function", "name": "get_time"}}, ["get_time"]),
        ({"parallel_tool_calls": False}, ["get_weather"]),
    ],
)
async def test_tool_choice(sdk: AsyncOpenAI, fields: dict[str, Any], names: list[str]) -> None:
    """`tool_choice` and `parallel_tool_calls` decide which tools are called."""
    answer = await sdk.responses.create(**ask([QUESTION], model="sim/tools", tools=[WEATHER, CLOCK], **fields))
    assert [item.name for item in answer.output if item.type == "function_call"] == names


async def test_structured_outputs(sdk: AsyncOpenAI) -> None:
    """The SDK's `parse` gets an object of its class, whole and streamed."""
    whole = await sdk.responses.parse(**ask(model="sim/json"), text_format=Person)
    async with sdk.responses.stream(**ask(model="sim/json"), text_format=Person) as stream:
        final = await stream.get_final_response()
    assert isinstance(whole.output_parsed, Person)
    assert isinstance(final.output_parsed, Person)


@pytest.mark.parametrize("streamed", [False, True])
async def test_reasoning_goes_back_unchanged(sdk: AsyncOpenAI, streamed: bool) -> None:
    """Reasoning items are sent back as they came; the model checks its signature, so nothing was changed."""
    fields = ask(model="sim/reasoner", reasoning={"effort": "low", "summary": "auto"})
    fields["include"] = ["reasoning.encrypted_content"]
    first = await read(sdk, **fields) if streamed else await sdk.responses.create(**fields)
    assert [item.type for item in first.output] == ["reasoning", "message"]
    history: Any = [{"role": "user", "content": "Hello big world"}, *first.output, {"role": "user", "content": "And?"}]
    second = await sdk.responses.create(**{**fields, "input": history})
    assert second.status == "completed"
    assert first.usage is not None
    assert first.usage.output_tokens_details.reasoning_tokens > 0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("sim/fault?status=400", openai.BadRequestError),
        ("sim/fault?status=404", openai.NotFoundError),
        ("sim/fault?status=429", openai.RateLimitError),
        ("sim/fault?status=503", openai.InternalServerError),
        ("sim/nothing", openai.BadRequestError),
    ],
)
async def test_failures_are_the_sdks_own(sdk: AsyncOpenAI, model: str, kind: Any, stream: bool) -> None:
    """The status has the SDK's class, for responses and for completions."""
    with pytest.raises(kind):
        await sdk.responses.create(**ask(model=model), stream=stream)
    with pytest.raises(kind) as caught:
        await sdk.completions.create(model=model, prompt="Hello", stream=stream)
    assert caught.value.request_id


async def test_half_a_response(sdk: AsyncOpenAI) -> None:
    """A failure after content stands in the stream's last event, beside what was said."""
    stream = await sdk.responses.create(**ask(model="sim/fault?error_at=3"), stream=True)
    last: Any = [event async for event in stream][-1]
    assert (last.type, last.response.status, last.response.error.code) == ("response.failed", "failed", "server_error")
    assert last.response.output_text


async def test_limits(sdk: AsyncOpenAI) -> None:
    """An answer that was cut is incomplete."""
    whole = await sdk.responses.create(**ask(max_output_tokens=2))
    stream = await sdk.responses.create(**ask(max_output_tokens=2), stream=True)
    last: Any = [event async for event in stream][-1]
    assert (whole.status, last.type, last.response.status) == ("incomplete", "response.incomplete", "incomplete")
    assert whole.incomplete_details is not None
    assert whole.incomplete_details.reason == "max_output_tokens"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"background": True}, "background"),
        ({"temperature": 9}, "temperature"),
        ({"extra_body": {"api_base": "http://127.0.0.1:9"}}, "api_base"),
    ],
)
async def test_bad_requests(sdk: AsyncOpenAI, fields: dict[str, Any], named: str) -> None:
    """What is wrong, or needs state, is named."""
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.responses.create(**ask(**fields))
    assert caught.value.param == named


async def test_nothing_is_stored(sdk: AsyncOpenAI) -> None:
    """Who asks for a stored response is told that there is none."""
    for asked in (sdk.responses.retrieve("resp_1"), sdk.responses.cancel("resp_1"), sdk.responses.delete("resp_1")):
        with pytest.raises(openai.NotFoundError, match="answers are not stored"):
            await asked


async def test_the_gateways_own_fields(sdk: AsyncOpenAI) -> None:
    """Fallbacks and the route are there for those who ask, whole and streamed."""
    fields = ask(model="sim/fault?status=503", extra_body={"models": ["sim/echo"]})
    fields["extra_headers"] = {"X-OpenRouter-Metadata": "enabled"}
    whole: Any = await sdk.responses.create(**fields)
    streamed: Any = [event async for event in await sdk.responses.create(**fields, stream=True)][-1].response
    for answer in (whole, streamed):
        assert (answer.output_text, answer.model) == ("Hello big world", "sim/echo")
        assert answer.openrouter_metadata["attempts"][-1]["model"] == "sim/echo"


async def test_keys() -> None:
    """A key lets in; a wrong one is the SDK's AuthenticationError."""
    async with (
        running_gateway(keys=[key_row("tester", KEY)]) as locked,
        AsyncOpenAI(base_url=locked.openai_url, api_key=KEY, max_retries=0) as client,
    ):
        assert (await client.responses.create(**ask())).output_text == "Hello big world"
        with pytest.raises(openai.AuthenticationError):
            await client.with_options(api_key="wrong").responses.create(**ask())


@pytest.mark.parametrize("text", TEXTS)
async def test_text_completions(sdk: AsyncOpenAI, text: str) -> None:
    """Whole and streamed, the text is exact, and usage comes with it."""
    whole = await sdk.completions.create(model="sim/echo", prompt=text)
    chunks = [chunk async for chunk in await sdk.completions.create(model="sim/echo", prompt=text, stream=True)]
    streamed = "".join(choice.text for chunk in chunks for choice in chunk.choices)
    assert whole.choices[0].text == streamed == text
    assert (whole.object, whole.choices[0].finish_reason) == ("text_completion", "stop")
    assert chunks[-1].usage == whole.usage


async def test_text_completions_in_number(sdk: AsyncOpenAI) -> None:
    """Several choices, limits, stops, echo and log probabilities are OpenAI's."""
    answer = await sdk.completions.create(
        model="sim/echo", prompt="Hello big world", n=2, max_tokens=2, echo=True, logprobs=1
    )
    assert [choice.text for choice in answer.choices] == ["Hello big worldHello big"] * 2
    assert [choice.finish_reason for choice in answer.choices] == ["length"] * 2
    assert answer.choices[0].logprobs is not None
    assert answer.choices[0].logprobs.tokens == ["Hello", " big"]


async def test_text_completions_that_fail_half_way(sdk: AsyncOpenAI) -> None:
    """The SDK raises what the last event says."""
    stream = await sdk.completions.create(model="sim/fault?error_at=3", prompt="Hello", stream=True)
    with pytest.raises(openai.APIError, match="provider"):
        [chunk async for chunk in stream]
