# SPDX-License-Identifier: Apache-2.0
"""A text that breaks off and is gone on with, through the whole gateway: what the second provider is sent, and what clients of both wires read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import orjson
import pytest

from support.builders import make_request
from support.fault_upstream import Close, FaultUpstream, stream_answer, text_chunk
from support.gateway import UPSTREAM_MODEL, RunningGateway, running_gateway
from trunkline.v1.provider_preferences_pb2 import MidStream, ProviderPreferences

TEXT = "Hello to everybody who is"
BROKEN = stream_answer(text_chunk("Hel"), text_chunk(f"{TEXT[3:]} "), done=False, end=[Close()])
GOES_ON = stream_answer(text_chunk("there"), text_chunk(".", finish_reason="stop"))
BEGINS_ANEW = stream_answer(text_chunk(f"{TEXT} "), text_chunk("there"), text_chunk(".", finish_reason="stop"))
MARK = {"provider": "b", "model": "acme/one", "after_error": "provider_unavailable"}
PREFERENCES = {"order": ["a", "b"], "mid_stream": "continue"}


@asynccontextmanager
async def two_providers(first: FaultUpstream, second: FaultUpstream) -> AsyncIterator[RunningGateway]:
    """A gateway with a model of two providers, which go on with texts."""
    slugs = {"a": first, "b": second}
    rows = [{"provider": slug, "upstream_model": UPSTREAM_MODEL, "takes_prefill": True} for slug in slugs]
    async with running_gateway(
        providers=[{"slug": slug, "base_url": upstream.base_url} for slug, upstream in slugs.items()],
        models=[{"slug": "acme/one", "endpoints": rows}],
    ) as gateway:
        yield gateway


@pytest.mark.parametrize("rest", [GOES_ON, BEGINS_ANEW], ids=["goes on", "begins anew"])
async def test_over_http(rest: object) -> None:
    """The text is whole and said once, the mark stands in one event, and the second provider got the text so far."""
    body = {
        "model": "acme/one",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "provider": PREFERENCES,
    }
    async with (
        FaultUpstream(BROKEN) as first,
        FaultUpstream(rest) as second,
        two_providers(first, second) as gateway,
        aiohttp.ClientSession() as client,
        client.post(gateway.chat_url, json=body) as answer,
    ):
        lines = [line for line in (await answer.text()).splitlines() if line.startswith("data: {")]
    events = [orjson.loads(line.removeprefix("data: ")) for line in lines]
    assert "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"]) == (
        f"{TEXT} there."
    )
    assert [event["continuation"] for event in events if "continuation" in event] == [MARK]
    assert not any("error" in event for event in events)
    assert second.requests[0].json["messages"][-1] == {"role": "assistant", "content": TEXT}
    assert "provider" not in second.requests[0].json


async def test_over_grpc() -> None:
    """The same in messages."""
    preferences = ProviderPreferences(order=["a", "b"], mid_stream=MidStream.MID_STREAM_CONTINUE)
    async with (
        FaultUpstream(BROKEN) as first,
        FaultUpstream(GOES_ON) as second,
        two_providers(first, second) as gateway,
        gateway.connect() as stub,
    ):
        chunks = [chunk async for chunk in stub.StreamChatCompletion(make_request(provider=preferences))]
    assert "".join(choice.delta.content for chunk in chunks for choice in chunk.choices) == f"{TEXT} there."
    assert [chunk.continuation.provider for chunk in chunks if chunk.HasField("continuation")] == ["b"]
    assert chunks[-1].HasField("usage")
