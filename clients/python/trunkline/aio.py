# SPDX-License-Identifier: Apache-2.0
"""The client for asyncio. All clients of a process belong on one event loop: grpc.aio cannot serve two."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Self

import grpc
from grpc import aio

from trunkline.connection import DEFAULT_TARGET, CallDefaults, plan_connection, plan_metadata
from trunkline.errors import error_from_call
from trunkline.requests import build_message, build_request
from trunkline.text import text_of
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk
from trunkline.v1.chat_service_pb2_grpc import ChatServiceStub
from trunkline.v1.model_pb2 import Model
from trunkline.v1.model_service_pb2 import ListModelsRequest
from trunkline.v1.model_service_pb2_grpc import ModelServiceStub
from trunkline.v1.route_service_pb2 import RoutePlan
from trunkline.v1.route_service_pb2_grpc import RouteServiceStub


class AsyncChunkStream(AsyncIterator[ChatCompletionChunk]):
    """The chunks of one answer, to be read once.

    Used as a context manager it cancels the call when left, so that a stream left early stops costing money; dropping the last reference does the same
    later. Reading raises TrunklineError where the answer fails, after the chunks that came.
    """

    def __init__(self, call: aio.UnaryStreamCall[ChatCompletionRequest, ChatCompletionChunk]) -> None:
        self._call = call
        self._chunks = aiter(call)
        self._closed = False

    async def __anext__(self) -> ChatCompletionChunk:
        try:
            return await anext(self._chunks)
        except grpc.RpcError as error:
            raise error_from_call(error) from error
        except asyncio.CancelledError:
            # grpc.aio says it to the reader of a call that somebody else has cancelled too.
            task = asyncio.current_task()
            if self._closed and task is not None and not task.cancelling():
                raise StopAsyncIteration from None
            raise

    async def text(self) -> AsyncGenerator[str, None]:
        """The text of the first choice, piece by piece; closes the call when left."""
        async with self:
            async for chunk in self:
                if piece := text_of(chunk):
                    yield piece

    def __del__(self) -> None:
        # grpc's call does the same when it is collected, but it is part of a cycle: that may take long.
        if not self._call.done():
            self._call.cancel()

    async def aclose(self) -> None:
        """Cancel the call unless it has ended."""
        self._closed = True
        self._call.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class AsyncClient:
    """A connection to a gateway, for one event loop; make one and keep it.

    `target` is `host:port` or a URL whose scheme says whether TLS is used (`https://gateway.example:443`); `credentials` replace the system's roots.
    `timeout_s` limits each call that names no limit of its own (None: the gateway's limit alone). `headers` go along with every call. `options` are
    grpc channel options. A given `channel` is used as it is, and left open by `close`.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        api_key: str | None = None,
        timeout_s: float | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        headers: Mapping[str, str] | None = None,
        options: Sequence[tuple[str, int | str]] = (),
        channel: aio.Channel | None = None,
    ) -> None:
        self._defaults = CallDefaults(timeout_s=timeout_s, metadata=plan_metadata(api_key, headers or {}))
        self._owns_channel = channel is None
        self._channel = _open(target, credentials, options) if channel is None else channel
        self._chat = ChatServiceStub(self._channel)
        self._models = ModelServiceStub(self._channel)
        self._routes = RouteServiceStub(self._channel)

    async def create(
        self,
        request: ChatCompletionRequest | Mapping[str, object] | None = None,
        /,
        *,
        timeout_s: float | None = None,
        headers: Mapping[str, str] | None = None,
        **fields: object,
    ) -> ChatCompletion:
        """The whole answer to a request, given as a message, as a dict, or by fields: `create(model="sim/echo", messages=[...])`.

        Where the provider failed after it had begun to answer, the answer is what came, with `error` set. Raises TypeError or ValueError for a request
        that cannot be built, TrunklineError for a call that failed.
        """
        message = build_request(request, **fields)
        try:
            return await self._chat.CreateChatCompletion(message, **self._defaults.options(timeout_s, headers))
        except grpc.RpcError as error:
            raise error_from_call(error) from error

    def stream(
        self,
        request: ChatCompletionRequest | Mapping[str, object] | None = None,
        /,
        *,
        timeout_s: float | None = None,
        headers: Mapping[str, str] | None = None,
        **fields: object,
    ) -> AsyncChunkStream:
        """The answer to a request in chunks; arguments as in `create`. The call begins at once, its failures are raised while reading."""
        message = build_request(request, **fields)
        call = self._chat.StreamChatCompletion(message, **self._defaults.options(timeout_s, headers))
        return AsyncChunkStream(call)

    async def models(
        self, *, timeout_s: float | None = None, headers: Mapping[str, str] | None = None, **filters: object
    ) -> list[Model]:
        """The models that the gateway offers; `filters` are the fields of `ListModelsRequest`. Raises as `create` does."""
        message = build_message(ListModelsRequest, None, filters)
        try:
            answer = await self._models.ListModels(message, **self._defaults.options(timeout_s, headers))
        except grpc.RpcError as error:
            raise error_from_call(error) from error
        return list(answer.data)

    async def explain(
        self,
        request: ChatCompletionRequest | Mapping[str, object] | None = None,
        /,
        *,
        timeout_s: float | None = None,
        headers: Mapping[str, str] | None = None,
        **fields: object,
    ) -> RoutePlan:
        """Where a request would go, and why, without sending it to any provider; arguments as in `create`. Where nobody may serve, `error` of the plan says why."""
        message = build_request(request, **fields)
        try:
            answer = await self._routes.ExplainRoute(message, **self._defaults.options(timeout_s, headers))
        except grpc.RpcError as error:
            raise error_from_call(error) from error
        return answer.data

    @property
    def channel(self) -> aio.Channel:
        """The channel, for the raw stubs of `trunkline.v1`."""
        return self._channel

    async def close(self) -> None:
        """End all calls and close the channel."""
        if self._owns_channel:
            await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _open(
    target: str, credentials: grpc.ChannelCredentials | None, options: Sequence[tuple[str, int | str]]
) -> aio.Channel:
    plan = plan_connection(target, credentials, options)
    if plan.credentials is None:
        return aio.insecure_channel(plan.target, options=plan.options)
    return aio.secure_channel(plan.target, plan.credentials, options=plan.options)
