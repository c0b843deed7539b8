# SPDX-License-Identifier: Apache-2.0
"""The edge as a whole: routes and methods, health, drain and stop."""

import asyncio
import socket

import aiohttp
import orjson
import pytest

from support.http_edge import (
    CHAT,
    MINIMAL,
    STREAMED,
    RunningEdge,
    make_last_batch,
    make_text_batch,
    post_bytes,
    running_edge,
)
from trunkline_server.edge.http import server

FACES = ("chat/completions", "completions", "messages", "responses")


async def test_the_routes(edge: RunningEdge) -> None:
    """Each RPC of the table and each face are served below both bases; the typed chat paths are for stock transcoders."""
    assert edge.edge.routes == [
        ("GET", "/api/v1/model/{author}/{slug}"),
        ("GET", "/api/v1/models"),
        ("GET", "/api/v1/models/count"),
        ("GET", "/v1/model/{author}/{slug}"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/count"),
        *(("POST", f"{base}/{face}") for base in ("/api/v1", "/v1") for face in FACES),
    ]


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", CHAT, 405, "OPTIONS, POST"),
        ("PUT", CHAT, 405, "OPTIONS, POST"),
        ("TRACE", "/v1/models", 405, "GET, HEAD, OPTIONS"),
        ("POST", "/v1/models", 405, "GET, HEAD, OPTIONS"),
        ("OPTIONS", "/v1/models", 204, "GET, HEAD, OPTIONS"),
        ("HEAD", "/v1/models", 200, None),
        ("HEAD", CHAT, 405, "OPTIONS, POST"),
        ("HEAD", "/healthz", 200, None),
        ("POST", "/healthz", 404, None),
        ("GET", "/v1/typed/chat/completions", 404, None),
        ("GET", "/v1/models/", 404, None),
        ("GET", "/", 404, None),
        ("BREW", "/v1/models", 400, None),
        ("PROPFIND", "/v1/models", 405, "GET, HEAD, OPTIONS"),
    ],
)
async def test_methods(edge: RunningEdge, method: str, path: str, status: int, allow: str | None) -> None:
    """A path that is not served is a 404, a method that it does not have a 405 with those that it has."""
    async with edge.client.request(method, path) as answer:
        assert (answer.status, answer.headers.get("Allow")) == (status, allow)
        assert answer.content_type == "application/json" or status == 204


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"http://localhost/healthz", b"400"),
        (b"*", b"400"),
        (b"//healthz", b"404"),
        (b"/healthz#x", b"404"),
        (b"/healthz?x", b"200"),
    ],
)
async def test_targets(edge: RunningEdge, target: bytes, status: bytes) -> None:
    """The request line names a path of this gateway and nothing else."""
    answer = await edge.raw(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert answer[9:12] == status


@pytest.mark.parametrize(("is_ready", "status"), [(True, 200), (False, 503)])
async def test_health(is_ready: bool, status: int) -> None:
    """Alive is alive; ready is what the gateway says of itself. Neither asks for a key."""
    async with running_edge(is_ready=is_ready, keys=["sk"]) as edge:
        async with edge.client.get("/healthz") as answer:
            assert (answer.status, await answer.json()) == (200, {"status": "ok"})
        async with edge.client.get("/readyz") as answer:
            assert answer.status == status


async def test_drain_sends_clients_elsewhere(edge: RunningEdge) -> None:
    """While draining calls are still served, each on its last connection, and nobody is invited."""
    await edge.edge.drain()
    async with edge.client.get("/readyz") as answer:
        assert (answer.status, answer.headers["Connection"]) == (503, "close")
    async with edge.client.post(CHAT, json=MINIMAL) as answer:
        assert (answer.status, answer.headers["Connection"]) == (200, "close")


async def test_stop_lets_calls_finish() -> None:
    """What is under way finishes within the grace; a new connection is refused at once; idle ones are closed."""
    script = [make_text_batch("a"), 0.2, make_last_batch()]
    async with running_edge(script) as edge, edge.connect() as (idle, _), edge.connect() as (reader, writer):
        writer.write(post_bytes(orjson.dumps(STREAMED)))
        await reader.readuntil(b"\n\n\r\n")
        stopping = asyncio.create_task(edge.edge.stop(5))
        assert await idle.read() == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", edge.port)
        assert (await reader.read()).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        await stopping
        assert edge.gateway.endings == ["done"]


async def test_stop_waits_for_a_body_too() -> None:
    """A request whose body is still coming is under way."""
    body = orjson.dumps(MINIMAL)
    async with running_edge([make_last_batch()]) as edge, edge.connect() as (reader, writer):
        request = post_bytes(body)
        writer.write(request[:-10])
        await asyncio.sleep(0.05)
        stopping = asyncio.create_task(edge.edge.stop(5))
        await asyncio.sleep(0.05)
        writer.write(request[-10:])
        answer = await reader.read()
        await stopping
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nConnection: close\r\n" in answer


@pytest.mark.parametrize(
    ("request_json", "script", "start", "end"),
    [
        (STREAMED, [make_text_batch("a"), 60.0], b"HTTP/1.1 200 ", b"\r\n0\r\n\r\n"),
        (STREAMED, [60.0], b"HTTP/1.1 503 ", b"}}"),
        (MINIMAL, [make_text_batch("a"), 60.0], b"HTTP/1.1 503 ", b"}}"),
    ],
)
async def test_stop_ends_the_rest(
    request_json: dict[str, object], script: list[list[object] | float], start: bytes, end: bytes
) -> None:
    """What does not finish within the grace is told so, by status or by event, and its generator is closed."""
    async with running_edge(script) as edge, edge.connect() as (reader, writer):  # type: ignore[arg-type]  # steps
        writer.write(post_bytes(orjson.dumps(request_json)))
        await asyncio.sleep(0.05)
        await edge.edge.stop(0.05)
        answer = await reader.read()
    assert answer.startswith(start)
    assert b'"reason":"SHUTTING_DOWN"' in answer
    assert answer.endswith(end)
    assert edge.gateway.endings == ["closed"]


async def test_stop_twice_and_before_start(edge: RunningEdge) -> None:
    """Stopping what is stopped does nothing."""
    await edge.edge.stop(0)
    await edge.edge.stop(0)


async def test_two_addresses() -> None:
    """An edge can listen on several addresses; the port that is taken is an OSError."""
    async with running_edge() as edge:
        port = await edge.edge.start("127.0.0.1", 0)
        async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.status == 200
        with pytest.raises(OSError, match="in use"):
            await edge.edge.start("127.0.0.1", port)


async def test_nodelay(edge: RunningEdge, monkeypatch: pytest.MonkeyPatch) -> None:
    """No chunk waits for another: Nagle's algorithm is off on each connection."""
    async with edge.connect() as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"}")
        connection = edge.edge._server.connections[0]
        option = connection.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert option == 1


def test_an_unknown_rpc_shows_at_start() -> None:
    """A name that no imported contract has is a KeyError."""
    with pytest.raises(KeyError, match="NoService"):
        server.find_rpc("trunkline.v1.NoService.Do")
