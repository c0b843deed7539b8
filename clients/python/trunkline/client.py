# SPDX-License-Identifier: Apache-2.0
"""The blocking client, on grpc's sync stubs: it never starts an event loop, which would break grpc.aio in the same process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

import grpc

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


class _ChunkCall(Protocol):
    """What grpc's call object is, for which it has no public name."""

    def __next__(self) -> ChatCompletionChunk: ...

    def cancel(self) -> object: ...


class ChunkStream(Iterator[ChatCompletionChunk]):
    """The chunks of one answer, to be read once.

    Used as a context manager it cancels the call when left, so that a stream left early stops costing money; dropping the last reference does the same
    later. Reading raises TrunklineError where the answer fails, after the chunks that came.
    """

    def __init__(self, call: _ChunkCall) -> None:
        self._call = call
        self._closed = False

    def __next__(self) -> ChatCompletionChunk:
        try:
            return next(self._call)
        except grpc.RpcError as error:
            if self._closed:
                raise StopIteration from None
            raise error_from_call(error) from error

    def text(self) -> Iterator[str]:
        """The text of the first choice, piece by piece; closes the call when left."""
        with self:
            for chunk in self:
                if piece := text_of(chunk):
                    yield piece

    def close(self) -> None:
        """Cancel the call unless it has ended; may be called from another thread."""
        self._closed = True
        self._call.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Client:
    """A connection to a gateway. Safe to share between threads; make one and keep it.

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
        channel: grpc.Channel | None = None,
    ) -> None:
        self._defaults = CallDefaults(timeout_s=timeout_s, metadata=plan_metadata(api_key, headers or {}))
        self._owns_channel = channel is None
        self._channel = _open(target, credentials, options) if channel is None else channel
        self._chat = ChatServiceStub(self._channel)
        self._models = ModelServiceStub(self._channel)
        self._routes = RouteServiceStub(self._channel)

    def create(
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
            return self._chat.CreateChatCompletion(message, **self._defaults.options(timeout_s, headers))
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
    ) -> ChunkStream:
        """The answer to a request in chunks; arguments as in `create`. The call begins at once, its failures are raised while reading."""
        message = build_request(request, **fields)
        call = self._chat.StreamChatCompletion(message, **self._defaults.options(timeout_s, headers))
        return ChunkStream(call)

    def models(
        self, *, timeout_s: float | None = None, headers: Mapping[str, str] | None = None, **filters: object
    ) -> list[Model]:
        """The models that the gateway offers; `filters` are the fields of `ListModelsRequest`. Raises as `create` does."""
        message = build_message(ListModelsRequest, None, filters)
        try:
            answer = self._models.ListModels(message, **self._defaults.options(timeout_s, headers))
        except grpc.RpcError as error:
            raise error_from_call(error) from error
        return list(answer.data)

    def explain(
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
            answer = self._routes.ExplainRoute(message, **self._defaults.options(timeout_s, headers))
        except grpc.RpcError as error:
            raise error_from_call(error) from error
        return answer.data

    @property
    def channel(self) -> grpc.Channel:
        """The channel, for the raw stubs of `trunkline.v1`."""
        return self._channel

    def close(self) -> None:
        """End all calls and close the channel."""
        if self._owns_channel:
            self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open(
    target: str, credentials: grpc.ChannelCredentials | None, options: Sequence[tuple[str, int | str]]
) -> grpc.Channel:
    plan = plan_connection(target, credentials, options)
    if plan.credentials is None:
        return grpc.insecure_channel(plan.target, options=plan.options)
    return grpc.secure_channel(plan.target, plan.credentials, options=plan.options)
