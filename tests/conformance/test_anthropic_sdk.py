# SPDX-License-Identifier: Apache-2.0
"""Anthropic's own SDK against the gateway: whole and streamed messages, thinking, failures as the SDK's exceptions, keys."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic
from anthropic.types import Message

from support.fault_upstream import FaultUpstream, Hang, stream_answer, text_chunk
from support.gateway import RunningGateway, key_row, offer, running_gateway

pytestmark = pytest.mark.conformance

KEY = "tl-" + "k" * 43
USER: Any = {"role": "user", "content": "Hello big world"}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture(scope="module")
async def claude(gateway: RunningGateway) -> AsyncIterator[AsyncAnthropic]:
    """The asynchronous client; it does not retry."""
    async with AsyncAnthropic(base_url=gateway.http_url, api_key="none needed", max_retries=0, timeout=20) as client:
        yield client


def ask(model: str = "sim/echo", **fields: Any) -> dict[str, Any]:
    """The arguments of a request; without `messages` among the fields it has one user message."""
    return {"model": model, "max_tokens": 4000, "messages": [USER], **fields}


async def gather(events: AsyncIterator[Any], into: list[Any]) -> None:
    """Puts the events of a stream into a list, as far as they come."""
    async for event in events:
        into += [event]


def text_of(message: Message) -> str:
    """The text of a message."""
    return "".join(block.text for block in message.content if block.type == "text")


async def test_a_whole_message(claude: AsyncAnthropic) -> None:
    """It has all that the SDK knows of a message."""
    message = await claude.messages.create(**ask())
    assert (message.type, message.role, message.model) == ("message", "assistant", "sim/echo")
    assert text_of(message) == "Hello big world"
    assert (message.stop_reason, message.stop_sequence) == ("end_turn", None)
    assert message.usage.output_tokens == 3
    assert message.usage.input_tokens > 0


@pytest.mark.parametrize(
    "text", ["Hello", "  two\n\n\tlines ", "日本語 🙂 \u2028", "event: ping\ndata: {}\n\n", "word " * 2000]
)
async def test_a_stream_is_the_whole_message(claude: AsyncAnthropic, text: str) -> None:
    """What the helper gathers is what a whole answer is, character for character."""
    messages = [{"role": "user", "content": text}]
    whole = await claude.messages.create(**ask(messages=messages))
    async with claude.messages.stream(**ask(messages=messages)) as stream:
        pieces = [piece async for piece in stream.text_stream]
        final = await stream.get_final_message()
    assert "".join(pieces) == text_of(whole) == text_of(final) == text
    assert (final.stop_reason, final.usage.output_tokens) == (whole.stop_reason, whole.usage.output_tokens)


async def test_the_order_of_events(claude: AsyncAnthropic) -> None:
    """A block opens before it grows and closes before the message ends."""
    kinds = [event.type async for event in await claude.messages.create(**ask(), stream=True)]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[2:-3]) == {"content_block_delta"}


async def test_the_system_and_earlier_turns(claude: AsyncAnthropic) -> None:
    """System blocks, earlier turns and several blocks of a turn are taken."""
    turns: Any = [
        USER,
        {"role": "assistant", "content": [{"type": "text", "text": "Hello."}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "And", "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": " now?"},
            ],
        },
    ]
    system: Any = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    message = await claude.messages.create(
        **ask(messages=turns, system=system, metadata={"user_id": "u-1"}, extra_body={"temperature": 0.5, "top_k": 5})
    )
    assert "now?" in text_of(message)


async def test_images_arrive(claude: AsyncAnthropic) -> None:
    """Images and documents as data and as URLs reach the model."""
    content: Any = [
        {"type": "text", "text": "What is it?"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}},
    ]
    message = await claude.messages.create(**ask("sim/vision", messages=[{"role": "user", "content": content}]))
    lines = text_of(message).splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["4 parts:", "1. text", "2. image", "3. image", "4. file"]


@pytest.mark.parametrize(
    ("fields", "text", "reason"),
    [
        ({"stop_sequences": [" big"]}, "Hello", {"end_turn", "stop_sequence"}),
        ({"max_tokens": 2}, "Hello big", {"max_tokens"}),
    ],
)
async def test_what_ends_a_message(claude: AsyncAnthropic, fields: dict[str, Any], text: str, reason: set[str]) -> None:
    """Stop texts and limits end it, whole and streamed alike."""
    whole = await claude.messages.create(**ask(**fields))
    async with claude.messages.stream(**ask(**fields)) as stream:
        final = await stream.get_final_message()
    assert text_of(whole) == text_of(final) == text
    assert whole.stop_reason == final.stop_reason
    assert whole.stop_reason in reason


@pytest.mark.parametrize("streamed", [False, True])
async def test_thinking_goes_back_unchanged(claude: AsyncAnthropic, streamed: bool) -> None:
    """A thinking block is sent back as it came: the model checks the signature of its own text, so a changed one is noticed."""
    fields = ask("sim/reasoner", thinking={"type": "enabled", "budget_tokens": 1500})
    if streamed:
        async with claude.messages.stream(**fields) as stream:
            first = await stream.get_final_message()
    else:
        first = await claude.messages.create(**fields)
    thinking = first.content[0]
    assert thinking.type == "thinking"
    assert thinking.thinking.startswith("I was told 15 characters.")
    assert thinking.signature
    assert first.content[1].type == "text"
    turns: Any = [USER, {"role": "assistant", "content": first.content}, {"role": "user", "content": "And then?"}]
    second = await claude.messages.create(**{**fields, "messages": turns})
    assert second.stop_reason == "end_turn"


async def test_thinking_can_be_left_out(claude: AsyncAnthropic) -> None:
    """Whoever disables it gets none."""
    message = await claude.messages.create(**ask("sim/reasoner", thinking={"type": "disabled"}))
    assert [block.type for block in message.content] == ["text"]


FAILURES = {
    "sim/fault?status=400": (anthropic.BadRequestError, "invalid_request_error"),
    "sim/fault?status=404": (anthropic.NotFoundError, "not_found_error"),
    "sim/fault?status=429": (anthropic.RateLimitError, "rate_limit_error"),
    "sim/fault?status=500": (anthropic.InternalServerError, "api_error"),
    "sim/fault?status=503": (anthropic.InternalServerError, "overloaded_error"),
    "sim/nothing": (anthropic.BadRequestError, "invalid_request_error"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("model", "failure"), FAILURES.items(), ids=FAILURES)
async def test_failures_are_the_sdks_own(claude: AsyncAnthropic, model: str, failure: Any, stream: bool) -> None:
    """The status has the SDK's class, the body Anthropic's word, the header the request's id."""
    kind, word = failure
    with pytest.raises(kind) as caught:
        await claude.messages.create(**ask(model), stream=stream, extra_headers={"x-request-id": "req-of-mine"})
    body: Any = caught.value.body
    assert (body["type"], body["error"]["type"], body["request_id"]) == ("error", word, "req-of-mine")
    assert caught.value.request_id == "req-of-mine"


