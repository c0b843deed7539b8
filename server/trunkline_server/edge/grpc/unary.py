# SPDX-License-Identifier: Apache-2.0
"""Unary RPCs by their full name, without a line for any of them: types come from the descriptors, the work from whoever composes the edge."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from trunkline_server.core.call import LARGE_REQUEST_BYTES
from trunkline_server.core.ports import UnaryRpc
from trunkline_server.edge.admission import take_session
from trunkline_server.edge.failures import error_of_faults
from trunkline_server.edge.grpc.intake import Arrival, Context, parse_message
from trunkline_server.edge.grpc.reception import Reception
from trunkline_server.jsonshape import Codec


def unary_handlers(
    rpcs: Mapping[str, UnaryRpc], codec: Codec, reception: Reception
) -> Mapping[str, grpc.GenericRpcHandler]:
    """Service name to its handler, for RPCs by full name ("package.Service.Method"). Raises ValueError for a name that is no unary RPC."""
    services: dict[str, dict[str, grpc.RpcMethodHandler[bytes, bytes]]] = defaultdict(dict)
    for name, rpc in rpcs.items():
        method = _find(name)
        services[method.containing_service.full_name][method.name] = _handler(method, rpc, codec, reception)
    return {name: grpc.method_handlers_generic_handler(name, methods) for name, methods in services.items()}


def _find(name: str) -> MethodDescriptor:
    try:
        method: MethodDescriptor = descriptor_pool.Default().FindMethodByName(name)
    except KeyError as error:
        raise ValueError(f"{name} is no RPC of a loaded contract; import the module of its service first") from error
    if method.client_streaming or method.server_streaming:
        raise ValueError(f"{name} streams; only unary RPCs can be served from a table")
    return method


def _handler(
    method: MethodDescriptor, rpc: UnaryRpc, codec: Codec, reception: Reception
) -> grpc.RpcMethodHandler[bytes, bytes]:
    request_type = message_factory.GetMessageClass(method.input_type)

    def read(raw: bytes) -> Message:
        request = parse_message(request_type, raw)
        if faults := codec.validate(request):
            raise error_of_faults(faults)
        return request

    async def answer(arrival: Arrival) -> Message:
        raw = await arrival.receive()
        request = read(raw) if len(raw) < LARGE_REQUEST_BYTES else await asyncio.to_thread(read, raw)
        del raw
        take_session(request, arrival.headers)
        return await rpc(request, arrival.principal)

    async def serve(_: object, context: Context) -> bytes | None:
        return await reception.serve(context, answer)

    return grpc.stream_unary_rpc_method_handler(serve)
