# SPDX-License-Identifier: Apache-2.0
"""Leaving an HTTP port to other processes."""

import asyncio
import socket
from contextlib import ExitStack

import pytest

from support.http_edge import running_edge
from trunkline_server.edge.http.retirement import empty_and_close

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def test_what_waits_is_not_lost() -> None:
    """Connections that nobody had accepted are given out; new ones are refused."""
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(address)) for _ in range(5)]
        waiting = [stack.enter_context(each) for each in empty_and_close(server)]
        assert {each.getpeername() for each in waiting} == {client.getsockname() for client in clients}
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)


async def test_an_edge_that_retires() -> None:
    """Those who are connected, or wait to be, get their answer, and it closes; the edge still says that it is well, and counts who is left."""
    async with running_edge() as at:
        async with at.connect() as (reader, writer):
            writer.write(HEALTH)
            assert b"keep-alive" not in (await reader.readuntil(b"\r\n\r\n")).lower()
            assert await reader.readexactly(15) == b'{"status":"ok"}'
            assert at.edge.connections == 1
            waiting = socket.create_connection(("127.0.0.1", at.port))
            await at.edge.retire()
            assert at.edge.connections == 2
            writer.write(HEALTH.replace(b"healthz", b"readyz"))
            assert b"connection: close" in (await reader.read()).lower()
            other, its = await asyncio.open_connection(sock=waiting)
            its.write(HEALTH)
            answer = await other.read()
            assert answer.startswith(b"HTTP/1.1 200")
            its.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", at.port)
        await asyncio.sleep(0.05)
        assert at.edge.connections == 0