async def test_a_stream_that_fails_half_way(claude: AsyncAnthropic) -> None:
    """The SDK raises what the event says, after the text so far."""
    said: list[Any] = []
    with pytest.raises(anthropic.APIStatusError) as caught:
        await gather(await claude.messages.create(**ask("sim/fault?error_at=3"), stream=True), said)
    body: Any = caught.value.body
    assert [event.type for event in said][-1] == "content_block_delta"
    assert (body["type"], body["error"]["type"]) == ("error", "api_error")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"extra_body": {"temperature": 9}}, "temperature"),
        ({"messages": []}, "messages"),
        ({"tool_choice": {"type": "tool", "name": "nobody"}}, "tool"),
        ({"extra_body": {"api_base": "http://127.0.0.1:9"}}, "api_base"),
    ],
)
async def test_bad_requests(claude: AsyncAnthropic, fields: dict[str, Any], named: str) -> None:
    """What is wrong is named."""
    with pytest.raises(anthropic.BadRequestError, match=named):
        await claude.messages.create(**ask(**fields))


async def test_tokens_are_not_counted(claude: AsyncAnthropic) -> None:
    """The SDK is told that this is not served."""
    with pytest.raises(anthropic.NotFoundError, match="POST /v1/messages alone is served"):
        await claude.messages.count_tokens(model="sim/echo", messages=[USER])


