# SPDX-License-Identifier: Apache-2.0
"""The official OpenAI SDK against the gateway: each failure has its exception, and leaving stops the provider."""

import asyncio
import time
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionChunk

from support.fault_upstream import Answer, FaultUpstream, Hang, stream_answer, text_chunk
from support.gateway import RunningGateway, key_row, offer, running_gateway

pytestmark = pytest.mark.conformance

KEY = "tl-" + "k" * 43
SOON_S = 1.0


def ask(text: Any = "Hello big world", model: str = "sim/echo", **fields: Any) -> dict[str, Any]:
    """The arguments of a request with one user message."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


def make_sdk(gateway: RunningGateway, key: str = "none needed") -> AsyncOpenAI:
    """A client for one gateway; use it as a context."""
    return AsyncOpenAI(base_url=gateway.openai_url, api_key=key, max_retries=0, timeout=20)


FAILURES = [
    ("no/such", openai.BadRequestError, 400, "invalid_request"),
    ("sim/fault?status=400", openai.BadRequestError, 400, "invalid_request"),
    ("sim/fault?status=422", openai.UnprocessableEntityError, 422, "unprocessable"),
    ("sim/fault?status=404", openai.NotFoundError, 404, "not_found"),
    ("sim/fault?status=429&retry_after=7", openai.RateLimitError, 429, "rate_limit_exceeded"),
    ("sim/fault?status=500", openai.InternalServerError, 502, "provider_unavailable"),
    ("sim/fault?status=503", openai.InternalServerError, 503, "provider_overloaded"),
    ("sim/fault?status=401", openai.InternalServerError, 502, "provider_unavailable"),
    ("sim/fault?refuse=1", openai.InternalServerError, 502, "provider_unavailable"),
    ("sim/fault?html=1", openai.InternalServerError, 502, "provider_unavailable"),
    ("sim/fault?empty=1", openai.InternalServerError, 502, "provider_unavailable"),
    ("sim/fault?cut_after=0", openai.InternalServerError, 502, "provider_unavailable"),
    ("sim/fault?malformed_at=1", openai.InternalServerError, 502, "provider_unavailable"),
    ("sim/fault?error_at=1", openai.InternalServerError, 502, "provider_unavailable"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("model", "kind", "status", "error_type"), FAILURES)
async def test_failures_before_the_first_content(
    model: str, kind: type[openai.APIStatusError], status: int, error_type: str, stream: bool
) -> None:
    """A failure has its own exception, status and type, whole and streamed alike."""
    # A gateway that saw many failures just now holds the next ones' retries back, and says that in place of the failure.
    async with running_gateway() as gateway, make_sdk(gateway) as sdk:
        with pytest.raises(kind) as caught:
            await sdk.chat.completions.create(**ask(model=model), stream=stream)
    body: Any = caught.value.body
    assert (caught.value.status_code, body["code"]) == (status, status)
    assert body["metadata"]["error_type"] == error_type
    assert caught.value.response.headers["x-generation-id"].startswith("gen-")


async def test_an_unknown_model_says_what_is_near(sdk: AsyncOpenAI) -> None:
    """An unknown model is a 400 with the availability code and models that come close."""
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.chat.completions.create(**ask(model="sim/ecko"))
    body: Any = caught.value.body
    assert body["availability"]["code"] == "model_not_found"
    assert body["availability"]["requested_models"] == ["sim/ecko"]
    assert "sim/echo" in body["availability"]["fallback_models"]


async def test_the_wait_is_told(sdk: AsyncOpenAI) -> None:
    """A rate limit has its `Retry-After`, which SDKs obey."""
    with pytest.raises(openai.RateLimitError) as caught:
        await sdk.chat.completions.create(**ask(model="sim/fault?status=429&retry_after=7"))
    assert caught.value.response.headers["retry-after"] == "7"


async def test_an_own_name_of_a_parameter_is_in_the_message(sdk: AsyncOpenAI) -> None:
    """A wrong value is a 400 that names its place, all faults at once."""
    with pytest.raises(openai.BadRequestError, match="temperature") as caught:
        await sdk.chat.completions.create(**ask(temperature=5, top_logprobs=99, n=0))
    body: Any = caught.value.body
    assert {fault["field"] for fault in body["metadata"]["faults"]} == {"temperature", "top_logprobs", "n"}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"extra_body": {"plugins": [{"id": "web"}]}}, "web"),
        ({"tools": [{"type": "openrouter:web_search"}]}, "openrouter:web_search"),
        ({"extra_body": {"transforms": ["middle-out"]}}, "transforms"),
    ],
)
async def test_what_is_not_served_yet_is_named(sdk: AsyncOpenAI, fields: dict[str, Any], named: str) -> None:
    """A request that enables a plugin or server tool is a 400 that names it."""
    with pytest.raises(openai.BadRequestError, match=named):
        await sdk.chat.completions.create(**ask(**fields))


async def test_a_plugin_that_is_off_is_no_fault(sdk: AsyncOpenAI) -> None:
    """`enabled: false` passes."""
    answer = await sdk.chat.completions.create(**ask(), extra_body={"plugins": [{"id": "web", "enabled": False}]})
    assert answer.choices[0].message.content == "Hello big world"


@pytest.mark.parametrize("stream", [False, True])
async def test_keys(stream: bool) -> None:
    """With keys set, the right one passes and a wrong one is an AuthenticationError."""
    async with (
        running_gateway(keys=[key_row("tester", KEY)]) as gateway,
        make_sdk(gateway, KEY) as known,
        make_sdk(gateway, "tl-wrong") as unknown,
    ):
        answer = await known.chat.completions.create(**ask())
        with pytest.raises(openai.AuthenticationError) as caught:
            await unknown.chat.completions.create(**ask(), stream=stream)
    body: Any = caught.value.body
    assert answer.choices[0].message.content == "Hello big world"
    assert body["metadata"]["error_type"] == "authentication"
    assert "tl-wrong" not in str(caught.value)


async def test_a_foreign_page_is_refused(sdk: AsyncOpenAI) -> None:
    """Without keys a request from another site's page is a PermissionDeniedError."""
    with pytest.raises(openai.PermissionDeniedError):
        await sdk.chat.completions.create(**ask(), extra_headers={"origin": "https://evil.example"})


