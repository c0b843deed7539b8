# SPDX-License-Identifier: Apache-2.0
"""Streams on the wire: to the byte, the held status line, comments, errors early and late."""

import asyncio
import re

import orjson
import pytest

from support.http_edge import CHAT, DONE, STREAMED, make_last_batch, make_text_batch, post_bytes, running_edge
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError

COMMENT = b": TRUNKLINE PROCESSING\n\n"
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nX-Accel-Buffering: no\r\n"
    b"Transfer-Encoding: chunked\r\nX-Content-Type-Options: nosniff\r\n"
    b"X-Generation-Id: gen-000003q2800000000000000004\r\nX-Request-Id: req-1\r\n"
    b"Date: Thu, 01 Jan 1970 00:16:40 GMT\r\nConnection: close\r\n\r\n"
)
CHUNK = (
    b'data: {"id":"gen-x","object":"chat.completion.chunk","created":1000,"model":"acme/one","provider":"Acme",'
    b'"choices":[{"index":0,"delta":{%b},"finish_reason":%b}]%b}\n\n'
)
USAGE = b',"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}'
POST = post_bytes(orjson.dumps(STREAMED), "Connection: close", "X-Request-Id: req-1")
OVERLOADED = GatewayError(
    ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED, "Acme is busy.", provider="Acme", retry_after_s=1.2
)


def said(text: bytes) -> bytes:
    """The event of a chunk that adds text."""
    return CHUNK % (b'"content":"%b"' % text, b"null", b"")


ENDED = CHUNK % (b"", b'"stop"', USAGE)


def framed(data: bytes) -> bytes:
    """Bytes as one piece of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def dechunked(answer: bytes) -> bytes:
    """The body of a chunked answer."""
    body = answer.partition(b"\r\n\r\n")[2]
    pieces = re.findall(rb"[0-9a-f]+\r\n((?:data: |: ).*?\n\n)\r\n", body, re.DOTALL)
    return b"".join(pieces)


async def test_a_stream_to_the_byte() -> None:
    """Head, one piece a batch, and the last batch in one piece with the terminator and the end of the body."""
    async with running_edge([make_text_batch("a", "b"), make_text_batch("c"), make_last_batch()]) as edge:
        answer = await edge.raw(POST)
    pieces = [framed(said(b"a") + said(b"b")), framed(said(b"c")), framed(ENDED + DONE)]
    assert answer == HEAD + b"".join(pieces) + b"0\r\n\r\n"


async def test_http_1_0_gets_no_chunks() -> None:
    """A client of the old version reads until the connection is closed."""
    async with running_edge([make_text_batch("a"), make_last_batch()]) as edge:
        answer = await edge.raw(post_bytes(orjson.dumps(STREAMED), version="1.0"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert body == said(b"a") + ENDED + DONE
    assert b"Transfer-Encoding" not in head
    assert head.endswith(b"Connection: close")


async def test_each_batch_leaves_at_once() -> None:
    """A batch is with the client before the next one exists."""
    async with running_edge([make_text_batch("a"), 60.0]) as edge, edge.connect() as (reader, writer):
        writer.write(POST)
        assert await reader.readuntil(b"\n\n\r\n") == HEAD + framed(said(b"a"))


async def test_an_empty_batch_says_nothing() -> None:
    """A batch without chunks neither commits the status line nor writes."""
    async with running_edge([[], OVERLOADED]) as edge:
        assert (await edge.raw(POST)).startswith(b"HTTP/1.1 503 ")


async def test_silence_before_the_first_content() -> None:
    """After the hold the status is 200 and comments go out, again and again, until the content comes."""
    script = [0.25, make_text_batch("a"), make_last_batch()]
    async with running_edge(script, first_byte_hold_s=0.05, comment_interval_s=0.06) as edge:
        answer = await edge.raw(POST)
    comments, _, rest = dechunked(answer).partition(b"data: ")
    assert answer.startswith(HEAD + framed(COMMENT))
    assert comments.count(COMMENT) in {3, 4}
    assert comments == COMMENT * comments.count(COMMENT)
    assert b"data: " + rest == said(b"a") + ENDED + DONE


async def test_silence_between_batches() -> None:
    """Comments fill a silence inside the stream, and only a silence: what was written last counts."""
    busy = [step for text in "abcdef" for step in (make_text_batch(text), 0.03)]
    script = [*busy, 0.1, make_last_batch()]
    async with running_edge(script, first_byte_hold_s=0.05, comment_interval_s=0.08) as edge:
        body = dechunked(await edge.raw(POST))
    assert body == b"".join(said(b"%c" % text) for text in b"abcdef") + COMMENT + ENDED + DONE


async def test_no_comment_before_the_hold_is_over() -> None:
    """Until then nothing is written: a failure still has its own status."""
    async with running_edge([0.15, OVERLOADED], first_byte_hold_s=5, comment_interval_s=0.02) as edge:
        answer = await edge.raw(POST)
    assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n")
    assert b"\r\nRetry-After: 2\r\n" in answer


@pytest.mark.parametrize(
    ("script", "before", "model", "provider"),
    [
        ([make_text_batch("a"), OVERLOADED], said(b"a"), "acme/one", "Acme"),
        ([0.1, OVERLOADED], COMMENT, "acme/one", "Acme"),
    ],
)
async def test_a_late_failure(script: list[object], before: bytes, model: str, provider: str) -> None:
    """Once the status line is out a failure is one event beside the stream's ids, and the stream ends without [DONE]."""
    async with running_edge(script, first_byte_hold_s=0.02, comment_interval_s=60) as edge:  # type: ignore[arg-type]  # steps
        answer = await edge.raw(POST)
    body = dechunked(answer)
    assert body.startswith(before)
    event = orjson.loads(body.removeprefix(before).removeprefix(b"data: "))
    assert (event["object"], event["model"], event["provider"]) == ("chat.completion.chunk", model, provider)
    assert event["choices"] == [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]
    assert (event["error"]["code"], event["error"]["message"]) == (503, "Acme is busy.")
    assert event["error"]["metadata"]["error_type"] == "provider_overloaded"
    assert event["id"] == "gen-000003q2800000000000000004"
    assert answer.endswith(b"\r\n0\r\n\r\n")


