# SPDX-License-Identifier: Apache-2.0
"""ChatService over a real connection: answers, failures, cancellation, deadlines."""

import asyncio
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc import aio

from support.builders import make_finish_chunk, make_request, make_text_chunk
from support.grpc_edge import CREATE, STREAM, RunningEdge, details_of, make_admission, running_edge
from support.raw_http2 import call_frames, connect, exchange, message_frame
from trunkline.v1 import chat_service_pb2_grpc
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import FinishReason
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError

OVERLOADED = GatewayError(ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED, "Acme is at its limit.", provider="acme")
ABORTED_WITHIN_S = 1.0


def chat_stub(running: RunningEdge) -> "chat_service_pb2_grpc.ChatServiceAsyncStub":
    """The generated stub."""
    return chat_service_pb2_grpc.ChatServiceStub(running.channel)


async def fail(call: Any) -> aio.AioRpcError:
    """The error in which a unary call ends."""
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    return caught.value


async def test_an_answer_is_the_fold_of_the_stream() -> None:
    """CreateChatCompletion answers whole, with its ids in the trailing metadata."""
    async with running_edge([make_text_chunk("Hel")], [make_text_chunk("lo"), make_finish_chunk()]) as running:
        call = chat_stub(running).CreateChatCompletion(make_request(), metadata=[("x-request-id", "mine")])
        answer = await call
        trailer = dict(await call.trailing_metadata())
    assert answer.choices[0].message.content[0].text == "Hello"
    assert answer.choices[0].finish_reason == FinishReason.FINISH_REASON_STOP
    assert trailer == {"x-request-id": "mine", "x-generation-id": running.gateway.calls[0].generation_id}


async def test_a_stream_has_one_message_for_adjacent_texts() -> None:
    """StreamChatCompletion sends the chunks of each batch, texts joined; ids come before the first one and at the end."""
    script = [[make_text_chunk("a"), make_text_chunk("b"), make_text_chunk("c", index=1)], [make_finish_chunk()]]
    async with running_edge(*script) as running:
        call = chat_stub(running).StreamChatCompletion(make_request())
        chunks = [chunk async for chunk in call]
        ids = dict(await call.initial_metadata())
        trailer = dict(await call.trailing_metadata())
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["ab", "c", ""]
    assert ids == trailer
    assert ids["x-generation-id"] == running.gateway.calls[0].generation_id


async def test_what_the_gateway_hears() -> None:
    """A call holds the request, the key's name, the wire, whether it is streamed, and the client's deadline."""
    async with running_edge([make_finish_chunk()], admission=make_admission("sk-a")) as running:
        metadata = [("authorization", "Bearer sk-a"), ("x-session-id", "s-1")]
        await chat_stub(running).CreateChatCompletion(make_request("hi"), metadata=metadata, timeout=20)
        await chat_stub(running).StreamChatCompletion(make_request(), metadata=metadata).read()
        whole, streamed = running.gateway.calls
    assert whole.request == make_request("hi")
    assert (whole.principal.name, whole.wire, whole.streamed, whole.session_id) == ("key-0", "grpc", False, "s-1")
    assert streamed.streamed
    # The clock of the test's admission stands at 1000 s; without a limit of the client's the default of 60 s holds.
    assert 1010 < whole.deadline_s < 1020.1
    assert streamed.deadline_s == 1060


@pytest.mark.parametrize("seconds", [700.0, 1e9])
async def test_long_deadlines_are_clamped(seconds: float) -> None:
    """No call may take longer than the gateway allows, whatever the client says."""
    async with running_edge([make_finish_chunk()]) as running:
        await chat_stub(running).CreateChatCompletion(make_request(), timeout=seconds)
    assert running.gateway.calls[0].deadline_s == 1600


