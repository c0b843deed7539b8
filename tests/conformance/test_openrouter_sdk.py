# SPDX-License-Identifier: Apache-2.0
"""OpenRouter's own Python SDK against the gateway. It checks every answer against its models, so what it takes has all keys of the original."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from openrouter import OpenRouter, errors
from openrouter.components import ChatResult, ChatStreamChunk

from support.fault_upstream import Answer, FaultUpstream, Hang, json_answer, stream_answer, text_chunk
from support.gateway import RunningGateway, key_row, offer, running_gateway

pytestmark = pytest.mark.conformance

KEY = "tl-" + "k" * 43
SOON_S = 1.0
QUESTION = [{"role": "user", "content": "Hello big world"}]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "Tells it.", "parameters": SCHEMA}}
FORM = {"type": "json_schema", "json_schema": {"name": "trip", "strict": True, "schema": SCHEMA}}
PIXEL = {"type": "image_url", "image_url": {"url": "data:image/gif;base64,R0lGODlhAQABAAAAACw="}}
KNOBS: dict[str, Any] = {
    "cache_control": {"type": "ephemeral"},
    "frequency_penalty": 0.1,
    "http_referer": "https://app.example",
    "logit_bias": {"5": 1},
    "max_completion_tokens": 50,
    "metadata": {"team": "blue"},
    "min_p": 0.1,
    "models": ["sim/echo", "sim/tools"],
    "parallel_tool_calls": False,
    "plugins": [{"id": "web", "enabled": False}],
    "prediction": {"type": "content", "content": "x"},
    "presence_penalty": 0.1,
    "prompt_cache_key": "k",
    "provider": {"sort": "price", "allow_fallbacks": False, "max_price": {"prompt": 1}, "data_collection": "deny"},
    "repetition_penalty": 1.1,
    "seed": 3,
    "service_tier": "auto",
    "session_id": "s",
    "stop": ["never said"],
    "stream_options": {"include_usage": True},
    "temperature": 1,
    "top_a": 0.1,
    "top_k": 4,
    "top_p": 0.5,
    "trace": {"trace_id": "t", "mine": "too"},
    "user": "u",
    "x_open_router_metadata": "enabled",
    "x_open_router_title": "app",
}
ASKED: dict[str, dict[str, Any]] = {
    "text": {},
    "log probabilities": {"logprobs": True, "top_logprobs": 2},
    "cut": {"max_tokens": 1},
    "tools": {"model": "sim/tools", "tools": [TOOL]},
    "tool required": {"tools": [TOOL], "tool_choice": "required"},
    "tool named": {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "get_weather"}}},
    "form": {"model": "sim/json", "response_format": FORM},
    "json": {"model": "sim/json", "response_format": {"type": "json_object"}},
    "reasoning": {"model": "sim/reasoner", "reasoning": {"effort": "high"}},
    "an image read": {
        "model": "sim/vision",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "look"}, PIXEL]}],
    },
    "an image made": {"model": "sim/image", "modalities": ["image", "text"]},
    "every knob": KNOBS,
}


def ask(model: str = "sim/echo", **fields: Any) -> dict[str, Any]:
    """The arguments of a request with one user message."""
    return {"model": model, "messages": QUESTION, **fields}


def make_client(gateway: RunningGateway, key: str = "none needed") -> OpenRouter:
    """A client of one gateway that does not retry; use it as a context."""
    return OpenRouter(api_key=key, server_url=gateway.openrouter_url, retry_config=None, timeout_ms=20_000)


@pytest.fixture(scope="module")
async def client(gateway: RunningGateway) -> AsyncIterator[OpenRouter]:
    """A client of the common gateway."""
    async with make_client(gateway) as made:
        yield made


async def read(client: OpenRouter, **fields: Any) -> list[ChatStreamChunk]:
    """All chunks of a stream."""
    return [chunk async for chunk in await client.chat.send_async(**ask(**fields), stream=True)]


def text_of(chunks: list[ChatStreamChunk]) -> str:
    """The content of all chunks."""
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def finishes_of(chunks: list[ChatStreamChunk]) -> list[str]:
    """The finish reasons of all chunks, in order."""
    return [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]


def calls_of(chunks: list[ChatStreamChunk]) -> list[tuple[str | None, str]]:
    """The name of each piece of a tool call and its arguments."""
    return [
        (call.function.name, call.function.arguments or "")
        for chunk in chunks
        for choice in chunk.choices
        for call in choice.delta.tool_calls or []
    ]


@pytest.mark.parametrize("name", ASKED)
async def test_whole_and_streamed_answers_pass_its_checks(client: OpenRouter, name: str) -> None:
    """Whatever is asked, the SDK takes the whole answer and every chunk, and both say the same."""
    whole = await client.chat.send_async(**ask(**ASKED[name]))
    chunks = await read(client, **ASKED[name])
    assert isinstance(whole, ChatResult)
    (choice,) = whole.choices
    assert (choice.message.content or "") == text_of(chunks)
    assert [choice.finish_reason] == finishes_of(chunks)
    assert whole.usage is not None
    assert [chunk.usage for chunk in chunks if chunk.usage] == [chunks[-1].usage]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens
    assert whole.usage.cost == 0


async def test_a_tools_round(client: OpenRouter) -> None:
    """The model calls, the client sends the SDK's own message back with the result, the model speaks of it."""
    called = await client.chat.send_async(**ask("sim/tools", tools=[TOOL]))
    message = called.choices[0].message
    (call,) = message.tool_calls or []
    assert json.loads(call.function.arguments).keys() == {"city", "days"}
    result = {"role": "tool", "tool_call_id": call.id, "content": "rain"}
    history: Any = [*QUESTION, message, result]
    spoken = await client.chat.send_async(**ask("sim/tools", messages=history, tools=[TOOL]))
    assert spoken.choices[0].message.content == "get_weather said: rain"


