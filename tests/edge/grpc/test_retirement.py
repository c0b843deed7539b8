# SPDX-License-Identifier: Apache-2.0
"""Leaving a gRPC port to other processes."""

import asyncio
import sys

import grpc
import pytest
from grpc import aio

from trunkline_server.edge.grpc.retirement import close_listeners, count_connections

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the sockets in /proc")
ECHO = "/a.B/C"


def make_server() -> aio.Server:
    """A server that echoes bytes and shares its port."""

    async def echo(request: bytes, _context: object) -> bytes:
        return request

    server = aio.server(options=[("grpc.so_reuseport", 1)])
    handlers = {"C": grpc.unary_unary_rpc_method_handler(echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("a.B", handlers),))
    return server


async def test_connections_stay_and_new_ones_go_elsewhere(capfd: pytest.CaptureFixture[str]) -> None:
    """After the listeners closed, connections still work, new ones meet the other server or nobody, and the count says who is left."""
    server = make_server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with aio.insecure_channel(f"127.0.0.1:{port}", options=options) as kept:
        assert count_connections(port) == 0
        assert await kept.unary_unary(ECHO)(b"1") == b"1"
        assert count_connections(port) == 1
        close_listeners(port)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        assert await kept.unary_unary(ECHO)(b"2") == b"2"
        other = make_server()
        other.add_insecure_port(f"127.0.0.1:{port}")
        await other.start()
        async with aio.insecure_channel(f"127.0.0.1:{port}", options=options) as fresh:
            await server.stop(0)
            assert (
                await fresh.unary_unary(
                    ECHO,
                )(b"3", wait_for_ready=True)
                == b"3"
            )
    await other.stop(0)
    assert count_connections(port) == 0
    capfd.readouterr()  # grpc core's line about the listener


async def test_other_ports_are_left_alone() -> None:
    """Only the sockets of that port are closed."""
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    close_listeners(1)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await reader.read() == b""
    writer.close()
    server.close()
