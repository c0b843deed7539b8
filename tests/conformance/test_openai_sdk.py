# SPDX-License-Identifier: Apache-2.0
"""The official OpenAI SDK against the gateway: answers whole and streamed, parts, reasoning, models."""

import asyncio
import base64
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionChunk

pytestmark = pytest.mark.conformance

HARD_TEXTS = [
    "Hello from the SDK",
    "",
    "  two\n\n\tlines \r\n ",
    'quotes " and \\ and </script> and \u0000\u001f\u007f',
    "日本語 🙂 e\u0301 \u2028\u2029 \ufeff 👩‍👩‍👧",
    "data: [DONE]\n\ndata: {}\n\n",
    "word " * 2000,
]


def ask(text: Any = "Hello big world", model: str = "sim/echo", **fields: Any) -> dict[str, Any]:
    """The arguments of a request with one user message."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


async def read(sdk: AsyncOpenAI, **fields: Any) -> list[ChatCompletionChunk]:
    """All chunks of a stream."""
    return [chunk async for chunk in await sdk.chat.completions.create(**ask(**fields), stream=True)]


def text_of(chunks: list[ChatCompletionChunk], index: int = 0) -> str:
    """The content of one choice."""
    choices = [choice for chunk in chunks for choice in chunk.choices]
    return "".join(choice.delta.content or "" for choice in choices if choice.index == index)


def finishes(chunks: list[ChatCompletionChunk]) -> list[tuple[int, str]]:
    """Each finish_reason with the index of its choice."""
    choices = [choice for chunk in chunks for choice in chunk.choices]
    return sorted((choice.index, choice.finish_reason) for choice in choices if choice.finish_reason)


async def test_a_whole_answer_has_all_that_the_sdk_knows(sdk: AsyncOpenAI) -> None:
    """A whole answer is OpenAI's ChatCompletion in every key that is not optional."""
    answer = await sdk.chat.completions.create(**ask())
    assert answer.object == "chat.completion"
    assert answer.id.startswith("gen-")
    assert answer.model == "sim/echo"
    assert answer.created > 1_700_000_000
    (choice,) = answer.choices
    assert (choice.index, choice.finish_reason, choice.logprobs) == (0, "stop", None)
    assert (choice.message.role, choice.message.content, choice.message.refusal) == (
        "assistant",
        "Hello big world",
        None,
    )
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 3
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 3
    assert {"system_fingerprint", "provider"} <= answer.model_dump().keys()


@pytest.mark.parametrize("text", HARD_TEXTS)
async def test_whole_and_streamed_texts_are_exact(sdk: AsyncOpenAI, text: str) -> None:
    """What was said comes back character for character, whole and streamed."""
    whole = await sdk.chat.completions.create(**ask(text))
    assert (whole.choices[0].message.content or "") == text
    assert text_of(await read(sdk, text=text)) == text


async def test_a_stream_is_what_openai_promises(sdk: AsyncOpenAI) -> None:
    """One id, one object, a role first, one finish_reason, and usage in the last chunk alone."""
    chunks = await read(sdk)
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert len(chunks) > 3
    assert finishes(chunks) == [(0, "stop")]
    assert [chunk.usage is None for chunk in chunks] == [True] * (len(chunks) - 1) + [False]


@pytest.mark.parametrize("options", [None, {"include_usage": True}, {"include_usage": False}])
async def test_usage_is_streamed_whatever_was_asked(sdk: AsyncOpenAI, options: Any) -> None:
    """`stream_options.include_usage` changes nothing: the last chunk has the usage of the whole answer."""
    whole = await sdk.chat.completions.create(**ask())
    chunks = await read(sdk, **({} if options is None else {"stream_options": options}))
    assert chunks[-1].usage == whole.usage


@pytest.mark.parametrize("stream", [False, True])
async def test_the_generation_id_is_a_header_too(sdk: AsyncOpenAI, stream: bool) -> None:
    """`X-Generation-Id` is the answer's id; `x-request-id` is echoed."""
    raw = await sdk.chat.completions.with_raw_response.create(
        **ask(), stream=stream, extra_headers={"x-request-id": "req-of-mine"}
    )
    answer = raw.parse()
    ids = {chunk.id async for chunk in answer} if stream else {answer.id}
    assert ids == {raw.headers["x-generation-id"]}
    assert raw.headers["x-request-id"] == "req-of-mine"


