# SPDX-License-Identifier: Apache-2.0
"""A provider that fails before its first content is passed over unseen, on both wires; afterwards the failure is told."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import grpc
import pytest
from grpc import aio

from support.builders import make_request
from support.fault_upstream import (
    Answer,
    Close,
    FaultUpstream,
    Hang,
    ReceivedRequest,
    Reset,
    Script,
    json_answer,
    stream_answer,
    text_chunk,
)
from support.gateway import RunningGateway, running_gateway
from trunkline import text_of
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk
from trunkline.v1.chat_service_pb2_grpc import ChatServiceStub
from trunkline.v1.provider_preferences_pb2 import ProviderPreferences

MODEL = "acme/one"
ROLE = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
EVENTS = {"content-type": "text/event-stream"}
# Which of two endpoints of one price is first is drawn where the caller does not say it.
ORDER: Final = ("first", "second")

# What the first provider does; its time to begin is short.
FAILURES = {
    "500": json_answer({"error": {"message": "inside"}}, status=500),
    "503": json_answer({"error": {"message": "busy"}}, status=503),
    "429": json_answer({"error": {"message": "slow down"}}, status=429, headers={"retry-after": "3"}),
    "401": json_answer({"error": {"message": "bad key"}}, status=401),
    "404": json_answer({"error": {"message": "no such model"}}, status=404),
    "an error with 200": json_answer({"error": {"message": "inside", "code": 500}}),
    "an error event": stream_answer({"error": {"message": "inside", "code": 502}}, done=False),
    "a page": Answer(headers={"content-type": "text/html"}, steps=[b"<!doctype html><html></html>"]),
    "nothing": Answer(headers=EVENTS, steps=[]),
    "only [DONE]": stream_answer(),
    "a role and no more": stream_answer(ROLE, done=False),
    "a role and a reset": stream_answer(ROLE, done=False, end=[Reset()]),
    "broken JSON": Answer(headers=EVENTS, steps=[b'data: {"choices": [\n\n']),
    "a close": Answer(raw=True, steps=[Close()]),
    "a reset": Answer(raw=True, steps=[Reset()]),
    "no HTTP": Answer(raw=True, steps=[b"hello\r\n\r\n"]),
    "a redirect": Answer(status=302, headers={"location": "http://127.0.0.1:9/", "content-length": "0"}),
    "silence": Answer(raw=True, steps=[Hang()]),
    "a head and silence": Answer(headers=EVENTS, steps=[Hang()]),
}


def answer_well(request: ReceivedRequest) -> Answer:
    """What the second provider says."""
    if request.json.get("stream"):
        return stream_answer(ROLE, text_chunk("second"), text_chunk(" best", finish_reason="stop"))
    message = {"role": "assistant", "content": "second best"}
    return json_answer({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A gateway with one model at two providers, and a stub for it."""

    gateway: RunningGateway
    stub: ChatServiceStub
    first: FaultUpstream
    second: FaultUpstream


@asynccontextmanager
async def scene(one: Answer | Script, two: Answer | Script = answer_well) -> AsyncIterator[Scene]:
    """The scene with what each provider does; the first has a quarter of a second to begin, and half of one for a whole answer."""
    limits = {"connect_s": 0.25, "first_byte_s": 0.25, "idle_s": 0.25, "total_s": 0.5}
    endpoints = [{"provider": slug, "upstream_model": f"{slug}-one"} for slug in ("first", "second")]
    async with FaultUpstream(one) as first, FaultUpstream(two) as second:
        providers = [
            {"slug": "first", "name": "First", "base_url": first.base_url, "timeouts": limits},
            {"slug": "second", "name": "Second", "base_url": second.base_url},
        ]
        models = [{"slug": MODEL, "endpoints": endpoints}]
        async with running_gateway(providers=providers, models=models) as gateway, gateway.connect() as stub:
            yield Scene(gateway=gateway, stub=stub, first=first, second=second)


def make_ordered_request() -> ChatCompletionRequest:
    """A request for the model that goes to the first provider first."""
    return make_request(model=MODEL, provider=ProviderPreferences(order=ORDER))


