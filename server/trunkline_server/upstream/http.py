# SPDX-License-Identifier: Apache-2.0
"""Providers that speak HTTP.

Connections are kept and shared. One goes back to the pool when its answer has been received to the end, and is cut otherwise: an answer that nobody
wants costs money as long as the provider believes in a reader. Redirects are not followed and no proxy of the environment is used, so the key goes to
the configured host alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from ssl import SSLContext
from types import TracebackType
from typing import Final, Self

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError
from yarl import URL

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import UpstreamAnswer, UpstreamRequest
from trunkline_server.core.secret import Secret
from trunkline_server.upstream.auth import bearer_headers
from trunkline_server.upstream.read_watch import ReadWatch, deadline_error

_READ_BUFFER_BYTES: Final = 64 << 10
"""aiohttp stops reading from the socket at twice this, so a slow client slows its provider."""

_KEEP_ALIVE_S: Final = 30.0
_LARGE_BODY_BYTES: Final = 256 << 10
_WRITE_BYTES: Final = 64 << 10
_LINGER_S: Final = 0.05
"""How long the end of the body may take after the end of the answer. Most often both come in one packet; waiting saves the connection."""

_OWN_HEADERS: Final = frozenset(
    {"authorization", "connection", "content-length", "cookie", "host", "transfer-encoding"}
)
"""What no dialect may set."""

_UNREACHABLE: Final = "The provider cannot be reached."
_BROKEN: Final = "The connection to the provider broke."
_NO_HTTP: Final = "The provider's answer is not proper HTTP."


class HttpUpstream:
    """The way to one provider over HTTP. Must be used within one running event loop."""

    def __init__(self, *, base_url: str, secret: Secret | None = None, ssl: SSLContext | None = None) -> None:
        """Takes the URL that paths are appended to, and the key, None where the provider wants none.

        `ssl` replaces the system's trust. Raises ValueError for a URL that is not plain http or https, and for a key that no header can hold.
        """
        url = URL(base_url)
        if url.scheme not in {"http", "https"} or not url.raw_host or url.user or url.query_string or url.fragment:
            raise ValueError(f"{base_url!r} must be an http or https URL without user, query or fragment")
        self._base_url = base_url.rstrip("/")
        self._ssl = ssl
        self._headers = {"user-agent": "trunkline", "accept-encoding": "identity", **bearer_headers(secret)}
        self._session: aiohttp.ClientSession | None = None

    def send(self, request: UpstreamRequest) -> AbstractAsyncContextManager[UpstreamAnswer]:
        """Sends a request when the context is entered.

        Raises GatewayError: PROVIDER_UNAVAILABLE, PROVIDER_TIMEOUT, PROVIDER_INVALID_RESPONSE, DEADLINE_EXCEEDED.
        """
        if not request.path.startswith("/"):
            raise ValueError(f"the path {request.path!r} must begin with a slash")
        return _Exchange(self._open_session(), URL(self._base_url + request.path), self._headers, request)

    async def close(self) -> None:
        """Closes the connections, those in use too."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            tracing = aiohttp.TraceConfig()
            tracing.on_connection_reuseconn.append(_note_reuse)
            self._session = aiohttp.ClientSession(
                # The engine bounds calls; a second bound here would be a queue that nobody sees.
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S, ssl=self._ssl or True),
                cookie_jar=aiohttp.DummyCookieJar(),
                read_bufsize=_READ_BUFFER_BYTES,
                trust_env=False,
                trace_configs=[tracing],
            )
        return self._session


@dataclass(slots=True)
class _Attempt:
    """One sending of the request, and whether it went over a connection that had been used before."""

    reused_connection: bool = False


async def _note_reuse(_session: object, context: object, _params: object) -> None:
    context.trace_request_ctx.reused_connection = True  # type: ignore[attr-defined] # aiohttp makes the context


