# SPDX-License-Identifier: Apache-2.0
"""The edge as a whole: which RPCs it serves, how it starts and stops."""

import asyncio
import socket
from importlib import import_module

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from support.builders import make_finish_chunk, make_request, make_text_chunk
from support.grpc_edge import CREATE, STREAM, list_models, running_edge
from support.source_tree import ROOT
from trunkline_server.edge.grpc import EXEMPT_RPCS

SERVICE_FILES = sorted(
    path.relative_to(ROOT / "proto").as_posix() for path in (ROOT / "proto").rglob("trunkline/v1/*_service.proto")
)


def services() -> list[ServiceDescriptor]:
    """All services of the contract."""
    modules = [import_module(name.removesuffix(".proto").replace("/", ".") + "_pb2") for name in SERVICE_FILES]
    return [service for module in modules for service in module.DESCRIPTOR.services_by_name.values()]


def rpcs() -> list[MethodDescriptor]:
    """All RPCs of the contract."""
    return [method for service in services() for method in service.methods]


async def test_every_rpc_is_served_or_exempt() -> None:
    """ChatService is served natively, other unary RPCs by table; a streaming one that is neither must be exempt, with a reason."""
    table = {
        method.full_name: list_models
        for method in rpcs()
        if not method.server_streaming
        and not method.client_streaming
        and method.containing_service.name != "ChatService"
    }
    async with running_edge(unary_rpcs=table) as running:
        served = running.edge.served_rpcs
    assert {method.full_name for method in rpcs()} == served | set(EXEMPT_RPCS)
    assert all(EXEMPT_RPCS.values())
    assert served & set(EXEMPT_RPCS) == set()


async def test_a_taken_port() -> None:
    """A port that another edge listens on is an OSError that names it."""
    async with running_edge() as first, running_edge() as second:
        port = int(first.target.rpartition(":")[2])
        with pytest.raises(OSError, match=f"127.0.0.1:{port}"):
            await second.edge.start("127.0.0.1", port)


def has_ipv6_loopback() -> bool:
    """Tell whether this machine can listen on ::1."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6_loopback(), reason="this machine has no IPv6 loopback")
async def test_ipv6() -> None:
    """An IPv6 address is put in brackets."""
    async with running_edge([make_finish_chunk()], host="::1") as running:
        assert await running.channel.unary_unary(CREATE)(make_request().SerializeToString())
    assert running.target.startswith("[::1]:")


async def test_the_end_is_announced() -> None:
    """Between the announcement and the end health says NOT_SERVING, and calls still work."""
    async with running_edge([make_finish_chunk()]) as running:
        await running.edge.announce_end()
        health = await health_pb2_grpc.HealthStub(running.channel).Check(health_pb2.HealthCheckRequest())
        assert health.status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert await running.channel.unary_unary(CREATE)(make_request().SerializeToString())


async def test_draining_lets_calls_finish() -> None:
    """A call in flight gets all its chunks and OK, a new one is UNAVAILABLE, and draining ends when the last call does."""
    async with running_edge([make_text_chunk("a")], 0.3, [make_text_chunk("b"), make_finish_chunk()]) as running:
        call = running.channel.unary_stream(STREAM)(make_request().SerializeToString())
        chunks = [await call.read()]
        draining = asyncio.create_task(running.edge.drain(60))
        await asyncio.sleep(0.1)
        with pytest.raises(aio.AioRpcError) as refused:
            await running.channel.unary_unary(CREATE)(make_request().SerializeToString())
        chunks += [await call.read(), await call.read(), await call.read()]
        async with asyncio.timeout(5):
            await draining
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert chunks[-1] is aio.EOF
    assert await call.code() is grpc.StatusCode.OK
    assert running.gateway.endings == ["done"]
