# SPDX-License-Identifier: Apache-2.0
"""Answers as bytes: heads, ids, connections, HEAD."""

import pytest

from support.http_edge import CHAT, RunningEdge
from trunkline_server.edge.http.exchange import HttpDate, head_bytes

IDS = b"X-Content-Type-Options: nosniff\r\nX-Generation-Id: gen-000003q2800000000000000008\r\nX-Request-Id: req-000000000000000000000001\r\n"
DATE = b"Date: Thu, 01 Jan 1970 00:16:40 GMT\r\n"
COUNT = b'{"data":{"count":7}}'
PLAIN = b"Content-Type: application/json\r\nContent-Length: 20\r\nCache-Control: no-store\r\n"


@pytest.mark.parametrize(
    ("request_line", "extra", "expected"),
    [
        (
            b"GET /v1/models/count HTTP/1.1",
            b"Connection: close\r\n",
            PLAIN + IDS + DATE + b"Connection: close\r\n\r\n" + COUNT,
        ),
        (
            b"HEAD /v1/models/count HTTP/1.1",
            b"Connection: close\r\n",
            PLAIN + IDS + DATE + b"Connection: close\r\n\r\n",
        ),
        (b"GET /v1/models/count HTTP/1.0", b"", PLAIN + IDS + DATE + b"Connection: close\r\n\r\n" + COUNT),
    ],
)
async def test_an_answer_to_the_byte(edge: RunningEdge, request_line: bytes, extra: bytes, expected: bytes) -> None:
    """Length, ids, date, nosniff, no-store; no server banner; a HEAD has the head alone."""
    answer = await edge.raw(request_line + b"\r\nHost: localhost\r\n" + extra + b"\r\n")
    assert answer == b"HTTP/1.1 200 OK\r\n" + expected


async def test_keep_alive_of_http_1_0(edge: RunningEdge) -> None:
    """An old client that asks to keep the connection is told that it is kept."""
    async with edge.connect() as (reader, writer):
        for _ in range(2):
            writer.write(b"GET /v1/models/count HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n")
            assert b"\r\nConnection: keep-alive\r\n" in await reader.readuntil(COUNT)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/healthz"), ("GET", "/nope"), ("DELETE", CHAT), ("POST", CHAT), ("GET", "/v1/models")]
)
async def test_ids_on_every_answer(edge: RunningEdge, method: str, path: str) -> None:
    """Failures too have both ids; the caller's request id comes back."""
    headers = {"X-Request-Id": "mine", "Content-Type": "application/json"}
    async with edge.client.request(method, path, headers=headers) as answer:
        assert answer.headers["X-Request-Id"] == "mine"
        assert answer.headers["X-Generation-Id"].startswith("gen-")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Server" not in answer.headers


@pytest.mark.parametrize("given", ["x" * 129, "ümlaut", "a\tb"])
async def test_a_request_id_that_is_not_echoed(edge: RunningEdge, given: str) -> None:
    """What is no short printable ASCII is replaced: nothing of it gets into a head."""
    async with edge.client.get("/healthz", headers={"X-Request-Id": given}) as answer:
        assert answer.headers["X-Request-Id"].startswith("req-")


def test_head_bytes() -> None:
    """A status that HTTP does not know has a phrase all the same."""
    assert head_bytes(499, [("A", "b")]) == b"HTTP/1.1 499 Unknown\r\nA: b\r\n\r\n"


def test_the_date_follows_the_clock() -> None:
    """The text is made anew when the second changes."""
    times = iter([0.2, 0.9, 1.0])
    date = HttpDate(lambda: next(times))
    assert [date.text()[-12:] for _ in range(3)] == ["00:00:00 GMT", "00:00:00 GMT", "00:00:01 GMT"]