async def read_events(gateway: RunningGateway) -> tuple[int, list[Any]]:
    """The status and the events of a stream over HTTP."""
    messages = [{"role": "user", "content": "hello"}]
    body = {"model": MODEL, "stream": True, "messages": messages, "provider": {"order": ORDER}}
    async with aiohttp.ClientSession() as http, http.post(gateway.chat_url, json=body) as answer:
        texts = (await answer.text()).removesuffix("\n\n").split("\n\n")
    events = [text.removeprefix("data: ") for text in texts]
    return answer.status, [event if event == "[DONE]" else json.loads(event) for event in events]


async def ask_all_ways(at: Scene) -> tuple[list[Any], ChatCompletion, list[ChatCompletionChunk]]:
    """One call streamed over HTTP, one whole and one streamed over gRPC."""
    status, events = await read_events(at.gateway)
    assert (status, events[-1]) == (200, "[DONE]")
    whole = await at.stub.CreateChatCompletion(make_ordered_request())
    chunks = [chunk async for chunk in at.stub.StreamChatCompletion(make_ordered_request())]
    return events[:-1], whole, chunks


@pytest.mark.parametrize("name", FAILURES)
async def test_the_next_provider_answers(name: str) -> None:
    """Whatever the first provider does before its first content, the caller gets the second one's answer and nothing else."""
    async with scene(FAILURES[name]) as at:
        events, whole, chunks = await ask_all_ways(at)
    said = [choice["delta"].get("content") or "" for event in events for choice in event["choices"]]
    assert ["".join(said), text_of(whole), "".join(map(text_of, chunks))] == ["second best"] * 3
    assert {event["provider"] for event in events} == {whole.provider} == {"Second"}
    assert len({event["id"] for event in events}) == 1
    # Not each time: one that asked for a pause, or refused the key, comes last for a while.
    assert at.first.requests
    assert [request.json["model"] for request in at.second.requests] == ["second-one"] * 3


async def test_a_provider_that_cannot_be_reached() -> None:
    """A port where nobody listens is passed over too."""
    async with scene(answer_well) as at:
        await at.first.__aexit__(None, None, None)
        _, whole, _ = await ask_all_ways(at)
    assert (text_of(whole), whole.provider) == ("second best", "Second")


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_request_at_fault_is_not_sent_elsewhere(status: int) -> None:
    """What the first provider blames on the request is told, and the second is not asked."""
    refusal = json_answer({"error": {"message": "bad value of x"}}, status=status)
    async with scene(refusal) as at:
        got, events = await read_events(at.gateway)
    assert (got, events[0]["error"]["code"], len(at.second.requests)) == (status, status, 0)


async def test_after_the_first_content_the_failure_is_told() -> None:
    """Once a word has left nobody else is asked: the stream ends in an error on both wires."""
    broken = stream_answer(text_chunk("first"), done=False, end=[Reset()])
    async with scene(broken) as at:
        _, events = await read_events(at.gateway)
        call = at.stub.StreamChatCompletion(make_ordered_request())
        begun = text_of(await call.read())
        with pytest.raises(aio.AioRpcError) as caught:
            await call.read()
    assert events[0]["choices"][0]["delta"]["content"] == begun == "first"
    assert (events[-1]["error"]["code"], events[-1]["provider"]) == (502, "First")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert at.second.requests == []


async def test_when_all_fail_the_last_failure_is_told_with_the_others() -> None:
    """The last provider's failure is the answer; the earlier ones stand in previous_errors."""
    limited = json_answer({"error": {"message": "slow down"}}, status=429, headers={"retry-after": "3"})
    # It asks for a longer wait than any call makes, so it is not asked again.
    busy = json_answer({"error": {"message": "busy"}}, status=503, headers={"retry-after": "30"})
    async with scene(limited, busy) as at:
        status, (event,) = await read_events(at.gateway)
    metadata = event["error"]["metadata"]
    assert (status, metadata["provider_name"]) == (503, "Second")
    assert [(earlier["provider"], earlier["status"]) for earlier in metadata["previous_errors"]] == [("first", 429)]


async def test_leaving_during_the_second_attempt() -> None:
    """Whoever leaves while the second provider is asked stops that one."""
    slow = stream_answer(done=False, end=[Hang()])
    failing = json_answer({"error": {"message": "inside"}}, status=500)
    async with scene(failing, slow) as at:
        call = at.stub.StreamChatCompletion(make_ordered_request())
        await at.second.wait_for_requests(1)
        call.cancel()
        async with asyncio.timeout(1):
            await at.second.requests[0].aborted.wait()
    assert len(at.first.requests) == 1
