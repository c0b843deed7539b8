# SPDX-License-Identifier: Apache-2.0
"""Server reflection, as grpcurl asks it."""

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc import aio
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from support.grpc_edge import RunningEdge, running_edge

PACKAGES = ["grpc.reflection.v1", "grpc.reflection.v1alpha"]


async def ask(
    running: RunningEdge, package: str, *questions: ServerReflectionRequest
) -> list[ServerReflectionResponse]:
    """The answers to questions asked on one stream."""
    method = running.channel.stream_stream(
        f"/{package}.ServerReflection/ServerReflectionInfo",
        request_serializer=ServerReflectionRequest.SerializeToString,
        response_deserializer=ServerReflectionResponse.FromString,
    )
    return [answer async for answer in method(iter(questions))]


@pytest.mark.parametrize("package", PACKAGES)
async def test_the_list_of_services(package: str) -> None:
    """Both versions list what is served, themselves included."""
    async with running_edge() as running:
        [answer] = await ask(running, package, ServerReflectionRequest(list_services=""))
    assert [service.name for service in answer.list_services_response.service] == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "trunkline.v1.ChatService",
        "trunkline.v1.ModelService",
        "trunkline.v1.OpenAICompatService",
    ]


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize(
    "symbol", ["trunkline.v1.ChatService", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"]
)
async def test_a_service_can_be_built_from_the_answer(package: str, symbol: str) -> None:
    """The files that come back are enough to build the service in an empty pool."""
    async with running_edge() as running:
        [answer] = await ask(running, package, ServerReflectionRequest(file_containing_symbol=symbol))
    files = [
        descriptor_pb2.FileDescriptorProto.FromString(raw)
        for raw in answer.file_descriptor_response.file_descriptor_proto
    ]
    known = {file.name: file for file in files}
    pool = descriptor_pool.DescriptorPool()
    add_with_imports(pool, known, *known)
    assert pool.FindServiceByName(symbol).methods


def add_with_imports(
    pool: descriptor_pool.DescriptorPool, known: dict[str, descriptor_pb2.FileDescriptorProto], *names: str
) -> None:
    """Add files to a pool, what they import first."""
    for name in names:
        add_with_imports(pool, known, *known[name].dependency)
        pool.AddSerializedFile(known[name].SerializeToString())


async def test_an_unknown_symbol() -> None:
    """What is not there is NOT_FOUND within the stream, which goes on."""
    async with running_edge() as running:
        unknown = ServerReflectionRequest(file_containing_symbol="no.Such")
        first, second = await ask(running, PACKAGES[0], unknown, ServerReflectionRequest(list_services=""))
    assert first.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
    assert second.list_services_response.service


@pytest.mark.parametrize("package", PACKAGES)
async def test_garbage(package: str) -> None:
    """Bytes that are no question are INVALID_ARGUMENT."""
    async with running_edge() as running:
        with pytest.raises(aio.AioRpcError) as caught:
            await running.channel.unary_unary(f"/{package}.ServerReflection/ServerReflectionInfo")(b"\xff\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_silent_client_is_taken_for_done() -> None:
    """A stream on which nothing is asked ends by itself."""
    async with running_edge(request_timeout_s=0.05) as running:
        call = running.channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")()
        assert await call.read() is aio.EOF
        assert await call.code() is grpc.StatusCode.OK


async def test_reflection_can_be_switched_off() -> None:
    """Without the option there is no such service."""
    async with running_edge(reflection=False) as running:
        with pytest.raises(aio.AioRpcError) as caught:
            await ask(running, PACKAGES[0], ServerReflectionRequest(list_services=""))
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
