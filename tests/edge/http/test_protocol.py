# SPDX-License-Identifier: Apache-2.0
"""What is no HTTP: a JSON answer, the end of the connection, and no crash."""

import asyncio
import logging

import orjson
import pytest

from support.http_edge import (
    CHAT,
    DONE,
    MINIMAL,
    STREAMED,
    RunningEdge,
    make_last_batch,
    make_text_batch,
    post_bytes,
    running_edge,
)

LINE = b"GET /healthz HTTP/1.1\r\n"
HOST = b"Host: localhost\r\n"


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\n" + HOST + b"\r\n",
        LINE + HOST + b"No colon\r\n\r\n",
        LINE + HOST + b"A: \x00\r\n\r\n",
        LINE + HOST + b"A b: c\r\n\r\n",
        LINE + HOST + b"A: b\r\n c\r\n\r\n",
        LINE + HOST + b"X: " + b"x" * 70_000 + b"\r\n\r\n",
        LINE + HOST + b"".join(b"H%d: x\r\n" % number for number in range(200)) + b"\r\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        LINE + HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        LINE + HOST + b"Content-Length: +5\r\n\r\nhello",
        LINE + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        LINE + HOST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        LINE + HOST + b"Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
    ],
)
async def test_no_http(edge: RunningEdge, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Broken requests, other protocols and smuggling get a JSON 400 and the end of the connection; the log stays quiet."""
    answer = await edge.raw(data)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n")
    assert head.endswith(b"\r\nConnection: close")
    assert orjson.loads(body)["error"]["code"] == 400
    assert b"Server:" not in head
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []
    async with edge.client.get("/healthz") as again:
        assert again.status == 200


async def test_garbage_during_a_call() -> None:
    """Garbage that follows a good request does not disturb its answer; it is answered afterwards."""
    async with running_edge([make_text_batch("a"), 0.1, make_last_batch()]) as edge, edge.connect() as (reader, writer):
        writer.write(post_bytes(orjson.dumps(STREAMED)))
        await reader.readuntil(b"\n\n\r\n")
        writer.write(b"\x00\x01garbage\r\n\r\n")
        first, _, rest = (await reader.read()).partition(b"\r\n0\r\n\r\n")
    assert first.endswith(DONE)
    assert rest.startswith(b"HTTP/1.1 400 Bad Request\r\n")


async def test_an_upgrade_is_not_taken(edge: RunningEdge) -> None:
    """A client that offers another protocol is answered in this one."""
    async with edge.client.post(CHAT, json=MINIMAL, headers={"Connection": "Upgrade", "Upgrade": "h2c"}) as answer:
        assert answer.status == 200


async def test_an_idle_connection_is_closed() -> None:
    """A connection on which nothing, or half a head, comes is closed after the keep-alive time."""
    async with running_edge(keepalive_timeout_s=0.1) as edge:
        assert await edge.raw(b"") == b""
        assert await edge.raw(LINE) == b""


@pytest.mark.parametrize("start", [LINE, LINE + HOST, b"GET /"])
async def test_a_head_that_does_not_come(start: bytes) -> None:
    """A head that began has its time; then it is a 408 in JSON and the end of the connection."""
    async with running_edge(head_timeout_s=0.1) as edge:
        head, _, body = (await edge.raw(start)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert head.endswith(b"\r\nConnection: close")
    assert orjson.loads(body)["error"]["metadata"]["error_type"] == "timeout"


async def test_a_head_that_comes_in_time() -> None:
    """A head in pieces is a head; what comes after it, body or nothing, is no head that is late."""
    async with running_edge(head_timeout_s=0.2) as edge, edge.connect() as (reader, writer):
        for piece in (LINE, HOST, b"\r\n"):
            writer.write(piece)
            await asyncio.sleep(0.02)
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")
        await asyncio.sleep(0.3)
        request = post_bytes(orjson.dumps(MINIMAL))
        writer.write(request[:-5])
        await asyncio.sleep(0.3)
        writer.write(request[-5:])
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")
