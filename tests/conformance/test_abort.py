# SPDX-License-Identifier: Apache-2.0
"""Leaving a call, or running out of its time, reaches the provider within a second on both wires, and leaves nothing behind."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import grpc
import pytest
from grpc import aio

from support.builders import make_request
from support.fault_upstream import Answer, FaultUpstream, Hang, ReceivedRequest, stream_answer, text_chunk
from support.gateway import RunningGateway, offer, running_gateway
from support.serving import serving
from trunkline.v1.chat_service_pb2_grpc import ChatServiceStub

SOON_S = 1.0
LONGEST_S = 10.0
MODEL = "acme/one"
LIMIT_S = 0.3
BEGUN = stream_answer(text_chunk("Hello"), text_chunk(" big"), done=False, end=[Hang()])
SILENT_STREAM = Answer(headers={"content-type": "text/event-stream"}, steps=[Hang()])
SILENT_WHOLE = Answer(headers={"content-type": "application/json"}, steps=[Hang()])
HALF_WHOLE = Answer(headers={"content-type": "application/json"}, steps=[b'{"choices": [', Hang()])
NO_ANSWER = Answer(steps=[Hang()], raw=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A gateway in front of a provider that never finishes, and a client of each wire."""

    upstream: FaultUpstream
    gateway: RunningGateway
    http: aiohttp.ClientSession
    stub: ChatServiceStub

    def post(self, *, stream: bool, **headers: str) -> Any:
        """Begin a call over HTTP; the answer is a context."""
        body = {"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": "hello"}]}
        return self.http.post(self.gateway.chat_url, json=body, headers=headers)


@asynccontextmanager
async def scene(answer: Answer) -> AsyncIterator[Scene]:
    """The scene; when it is left, no task that began in it is alive."""
    before = asyncio.all_tasks()
    async with (
        asyncio.timeout(LONGEST_S),
        FaultUpstream(answer) as upstream,
        running_gateway(**offer(upstream.base_url)) as gateway,
        aiohttp.ClientSession() as http,
        gateway.connect() as stub,
    ):
        yield Scene(upstream=upstream, gateway=gateway, http=http, stub=stub)
    async with asyncio.timeout(SOON_S):
        while left := asyncio.all_tasks() - before:
            await asyncio.wait(left)


async def status_of(call: Any) -> grpc.StatusCode:
    """The status that a call over gRPC ends in; of a stream its chunks are read first, since the status comes behind them."""
    try:
        if isinstance(call, aio.UnaryStreamCall):
            async for _ in call:
                pass
        return await call.code()
    except aio.AioRpcError as error:
        return error.code()


async def leave_http_stream(at: Scene) -> None:
    """Close the connection of a stream after its first bytes."""
    async with at.post(stream=True) as answer:
        assert answer.status == 200
        await answer.content.readany()
        answer.close()


async def leave_http_call(at: Scene) -> None:
    """Close the connection of a call that has no answer yet."""
    calling = asyncio.ensure_future(at.post(stream=False))
    await at.upstream.wait_for_requests(1)
    calling.cancel()


async def leave_silent_http_stream(at: Scene) -> None:
    """Close the connection of a stream that has no status line yet."""
    calling = asyncio.ensure_future(at.post(stream=True))
    await at.upstream.wait_for_requests(1)
    calling.cancel()


async def close_http_session(at: Scene) -> None:
    """Close all connections while a stream is read."""
    async with at.post(stream=True) as answer:
        await answer.content.readany()
        await at.http.close()


async def cancel_grpc_stream(at: Scene) -> None:
    """Cancel a stream after its first chunk."""
    call = at.stub.StreamChatCompletion(make_request(model=MODEL))
    await call.read()
    call.cancel()


async def cancel_silent_grpc_stream(at: Scene) -> None:
    """Cancel a stream that has no chunk yet."""
    call = at.stub.StreamChatCompletion(make_request(model=MODEL))
    await at.upstream.wait_for_requests(1)
    call.cancel()


async def cancel_grpc_call(at: Scene) -> None:
    """Cancel a unary call."""
    call = at.stub.CreateChatCompletion(make_request(model=MODEL))
    await at.upstream.wait_for_requests(1)
    call.cancel()


