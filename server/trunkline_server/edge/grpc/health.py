# SPDX-License-Identifier: Apache-2.0
"""grpc.health.v1: what load balancers and Kubernetes ask. The bookkeeping is grpcio-health-checking's, the parsing our own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio

from trunkline_server.edge.grpc.intake import Arrival, Context
from trunkline_server.edge.grpc.reception import Reception

SERVICE: Final = "grpc.health.v1.Health"
_OVERALL: Final = ""
_LONGEST_NOTICE_S: Final = 1.0


class Health:
    """The health of the process ("") and of each of its services by name: NOT_SERVING until `open` and again from `close` on."""

    def __init__(self, reception: Reception, services: Iterable[str]) -> None:
        self._reception = reception
        self._services = (_OVERALL, *services)
        self._servicer = health_aio.HealthServicer()

    def handler(self) -> grpc.GenericRpcHandler:
        """The service as grpc takes it."""
        serializer = health_pb2.HealthCheckResponse.SerializeToString
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Check": grpc.stream_unary_rpc_method_handler(self._check),
                "Watch": grpc.stream_stream_rpc_method_handler(self._watch, response_serializer=serializer),
            },
        )

    async def open(self) -> None:
        """Say SERVING."""
        for service in self._services:
            await self._servicer.set(service, health_pb2.HealthCheckResponse.SERVING)

    async def close(self) -> None:
        """Say NOT_SERVING for good. A watcher that does not read cannot hold this up for long."""
        try:
            async with asyncio.timeout(_LONGEST_NOTICE_S):
                await self._servicer.enter_graceful_shutdown()
        except TimeoutError:
            return

    async def _check(self, _: object, context: Context) -> bytes | None:
        return await self._reception.serve(context, self._answer, public=True)

    async def _watch(self, _: object, context: Context) -> None:
        await self._reception.serve(context, self._follow, public=True)

    async def _answer(self, arrival: Arrival) -> Message | None:
        request = await arrival.read(health_pb2.HealthCheckRequest)
        context: Any = arrival.context
        response: Message = await self._servicer.Check(request, context)
        return response

    async def _follow(self, arrival: Arrival) -> None:
        request = await arrival.read(health_pb2.HealthCheckRequest)
        context: Any = arrival.context
        await self._servicer.Watch(request, context)