@pytest.mark.parametrize("path", [CREATE, STREAM])
@pytest.mark.parametrize(
    ("sent", "code", "deadline_s"),
    [
        (b"99999999H", grpc.StatusCode.OK, 1600),
        (b"123456789012S", grpc.StatusCode.OK, 1060),
        (b"-1", grpc.StatusCode.INTERNAL, None),
        (b"1x", grpc.StatusCode.INTERNAL, None),
        (b"", grpc.StatusCode.INTERNAL, None),
        (b"0S", grpc.StatusCode.DEADLINE_EXCEEDED, None),
    ],
)
async def test_deadlines_of_nonsense(path: str, sent: bytes, code: grpc.StatusCode, deadline_s: int | None) -> None:
    """Long ones are clamped, more digits than allowed are no limit; what is no time ends in grpc core's own INTERNAL; the gateway hears of none of those, and the next call works."""
    async with running_edge([make_finish_chunk()]) as running:
        frames = call_frames(path, make_request().SerializeToString(), (b"grpc-timeout", sent))
        ending = await exchange(running.target, frames)
        heard = [call.deadline_s for call in running.gateway.calls]
        assert await chat_stub(running).CreateChatCompletion(make_request())
    assert ending.headers["grpc-status"] == str(code.value[0])
    assert heard == ([] if deadline_s is None else [deadline_s])


@pytest.mark.parametrize("path", [CREATE, STREAM])
async def test_a_failure_before_the_first_content(path: str) -> None:
    """Both methods end in the failure's code, with its details and ids."""
    async with running_edge(OVERLOADED) as running:
        error = await fail(running.channel.unary_unary(path)(make_request().SerializeToString()))
    info = details_of(error)[0]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert error.details() == "Acme is at its limit."
    assert info.reason == "PROVIDER_OVERLOADED"
    assert info.metadata["provider"] == "acme"
    assert dict(error.trailing_metadata())["x-generation-id"] == running.gateway.calls[0].generation_id


async def test_a_stream_that_fails_after_content() -> None:
    """The chunks come, then the status; no error stands among the chunks."""
    async with running_edge([make_text_chunk("Hel")], OVERLOADED) as running:
        call = chat_stub(running).StreamChatCompletion(make_request())
        first = await call.read()
        error = await fail(call.read())
    assert first.choices[0].delta.content == "Hel"
    assert not first.HasField("error")
    assert error.code() is grpc.StatusCode.UNAVAILABLE


async def test_an_answer_that_fails_after_content() -> None:
    """A unary call answers OK with what came and the error beside it."""
    async with running_edge([make_text_chunk("Hel")], OVERLOADED) as running:
        answer = await chat_stub(running).CreateChatCompletion(make_request())
    assert answer.choices[0].message.content[0].text == "Hel"
    assert answer.choices[0].finish_reason == FinishReason.FINISH_REASON_ERROR
    assert answer.error.code == 503


@pytest.mark.parametrize("path", [CREATE, STREAM])
async def test_an_unexpected_exception_is_masked(path: str) -> None:
    """A bug is INTERNAL without its text, never UNKNOWN, and the next call works."""
    async with running_edge(ValueError("the password is hunter2")) as running:
        error = await fail(running.channel.unary_unary(path)(make_request().SerializeToString()))
        running.gateway.script = [[make_finish_chunk()]]
        assert await chat_stub(running).CreateChatCompletion(make_request())
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "hunter2" not in str(error)


@pytest.mark.parametrize("path", [CREATE, STREAM])
@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (ChatCompletionRequest(model="a/b"), "messages"),
        (make_request(temperature=3), "temperature"),
        (make_request(temperature=float("nan")), "temperature"),
        (make_request(logit_bias={"1": float("inf")}), 'logit_bias["1"]'),
        (make_request(stop=["a"] * 5), "stop"),
        (make_request(top_logprobs=21), "top_logprobs"),
        (make_request(extra={"thing": "{broken"}), "thing"),
        (make_request(extra={"api_base": '"https://evil.test"'}), "api_base"),
    ],
    ids=["no messages", "limit", "NaN", "infinity", "too many", "number", "broken JSON", "refused name"],
)
async def test_invalid_requests(path: str, request_: ChatCompletionRequest, field: str) -> None:
    """A request that breaks the contract's rules is INVALID_ARGUMENT with the field's path; the gateway never hears of it."""
    async with running_edge() as running:
        error = await fail(running.channel.unary_unary(path)(request_.SerializeToString()))
    violations = [detail for detail in details_of(error) if isinstance(detail, error_details_pb2.BadRequest)]
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in violations[0].field_violations] == [field]
    assert running.gateway.calls == []