async def test_every_answer_has_an_id_of_its_own(sdk: AsyncOpenAI) -> None:
    """Ids differ and sort by time."""
    ids = [(await sdk.chat.completions.create(**ask())).id for _ in range(3)]
    assert len(set(ids)) == 3


async def test_several_choices(sdk: AsyncOpenAI) -> None:
    """`n` gives so many choices, each with its own end, streamed too."""
    whole = await sdk.chat.completions.create(**ask(n=3))
    assert [(choice.index, choice.message.content) for choice in whole.choices] == [
        (index, "Hello big world") for index in range(3)
    ]
    chunks = await read(sdk, n=3)
    assert [text_of(chunks, index) for index in range(3)] == ["Hello big world"] * 3
    assert finishes(chunks) == [(0, "stop"), (1, "stop"), (2, "stop")]


@pytest.mark.parametrize(
    ("fields", "text", "finish"),
    [
        ({"stop": " big"}, "Hello", "stop"),
        ({"stop": ["never", " world"]}, "Hello big", "stop"),
        ({"max_tokens": 2}, "Hello big", "length"),
        ({"max_completion_tokens": 1}, "Hello", "length"),
        ({"max_tokens": 100}, "Hello big world", "stop"),
    ],
)
async def test_what_ends_an_answer(sdk: AsyncOpenAI, fields: dict[str, Any], text: str, finish: str) -> None:
    """Stop texts and token limits end an answer early, the same whole and streamed."""
    whole = await sdk.chat.completions.create(**ask(**fields))
    chunks = await read(sdk, **fields)
    assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == (text, finish)
    assert (text_of(chunks), finishes(chunks)) == (text, [(0, finish)])


async def test_log_probabilities(sdk: AsyncOpenAI) -> None:
    """`logprobs` and `top_logprobs` give a probability for each token, whole and streamed alike."""
    whole = await sdk.chat.completions.create(**ask(logprobs=True, top_logprobs=2))
    chunks = await read(sdk, logprobs=True, top_logprobs=2)
    assert whole.choices[0].logprobs is not None
    tokens = whole.choices[0].logprobs.content or []
    assert "".join(token.token for token in tokens) == "Hello big world"
    assert [len(token.top_logprobs) for token in tokens] == [2, 2, 2]
    streamed = [choice.logprobs.content or [] for chunk in chunks for choice in chunk.choices if choice.logprobs]
    assert [token for piece in streamed for token in piece] == tokens