async def test_streamed_calls_are_the_whole_ones(client: OpenRouter) -> None:
    """The pieces of a streamed call join to the arguments of the whole one."""
    whole = await client.chat.send_async(**ask("sim/tools", tools=[TOOL], seed=1))
    (call,) = whole.choices[0].message.tool_calls or []
    pieces = calls_of(await read(client, model="sim/tools", tools=[TOOL], seed=1))
    assert [name for name, _ in pieces if name] == ["get_weather"]
    assert "".join(arguments for _, arguments in pieces) == call.function.arguments


async def test_structured_output(client: OpenRouter) -> None:
    """The answer is JSON in the form that was asked for."""
    answer = await client.chat.send_async(**ask("sim/json", response_format=FORM))
    assert json.loads(answer.choices[0].message.content).keys() == {"city", "days"}


async def test_reasoning_round_trips(client: OpenRouter) -> None:
    """Reasoning comes typed, and the SDK's own message may be sent back."""
    answer = await client.chat.send_async(**ask("sim/reasoner", reasoning={"effort": "high"}))
    message = answer.choices[0].message
    assert message.reasoning
    assert message.reasoning_details
    again: Any = [*QUESTION, message, *QUESTION]
    assert (await client.chat.send_async(**ask("sim/reasoner", messages=again))).choices[0].message.content


async def test_models(client: OpenRouter) -> None:
    """Models are listed page by page, shown one by one, and counted."""
    listed = await client.models.list_async(limit=5, offset=0)
    slugs = []
    page: Any = listed
    while page is not None:
        slugs += [model.id for model in page.result.data]
        page = await page.next()
    count = await client.models.count_async()
    shown = await client.models.get_async(author="sim", slug="echo")
    assert "sim/echo" in slugs
    assert len(slugs) == len(set(slugs)) == count.data.count == listed.result.total_count
    assert (shown.data.id, shown.data.pricing.prompt) == ("sim/echo", "0")


async def test_the_endpoints_of_a_model(client: OpenRouter) -> None:
    """Endpoints have every key of the original, those among them that only its newest SDK demands."""
    answer = await client.endpoints.list_async(author="sim", slug="echo")
    (endpoint,) = answer.data.endpoints
    assert (endpoint.provider_name, endpoint.tag, endpoint.status) == ("Simulator", "simulator", 0)
    assert "tools" in endpoint.supported_parameters
    assert endpoint.supports_tool_choice.model_dump() == dict.fromkeys(("auto", "function", "none", "required"), True)
    assert (endpoint.native_tools, endpoint.service_tier) == ({}, None)


