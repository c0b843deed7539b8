# SPDX-License-Identifier: Apache-2.0
"""A small xAI: its chat service, by its package's own stubs, on a free port of loopback. It plays a script and remembers what came."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from grpc import aio
from xai_sdk.proto import chat_pb2, chat_pb2_grpc


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A failure that ends the call."""

    code: grpc.StatusCode
    message: str


@dataclass(slots=True)
class FakeXai(chat_pb2_grpc.ChatServicer):
    """Answers each call with the script: a message is sent, a number waited for (seconds), a status ends the call; `left` is set when a caller leaves early."""

    base_url: str = ""
    script: Sequence[dict[str, Any] | float | Status] = ()
    requests: list[Any] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def GetCompletionChunk(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802 - the RPC's name
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        try:
            for step in self.script:
                if isinstance(step, Status):
                    await context.abort(step.code, step.message)
                elif isinstance(step, float):
                    await asyncio.sleep(step)
                else:
                    yield chat_pb2.GetChatCompletionChunk(id="r-1", model="grok-4.6", **step)
        except asyncio.CancelledError:
            self.left.set()
            raise


@asynccontextmanager
async def running_xai() -> AsyncIterator[FakeXai]:
    """The service while the context is open."""
    fake = FakeXai()
    server = aio.server()
    chat_pb2_grpc.add_ChatServicer_to_server(fake, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    fake.base_url = f"http://127.0.0.1:{port}"
    try:
        yield fake
    finally:
        await server.stop(0)
