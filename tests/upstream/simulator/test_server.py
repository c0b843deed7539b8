# SPDX-License-Identifier: Apache-2.0
"""The simulator as an upstream: waits, time-outs and ends."""

import asyncio
from typing import Any

import orjson
import pytest

from support.simulator import make_body, read_whole, reply_to
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Upstream, UpstreamRequest
from trunkline_server.upstream.simulator import SimulatorUpstream

BROKEN = ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE
TIMEOUT = ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT
DEADLINE = ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED


class FakeTime:
    """A monotonic clock that moves when someone sleeps, and remembers for how long."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self.slept.append(seconds)
        await asyncio.sleep(0)


def make_request(model: str, *, deadline_s: float = 1e6, stream: bool = True, **keys: float) -> UpstreamRequest:
    """A request to the simulator."""
    return UpstreamRequest(
        path="/chat/completions", body=make_body(model, stream=stream), deadline_s=deadline_s, **keys
    )


async def read(upstream: Upstream, request: UpstreamRequest) -> tuple[int, bytes]:
    """The status and the whole body."""
    async with upstream.send(request) as answer:
        return answer.status, b"".join([block async for block in answer.blocks()])


async def read_into(got: bytearray, upstream: Upstream, request: UpstreamRequest) -> None:
    """Collects the body as far as it comes."""
    async with upstream.send(request) as answer:
        async for block in answer.blocks():
            got += block


async def fail(request: UpstreamRequest) -> tuple[ErrorReason, bytes, float]:
    """The reason of the failure, what came before it, and the seconds that passed."""
    fake, got = FakeTime(), bytearray()
    upstream = SimulatorUpstream(monotonic=fake.monotonic, sleep=fake.sleep)
    with pytest.raises(GatewayError) as caught:
        await read_into(got, upstream, request)
    return caught.value.reason, bytes(got), fake.now_s - 100


@pytest.mark.parametrize("stream", [False, True])
async def test_it_sends_what_the_reply_holds(stream: bool) -> None:
    """Status, headers and bytes are those of the reply; the clock gives whole seconds."""
    upstream: Upstream = SimulatorUpstream(clock=lambda: 1_700_000_000.9)
    reply = reply_to("sim/echo", stream=stream)
    async with upstream.send(make_request("sim/echo", stream=stream)) as answer:
        assert (answer.status, answer.headers) == (reply.status, reply.headers)
        assert b"".join([block async for block in answer.blocks()]) == read_whole(reply)
    await upstream.close()


async def test_refusals_are_answers() -> None:
    """A bad request is answered with its status, not raised."""
    status, body = await read(SimulatorUpstream(), make_request("sim/nobody"))
    assert (status, orjson.loads(body)["error"]["code"]) == (404, "model_not_found")


async def test_waits_are_those_of_the_script() -> None:
    """It sleeps before the head, before each paced block, and for nothing between other blocks."""
    fake = FakeTime()
    await read(
        SimulatorUpstream(monotonic=fake.monotonic, sleep=fake.sleep),
        make_request("sim/fault?latency_ms=200&ttft_ms=500&tps=4"),
    )
    assert fake.slept == [0.2, 0, 0.5, 0.25, 0.25, 0, 0, 0]


@pytest.mark.parametrize(
    ("model", "keys", "expected"),
    [
        ("sim/fault?refuse=1", {}, (BROKEN, 0, 0)),
        ("sim/fault?hang=1", {"first_byte_timeout_s": 3}, (TIMEOUT, 0, 3)),
        ("sim/fault?hang=1", {"deadline_s": 102}, (DEADLINE, 0, 2)),
        ("sim/fault?latency_ms=5000", {"first_byte_timeout_s": 3}, (TIMEOUT, 0, 3)),
        ("sim/fault?ttft_ms=5000", {"first_content_timeout_s": 2}, (TIMEOUT, 1, 2)),
        ("sim/fault?ttft_ms=5000", {"deadline_s": 104}, (DEADLINE, 1, 4)),
        ("sim/fault?tps=0.5", {"deadline_s": 103}, (DEADLINE, 3, 3)),
        ("sim/fault?stall_after=2", {"first_content_timeout_s": 7}, (TIMEOUT, 2, 7)),
        ("sim/fault?cut_after=3", {}, (BROKEN, 3, 0)),
        ("sim/fault?cut_after=0", {}, (BROKEN, 0, 0)),
        ("sim/fault?cut_after=0", {"stream": False}, (BROKEN, 0, 0)),
        ("sim/echo", {"deadline_s": 99}, (DEADLINE, 0, 0)),
    ],
)
async def test_failures_of_a_connection_are_raised(
    model: str, keys: dict[str, Any], expected: tuple[ErrorReason, int, float]
) -> None:
    """Breaks and time-outs come as they would from a socket, after what was sent before."""
    reason, got, passed_s = await fail(make_request(model, **keys))
    assert (reason, got.count(b"\n\n"), passed_s) == expected


async def test_silence_after_content_is_bounded_otherwise() -> None:
    """Once it is told of the first content, the idle time-out holds."""
    fake = FakeTime()
    upstream = SimulatorUpstream(monotonic=fake.monotonic, sleep=fake.sleep)
    async with upstream.send(make_request("sim/fault?stall_after=2", idle_timeout_s=7)) as answer:
        answer.note_content()
        with pytest.raises(GatewayError):
            await anext(block async for block in answer.blocks() if not block)
    assert fake.slept[-1] == 7


async def test_a_left_answer_gives_nothing_more() -> None:
    """Leaving the context ends the blocks for whoever still reads them."""
    async with SimulatorUpstream().send(make_request("sim/echo")) as answer:
        blocks = answer.blocks()
        assert await anext(blocks)
    assert [block async for block in blocks] == []


@pytest.mark.parametrize("model", ["sim/echo", "sim/fault?tps=1000"])
async def test_a_cancelled_reader_stops_it(model: str) -> None:
    """It yields to the event loop between blocks, so that a reader which never waits can be cancelled."""
    request = UpstreamRequest(
        path="/chat/completions", body=make_body(model, "x " * 100_000, stream=True), deadline_s=1e9
    )
    task = asyncio.create_task(read(SimulatorUpstream(), request))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def count_turns(turns: list[int]) -> None:
    """Takes a turn of the event loop whenever there is one."""
    while True:
        turns.append(1)
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("said", "keys", "least"),
    [
        ("a " * 1_000_000, {"max_tokens": 5}, 80),
        ("word " * 7000, {"logprobs": True, "top_logprobs": 20}, 100),
        ("word " * 7000, {"logprobs": True, "top_logprobs": 20, "stream": True}, 400),
    ],
)
async def test_others_have_turns_while_it_works(said: str, keys: dict[str, Any], least: int) -> None:
    """Much work before the head and behind it is done in many turns of the event loop."""
    turns: list[int] = []
    other = asyncio.create_task(count_turns(turns))
    body = make_body("sim/echo", said, **keys)
    status, _ = await read(SimulatorUpstream(), UpstreamRequest(path="/chat/completions", body=body, deadline_s=1e9))
    other.cancel()
    assert (status, len(turns) >= least) == (200, True)


async def test_calls_do_not_disturb_each_other() -> None:
    """Many calls at once each get their own answer."""
    upstream = SimulatorUpstream()
    bodies = await asyncio.gather(
        *(read(upstream, make_request(f"sim/fault?cut_after=9{digit}")) for digit in range(10))
    )
    assert len({body.replace(b"cut_after=9%d" % digit, b"") for digit, (_, body) in enumerate(bodies)}) == 1
