# SPDX-License-Identifier: Apache-2.0
"""An HTTP edge on a free port of loopback, around a scripted gateway, and ways to speak to it."""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import aiohttp
from google.protobuf.message import Message

from support.builders import make_finish_chunk, make_text_chunk, make_usage
from support.fake_gateway import FakeGateway, Step
from trunkline.v1 import chat_request_pb2, chat_response_pb2, error_pb2, model_service_pb2, route_service_pb2
from trunkline.v1.model_service_pb2 import CountModelsResponse, ListModelsResponse
from trunkline_server.core.call import Principal
from trunkline_server.core.ports import Batch, UnaryRpc
from trunkline_server.edge.admission import Admission, KeyRecord
from trunkline_server.edge.http import HttpEdge, HttpEdgeOptions
from trunkline_server.jsonshape import Codec

CHAT = "/v1/chat/completions"
KEY = "sk-test"
MINIMAL = {"model": "acme/one", "messages": [{"role": "user", "content": "hello"}]}
STREAMED = {**MINIMAL, "stream": True}
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningEdge:
    """An edge that listens, the gateway behind it, and a client with its base URL."""

    edge: HttpEdge
    gateway: FakeGateway
    port: int
    client: aiohttp.ClientSession

    async def raw(self, data: bytes) -> bytes:
        """Sends bytes on a connection of their own and returns all that comes until it is closed."""
        async with self.connect() as (reader, writer):
            writer.write(data)
            return await reader.read()

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection of its own, closed at the end; what is done with it may take ten seconds."""
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                yield reader, writer
            finally:
                writer.close()
                with suppress(ConnectionError):
                    await writer.wait_closed()


@cache
def make_codec() -> Codec:
    """The codec of all that the edge reads and writes."""
    service = model_service_pb2.DESCRIPTOR.services_by_name["ModelService"]
    return Codec.compile(
        [
            chat_request_pb2.ChatCompletionRequest.DESCRIPTOR,
            chat_response_pb2.ChatCompletion.DESCRIPTOR,
            chat_response_pb2.ChatCompletionChunk.DESCRIPTOR,
            error_pb2.ErrorBody.DESCRIPTOR,
            route_service_pb2.ExplainRouteResponse.DESCRIPTOR,
            *(message for method in service.methods for message in (method.input_type, method.output_type)),
        ]
    )


def make_admission(*keys: str) -> Admission:
    """An admission whose clocks stand at 1000 s and whose randomness counts up; it knows the keys by the names key-0, key-1, …"""
    counter = itertools.count(1)
    return Admission(
        keys=[
            KeyRecord(name=f"key-{index}", sha256=hashlib.sha256(key.encode()).hexdigest())
            for index, key in enumerate(keys)
        ],
        default_timeout_s=60,
        max_timeout_s=600,
        clock_s=lambda: 1000.0,
        monotonic_s=lambda: 1000.0,
        random_bytes=lambda size: next(counter).to_bytes(size, "big"),
    )


@dataclass(slots=True)
class FakeRpcs:
    """Unary RPCs of ModelService that remember what they were asked."""

    asked: list[tuple[Message, Principal]]

    async def list_models(self, request: Message, principal: Principal) -> Message:
        """Answers with an empty list."""
        self.asked.append((request, principal))
        answer = ListModelsResponse(total_count=0)
        answer.links.SetInParent()
        return answer

    async def count_models(self, request: Message, principal: Principal) -> Message:
        """Answers with seven."""
        self.asked.append((request, principal))
        return CountModelsResponse(data={"count": 7})

    async def get_model(self, request: Message, principal: Principal) -> Message:
        """Fails unexpectedly."""
        self.asked.append((request, principal))
        raise RuntimeError("the secret is 42")

    def table(self) -> Mapping[str, UnaryRpc]:
        """The RPCs by their full names."""
        service = "trunkline.v1.ModelService"
        return {
            f"{service}.ListModels": self.list_models,
            f"{service}.CountModels": self.count_models,
            f"{service}.GetModel": self.get_model,
        }


@asynccontextmanager
async def running_edge(
    script: Sequence[Step] = (),
    *,
    keys: Sequence[str] = (),
    rpcs: Mapping[str, UnaryRpc] | None = None,
    is_ready: bool = True,
    **options: Any,
) -> AsyncIterator[RunningEdge]:
    """An edge with the script; `options` are those of HttpEdgeOptions. Stopped without grace at the end."""
    gateway = FakeGateway(script)
    edge = HttpEdge(
        gateway=gateway,
        admission=make_admission(*keys),
        codec=make_codec(),
        unary_rpcs=FakeRpcs([]).table() if rpcs is None else rpcs,
        options=HttpEdgeOptions(**options),
        is_ready=lambda: is_ready,
        clock_s=lambda: 1000.0,
    )
    port = await edge.start("127.0.0.1", 0)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
        try:
            yield RunningEdge(edge=edge, gateway=gateway, port=port, client=client)
        finally:
            await edge.stop(0)


def make_text_batch(*texts: str) -> Batch:
    """A batch with one chunk for each text, as the engine makes them: with the call's id and the provider."""
    return [_stamp(make_text_chunk(text)) for text in texts]


def make_last_batch() -> Batch:
    """The batch that ends an answer: finish and usage in one chunk."""
    chunk = _stamp(make_finish_chunk())
    chunk.usage.CopyFrom(make_usage())
    return [chunk]


def post_bytes(body: bytes, *headers: str, path: str = CHAT, version: str = "1.1") -> bytes:
    """A POST as bytes, with a loopback Host, JSON and the body's length; further headers as whole lines."""
    lines = [
        f"POST {path} HTTP/{version}",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def _stamp(chunk: chat_response_pb2.ChatCompletionChunk) -> chat_response_pb2.ChatCompletionChunk:
    chunk.id, chunk.created, chunk.model, chunk.provider = "gen-x", 1000, "acme/one", "Acme"
    return chunk
