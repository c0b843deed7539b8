# SPDX-License-Identifier: Apache-2.0
"""A gateway as clients see it: the contract's services on a free port of loopback, playing a script and remembering what came."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message
from grpc import aio

from trunkline.v1 import chat_service_pb2_grpc, model_service_pb2, model_service_pb2_grpc, route_service_pb2_grpc
from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk
from trunkline_server.core.errors import GatewayError
from trunkline_server.edge.grpc.status import CallIds, failure_of

IDS = CallIds(request_id="req-1", generation_id="gen-1")


@dataclass(slots=True)
class ScriptedService(
    chat_service_pb2_grpc.ChatServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
    route_service_pb2_grpc.RouteServiceServicer,
):
    """Answers every call with the script: a message is sent, a number waited for (seconds), a GatewayError ends the call.

    `requests` and `metadata` are what came, in order; `left` is set when a client leaves a call early. `time_left_s` is what the last call had.
    """

    target: str = ""
    script: Sequence[Message | GatewayError | float] = ()
    requests: list[Message] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    time_left_s: float | None = None

    async def CreateChatCompletion(self, request: Message, context: Any) -> Message:  # noqa: N802 - the RPC's name
        return await anext(self._play(request, context))

    async def StreamChatCompletion(self, request: Message, context: Any) -> AsyncIterator[Message]:  # type: ignore[override] # noqa: N802 - the RPC's name; grpc takes generators
        async for message in self._play(request, context):
            yield message

    async def ListModels(self, request: Message, context: Any) -> Message:  # noqa: N802 - the RPC's name
        return await anext(self._play(request, context))

    async def ExplainRoute(self, request: Message, context: Any) -> Message:  # noqa: N802 - the RPC's name
        return await anext(self._play(request, context))

    async def _play(self, request: Message, context: Any) -> AsyncIterator[Message]:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        self.time_left_s = context.time_remaining()
        for step in self.script:
            if isinstance(step, GatewayError):
                failure = failure_of(step, IDS)
                await context.abort(failure.code, failure.message, failure.trailer)
            elif isinstance(step, float):
                try:
                    await asyncio.sleep(step)
                finally:
                    self.left.set()
            else:
                yield step


@asynccontextmanager
async def scripted_service(*script: Message | GatewayError | float) -> AsyncIterator[ScriptedService]:
    """A service that plays the script."""
    service = ScriptedService(script=script)
    server = aio.server()
    chat_service_pb2_grpc.add_ChatServiceServicer_to_server(service, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(service, server)
    route_service_pb2_grpc.add_RouteServiceServicer_to_server(service, server)
    service.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield service
    await server.stop(None)


def make_completion(text: str) -> ChatCompletion:
    """An answer of one choice with one text."""
    completion = ChatCompletion(id="gen-1")
    completion.choices.add(index=0).message.content.add(text=text)
    return completion


def make_pieces(*texts: str) -> list[ChatCompletionChunk]:
    """A chunk for each text, of the first choice."""
    chunks = [ChatCompletionChunk(id="gen-1") for _ in texts]
    for chunk, text in zip(chunks, texts, strict=True):
        chunk.choices.add(index=0).delta.content = text
    return chunks


def make_models(*slugs: str) -> model_service_pb2.ListModelsResponse:
    """The answer of ListModels."""
    response = model_service_pb2.ListModelsResponse()
    for slug in slugs:
        response.data.add(id=slug)
    return response