async def test_a_failure_after_the_last_chunk(caplog: pytest.LogCaptureFixture) -> None:
    """A client that has the whole answer is told so; the failure is for the log."""
    async with running_edge([make_text_batch("a"), make_last_batch(), OVERLOADED]) as edge:
        assert dechunked(await edge.raw(POST)) == said(b"a") + ENDED + DONE
    assert "after its last chunk" in caplog.text


async def test_usage_before_the_last_chunk() -> None:
    """A gateway that says usage too early still has its chunks sent in order."""
    async with running_edge([make_last_batch(), make_text_batch("a"), make_last_batch()]) as edge:
        assert dechunked(await edge.raw(POST)) == ENDED + said(b"a") + ENDED + DONE


async def test_a_late_bug_is_masked(caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected exception within a stream is an error event without its words; the log has them."""
    async with running_edge([make_text_batch("a"), ValueError("secret")]) as edge:
        answer = await edge.raw(POST)
    assert b'"code":500' in answer
    assert b"secret" not in answer
    assert "ValueError: secret" in caplog.text


async def test_the_timer_ends_with_the_stream() -> None:
    """A kept connection gets no comment after its stream has ended."""
    times = {"first_byte_hold_s": 0.03, "comment_interval_s": 0.03}
    async with running_edge([make_last_batch()], **times) as edge, edge.connect() as (reader, writer):
        writer.write(post_bytes(orjson.dumps(STREAMED)))
        await reader.readuntil(b"\r\n0\r\n\r\n")
        await asyncio.sleep(0.1)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_leaving_closes_the_generator_within_a_second() -> None:
    """A client that goes away ends the call, in the midst of a stream and before its first content."""
    for script in ([make_text_batch("a"), 60.0], [60.0]):
        async with running_edge(script) as edge:
            async with edge.connect() as (_, writer):
                writer.write(POST)
                await asyncio.sleep(0.05)
            async with asyncio.timeout(1):
                await edge.gateway.ended.wait()
            assert edge.gateway.endings == ["closed"]


async def test_a_client_that_stops_reading_is_dropped() -> None:
    """Back-pressure reaches the generator; a reader that takes nothing for the time-out is dropped."""
    script = [make_text_batch("x" * 200_000) for _ in range(200)]
    async with running_edge(script, write_timeout_s=0.2) as edge, edge.connect() as (_, writer):
        writer.write(POST)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # WriteTransport is a Transport here
        async with asyncio.timeout(5):
            await edge.gateway.ended.wait()
        assert edge.gateway.endings == ["closed"]


async def test_a_slow_client_gets_everything() -> None:
    """Back-pressure loses nothing."""
    batches = [make_text_batch("x" * 200_000) for _ in range(120)]
    async with running_edge([*batches, make_last_batch()]) as edge, edge.connect() as (reader, writer):
        writer.write(POST)
        await asyncio.sleep(0.1)
        assert edge.gateway.endings == []
        answer = await reader.read()
    assert answer.count(b"data: {") == 121
    assert answer.endswith(DONE + b"\r\n0\r\n\r\n")


async def test_by_the_way_of_a_client() -> None:
    """An HTTP client reads the same events."""
    script = [make_text_batch("a"), make_last_batch()]
    async with running_edge(script) as edge, edge.client.post(CHAT, json=STREAMED) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        assert await answer.read() == said(b"a") + ENDED + DONE