async def test_providers(client: OpenRouter) -> None:
    """Providers are listed."""
    assert [provider.slug for provider in (await client.providers.list_async()).data] == ["simulator"]


async def test_endpoints_that_keep_nothing(client: OpenRouter) -> None:
    """The endpoints of `zdr: true` are those of the simulator."""
    answer = await client.endpoints.list_zdr_endpoints_async()
    assert {endpoint.provider_name for endpoint in answer.data} == {"Simulator"}
    assert "sim/echo" in {endpoint.model_id for endpoint in answer.data}


# The SDK warns of its own field `rate_limit`, which the original still sends.
@pytest.mark.filterwarnings("ignore:.*DEPRECATED:DeprecationWarning")
async def test_the_key_and_its_records() -> None:
    """The key, its models and credits, and the record of a call by the id of its answer; another key does not see the record."""
    other = "tl-" + "o" * 43
    async with (
        running_gateway(keys=[key_row("tester", KEY), key_row("other", other)]) as gateway,
        make_client(gateway, KEY) as client,
        make_client(gateway, other) as stranger,
    ):
        answer = await client.chat.send_async(**ask())
        record = (await client.generations.get_generation_async(id=answer.id)).data
        key = (await client.api_keys.get_current_key_metadata_async()).data
        credit = (await client.credits.get_credits_async()).data
        listed: Any = await client.models.list_for_user_async(security={"bearer": KEY})
        with pytest.raises(errors.NotFoundResponseError):
            await stranger.generations.get_generation_async(id=answer.id)
    assert answer.usage is not None
    assert (record.id, record.model, record.streamed, record.cancelled) == (answer.id, "sim/echo", False, False)
    assert record.tokens_completion == answer.usage.completion_tokens
    assert (key.is_management_key, key.usage, credit.total_usage) == (False, 0, 0)
    assert "sim/echo" in {model.id for model in listed.result.data}


