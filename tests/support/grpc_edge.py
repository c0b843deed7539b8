# SPDX-License-Identifier: Apache-2.0
"""A gRPC edge on a free port of loopback, around a scripted gateway."""

import hashlib
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache

import grpc
from google.protobuf.message import Message
from google.rpc import status_pb2
from grpc import aio

from support.fake_gateway import FakeGateway
from trunkline.v1 import chat_request_pb2, chat_response_pb2, model_service_pb2
from trunkline_server.core.call import Principal
from trunkline_server.core.ports import UnaryRpc
from trunkline_server.edge.admission import Admission, KeyRecord
from trunkline_server.edge.grpc import GrpcEdge, GrpcEdgeOptions
from trunkline_server.jsonshape import Codec

CREATE = "/trunkline.v1.ChatService/CreateChatCompletion"
STREAM = "/trunkline.v1.ChatService/StreamChatCompletion"
FACADE = "/trunkline.v1.OpenAICompatService/ChatCompletions"
LIST_MODELS = "/trunkline.v1.ModelService/ListModels"
KEY = "sk-test"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningEdge:
    """An edge that listens, the gateway behind it, and a channel to it."""

    edge: GrpcEdge
    gateway: FakeGateway
    target: str
    channel: aio.Channel


@cache
def make_codec() -> Codec:
    """The codec of chat requests and answers, and of what ModelService takes."""
    service = model_service_pb2.DESCRIPTOR.services_by_name["ModelService"]
    chat = (
        chat_request_pb2.ChatCompletionRequest,
        chat_response_pb2.ChatCompletion,
        chat_response_pb2.ChatCompletionChunk,
    )
    return Codec.compile(
        [*(message.DESCRIPTOR for message in chat), *(method.input_type for method in service.methods)]
    )


def make_admission(*keys: str, **settings: float) -> Admission:
    """An admission whose clocks stand at 1000 s and whose randomness counts up; it knows the keys by the names key-0, key-1, …"""
    counter = itertools.count(1)
    records = [
        KeyRecord(name=f"key-{index}", sha256=hashlib.sha256(key.encode()).hexdigest())
        for index, key in enumerate(keys)
    ]
    return Admission(
        keys=records,
        default_timeout_s=settings.get("default_timeout_s", 60.0),
        max_timeout_s=settings.get("max_timeout_s", 600.0),
        clock_s=lambda: 1000.0,
        monotonic_s=lambda: 1000.0,
        random_bytes=lambda size: next(counter).to_bytes(size, "big"),
    )


async def list_models(request: Message, principal: Principal) -> Message:
    """A ListModels that answers with one model, made of the question and the caller."""
    response = model_service_pb2.ListModelsResponse(total_count=1)
    response.data.add(id=f"{getattr(request, 'q', '')}/{principal.name}")
    return response


@asynccontextmanager
async def running_edge(
    *script: object,
    admission: Admission | None = None,
    unary_rpcs: Mapping[str, UnaryRpc] | None = None,
    host: str = "127.0.0.1",
    **options: float | bool,
) -> AsyncIterator[RunningEdge]:
    """An edge whose gateway plays the script; `options` are those of GrpcEdgeOptions."""
    gateway = FakeGateway(script=list(script))  # type: ignore[arg-type] # the steps are the test's own
    edge = GrpcEdge(
        gateway=gateway,
        admission=admission or make_admission(),
        codec=make_codec(),
        unary_rpcs={"trunkline.v1.ModelService.ListModels": list_models} if unary_rpcs is None else unary_rpcs,
        options=GrpcEdgeOptions(**options),  # type: ignore[arg-type] # the options are the test's own
    )
    target = f"{f'[{host}]' if ':' in host else host}:{await edge.start(host, 0)}"
    async with aio.insecure_channel(target) as channel:
        yield RunningEdge(edge=edge, gateway=gateway, target=target, channel=channel)
    await edge.drain(0)


def details_of(error: grpc.RpcError) -> list[Message]:
    """The details of a failed call's status, unpacked, in order. Empty where there are none."""
    trailer = dict(error.trailing_metadata())  # type: ignore[attr-defined] # both APIs' errors have it
    status = status_pb2.Status.FromString(trailer.get("grpc-status-details-bin", b""))
    return [unpack(detail) for detail in status.details]


def unpack(detail: object) -> Message:
    """The message inside an Any."""
    from google.protobuf import descriptor_pool, message_factory

    name = detail.type_url.rpartition("/")[2]  # type: ignore[attr-defined] # an Any
    message = message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name))()
    message.ParseFromString(detail.value)  # type: ignore[attr-defined] # an Any
    return message