class _Exchange:
    """One request and its answer."""

    def __init__(
        self, session: aiohttp.ClientSession, url: URL, headers: Mapping[str, str], request: UpstreamRequest
    ) -> None:
        self._session = session
        self._url = url
        self._request = request
        own = {name: value for name, value in request.headers.items() if name.lower() not in _OWN_HEADERS}
        self._headers = {**own, **headers}
        self._response: aiohttp.ClientResponse | None = None
        self._watch: ReadWatch | None = None

    async def __aenter__(self) -> UpstreamAnswer:
        request = self._request
        first_due_s = time.monotonic() + request.first_byte_timeout_s
        self._response = response = await self._receive_head(first_due_s)
        self._watch = watch = ReadWatch(
            first_due_s=first_due_s,
            idle_timeout_s=request.idle_timeout_s,
            deadline_s=request.deadline_s,
            fail=response.content.set_exception,
        )
        return HttpAnswer(response, watch)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        response, watch = self._response, self._watch
        if response is None or watch is None:
            return
        try:
            if kind is None and response.connection is not None:
                await _wait_for_end(response)
        finally:
            watch.stop()
            if response.connection is not None and response.connection.transport is not None:
                response.connection.transport.abort()
            response.close()

    async def _receive_head(self, first_due_s: float) -> aiohttp.ClientResponse:
        request = self._request
        due_s = min(first_due_s, request.deadline_s)
        if request.deadline_s <= time.monotonic():
            raise deadline_error()
        try:
            async with asyncio.timeout(due_s - time.monotonic()):
                return await self._post_twice_if_stale()
        except aiohttp.ClientResponseError as error:
            # Not chained as it is: it holds the request's headers, and with them the key.
            found = f"{error.status} {error.message}"
        except aiohttp.ServerTimeoutError as error:
            raise _timeout("The provider did not accept a connection in time.") from error
        except TimeoutError as error:
            if request.deadline_s <= first_due_s:
                raise deadline_error() from error
            raise _timeout("The provider did not begin its answer in time.") from error
        except aiohttp.ClientConnectionError as error:
            unreached = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientConnectorDNSError)
            raise _unavailable(_UNREACHABLE if unreached else _BROKEN) from error
        except aiohttp.ClientError as error:
            raise _invalid(_NO_HTTP) from error
        raise _invalid(_NO_HTTP) from ValueError(found)

    async def _post_twice_if_stale(self) -> aiohttp.ClientResponse:
        """Posts; again, for free, where a kept connection turns out to have been closed by the other end before it answered."""
        attempt = _Attempt()
        try:
            return await self._post(attempt)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if not attempt.reused_connection or _has_answer(error):
                raise
        return await self._post(_Attempt())

    async def _post(self, attempt: _Attempt) -> aiohttp.ClientResponse:
        request = self._request
        body = request.body
        headers = self._headers
        content: bytes | AsyncIterator[bytes] = body
        if len(body) > _LARGE_BODY_BYTES:
            headers = {**headers, "content-length": str(len(body))}
            content = _pieces(body)
        return await self._session.post(
            self._url,
            data=content,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, connect=request.connect_timeout_s),
            trace_request_ctx=attempt,
        )


class HttpAnswer:
    """The head of an answer, and its body block by block."""

    __slots__ = ("_content", "_watch", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse, watch: ReadWatch) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
        self._content = response.content
        self._watch = watch

    def blocks(self) -> AsyncIterator[bytes]:
        """The body, one item for what has arrived since the last."""
        return _Blocks(self._content, self._watch)


class _Blocks:
    """Iterates over the blocks of a body. No generator, so that leaving it half read needs no clean-up."""

    __slots__ = ("_content", "_watch")

    def __init__(self, content: aiohttp.StreamReader, watch: ReadWatch) -> None:
        self._content = content
        self._watch = watch

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        self._watch.begin_read()
        try:
            block = await self._content.readany()
        except (aiohttp.ClientError, ContentEncodingError) as error:
            if isinstance(error, ContentEncodingError) or isinstance(error.__cause__, ContentEncodingError):
                raise _invalid("The provider's answer cannot be decompressed.") from error
            raise _unavailable(_BROKEN) from error
        self._watch.end_read()
        if not block:
            raise StopAsyncIteration
        return block


async def _wait_for_end(response: aiohttp.ClientResponse) -> None:
    """Waits a moment for the end of a body whose answer was whole already."""
    try:
        async with asyncio.timeout(_LINGER_S):
            await response.content.wait_eof()
    except (TimeoutError, aiohttp.ClientError, GatewayError, ContentEncodingError):
        return


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    """A large body in pieces, so that writing it gives way to other calls."""
    for start in range(0, len(body), _WRITE_BYTES):
        yield body[start : start + _WRITE_BYTES]


def _has_answer(error: Exception) -> bool:
    """Whether part of an answer's head had come before the connection closed."""
    return isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str)


def _timeout(message: str) -> GatewayError:
    return GatewayError(ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT, message)


def _unavailable(message: str) -> GatewayError:
    return GatewayError(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, message)


def _invalid(message: str) -> GatewayError:
    return GatewayError(ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE, message)
