# SPDX-License-Identifier: Apache-2.0
"""What the big rows weigh, on a gateway in a process of its own: memory comes back, work grows with the input. Rows H16, H18, H21, H26, H28, H81, H92."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
from grpc import aio

from support.builders import make_message, make_request
from support.gateway import RunningGateway
from support.hostile import CREATE, body_of, check_lives, check_reply, failure_of_call, send_http
from support.serving import Served, serving
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.core.checks import check_request
from trunkline_server.core.errors import GatewayError
from trunkline_server.edge.grpc.intake import parse_message
from trunkline_server.jsonshape import Codec, ShapeFaults, parse_json

MIB = 1024 * 1024
# What may stay after a body, and after messages that grpc core received: one of them.
MOST_LEFT = 10 * MIB
MOST_LEFT_OF_GRPC = 40 * MIB
pytestmark = pytest.mark.slow
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="memory is read from /proc, which only Linux has"
)


@pytest.fixture(scope="module")
async def served() -> AsyncIterator[Served]:
    """A gateway as people run it."""
    async with serving() as running:
        yield running


def rss_of(served: Served) -> int:
    """The resident size of the process in bytes."""
    text = Path(f"/proc/{served.process.pid}/status").read_text(encoding="ascii")
    return int(text.partition("VmRSS:")[2].split()[0]) * 1024


def text_body(text: bytes, times: int) -> bytes:
    """A body whose one message repeats a text."""
    return b'{"model":"m","messages":[{"role":"user","content":"' + text * times + b'"}]}'


BODIES = {
    "H18 over the limit": b" " * (33 * MIB),
    "H26 brackets": b"[" * (31 * MIB),
    "H28 empty arrays": b"[" + b"[]," * (10 * MIB) + b"[]]",
    "H28 strings": b"[" + b'"",' * (10 * MIB) + b'""]',
    "H28 numbers": b"[" + b"0," * (15 * MIB) + b"0]",
    "H92 escapes": text_body(b"\\u0041", 5 * MIB)[:-1] + b',"n":0}',
    "H31 digits": b'{"seed": ' + b"9" * (31 * MIB) + b"}",
    "H44 a model of 30 MB": body_of(model="x" * (30 * MIB)),
    "H21 a bomb": gzip.compress(bytes(100 * MIB)),
}
MESSAGES = {
    "H77 over the limit": bytes(33 * MIB),
    "H28 empty messages": b"\x0a\x00" * (15 * MIB),
    "H78 groups": b"\x0b" * (31 * MIB),
    "H28 unknown fields": b"\x98\x7d\x01" * (10 * MIB),
}


@pytest.fixture(scope="module")
def running(served: Served) -> RunningGateway:
    """The same, as the shared checks know it."""
    return RunningGateway(http_url=served.http_url, grpc_target=served.grpc_target)


MOST_ROUNDS = 4


@needs_proc
@pytest.mark.parametrize("name", BODIES)
async def test_memory_after_bodies(served: Served, running: RunningGateway, name: str) -> None:
    """The first ones may warm something up; after three more the process is as large as before."""
    headers = {"Content-Encoding": "gzip"} if name.startswith("H21") else {}
    async with aiohttp.ClientSession() as http:

        async def send() -> None:
            check_reply(await send_http(http, running.chat_url, BODIES[name], headers=headers), {200, 400, 413, 415})

        await check_memory(served, running, send, first=2, then=3, most_left=MOST_LEFT)


@needs_proc
@pytest.mark.parametrize("name", MESSAGES)
async def test_memory_after_messages(served: Served, running: RunningGateway, name: str) -> None:
    """Messages are received by grpc core's threads, whose allocator keeps pages for the next one: the size must reach a level and stay."""
    async with aio.insecure_channel(running.grpc_target) as channel:

        async def send() -> None:
            await failure_of_call(channel.unary_unary(CREATE)(MESSAGES[name]))

        await check_memory(served, running, send, first=15, then=9, most_left=MOST_LEFT_OF_GRPC)