async def test_the_gateways_own_fields(claude: AsyncAnthropic) -> None:
    """Fallbacks, preferences and the route are there for those who ask."""
    answer: Any = await claude.messages.create(
        **ask("sim/fault?status=503"),
        extra_body={"models": ["sim/echo"], "provider": {"order": ["sim"]}, "session_id": "s-1"},
        extra_headers={"X-OpenRouter-Metadata": "enabled"},
    )
    assert (text_of(answer), answer.model) == ("Hello big world", "sim/echo")
    assert [attempt["model"] for attempt in answer.openrouter_metadata["attempts"]][-1] == "sim/echo"


async def test_the_other_base_and_the_beta(claude: AsyncAnthropic, gateway: RunningGateway) -> None:
    """The SDK may be pointed at `/api`, and its beta has the same path with a query."""
    there = claude.with_options(base_url=f"{gateway.http_url}/api")
    assert text_of(await there.messages.create(**ask())) == "Hello big world"
    message: Any = await claude.beta.messages.create(**ask(betas=["interleaved-thinking-2025-05-14"]))
    assert message.content[0].text == "Hello big world"


@pytest.mark.parametrize(
    ("headers", "lets_in"),
    [
        ({"api_key": KEY}, True),
        ({"auth_token": KEY}, True),
        ({"api_key": KEY, "default_headers": {"X-Api-Key": KEY}}, True),
        ({"api_key": None, "auth_token": None, "default_headers": {"X-Api-Key": KEY}}, True),
        ({"api_key": "wrong"}, False),
    ],
)
async def test_keys(headers: dict[str, Any], lets_in: bool) -> None:
    """The SDK's ways to send a key are all taken; a wrong one is its AuthenticationError."""
    async with (
        running_gateway(keys=[key_row("tester", KEY)]) as locked,
        AsyncAnthropic(base_url=locked.http_url, max_retries=0, timeout=20, **headers) as client,
    ):
        if lets_in:
            assert text_of(await client.messages.create(**ask())) == "Hello big world"
            return
        with pytest.raises(anthropic.AuthenticationError):
            await client.messages.create(**ask())


async def test_leaving_a_stream_ends_the_call() -> None:
    """A client that closes the stream aborts the provider within a second."""
    endless = stream_answer(text_chunk("Hello"), text_chunk(" big"), done=False, end=[Hang()])
    async with (
        FaultUpstream(endless) as upstream,
        running_gateway(**offer(upstream.base_url)) as running,
        AsyncAnthropic(base_url=running.http_url, api_key="none", max_retries=0) as client,
    ):
        async with client.messages.stream(**ask("acme/one")) as stream:
            async for _ in stream.text_stream:
                break
        async with asyncio.timeout(1):
            await upstream.requests[0].aborted.wait()


def use_blocking(url: str) -> tuple[str, str]:
    """What the blocking client gets: whole, streamed."""
    with Anthropic(base_url=url, api_key="none", max_retries=0, timeout=20) as client:
        whole = client.messages.create(**ask())
        with client.messages.stream(**ask()) as stream:
            return text_of(whole), "".join(stream.text_stream)


async def test_the_blocking_client(gateway: RunningGateway) -> None:
    """The blocking client gets the same."""
    assert await asyncio.to_thread(use_blocking, gateway.http_url) == ("Hello big world", "Hello big world")
