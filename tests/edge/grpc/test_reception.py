# SPDX-License-Identifier: Apache-2.0
"""What happens around every call, shown on a unary RPC and on ChatService."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc import aio

from support.builders import make_finish_chunk, make_request, make_text_chunk
from support.grpc_edge import CREATE, LIST_MODELS, STREAM, details_of, make_admission, running_edge

PATHS = [CREATE, STREAM, LIST_MODELS]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "authorization",
    [(), ("Bearer wrong",), ("Basic abc",), ("sk-a",), ("Bearer sk-a", "Bearer sk-a")],
    ids=["none", "unknown", "other scheme", "no scheme", "two"],
)
async def test_keys_come_first(path: str, authorization: tuple[str, ...]) -> None:
    """Without one valid key a call is UNAUTHENTICATED, whatever its request: nothing of that is read."""
    async with running_edge(admission=make_admission("sk-a")) as running:
        metadata = [("authorization", value) for value in authorization]
        with pytest.raises(aio.AioRpcError) as caught:
            await running.channel.unary_unary(path)(b"\xff\xff", metadata=metadata)
    info = details_of(caught.value)[0]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert info.reason == "AUTHENTICATION"
    assert "x-request-id" in dict(caught.value.trailing_metadata())


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("raw", [b"\xff\xff\xff", b"\x0b" * 20_000], ids=["no message", "start-groups"])
async def test_garbage(path: str, raw: bytes) -> None:
    """Bytes that are no message are INVALID_ARGUMENT, and the next call works."""
    async with running_edge([make_finish_chunk()]) as running:
        with pytest.raises(aio.AioRpcError) as caught:
            await running.channel.unary_unary(path)(raw)
        assert await running.channel.unary_unary(CREATE)(make_request().SerializeToString())
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("path", PATHS)
async def test_messages_beyond_the_limit(path: str) -> None:
    """A message larger than the limit is RESOURCE_EXHAUSTED, also when compression makes it small on the way."""
    async with running_edge([make_finish_chunk()], max_message_bytes=100_000) as running:
        for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
            with pytest.raises(aio.AioRpcError) as caught:
                await running.channel.unary_unary(path)(bytes(200_000), compression=compression)
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await running.channel.unary_unary(CREATE)(make_request().SerializeToString())


@pytest.mark.parametrize("path", PATHS)
async def test_a_call_without_a_request(path: str) -> None:
    """A call that ends without any message is INVALID_ARGUMENT; grpc.aio alone would leave it unanswered."""

    async def nothing() -> AsyncIterator[bytes]:
        return
        yield b""

    async with running_edge() as running:
        with pytest.raises(aio.AioRpcError) as caught:
            await running.channel.stream_unary(path)(nothing(), timeout=5)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("path", PATHS)
async def test_a_call_that_is_left_half_open(path: str) -> None:
    """A call whose request does not come is ended, as DEADLINE_EXCEEDED with the reason REQUEST_TIMEOUT."""

    async def silence() -> AsyncIterator[bytes]:
        await asyncio.sleep(5)
        yield b""

    async with running_edge(request_timeout_s=0.1) as running:
        with pytest.raises(aio.AioRpcError) as caught:
            await running.channel.stream_unary(path)(silence(), timeout=5)
    info = details_of(caught.value)[0]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert (caught.value.code(), info.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "REQUEST_TIMEOUT")


async def test_request_ids() -> None:
    """A caller's request id is echoed; where there is none or an unfit one, the call gets its own."""
    async with running_edge() as running:
        given = [(), (("x-request-id", "mine"),), (("x-request-id", "x" * 200),)]
        calls = [running.channel.unary_unary(LIST_MODELS)(b"", metadata=metadata) for metadata in given]
        ids = [dict(await call.trailing_metadata())["x-request-id"] for call in calls]
    assert ids[1] == "mine"
    assert ids[0].startswith("req-")
    assert ids[2].startswith("req-")


async def test_the_end_of_the_process() -> None:
    """Calls that outlast the grace end as SHUTTING_DOWN, in a status of the contract, and the gateway's generator is closed."""
    async with running_edge([make_text_chunk("a")], 30.0) as running:
        call = running.channel.unary_stream(STREAM)(make_request().SerializeToString())
        await call.read()
        await running.edge.drain(0.05)
        with pytest.raises(aio.AioRpcError) as caught:
            await call.read()
    info = details_of(caught.value)[0]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert (caught.value.code(), info.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    assert running.gateway.endings == ["closed"]
