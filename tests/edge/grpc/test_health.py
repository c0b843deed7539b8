# SPDX-License-Identifier: Apache-2.0
"""grpc.health.v1, as load balancers ask it."""

import asyncio

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from support.grpc_edge import make_admission, running_edge

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICES = ["", "trunkline.v1.ChatService", "trunkline.v1.ModelService", "trunkline.v1.OpenAICompatService"]
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


@pytest.mark.parametrize("service", SERVICES)
async def test_served_services(service: str) -> None:
    """The process and each service are SERVING, and no key is needed to ask."""
    async with running_edge(admission=make_admission("sk-a")) as running:
        stub = health_pb2_grpc.HealthStub(running.channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == SERVING


async def test_an_unknown_service() -> None:
    """Check says NOT_FOUND for a service that is not there, Watch says SERVICE_UNKNOWN."""
    request = health_pb2.HealthCheckRequest(service="nobody")
    async with running_edge() as running:
        stub = health_pb2_grpc.HealthStub(running.channel)
        with pytest.raises(aio.AioRpcError) as caught:
            await stub.Check(request)
        watched = await stub.Watch(request).read()
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert watched.status == SERVICE_UNKNOWN


@pytest.mark.parametrize("method", ["Check", "Watch"])
async def test_garbage(method: str) -> None:
    """Bytes that are no question are INVALID_ARGUMENT."""
    async with running_edge() as running:
        with pytest.raises(aio.AioRpcError) as caught:
            await running.channel.unary_unary(f"/grpc.health.v1.Health/{method}")(b"\xff\xff\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("service", SERVICES)
async def test_watchers_hear_of_the_end(service: str) -> None:
    """A watcher of the process or of a service hears NOT_SERVING when the edge drains; it does not hold that up."""
    async with running_edge() as running:
        watch = health_pb2_grpc.HealthStub(running.channel).Watch(health_pb2.HealthCheckRequest(service=service))
        first = await watch.read()
        async with asyncio.timeout(5):
            await running.edge.drain(60)
        second = await watch.read()
    assert (first.status, second.status) == (SERVING, NOT_SERVING)
