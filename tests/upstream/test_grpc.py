# SPDX-License-Identifier: Apache-2.0
"""The way to providers that speak gRPC, against real servers on loopback."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import grpc
import pytest
from grpc import aio

from trunkline_server.core.errors import GatewayError, reason_name
from trunkline_server.core.ports import UpstreamRequest
from trunkline_server.core.secret import Secret
from trunkline_server.upstream.grpc import GrpcUpstream, GrpcWay

Answer = Callable[[bytes, aio.ServicerContext], AsyncIterator[bytes]]
METHOD = "/far.Service/Say"


class _Service(grpc.GenericRpcHandler):
    """One server-streaming RPC."""

    def __init__(self, answer: Answer) -> None:
        self._handler = grpc.unary_stream_rpc_method_handler(answer)

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        return self._handler if call.method == METHOD else None


@asynccontextmanager
async def reaching(answer: Answer, secret: Secret | None = None) -> AsyncIterator[GrpcUpstream]:
    """The way to a server that answers so."""
    server = aio.server()
    server.add_generic_rpc_handlers((_Service(answer),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    upstream = GrpcUpstream(GrpcWay(base_url=f"http://127.0.0.1:{port}", secret=secret))
    try:
        yield upstream
    finally:
        await upstream.close()
        await server.stop(0)


def request(**fields: object) -> UpstreamRequest:
    """A request that may take ten seconds."""
    return replace(UpstreamRequest(path=METHOD, body=b"body", deadline_s=time.monotonic() + 10), **fields)


async def read(upstream: GrpcUpstream, asked: UpstreamRequest, *, has_content: bool = False) -> list[bytes]:
    """All messages of an answer."""
    messages: list[bytes] = []
    async with upstream.send(asked) as answer:
        async for block in answer.blocks():
            messages.append(block)
            if has_content:
                answer.note_content()
    return messages


async def failure(reading: Awaitable[object]) -> GatewayError:
    """How a call fails."""
    with pytest.raises(GatewayError) as caught:
        async with asyncio.timeout(5):
            await reading
    return caught.value


async def test_messages_arrive_each_as_a_block() -> None:
    """Blocks never cut a message; the key travels as a bearer's, and headers as metadata."""
    seen: list[tuple[bytes, dict[str, object]]] = []

    async def answer(body: bytes, context: aio.ServicerContext) -> AsyncIterator[bytes]:
        seen.append((body, dict(context.invocation_metadata() or ())))
        for size in (0, 1, 5_000_000):
            yield b"x" * size

    async with reaching(answer, Secret("key-1")) as upstream:
        blocks = await read(upstream, request(headers={"x-mark": "1"}))
    assert [len(block) for block in blocks] == [0, 1, 5_000_000]
    ((body, metadata),) = seen
    assert body == b"body"
    assert (metadata["authorization"], metadata["x-mark"]) == ("Bearer key-1", "1")


async def _silence(_: bytes, context: aio.ServicerContext) -> AsyncIterator[bytes]:
    await asyncio.sleep(30)
    yield b""


async def _one_word(_: bytes, context: aio.ServicerContext) -> AsyncIterator[bytes]:
    yield b"word"
    await asyncio.sleep(30)


@pytest.mark.parametrize(
    ("answer", "limits", "reason", "message"),
    [
        (_silence, {"first_content_timeout_s": 0.2}, "PROVIDER_TIMEOUT", "did not begin"),
        (_one_word, {"first_content_timeout_s": 0.2}, "PROVIDER_TIMEOUT", "said nothing"),
        (_one_word, {"total_timeout_s": 0.2}, "PROVIDER_TIMEOUT", "did not end"),
    ],
)
async def test_silence_is_bounded(answer: Answer, limits: dict[str, float], reason: str, message: str) -> None:
    """Each time-out ends the wait with its own words."""
    async with reaching(answer) as upstream:
        error = await failure(read(upstream, request(**limits)))
    assert reason_name(error.reason) == reason
    assert message in error.message


async def test_silence_after_content_is_bounded_by_the_idle_time_out() -> None:
    """An answer that has begun may pause only so long."""
    async with reaching(_one_word) as upstream:
        error = await failure(read(upstream, request(idle_timeout_s=0.2), has_content=True))
    assert reason_name(error.reason) == "PROVIDER_TIMEOUT"
    assert "fell silent" in error.message


@pytest.mark.parametrize("left_s", [-1.0, 0.2])
async def test_the_deadline_is_the_callers(left_s: float) -> None:
    """A deadline that has passed, before or while it waits, is not the provider's fault."""
    async with reaching(_silence) as upstream:
        error = await failure(read(upstream, request(deadline_s=time.monotonic() + left_s)))
    assert reason_name(error.reason) == "DEADLINE_EXCEEDED"


async def test_leaving_ends_the_call_there() -> None:
    """Who leaves the context in the middle of an answer ends the call at the provider, within a second."""
    left = asyncio.Event()

    async def answer(_: bytes, context: aio.ServicerContext) -> AsyncIterator[bytes]:
        context.add_done_callback(lambda _: left.set())
        yield b"word"
        await asyncio.sleep(30)

    async with reaching(answer) as upstream:
        async with upstream.send(request()) as call:
            assert await anext(call.blocks()) == b"word"
        async with asyncio.timeout(1):
            await left.wait()


async def test_cancelling_the_reader_is_no_failure_of_the_provider() -> None:
    """A cancelled task stays cancelled."""
    async with reaching(_silence) as upstream:
        task = asyncio.create_task(read(upstream, request()))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_statuses_are_failures() -> None:
    """A status that is not OK is a failure after the messages before it."""

    async def answer(_: bytes, context: aio.ServicerContext) -> AsyncIterator[bytes]:
        yield b"word"
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many")

    async with reaching(answer) as upstream:
        error = await failure(read(upstream, request()))
    assert (reason_name(error.reason), error.provider_code) == ("RATE_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED")


async def test_a_method_that_is_not_there() -> None:
    """A server of another kind is no provider."""
    async with reaching(_silence) as upstream:
        error = await failure(read(upstream, request(path="/far.Service/Other")))
    assert reason_name(error.reason) == "PROVIDER_INVALID_RESPONSE"


@pytest.mark.parametrize(
    "base_url", ["grpc://host:1", "http://", "http://user@host:1", "http://host:1/path", "http://host:1?x=1", "host:1"]
)
def test_addresses_that_are_none(base_url: str) -> None:
    """An address is a scheme, a host and a port."""
    with pytest.raises(ValueError, match="must read http://host:port"):
        GrpcUpstream(GrpcWay(base_url=base_url))


def test_the_key_does_not_show() -> None:
    """Neither the way nor a refused key tells the key."""
    assert "key-1" not in repr(GrpcWay(base_url="http://host:1", secret=Secret("key-1")))
    with pytest.raises(ValueError, match="printable ASCII") as caught:
        GrpcUpstream(GrpcWay(base_url="http://host:1", secret=Secret("key 1")))
    assert "key 1" not in str(caught.value)