PNG = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PARTS = [
    {"type": "text", "text": "What do you see?"},
    {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
    {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
    {"type": "input_audio", "input_audio": {"data": base64.b64encode(b"sound").decode(), "format": "wav"}},
    {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
    {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}},
]


async def test_content_parts_arrive(sdk: AsyncOpenAI) -> None:
    """Text, image, sound, file and video parts reach the model as they were sent."""
    answer = await sdk.chat.completions.create(**ask(PARTS, model="sim/vision"))
    lines = (answer.choices[0].message.content or "").splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        "6 parts:",
        "1. text",
        "2. image",
        "3. image",
        "4. audio",
        "5. file",
        "6. video",
    ]
    assert "image/png" in lines[2]
    assert "remote, example.com" in lines[3]
    assert lines[4] == "4. audio: wav, 5 bytes"


async def test_images_come_back(sdk: AsyncOpenAI) -> None:
    """An image that the model made stands in the message beside its text."""
    answer = await sdk.chat.completions.create(**ask("a cat", model="sim/image", modalities=["text", "image"]))
    extra: Any = answer.choices[0].message.model_extra
    assert answer.choices[0].message.content == "A picture of: a cat"
    assert extra["images"][0]["image_url"]["url"].startswith("data:image/png;base64,")


async def test_reasoning_comes_before_the_answer(sdk: AsyncOpenAI) -> None:
    """Reasoning is told as text and in parts, streamed before the content and equal to the whole answer's."""
    whole = await sdk.chat.completions.create(**ask(model="sim/reasoner"))
    said: Any = whole.choices[0].message.model_extra
    chunks = await read(sdk, model="sim/reasoner")
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    thoughts = [(delta.model_extra or {}).get("reasoning") or "" for delta in deltas]
    assert said["reasoning"] == "".join(thoughts) != ""
    assert said["reasoning_details"][0]["type"] == "reasoning.text"
    assert text_of(chunks) == whole.choices[0].message.content
    last_thought = max(place for place, thought in enumerate(thoughts) if thought)
    assert not any(delta.content for delta in deltas[:last_thought])
    assert whole.usage is not None
    assert whole.usage.completion_tokens_details is not None
    assert whole.usage.completion_tokens_details.reasoning_tokens


async def test_reasoning_goes_back_unchanged(sdk: AsyncOpenAI) -> None:
    """The answer's message is taken back in the next turn; a changed signature is noticed, so nothing else was changed."""
    first = await sdk.chat.completions.create(**ask(model="sim/reasoner"))
    turn: Any = first.choices[0].message.model_dump(exclude_none=True)
    history = [*ask()["messages"], turn, {"role": "user", "content": "And then?"}]
    second = await sdk.chat.completions.create(model="sim/reasoner", messages=history)
    assert second.choices[0].finish_reason == "stop"
    turn["reasoning_details"][0]["text"] += "!"
    with pytest.raises(openai.BadRequestError):
        await sdk.chat.completions.create(model="sim/reasoner", messages=history)


@pytest.mark.parametrize(
    "fields",
    [
        {"extra_body": {"reasoning": {"exclude": True}}},
        {"extra_body": {"include_reasoning": False}},
        {"reasoning_effort": "none"},
    ],
)
async def test_reasoning_can_be_left_out(sdk: AsyncOpenAI, fields: dict[str, Any]) -> None:
    """Whoever does not want reasoning gets none, whole and streamed."""
    whole = await sdk.chat.completions.create(**ask(model="sim/reasoner", **fields))
    chunks = await read(sdk, model="sim/reasoner", **fields)
    assert not (whole.choices[0].message.model_extra or {}).get("reasoning")
    assert not any((choice.delta.model_extra or {}).get("reasoning") for chunk in chunks for choice in chunk.choices)
    assert text_of(chunks) == whole.choices[0].message.content != ""


async def test_a_model_is_retrieved(sdk: AsyncOpenAI) -> None:
    """The SDK writes the slug's stroke as %2F and finds the model all the same; one that is not there is its own class of failure."""
    model = await sdk.models.retrieve("sim/echo")
    assert (model.id, model.object, model.owned_by) == ("sim/echo", "model", "sim")
    with pytest.raises(openai.NotFoundError):
        await sdk.models.retrieve("sim/nothing")


async def test_models_are_listed(sdk: AsyncOpenAI) -> None:
    """The SDK's list of models has the simulator's."""
    models = [model async for model in sdk.models.list()]
    assert {"sim/echo", "sim/tools", "sim/json"} <= {model.id for model in models}
    assert {(model.object, model.owned_by) for model in models} == {("model", "sim")}


async def test_unknown_parameters_travel(sdk: AsyncOpenAI) -> None:
    """A parameter that nobody knows does no harm; one that would redirect a secret is refused."""
    answer = await sdk.chat.completions.create(**ask(), extra_body={"a_new_knob": {"x": [1, None]}})
    assert answer.choices[0].message.content == "Hello big world"
    with pytest.raises(openai.BadRequestError, match="api_base"):
        await sdk.chat.completions.create(**ask(), extra_body={"api_base": "http://127.0.0.1:9"})


async def test_the_openrouter_base_path_is_the_same(sdk: AsyncOpenAI, gateway: Any) -> None:
    """The SDK may as well be pointed at `/api/v1`."""
    there = sdk.with_options(base_url=f"{gateway.http_url}/api/v1")
    assert (await there.chat.completions.create(**ask())).choices[0].message.content == "Hello big world"


def use_blocking(sdk: OpenAI) -> tuple[str, str, list[str]]:
    """What the blocking client gets: whole, streamed, models."""
    whole = sdk.chat.completions.create(**ask())
    with sdk.chat.completions.create(**ask(), stream=True) as stream:
        streamed = "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)
    return whole.choices[0].message.content or "", streamed, [model.id for model in sdk.models.list()]


async def test_the_blocking_client(blocking_sdk: OpenAI) -> None:
    """The blocking client gets the same answers."""
    whole, streamed, models = await asyncio.to_thread(use_blocking, blocking_sdk)
    assert whole == streamed == "Hello big world"
    assert "sim/echo" in models
