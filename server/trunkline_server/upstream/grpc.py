# SPDX-License-Identifier: Apache-2.0
"""Providers that speak gRPC: another Trunkline, and vendors with a gRPC API of their own.

A request is one message of a server-streaming RPC, an answer its messages, each a block: blocks never cut a message. What the bytes mean is the
dialect's affair. One channel per provider, no proxy of the environment; the key goes to the configured address alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import grpc
from grpc import aio

from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import UpstreamAnswer, UpstreamRequest
from trunkline_server.core.secret import Secret
from trunkline_server.dialects.trunkline.errors import error_of_status
from trunkline_server.upstream.auth import bearer_headers
from trunkline_server.upstream.read_watch import ReadWatch, deadline_error

_LARGEST_MESSAGE: Final = 32 << 20
_OPTIONS: Final = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_retries", 0),  # the engine retries, and counts
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.primary_user_agent", "trunkline"),
)
_DETAILS_KEY: Final = "grpc-status-details-bin"
_OK: Final = 200
# Another gateway ends a call so much before its deadline, to say why.
_MARGIN_S: Final = 0.2
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcWay:
    """Where a provider is: `http://host:port` for plain text or `https://host:port` for TLS, and the key, None where the provider wants none."""

    base_url: str
    secret: Secret | None = None


class GrpcUpstream:
    """The way to one provider over gRPC. Must be used within one running event loop."""

    def __init__(self, way: GrpcWay) -> None:
        """Raises ValueError for an address with more than that, and for a key that no header can hold."""
        base_url = way.base_url
        url = urlsplit(base_url)
        if url.scheme not in {"http", "https"} or not url.hostname or url.username or url.path.strip("/") or url.query:
            raise ValueError(f"{base_url!r} must read http://host:port or https://host:port")
        host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
        self._target = f"{host}:{url.port or (443 if url.scheme == 'https' else 80)}"
        self._is_secure = url.scheme == "https"
        self._metadata = tuple(bearer_headers(way.secret).items())
        self._channel: aio.Channel | None = None

    def send(self, request: UpstreamRequest) -> AbstractAsyncContextManager[UpstreamAnswer]:
        """Sends a request when the context is entered; `path` is the method's full name. A provider that cannot be reached is told by the first read."""
        if self._channel is None:
            self._channel = self._open()
        return _Exchange(self._channel, request, self._metadata)

    async def close(self) -> None:
        """Closes the connection, and ends the calls on it."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()

    def _open(self) -> aio.Channel:
        if self._is_secure:
            return aio.secure_channel(self._target, grpc.ssl_channel_credentials(), options=_OPTIONS)
        return aio.insecure_channel(self._target, options=_OPTIONS)


class _Exchange:
    """One call. As the answer it iterates over its own messages, so that a message costs no generator."""

    __slots__ = ("_call", "_channel", "_deadline_s", "_failure", "_metadata", "_request", "_watch")

    def __init__(self, channel: aio.Channel, request: UpstreamRequest, metadata: tuple[tuple[str, str], ...]) -> None:
        self._channel = channel
        self._request: UpstreamRequest | None = request
        self._metadata = metadata
        self._call: Any = None  # grpc.aio's own types name no read() of a call without serializers
        self._failure: GatewayError | None = None
        self._deadline_s = request.deadline_s
        self._watch: ReadWatch | None = None

    @property
    def status(self) -> int:
        """Always 200: a failure comes as the call's status, after its messages."""
        return _OK

    @property
    def headers(self) -> Mapping[str, str]:
        """None: metadata may come with the first message only, and nothing in it is of use."""
        return _NO_HEADERS

    def blocks(self) -> AsyncIterator[bytes]:
        """The messages, one by one. Raises GatewayError where the call fails."""
        return self

    def note_content(self) -> None:
        """The first content has come: from now on the idle time-out bounds the silence."""
        if self._watch is not None:
            self._watch.note_content()

    async def __aenter__(self) -> UpstreamAnswer:
        request, self._request = self._request, None  # its body goes once it is sent
        if request is None:
            raise RuntimeError("a request is sent once")
        now_s = time.monotonic()
        if request.deadline_s <= now_s:
            raise deadline_error()
        method: Any = self._channel.unary_stream(request.path)
        metadata = (*self._metadata, *request.headers.items())
        self._call = method(request.body, timeout=request.deadline_s - now_s, metadata=metadata)
        content_due_s = now_s + request.first_content_timeout_s
        self._watch = ReadWatch(
            # The other end answers with its first message: there is no head before it to wait for.
            first_due_s=content_due_s,
            content_due_s=content_due_s,
            idle_timeout_s=request.idle_timeout_s,
            last_due_s=now_s + request.total_timeout_s,
            deadline_s=request.deadline_s,
            fail=self._fail,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._watch is not None:
            self._watch.stop()
        if self._call is not None:
            self._call.cancel()  # means nothing where the call has ended

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        watch = self._watch
        if watch is None:
            raise RuntimeError("the answer is read within its context")
        watch.begin_read()
        try:
            message = await self._call.read()
        except aio.AioRpcError as error:
            raise self._failure_of(error) from error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._failure is None or (task is not None and task.cancelling()):
                raise
            raise self._failure from None
        watch.end_read()
        if message is aio.EOF:
            raise StopAsyncIteration
        block: bytes = message
        return block

    def _fail(self, error: GatewayError) -> None:
        """Ends the wait for a message."""
        self._failure = error
        self._call.cancel()

    def _failure_of(self, error: aio.AioRpcError) -> GatewayError:
        if self._failure is not None:
            return self._failure
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and time.monotonic() > self._deadline_s - _MARGIN_S:
            return deadline_error()
        trailer = error.trailing_metadata() or ()
        details = next((value for key, value in trailer if key == _DETAILS_KEY and isinstance(value, bytes)), b"")
        return error_of_status(error.code().value[0], error.details() or "", details)
