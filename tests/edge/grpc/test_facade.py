# SPDX-License-Identifier: Apache-2.0
"""OpenAICompatService over a real connection, without a transcoder."""

import asyncio
import json
from typing import Any

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody
from google.rpc import error_details_pb2
from grpc import aio

from support.builders import make_answer_chunks, make_finish_chunk, make_text_chunk, make_usage_chunk
from support.grpc_edge import FACADE, RunningEdge, details_of, make_admission, running_edge
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.openai_compat_service_pb2 import ChatCompletionsRequest
from trunkline_server.core.errors import GatewayError

OVERLOADED = GatewayError(ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED, "Acme is at its limit.", provider="acme")
ENDED = [make_finish_chunk(), make_usage_chunk()]
COMMENT = b": TRUNKLINE PROCESSING\n\n"
DONE = b"data: [DONE]\n\n"


def payload(**fields: Any) -> bytes:
    """A request with one user message."""
    request = ChatCompletionsRequest()
    request.payload.update({"model": "acme/one", "messages": [{"role": "user", "content": "hello"}], **fields})
    return request.SerializeToString()


async def ask(running: RunningEdge, request: bytes, **arguments: Any) -> list[HttpBody]:
    """All bodies of an answer."""
    call = running.channel.unary_stream(FACADE, response_deserializer=HttpBody.FromString)(request, **arguments)
    return [body async for body in call]


def events(bodies: list[HttpBody]) -> list[Any]:
    """The JSON of all events but the terminator."""
    assert {body.content_type for body in bodies} == {"text/event-stream"}
    lines = b"".join(body.data for body in bodies).split(b"\n\n")
    return [json.loads(line.removeprefix(b"data: ")) for line in lines if line not in {b"", DONE.strip()}]


async def test_a_whole_answer() -> None:
    """Without `stream` the answer is one body of OpenAI's JSON."""
    async with running_edge(make_answer_chunks("hello there")) as running:
        [body] = await ask(running, payload(max_tokens=5, temperature=1, logit_bias={"7": -1}))
        call = running.gateway.calls[0]
    answer = json.loads(body.data)
    assert body.content_type == "application/json"
    assert (answer["object"], answer["choices"][0]["message"]["content"]) == ("chat.completion", "hello there")
    assert (call.wire, call.streamed, call.request.max_tokens, dict(call.request.logit_bias)) == (
        "grpc",
        False,
        5,
        {"7": -1.0},
    )


async def test_a_stream() -> None:
    """With `stream` each batch is a body of events; the last has the usage and the terminator."""
    script = [[make_text_chunk("a"), make_text_chunk("b")], [], [make_text_chunk("c")], ENDED]
    async with running_edge(*script) as running:
        bodies = await ask(running, payload(stream=True))
        assert running.gateway.calls[0].streamed
    said = events(bodies)
    assert [body.data.count(b"data: ") for body in bodies] == [2, 1, 3]
    assert bodies[-1].data.endswith(DONE)
    assert "".join(choice["delta"].get("content") or "" for chunk in said for choice in chunk["choices"]) == "abc"
    assert [chunk for chunk in said if "usage" in chunk] == [said[-1]]


@pytest.mark.parametrize("stream", [False, True])
async def test_ids(stream: bool) -> None:
    """The ids come before the first body and at the end."""
    async with running_edge(make_answer_chunks()) as running:
        call = running.channel.unary_stream(FACADE)(payload(stream=stream), metadata=[("x-request-id", "mine")])
        await call.read()
        head, trailer = dict(await call.initial_metadata()), dict(await call.trailing_metadata())
        ids = {"x-request-id": "mine", "x-generation-id": running.gateway.calls[0].generation_id}
    assert (head, trailer) == (ids, ids)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_failure_before_the_first_content(stream: bool) -> None:
    """It is the call's status."""
    async with running_edge(OVERLOADED) as running:
        with pytest.raises(aio.AioRpcError) as caught:
            await ask(running, payload(stream=stream))
    info = details_of(caught.value)[0]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert (caught.value.code(), info.reason) == (grpc.StatusCode.UNAVAILABLE, "PROVIDER_OVERLOADED")