FAILURES = [
    ("no/such", errors.BadRequestResponseError, 400, "invalid_request"),
    ("sim/fault?status=400", errors.BadRequestResponseError, 400, "invalid_request"),
    ("sim/fault?status=404", errors.NotFoundResponseError, 404, "not_found"),
    ("sim/fault?status=413", errors.PayloadTooLargeResponseError, 413, "payload_too_large"),
    ("sim/fault?status=422", errors.UnprocessableEntityResponseError, 422, "unprocessable"),
    ("sim/fault?status=429&retry_after=7", errors.TooManyRequestsResponseError, 429, "rate_limit_exceeded"),
    ("sim/fault?status=500", errors.BadGatewayResponseError, 502, "provider_unavailable"),
    ("sim/fault?status=503", errors.ServiceUnavailableResponseError, 503, "provider_overloaded"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("model", "kind", "status", "error_type"), FAILURES)
async def test_each_failure_has_its_class(
    client: OpenRouter, model: str, kind: Any, status: int, error_type: str, stream: bool
) -> None:
    """A failure before the first content is the SDK's class of its status, with its details, whole and streamed."""
    with pytest.raises(kind) as caught:
        await client.chat.send_async(**ask(model), stream=stream)
    error: Any = caught.value
    assert (error.status_code, error.data.error.code) == (status, status)
    assert error.data.error.metadata["error_type"] == error_type
    assert error.headers["x-generation-id"].startswith("gen-")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_status_without_a_class(client: OpenRouter, stream: bool) -> None:
    """504, for which chat has no class, is its general error with the body."""
    with pytest.raises(errors.OpenRouterDefaultError) as caught:
        await client.chat.send_async(**ask("sim/fault?status=504"), stream=stream)
    assert json.loads(caught.value.body)["error"]["metadata"]["error_type"] == "timeout"


async def test_a_wrong_key() -> None:
    """With keys set, the right one passes and a wrong one is an UnauthorizedResponseError."""
    async with (
        running_gateway(keys=[key_row("tester", KEY)]) as gateway,
        make_client(gateway, KEY) as known,
        make_client(gateway, "tl-wrong") as unknown,
    ):
        answer = await known.chat.send_async(**ask())
        with pytest.raises(errors.UnauthorizedResponseError):
            await unknown.chat.send_async(**ask())
    assert answer.choices[0].message.content == "Hello big world"


async def test_what_is_not_there(client: OpenRouter) -> None:
    """A model that nobody has is NotFoundResponseError when it is looked up."""
    with pytest.raises(errors.NotFoundResponseError):
        await client.models.get_async(author="no", slug="such")
    with pytest.raises(errors.NotFoundResponseError):
        await client.endpoints.list_async(author="no", slug="such")


async def test_a_stream_that_breaks_midway(client: OpenRouter) -> None:
    """After the first content a failure is a last chunk that passes the SDK's checks too, with its error in it."""
    chunks = await read(client, model="sim/fault?cut_after=3")
    last = chunks[-1]
    assert text_of(chunks) == "Hello big"
    assert finishes_of(chunks) == ["error"]
    assert last.error is not None
    assert last.error.metadata is not None
    assert (last.error.code, last.error.metadata.error_type) == (502, "provider_unavailable")
    assert {(chunk.id, chunk.model, chunk.created) for chunk in chunks} == {(last.id, last.model, last.created)}


async def test_a_whole_answer_that_breaks_midway() -> None:
    """A provider that fails midway leaves the partial content, with the finish reason `error`."""
    broken = stream_answer(text_chunk("Hello"), {"error": {"message": "inside", "code": 502}}, done=False)
    async with (
        FaultUpstream(broken) as upstream,
        running_gateway(**offer(upstream.base_url)) as gateway,
        make_client(gateway) as client,
    ):
        answer = await client.chat.send_async(**ask("acme/one"))
    (choice,) = answer.choices
    assert (choice.finish_reason, choice.message.content) == ("error", "Hello")


STREAM = stream_answer(text_chunk("Hello"), text_chunk(" big"), done=False, end=[Hang()])
SILENCE = Answer(steps=[Hang()], headers={"content-type": "application/json"})


async def test_leaving_a_stream_stops_the_provider() -> None:
    """A stream whose context is left reaches the provider as a closed connection within a second."""
    async with (
        FaultUpstream(STREAM) as upstream,
        running_gateway(**offer(upstream.base_url)) as gateway,
        make_client(gateway) as client,
    ):
        async with await client.chat.send_async(**ask("acme/one"), stream=True) as stream:
            await anext(aiter(stream))
        async with asyncio.timeout(SOON_S):
            await upstream.requests[0].aborted.wait()


async def test_cancelling_a_call_stops_the_provider() -> None:
    """A cancelled call reaches the provider within a second."""
    async with (
        FaultUpstream(SILENCE) as upstream,
        running_gateway(**offer(upstream.base_url)) as gateway,
        make_client(gateway) as client,
    ):
        calling = asyncio.create_task(client.chat.send_async(**ask("acme/one")))
        await upstream.wait_for_requests(1)
        calling.cancel()
        async with asyncio.timeout(SOON_S):
            await upstream.requests[0].aborted.wait()
        with pytest.raises(asyncio.CancelledError):
            await calling


async def test_its_own_retry_succeeds() -> None:
    """The SDK retries a 503 by itself, as it is installed, and gets the answer of the second attempt."""
    message = {"role": "assistant", "content": "at last"}
    good = json_answer({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
    busy = json_answer({"error": {"message": "busy"}}, status=503, headers={"retry-after": "1"})
    async with (
        FaultUpstream(busy, good) as upstream,
        running_gateway(**offer(upstream.base_url)) as gateway,
        OpenRouter(api_key="none", server_url=gateway.openrouter_url) as client,
    ):
        answer = await client.chat.send_async(**ask("acme/one"))
    assert answer.choices[0].message.content == "at last"
    assert len(upstream.requests) == 2


def use_blocking(gateway: RunningGateway) -> tuple[str, str, Iterator[str]]:
    """What the blocking client gets: whole, streamed, models."""
    with make_client(gateway) as client:
        whole = client.chat.send(**ask())
        with client.chat.send(**ask(), stream=True) as stream:
            streamed = text_of(list(stream))
        listed: Any = client.models.list()
        return whole.choices[0].message.content, streamed, [model.id for model in listed.result.data]


async def test_the_blocking_client(gateway: RunningGateway) -> None:
    """The blocking client gets the same answers."""
    whole, streamed, models = await asyncio.to_thread(use_blocking, gateway)
    assert whole == streamed == "Hello big world"
    assert "sim/echo" in models
