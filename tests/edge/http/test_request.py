# SPDX-License-Identifier: Apache-2.0
"""What the edge reads of a request, and that a connection serves one after the other in one task."""

import asyncio

from support.http_edge import CHAT, MINIMAL, RunningEdge

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


async def test_pipelined_requests_are_answered_in_order(edge: RunningEdge) -> None:
    """Requests that come in one piece, a body among them, get one answer each, in their order."""
    post = (
        b"POST " + CHAT.encode() + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n"
    )
    answer = await edge.raw(
        GET + b"X-Request-Id: one\r\n\r\n" + post + b"X-Request-Id: two\r\n\r\n{}" + GET + b"Connection: close\r\n\r\n"
    )
    statuses = [part.partition(b"\r\n")[0] for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200 OK", b"415 Unsupported Media Type", b"200 OK"]
    assert answer.index(b"X-Request-Id: one") < answer.index(b"X-Request-Id: two")


async def test_a_connection_is_one_task(edge: RunningEdge) -> None:
    """Serving a second request on a connection leaves no task behind."""
    counts = []
    for _ in range(2):
        async with edge.client.post(CHAT, json=MINIMAL) as answer:
            assert answer.status == 200
        counts.append(len(asyncio.all_tasks()))
    assert counts[0] == counts[1]
