# SPDX-License-Identifier: Apache-2.0
"""The gRPC edge as a whole: which services there are, how it starts and how it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from grpc import aio

from trunkline_server.core.ports import Gateway, UnaryRpc
from trunkline_server.edge.admission import Admission
from trunkline_server.edge.grpc import chat, facade
from trunkline_server.edge.grpc.health import Health
from trunkline_server.edge.grpc.options import GrpcEdgeOptions
from trunkline_server.edge.grpc.reception import Reception
from trunkline_server.edge.grpc.reflection import Reflection
from trunkline_server.edge.grpc.retirement import close_listeners, count_connections
from trunkline_server.edge.grpc.unary import unary_handlers
from trunkline_server.edge.grpc.unknown import UnknownRpcs
from trunkline_server.jsonshape import Codec

EXEMPT_RPCS: Final[Mapping[str, str]] = MappingProxyType({})
"""RPCs of the contract that this edge does not serve, and why."""

# Beyond the grace, for the statuses of the calls that it ended to leave.
_FAREWELL_S: Final = 2.0


class GrpcEdge:
    """The gateway's gRPC face.

    `unary_rpcs` are the RPCs besides those of ChatService and OpenAICompatService by full name ("trunkline.v1.ModelService.ListModels"). Must be made, started and drained on one event
    loop, the only one of the process that uses gRPC. Raises ValueError for a name among `unary_rpcs` that is no unary RPC.
    """

    def __init__(
        self,
        *,
        gateway: Gateway,
        admission: Admission,
        codec: Codec,
        unary_rpcs: Mapping[str, UnaryRpc],
        options: GrpcEdgeOptions,
    ) -> None:
        self._port = 0
        self.served_rpcs = frozenset((*chat.RPCS, *facade.RPCS, *unary_rpcs))
        self._reception = Reception(
            admission, request_timeout_s=options.request_timeout_s, compress_from_bytes=options.compress_from_bytes
        )
        handlers = chat.ChatHandlers(gateway=gateway, admission=admission, codec=codec, reception=self._reception)
        compat = facade.FacadeHandlers(
            gateway=gateway,
            admission=admission,
            codec=codec,
            reception=self._reception,
            hold_s=options.first_byte_hold_s,
            interval_s=options.comment_interval_s,
        )
        tables = unary_handlers(unary_rpcs, codec, self._reception)
        services = (chat.SERVICE, facade.SERVICE, *tables)
        self._health = Health(self._reception, services)
        self._server = aio.server(options=options.channel_arguments())
        self._server.add_generic_rpc_handlers(
            (handlers.handler(), compat.handler(), *tables.values(), self._health.handler())
        )
        if options.reflection:
            reflection = Reflection(self._reception, (*services, "grpc.health.v1.Health"))
            self._server.add_generic_rpc_handlers(reflection.handlers())
        self._server.add_generic_rpc_handlers((UnknownRpcs(self._reception),))

    async def start(self, host: str, port: int) -> int:
        """Listen on an address in plain text; returns the port, a free one for port 0. Raises OSError where it cannot be had."""
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            bound = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(
                f"cannot listen for gRPC on {address}: it is taken or not an address of this machine"
            ) from error
        await self._health.open()
        await self._server.start()
        self._port = bound
        return bound

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return count_connections(self._port)

    def retire(self) -> None:
        """Leave new connections to the other processes on the port. Those that are there are served until they reach their age."""
        close_listeners(self._port)

    async def announce_end(self) -> None:
        """Say NOT_SERVING while calls are still taken, so that load balancers turn away before `drain`."""
        await self._health.close()

    async def drain(self, grace_s: float) -> None:
        """Say NOT_SERVING, take no more calls, let those in flight finish within the grace (seconds), and end the rest as SHUTTING_DOWN."""
        await self.announce_end()
        stopping = asyncio.create_task(self._server.stop(grace_s + _FAREWELL_S))
        # The server refuses new calls from its task's first step on.
        await asyncio.sleep(0)
        await self._reception.settle(grace_s)
        await stopping
