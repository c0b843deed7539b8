# SPDX-License-Identifier: Apache-2.0
"""The answer to calls of RPCs that nobody serves: UNIMPLEMENTED as grpc itself says it, but with the ids and details that every failure has."""

from __future__ import annotations

from typing import Final, NoReturn

import grpc

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.edge.grpc.intake import Arrival, Context
from trunkline_server.edge.grpc.reception import Reception

_SHOWN: Final = 100


class UnknownRpcs(grpc.GenericRpcHandler):
    """Takes every call that is left to it, so it must be asked last. No key is needed to be told that there is nothing."""

    def __init__(self, reception: Reception) -> None:
        self._reception = reception

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        """A handler that refuses the call, whatever its kind."""
        path = str(handler_call_details.method)

        async def refuse(_: Arrival) -> NoReturn:
            message = f"No RPC is served at {path[:_SHOWN]!r}; the gateway's reflection lists those that are."
            raise GatewayError(ErrorReason.ERROR_REASON_METHOD_NOT_ALLOWED, message)

        async def serve(_: object, context: Context) -> None:
            await self._reception.serve(context, refuse, public=True)

        return grpc.stream_stream_rpc_method_handler(serve)