async def test_a_path_that_is_not_served(sdk: AsyncOpenAI) -> None:
    """What OpenAI has and the gateway has not is a NotFoundError with a JSON body."""
    with pytest.raises(openai.NotFoundError) as caught:
        await sdk.embeddings.create(model="sim/echo", input="x")
    body: Any = caught.value.body
    assert body["code"] == 404


async def read_text(stream: openai.AsyncStream[ChatCompletionChunk], texts: list[str]) -> None:
    """Put the texts of a stream into a list, as far as they come."""
    async for chunk in stream:
        texts += [choice.delta.content or "" for choice in chunk.choices]


async def test_an_answer_that_breaks_midway(sdk: AsyncOpenAI) -> None:
    """A stream that fails after its first content gives that content, then the error."""
    stream = await sdk.chat.completions.create(**ask(model="sim/fault?cut_after=3"), stream=True)
    texts: list[str] = []
    with pytest.raises(openai.APIError):
        await read_text(stream, texts)
    assert "".join(texts) == "Hello big"


async def test_a_silent_provider(sdk: AsyncOpenAI) -> None:
    """The SDK's own time-out ends a call that gets no answer."""
    started_s = time.monotonic()
    with pytest.raises(openai.APITimeoutError):
        await sdk.chat.completions.create(**ask(model="sim/fault?hang=1"), timeout=0.2)
    assert time.monotonic() - started_s < SOON_S


async def test_the_gateways_time_limit(sdk: AsyncOpenAI) -> None:
    """`x-request-timeout` makes the gateway give up with 504."""
    with pytest.raises(openai.InternalServerError) as caught:
        await sdk.chat.completions.create(**ask(model="sim/fault?hang=1"), extra_headers={"x-request-timeout": "0.2"})
    assert caught.value.status_code == 504


STREAM = stream_answer(text_chunk("Hello"), text_chunk(" big"), done=False, end=[Hang()])
SILENCE = Answer(steps=[Hang()], headers={"content-type": "application/json"})


async def leave_by_break(sdk: AsyncOpenAI) -> None:
    """Close the stream after its first chunk."""
    stream = await sdk.chat.completions.create(**ask(model="acme/one"), stream=True)
    async for _ in stream:
        break
    await stream.close()


async def leave_by_context(sdk: AsyncOpenAI) -> None:
    """Leave the stream's context after its first chunk."""
    async with await sdk.chat.completions.create(**ask(model="acme/one"), stream=True) as stream:
        await anext(stream.__aiter__())


async def leave_the_helper(sdk: AsyncOpenAI) -> None:
    """Leave the streaming helper after its first event."""
    async with sdk.chat.completions.stream(**ask(model="acme/one")) as stream:
        await anext(stream.__aiter__())


@pytest.mark.parametrize("leave", [leave_by_break, leave_by_context, leave_the_helper])
async def test_leaving_a_stream_stops_the_provider(leave: Any) -> None:
    """A stream that is left reaches the provider as a closed connection within a second."""
    async with (
        FaultUpstream(STREAM) as upstream,
        running_gateway(**offer(upstream.base_url)) as gateway,
        make_sdk(gateway) as client,
    ):
        await leave(client)
        async with asyncio.timeout(SOON_S):
            await upstream.requests[0].aborted.wait()


@pytest.mark.parametrize("stream", [False, True])
async def test_cancelling_a_call_stops_the_provider(stream: bool) -> None:
    """A cancelled task reaches the provider within a second, of a whole answer too."""
    async with (
        FaultUpstream(SILENCE) as upstream,
        running_gateway(**offer(upstream.base_url)) as gateway,
        make_sdk(gateway) as client,
    ):
        calling = asyncio.create_task(client.chat.completions.create(**ask(model="acme/one"), stream=stream))
        await upstream.wait_for_requests(1)
        calling.cancel()
        async with asyncio.timeout(SOON_S):
            await upstream.requests[0].aborted.wait()
        with pytest.raises(asyncio.CancelledError):
            await calling


def leave_blocking(gateway: RunningGateway) -> None:
    """Leave a blocking stream after its first chunk."""
    with (
        OpenAI(base_url=gateway.openai_url, api_key="none", max_retries=0, timeout=20) as client,
        client.chat.completions.create(**ask(model="acme/one"), stream=True) as stream,
    ):
        next(iter(stream))


async def test_leaving_a_blocking_stream_stops_the_provider() -> None:
    """The blocking client's stream does the same."""
    async with FaultUpstream(STREAM) as upstream, running_gateway(**offer(upstream.base_url)) as gateway:
        await asyncio.to_thread(leave_blocking, gateway)
        async with asyncio.timeout(SOON_S):
            await upstream.requests[0].aborted.wait()