async def check_memory(
    served: Served,
    running: RunningGateway,
    send: Callable[[], Awaitable[None]],
    *,
    first: int,
    then: int,
    most_left: int,
) -> None:
    """Sends so many times, then so many more: the memory reaches a level, so that one of a few such rounds leaves little, some seconds later at most.

    What each request left would be left by every round; an allocator that keeps a region more than before does so once or twice.
    """
    await repeat(send, first)
    await check_lives(running)
    left: list[int] = []
    while len(left) < MOST_ROUNDS and (not left or left[-1] > most_left):
        await asyncio.sleep(0.2)
        before = rss_of(served)
        await repeat(send, then)
        await check_lives(running)
        left.append(rss_of(served) - before)
        for _ in range(30):
            if left[-1] <= most_left:
                break
            await asyncio.sleep(0.1)
            left[-1] = rss_of(served) - before
    assert left[-1] <= most_left, left


async def repeat(send: Callable[[], Awaitable[None]], times: int) -> None:
    """One after the other."""
    for _ in range(times):
        await send()


def cpu_of(work: Callable[[bytes], object], data: bytes) -> float:
    """The least CPU time of five runs, in seconds."""
    times = []
    for _ in range(5):
        begun = time.process_time()
        work(data)
        times.append(time.process_time() - begun)
    return min(times)


CODEC = Codec.compile([ChatCompletionRequest.DESCRIPTOR])


def decode(body: bytes) -> None:
    """What the HTTP edge does with a body before anything else."""
    with suppress(ShapeFaults):
        CODEC.decode(ChatCompletionRequest, parse_json(body))


def parse(raw: bytes) -> None:
    """What the gRPC edge does with a message."""
    with suppress(GatewayError):
        CODEC.validate(parse_message(ChatCompletionRequest, raw))


def check(raw: bytes) -> None:
    """What admission does with a request."""
    with suppress(GatewayError):
        check_request(ChatCompletionRequest.FromString(raw))


def audio(size: int) -> bytes:
    """A message with so much sound."""
    message = make_message()
    message.user.content.add().input_audio.data = "abcd" * (size // 4)
    return make_request(messages=[message]).SerializeToString()


GROWTH: dict[str, tuple[Callable[[bytes], object], Callable[[int], bytes], int]] = {
    # name -> the work, the input of a size, the smaller size
    "H26 brackets": (decode, lambda size: b"[" * size, 200_000),
    "H26 brackets in pairs": (decode, lambda size: b"[" * size + b"]" * size, 200_000),
    "H28 keys": (decode, lambda size: b'{"a":{' + b",".join(b'"%d":0' % n for n in range(size)) + b"}}", 4_000),
    "H28 messages": (decode, lambda size: body_of(messages=[{"role": "user", "content": "x"}] * size), 1_500),
    "H29 keys alike": (decode, lambda size: b"{" + b",".join(b'"%040d":0' % n for n in range(size)) + b"}", 4_000),
    "H32 digits": (decode, lambda size: b'{"seed":' + b"9" * size + b"}", 200_000),
    "H32 numbers": (decode, lambda size: b'{"x":[' + b",".join([b"9" * 18] * size) + b"]}", 4_000),
    "H92 escapes": (decode, lambda size: text_body(b"\\u0041", size), 100_000),
    "H92 backslashes": (decode, lambda size: text_body(b"\\\\", size), 200_000),
    "H92 quotes": (decode, lambda size: text_body(b'\\"', size), 100_000),
    "H78 groups": (parse, lambda size: b"\x0b" * size, 200_000),
    "H28 messages of protobuf": (
        parse,
        lambda size: make_request(messages=[make_message("x")] * size).SerializeToString(),
        2_000,
    ),
    "H63 base64": (check, audio, 1_000_000),
}


@pytest.mark.parametrize("name", GROWTH)
def test_work_grows_with_the_input(name: str) -> None:
    """Ten times the input is some ten times the work; the bound is wide, since a square would be a hundred."""
    work, make, size = GROWTH[name]
    once, ten_times = cpu_of(work, make(size)), cpu_of(work, make(10 * size))
    assert ten_times <= 25 * max(once, 0.0005)


@pytest.mark.parametrize("row", ["H16"])
async def test_the_time_of_a_head(running: RunningGateway, row: str) -> None:
    """On the gateway as it is served a slow head has ten seconds."""
    del row
    host, port = running.http_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    begun_s = time.monotonic()
    writer.write(b"GET /healthz HTTP/1.1\r\n")
    answer = await asyncio.wait_for(reader.read(), 15)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert 9 <= time.monotonic() - begun_s <= 13