async def close_grpc_channel(at: Scene) -> None:
    """Close the channel under a stream that is read."""
    async with aio.insecure_channel(at.gateway.grpc_target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        call = ChatServiceStub(channel).StreamChatCompletion(make_request(model=MODEL))
        await call.read()
        await channel.close()


LEAVINGS = [
    (leave_http_stream, BEGUN),
    (leave_silent_http_stream, SILENT_STREAM),
    (leave_silent_http_stream, NO_ANSWER),
    (leave_http_call, SILENT_WHOLE),
    (leave_http_call, HALF_WHOLE),
    (leave_http_call, NO_ANSWER),
    (close_http_session, BEGUN),
    (cancel_grpc_stream, BEGUN),
    (cancel_silent_grpc_stream, SILENT_STREAM),
    (cancel_grpc_call, SILENT_WHOLE),
    (cancel_grpc_call, HALF_WHOLE),
    (cancel_grpc_call, NO_ANSWER),
    (close_grpc_channel, BEGUN),
]


@pytest.mark.parametrize(("leave", "answer"), LEAVINGS)
async def test_leaving_reaches_the_provider(
    leave: Callable[[Scene], Awaitable[None]], answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    """However a call is left, the provider's connection is closed within a second, and the log says that it was cancelled."""
    caplog.set_level(logging.INFO, "trunkline.call")
    async with scene(answer) as at:
        await leave(at)
        async with asyncio.timeout(SOON_S):
            await at.upstream.requests[0].aborted.wait()
    assert len(at.upstream.requests) == 1
    (line,) = caplog.messages
    assert "status=cancelled" in line


def begin_or_hang(request: ReceivedRequest) -> Answer:
    """A stream begins, a whole answer does not; neither ends."""
    return BEGUN if request.json.get("stream") else SILENT_WHOLE


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """The scene with the gateway in a process of its own, on the event loop that people run it on."""
    async with FaultUpstream(begin_or_hang) as upstream:
        provider = f'[[providers]]\nslug = "acme"\nbase_url = "{upstream.base_url}"\n'
        model = f'[[models]]\nslug = "{MODEL}"\nendpoints = [{{ provider = "acme", upstream_model = "one" }}]\n'
        config = tmp_path_factory.mktemp("served") / "gateway.toml"
        config.write_text(provider + model, encoding="utf-8")
        async with serving("--config", str(config)) as at, aiohttp.ClientSession() as http:
            gateway = RunningGateway(http_url=at.http_url, grpc_target=at.grpc_target)
            async with gateway.connect() as stub:
                yield Scene(upstream=upstream, gateway=gateway, http=http, stub=stub)
            _, error = await at.stop()
    assert "Traceback" not in error


@pytest.mark.parametrize("leave", [leave_http_stream, leave_http_call, cancel_grpc_stream, cancel_grpc_call])
async def test_leaving_a_served_gateway_reaches_the_provider(
    served: Scene, leave: Callable[[Scene], Awaitable[None]]
) -> None:
    """The same holds for `trunkline serve`."""
    served.upstream.requests.clear()
    await leave(served)
    async with asyncio.timeout(SOON_S):
        await served.upstream.requests[0].aborted.wait()


@pytest.mark.parametrize("answer", [SILENT_STREAM, NO_ANSWER])
async def test_a_streams_deadline_over_http(answer: Answer) -> None:
    """A stream without content that runs out of `x-request-timeout` ends as 504, and the provider hears of it."""
    started_s = time.monotonic()
    async with scene(answer) as at:
        async with at.post(stream=True, **{"x-request-timeout": str(LIMIT_S)}) as response:
            body = await response.json()
            assert (response.status, body["error"]["code"]) == (504, 504)
            assert body["error"]["metadata"]["reason"] == "DEADLINE_EXCEEDED"
        async with asyncio.timeout(SOON_S):
            await at.upstream.requests[0].aborted.wait()
    assert time.monotonic() - started_s < LIMIT_S + SOON_S


async def test_the_deadline_of_a_stream_that_has_begun_over_http() -> None:
    """After the first content the deadline is the stream's last event, without [DONE]."""
    async with scene(BEGUN) as at:
        async with at.post(stream=True, **{"x-request-timeout": str(LIMIT_S)}) as response:
            assert response.status == 200
            events = (await response.read()).decode().strip().split("\n\n")
        async with asyncio.timeout(SOON_S):
            await at.upstream.requests[0].aborted.wait()
    last = json.loads(events[-1].removeprefix("data: "))
    assert (last["error"]["code"], last["choices"][0]["finish_reason"]) == (504, "error")


@pytest.mark.parametrize("answer", [SILENT_WHOLE, HALF_WHOLE, NO_ANSWER])
async def test_a_calls_deadline_over_http(answer: Answer) -> None:
    """A whole answer that does not come within `x-request-timeout` is a 504."""
    async with scene(answer) as at:
        async with at.post(stream=False, **{"x-request-timeout": str(LIMIT_S)}) as response:
            assert response.status == 504
            assert (await response.json())["error"]["metadata"]["error_type"] == "timeout"
        async with asyncio.timeout(SOON_S):
            await at.upstream.requests[0].aborted.wait()


@pytest.mark.parametrize("terms", [{"timeout": LIMIT_S}, {"metadata": [("x-request-timeout", str(LIMIT_S))]}])
@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("CreateChatCompletion", SILENT_WHOLE),
        ("CreateChatCompletion", HALF_WHOLE),
        ("CreateChatCompletion", NO_ANSWER),
        ("StreamChatCompletion", SILENT_STREAM),
        ("StreamChatCompletion", BEGUN),
        ("StreamChatCompletion", NO_ANSWER),
    ],
)
async def test_a_deadline_over_grpc(method: str, answer: Answer, terms: dict[str, Any]) -> None:
    """GRPC's deadline, or the same as metadata, ends a call as DEADLINE_EXCEEDED, and the provider hears of it within a second."""
    started_s = time.monotonic()
    async with scene(answer) as at:
        call = getattr(at.stub, method)(make_request(model=MODEL), **terms)
        assert await status_of(call) is grpc.StatusCode.DEADLINE_EXCEEDED
        async with asyncio.timeout(SOON_S):
            await at.upstream.requests[0].aborted.wait()
    assert time.monotonic() - started_s < LIMIT_S + 2 * SOON_S


async def test_a_deadline_that_passed_asks_nobody() -> None:
    """A call whose time is over on arrival never reaches a provider."""
    async with scene(SILENT_WHOLE) as at:
        call = at.stub.CreateChatCompletion(make_request(model=MODEL), timeout=0.0)
        assert await status_of(call) is grpc.StatusCode.DEADLINE_EXCEEDED
        async with at.post(stream=False, **{"x-request-timeout": "0.000001"}) as response:
            assert response.status == 504
    assert at.upstream.requests == []