@pytest.mark.parametrize("path", [CREATE, STREAM])
async def test_two_requests(path: str) -> None:
    """A second request where one is due is INVALID_ARGUMENT; the gateway never hears of the first."""
    message = make_request().SerializeToString()
    async with running_edge([make_finish_chunk()]) as running:
        head, first = (
            call_frames(path, message).split(message_frame(message).to_bytes())[0],
            message_frame(message, last=False),
        )
        ending = await exchange(running.target, head + first.to_bytes() + message_frame(message).to_bytes())
    assert ending.headers["grpc-status"] == "3"
    assert running.gateway.calls == []


async def test_deltas_are_not_compressed() -> None:
    """A stream says what it says in the clear, whatever the client takes and however long it is."""
    accepted = (b"grpc-accept-encoding", b"identity, gzip")
    text = "word " * 10_000
    async with (
        running_edge([make_text_chunk(text)], [make_finish_chunk()]) as running,
        connect(running.target) as (
            reader,
            writer,
        ),
    ):
        writer.write(call_frames(STREAM, make_request().SerializeToString(), accepted))
        async with asyncio.timeout(5):
            received = await reader.readuntil(b"word word")
    assert received


@pytest.mark.parametrize("path", [CREATE, STREAM])
async def test_cancelling_reaches_the_gateway(path: str) -> None:
    """A client that cancels while it waits for content closes the gateway's generator within a second."""
    async with running_edge([make_text_chunk("a")], 30.0) as running:
        call = running.channel.unary_unary(path)(make_request().SerializeToString())
        await asyncio.sleep(0.1)
        call.cancel()
        await asyncio.wait_for(running.gateway.ended.wait(), ABORTED_WITHIN_S)
    assert running.gateway.endings == ["closed"]


async def test_cancelling_a_stream_that_is_not_read() -> None:
    """A client that cancels while the edge waits for it to read closes the gateway's generator within a second."""
    async with running_edge(*([make_text_chunk("x" * 100_000)] for _ in range(1000))) as running:
        call = chat_stub(running).StreamChatCompletion(make_request())
        await call.read()
        await asyncio.sleep(0.2)
        call.cancel()
        await asyncio.wait_for(running.gateway.ended.wait(), ABORTED_WITHIN_S)
    assert running.gateway.endings == ["closed"]


async def test_a_lost_connection_reaches_the_gateway() -> None:
    """A client whose connection ends closes the gateway's generator within a second."""
    async with running_edge([make_text_chunk("a")], 30.0) as running:
        async with aio.insecure_channel(running.target) as channel:
            await channel.unary_stream(STREAM)(make_request().SerializeToString()).read()
        await asyncio.wait_for(running.gateway.ended.wait(), ABORTED_WITHIN_S)
    assert running.gateway.endings == ["closed"]


@pytest.mark.parametrize("path", [CREATE, STREAM])
async def test_an_expired_deadline_reaches_the_gateway(path: str) -> None:
    """When the client's time is over, the gateway's generator is closed within a second."""
    async with running_edge([make_text_chunk("a")], 30.0) as running:
        error = await fail(running.channel.unary_unary(path)(make_request().SerializeToString(), timeout=0.2))
        await asyncio.wait_for(running.gateway.ended.wait(), ABORTED_WITHIN_S)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert running.gateway.endings == ["closed"]
