# SPDX-License-Identifier: Apache-2.0
"""Bodies at and beyond their limits: too large, too slow, compressed, broken."""

import asyncio
import io
import json
from collections.abc import AsyncIterator

import pytest

from support.http_edge import CHAT, MINIMAL, RunningEdge, post_bytes, running_edge

MIB = 1024 * 1024
CHUNKED_HEAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


async def pieces(size_mib: int) -> AsyncIterator[bytes]:
    """A body of unknown length."""
    for _ in range(size_mib):
        yield b" " * MIB


async def test_33_mib_declared(edge: RunningEdge) -> None:
    """A body whose length is over the limit is refused before it is read, and the connection is closed."""
    head = post_bytes(b"").replace(b"Content-Length: 0", b"Content-Length: %d" % (33 * MIB))
    async with edge.connect() as (reader, writer):
        writer.write(head)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"\r\nConnection: close\r\n" in answer


async def test_33_mib_sent(edge: RunningEdge) -> None:
    """A client that sends it all the same can read the answer, and the next call works."""
    async with edge.client.post(
        CHAT, data=io.BytesIO(b" " * (33 * MIB)), headers={"Content-Type": "application/json"}
    ) as answer:
        assert answer.status == 413
        body = await answer.json()
    assert body["error"]["metadata"]["error_type"] == "payload_too_large"
    async with edge.client.post(CHAT, json=MINIMAL) as answer:
        assert answer.status == 200


async def test_33_mib_chunked(edge: RunningEdge) -> None:
    """A body of unknown length is counted while it is read."""
    async with edge.client.post(CHAT, data=pieces(33), headers={"Content-Type": "application/json"}) as answer:
        assert answer.status == 413
    assert edge.gateway.calls == []


@pytest.mark.parametrize(("over", "status"), [(0, 200), (1, 413)])
async def test_the_limit_is_exact(over: int, status: int) -> None:
    """As many bytes as allowed are read, one more is not."""
    text = json.dumps(MINIMAL).encode()
    async with running_edge(max_body_bytes=len(text)) as edge:
        answer = await edge.raw(post_bytes(text + b" " * over, "Connection: close"))
        chunked = CHUNKED_HEAD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + b"%x\r\n%b\r\n0\r\n\r\n" % (
            len(text) + over,
            text + b" " * over,
        )
        counted = await edge.raw(chunked)
    assert (answer[9:12], counted[9:12]) == (b"%d" % status, b"%d" % status)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x"])
async def test_compressed_bodies_are_refused(edge: RunningEdge, encoding: str) -> None:
    """Nothing is unpacked, so nothing can explode."""
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    async with edge.client.post(CHAT, data=b"\x1f\x8b", headers=headers) as answer:
        assert answer.status == 415


async def test_a_body_in_pieces(edge: RunningEdge) -> None:
    """A body may come as slowly as the limit allows, in any pieces."""
    text = json.dumps(MINIMAL).encode()
    async with edge.connect() as (reader, writer):
        request = post_bytes(text, "Connection: close")
        for start in range(0, len(request), 40):
            writer.write(request[start : start + 40])
            await asyncio.sleep(0.001)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("sent", [b"", b'{"messages"'])
async def test_a_slow_body(sent: bytes) -> None:
    """A body that does not come is given up: 408, and the connection is closed."""
    async with running_edge(body_timeout_s=0.1) as edge:
        request = post_bytes(b"").replace(b"Content-Length: 0", b"Content-Length: 50") + sent
        async with edge.connect() as (reader, writer):
            writer.write(request)
            answer = await reader.readuntil(b"}}")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"\r\nConnection: close\r\n" in answer


async def test_a_trickle_is_too_slow() -> None:
    """A byte now and then does not keep a connection open for ever."""
    async with running_edge(body_timeout_s=0.2) as edge, edge.connect() as (reader, writer):
        writer.write(post_bytes(b"").replace(b"Content-Length: 0", b"Content-Length: 500000"))

        async def trickle() -> None:
            while True:
                writer.write(b" ")
                await asyncio.sleep(0.02)

        feeder = asyncio.create_task(trickle())
        answer = await reader.readuntil(b"\r\n")
        feeder.cancel()
    assert answer == b"HTTP/1.1 408 Request Timeout\r\n"


async def test_expect_continue(edge: RunningEdge) -> None:
    """A client that asks before it sends the body is told to go on."""
    text = json.dumps(MINIMAL).encode()
    async with edge.connect() as (reader, writer):
        head = post_bytes(text, "Expect: 100-continue", "Connection: close").removesuffix(text)
        writer.write(head)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(text)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")


async def test_expect_continue_refused(edge: RunningEdge) -> None:
    """A client that asks first is spared sending what is refused anyway."""
    head = post_bytes(b"", "Expect: 100-continue").replace(b"Content-Length: 0", b"Content-Length: 99999999")
    async with edge.connect() as (reader, writer):
        writer.write(head)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\n{}\r\n0\r\n\r\n",
        b"2\r\n{}xx0\r\n\r\n",
        b"ffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        b"-2\r\n{}\r\n0\r\n\r\n",
    ],
)
async def test_broken_framing(edge: RunningEdge, body: bytes) -> None:
    """A body whose framing is broken is a 400 and the end of the connection, whether it comes with the head or after it."""
    assert (await edge.raw(CHUNKED_HEAD + body)).startswith(b"HTTP/1.1 400 ")
    async with edge.connect() as (reader, writer):
        writer.write(CHUNKED_HEAD)
        await asyncio.sleep(0.05)
        writer.write(body)
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    assert edge.gateway.calls == []


async def test_a_client_that_leaves_midway(edge: RunningEdge) -> None:
    """A body that never ends because the client left starts no call and disturbs nobody."""
    async with edge.connect() as (_, writer):
        writer.write(post_bytes(b"").replace(b"Content-Length: 0", b"Content-Length: 50") + b"{")
        await asyncio.sleep(0.02)
    async with edge.client.post(CHAT, json=MINIMAL) as answer:
        assert answer.status == 200
    assert len(edge.gateway.calls) == 1
