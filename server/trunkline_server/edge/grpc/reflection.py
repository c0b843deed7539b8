# SPDX-License-Identifier: Apache-2.0
"""Server reflection, v1 and v1alpha: lets grpcurl and its like read the contract.

grpcio-reflection has v1alpha alone. The messages of v1 are the same on the wire, so one servicer answers both; v1's descriptor, which clients may ask
for like any other, is v1alpha's with its package renamed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import aio as reflection_aio

from trunkline_server.edge.grpc.intake import Arrival, Context
from trunkline_server.edge.grpc.reception import Reception, write

_ALPHA_PACKAGE: Final = "grpc.reflection.v1alpha"
_PACKAGE: Final = "grpc.reflection.v1"
_FILE: Final = "grpc/reflection/v1/reflection.proto"
SERVICES: Final = (f"{_PACKAGE}.ServerReflection", f"{_ALPHA_PACKAGE}.ServerReflection")


class Reflection:
    """Tells the contract to whoever asks."""

    def __init__(self, reception: Reception, services: Iterable[str]) -> None:
        _add_v1_descriptor()
        self._reception = reception
        self._servicer = reflection_aio.ReflectionServicer((*services, *SERVICES))

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        """The services as grpc takes them."""
        method: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(
            self._serve, response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString
        )
        return [grpc.method_handlers_generic_handler(service, {"ServerReflectionInfo": method}) for service in SERVICES]

    async def _serve(self, _: object, context: Context) -> None:
        await self._reception.serve(context, self._answer, public=True)

    async def _answer(self, arrival: Arrival) -> None:
        answers: Any = self._servicer.ServerReflectionInfo(_requests(arrival), arrival.context)
        async for answer in answers:
            await write(arrival.context, answer)


async def _requests(arrival: Arrival) -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
    """The client's questions. One that asks nothing for long is taken for done."""
    while True:
        try:
            request = await arrival.read_next(reflection_pb2.ServerReflectionRequest)
        except TimeoutError:
            return
        if request is None:
            return
        yield request


def _add_v1_descriptor() -> None:
    """Make v1's descriptor known to the pool, unless it is already."""
    pool = descriptor_pool.Default()
    try:
        pool.FindFileByName(_FILE)
    except KeyError:
        pool.AddSerializedFile(_renamed_descriptor().SerializeToString())


def _renamed_descriptor() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(file)
    file.name = _FILE
    file.package = _PACKAGE
    for message in file.message_type:
        for field in message.field:
            if field.HasField("type_name"):
                field.type_name = _renamed(field.type_name)
    for service in file.service:
        for method in service.method:
            method.input_type = _renamed(method.input_type)
            method.output_type = _renamed(method.output_type)
    return file


def _renamed(type_name: str) -> str:
    return type_name.replace(f".{_ALPHA_PACKAGE}.", f".{_PACKAGE}.")