async def test_a_stream_that_fails_after_content() -> None:
    """Its last event says what failed, no terminator follows, and the call is OK."""
    async with running_edge([make_text_chunk("a")], OVERLOADED) as running:
        bodies = await ask(running, payload(stream=True))
    last = events(bodies)[-1]
    assert (last["error"]["code"], last["choices"][0]["finish_reason"]) == (503, "error")
    assert DONE not in bodies[-1].data


async def test_an_answer_that_fails_after_content() -> None:
    """It has what came, and the error beside it."""
    async with running_edge([make_text_chunk("a")], OVERLOADED) as running:
        [body] = await ask(running, payload())
    answer = json.loads(body.data)
    assert (answer["choices"][0]["message"]["content"], answer["error"]["code"]) == ("a", 503)


async def test_a_failure_after_the_last_chunk() -> None:
    """Nothing is taken back: the answer is whole."""
    async with running_edge([make_text_chunk("a")], ENDED, OVERLOADED) as running:
        bodies = await ask(running, payload(stream=True))
    assert bodies[-1].data.endswith(DONE)
    assert not any("error" in chunk for chunk in events(bodies))


async def test_silence() -> None:
    """A silent stream says comments, before its first content and later."""
    async with running_edge(
        0.2, [make_text_chunk("a")], 0.2, ENDED, first_byte_hold_s=0.05, comment_interval_s=0.1
    ) as running:
        bodies = [body.data for body in await ask(running, payload(stream=True))]
    texts = [index for index, data in enumerate(bodies) if data != COMMENT]
    assert len(texts) == 2
    assert texts[0] >= 1
    assert texts[1] > texts[0] + 1


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (payload(temperature="hot"), "temperature"),
        (payload(max_tokens=1.5), "max_tokens"),
        (payload(api_base="https://evil.test"), "api_base"),
        (b"", ""),
        (b"\xff\xff", ""),
        (payload(temperature=float("nan")), ""),
    ],
    ids=["type", "fraction", "refused name", "nothing", "garbage", "NaN"],
)
async def test_invalid_requests(request_: bytes, field: str) -> None:
    """What is no request is INVALID_ARGUMENT with the field's path."""
    async with running_edge() as running:
        with pytest.raises(aio.AioRpcError) as caught:
            await ask(running, request_)
    [violations] = [d for d in details_of(caught.value) if isinstance(d, error_details_pb2.BadRequest)]
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert field in {violation.field for violation in violations.field_violations} | {""}


async def test_keys() -> None:
    """Without a key a call is UNAUTHENTICATED where keys are set; `Bearer` lets it in."""
    async with running_edge(make_answer_chunks(), admission=make_admission("sk-a")) as running:
        with pytest.raises(aio.AioRpcError) as caught:
            await ask(running, payload())
        assert await ask(running, payload(), metadata=[("authorization", "Bearer sk-a")])
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_cancelling_reaches_the_gateway() -> None:
    """A client that leaves closes the gateway's generator within a second."""
    async with running_edge([make_text_chunk("a")], 30.0) as running:
        call = running.channel.unary_stream(FACADE)(payload(stream=True))
        await call.read()
        call.cancel()
        await asyncio.wait_for(running.gateway.ended.wait(), 1.0)
    assert running.gateway.endings == ["closed"]


async def test_the_end_of_the_process() -> None:
    """A stream that outlasts the grace ends in an event."""
    async with running_edge([make_text_chunk("a")], 30.0) as running:
        asking = asyncio.create_task(ask(running, payload(stream=True)))
        await asyncio.sleep(0.1)
        await running.edge.drain(0.1)
        bodies = await asking
    assert events(bodies)[-1]["error"]["code"] == 503
