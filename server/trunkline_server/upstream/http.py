# SPDX-License-Identifier: Apache-2.0
"""Providers that speak HTTP.

Connections are kept and shared. One goes back to the pool when its answer has been received to the end, and is cut otherwise: an answer that nobody
wants costs money as long as the provider believes in a reader. Redirects are not followed and no proxy of the environment is used, so the key goes to
the configured host alone; a proxy of the settings carries bytes that it cannot read.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from ssl import SSLContext
from types import TracebackType
from typing import Final, Self

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError
from yarl import URL

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import UpstreamAnswer, UpstreamRequest
from trunkline_server.core.secret import Secret
from trunkline_server.upstream.auth import Showing, Signer, show_key
from trunkline_server.upstream.hidden import Hidden, hide, pattern_of
from trunkline_server.upstream.proxy import Proxy
from trunkline_server.upstream.read_watch import ReadWatch, deadline_error
from trunkline_server.upstream.resolver import LookUp
from trunkline_server.upstream.wire import Connector, Heads, ProviderConnection, write_request

_BLOCK_BYTES: Final = 64 << 10
"""What is decoded at once. Decoded it takes several times as much, and waits so for a slow client."""
_READ_BUFFER_BYTES: Final = 64 << 10
"""aiohttp stops reading from the socket at twice this, so a slow client slows its provider."""

_LINGER_S: Final = 0.05
"""How long the end of the body may take after the end of the answer. Most often both come in one packet; waiting saves the connection."""

_UNREACHABLE: Final = "The provider cannot be reached."
_BROKEN: Final = "The connection to the provider broke."
_NO_HTTP: Final = "The provider's answer is not proper HTTP."
_CONTINUE: Final = range(100, 200)
# That a kept connection was closed is known after a round trip. What was read and worked on for longer is not sent again for free.
_STALE_S: Final = 1.0
# A body that is not worth a timer, nor a copy of the rest of its request.
_LIGHT_BYTES: Final = 4 << 10
_SWITCHING: Final = 101
_OK: Final = 200
_Sign = Callable[[bytes], Awaitable[bytes]]
"""Makes the head of a request that is signed, from its body."""


class HttpUpstream:
    """The way to one provider over HTTP. Must be used within one running event loop."""

    def __init__(
        self,
        *,
        base_url: str,
        secret: Secret | None = None,
        auth: str = "bearer",
        auth_header: str | None = None,
        signer: Signer | None = None,
        ssl: SSLContext | None = None,
        proxy: Proxy | None = None,
        look_up: LookUp = socket.getaddrinfo,
    ) -> None:
        """Takes the URL that paths are appended to, and the key, None where the provider wants none.

        `auth` and `auth_header` say how the key is shown, see `auth.show_key`; a `signer` shows who sends in its place. `ssl` replaces the system's trust,
        `look_up` its way from names to addresses; `proxy` is what connections go through. Raises ValueError for a URL that is not plain http or https, for a
        key that no header can hold, and for a proxy to a provider without TLS.
        """
        url = URL(base_url)
        if url.scheme not in {"http", "https"} or not url.raw_host or url.user or url.query_string or url.fragment:
            raise ValueError(f"{base_url!r} must be an http or https URL without user, query or fragment")
        if proxy is not None and url.scheme != "https":
            raise ValueError(f"{base_url!r} must be an https URL: the proxy would read keys and prompts otherwise")
        showing = Showing() if signer is not None else show_key(auth, secret, auth_header)
        self._url = url
        self._ssl = ssl
        self._proxy = proxy
        self._look_up = look_up
        self._signer = signer
        self._hidden = pattern_of(secret)
        own = {"user-agent": "trunkline", "accept-encoding": "identity", **showing.headers}
        self._heads = Heads(base_url.rstrip("/"), own, showing.query)
        self._way: _Way | None = None

    def send(self, request: UpstreamRequest) -> AbstractAsyncContextManager[UpstreamAnswer]:
        """Sends a request when the context is entered.

        Raises GatewayError: PROVIDER_UNAVAILABLE, PROVIDER_TIMEOUT, PROVIDER_INVALID_RESPONSE, DEADLINE_EXCEEDED.
        """
        if not request.path.startswith("/"):
            raise ValueError(f"the path {request.path!r} must begin with a slash")
        if self._way is None:
            self._way = _Way(self._url, self._ssl, self._look_up, self._proxy, self._hidden)
        if self._signer is not None:
            return _Exchange(self._way, b"", request, partial(self._sign, self._signer, request.path, request.headers))
        head = self._heads.head(request.path, request.headers, len(request.body))
        return _Exchange(self._way, head, request)

    async def close(self) -> None:
        """Closes the connections, those in use too."""
        way, self._way = self._way, None
        if way is not None:
            await way.connector.free()

    async def _sign(self, signer: Signer, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        """The head of a signed request."""
        shown = await signer.sign(str(self._heads.url(path)), headers, body)
        return self._heads.signed_head(path, headers, shown, len(body))


class _Way:
    """The connections to one provider. The target names where they go to, and holds no key of the provider's: failures show it."""

    def __init__(self, url: URL, ssl: SSLContext | None, look_up: LookUp, proxy: Proxy | None, hidden: Hidden) -> None:
        self.hidden = hidden
        self.connector = Connector(ssl, look_up)
        self.loop = asyncio.get_running_loop()
        through, shown = (None, None) if proxy is None else (URL(proxy.url), proxy.headers())
        self.target = aiohttp.ClientRequest("POST", url, loop=self.loop, proxy=through, proxy_headers=shown)


class _Exchange:
    """One request and its answer."""

    __slots__ = (
        "_begun_s", "_body", "_connection", "_content", "_head", "_sign", "_terms", "_watch", "_way", "_writing",
    )  # fmt: skip

    def __init__(self, way: _Way, head: bytes, request: UpstreamRequest, sign: _Sign | None = None) -> None:
        self._way = way
        self._head = head
        self._sign = sign
        # Apart from the rest: once it is sent nobody needs it, and the answer may take minutes.
        self._body: bytes | None = request.body
        self._terms = request if len(request.body) <= _LIGHT_BYTES else replace(request, body=b"")
        self._begun_s = 0.0
        self._connection: Connection | None = None
        self._content: aiohttp.StreamReader | None = None
        self._watch: ReadWatch | None = None
        self._writing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> UpstreamAnswer:
        if self._body is None:
            raise RuntimeError("a request is sent once")
        try:
            return await self._receive_head(self._terms)
        except BaseException:  # whatever ends the wait, a call that was left too, must cut the connection
            self._break_off()
            raise
        finally:
            self._body = None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        content = self._content
        try:
            if kind is None and self._connection is not None and content is not None and not content.is_eof():
                await _wait_for_end(content)
        finally:
            self._break_off()

    async def _receive_head(self, request: UpstreamRequest) -> UpstreamAnswer:
        now_s = time.monotonic()
        if request.deadline_s <= now_s:
            raise deadline_error()
        first_due_s = now_s + request.first_byte_timeout_s
        self._begun_s = now_s
        refused, found = None, ""
        try:
            if self._sign is not None:
                async with asyncio.timeout(min(first_due_s, request.deadline_s) - now_s):
                    self._head = await self._sign(self._body or b"")
            return await self._post_twice_if_stale(request, first_due_s)
        except aiohttp.ClientHttpProxyError as error:
            # Not chained: it holds what was said to the proxy, its password too.
            refused = error.status
        except HttpProcessingError as error:
            # Not chained as it is: it may hold what the provider said.
            found = f"{error.code} {error.message}"
        except TimeoutError as error:
            raise _late(request, first_due_s) from error
        except aiohttp.ClientConnectionError as error:
            unreached = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientConnectorDNSError)
            raise _unavailable(_UNREACHABLE if unreached else _BROKEN) from error
        except aiohttp.ClientError as error:
            raise _invalid(_NO_HTTP) from error
        except OSError as error:
            raise _unavailable(_BROKEN) from error
        if refused is not None:
            raise _unavailable(f"The gateway's proxy refused the connection with status {refused}.")
        raise _invalid(_NO_HTTP) from ValueError(found)

    async def _post_twice_if_stale(self, request: UpstreamRequest, first_due_s: float) -> UpstreamAnswer:
        """Posts; again, for free and on a new connection, where a kept one turns out to have been closed by the other end before it answered."""
        connection = await self._connect(request, first_due_s)
        was_used, begun_s = connection.was_used, time.monotonic()
        letting_go = self._way.loop.call_later(_STALE_S, self._let_go) if was_used and self._is_heavy() else None
        try:
            return await self._post(connection, request, first_due_s, is_last=not was_used)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            is_late = time.monotonic() - begun_s > _STALE_S
            if not was_used or _has_answer(error) or is_late or self._body is None:
                raise
        finally:
            # A new connection may take longer than that, and the body is still to go there.
            if letting_go is not None:
                letting_go.cancel()
        self._break_off()
        connection = await self._connect(request, first_due_s, is_new=True)
        return await self._post(connection, request, first_due_s, is_last=True)

    def _is_heavy(self) -> bool:
        return self._body is not None and len(self._body) > _LIGHT_BYTES

    def _let_go(self) -> None:
        """The body will not be sent again."""
        self._body = None

    async def _connect(
        self, request: UpstreamRequest, first_due_s: float, *, is_new: bool = False
    ) -> ProviderConnection:
        """A connection; with `is_new` one that was never used."""
        connector = self._way.connector
        held = None if is_new else connector.take()
        if held is None:
            left_s = min(first_due_s, request.deadline_s) - time.monotonic()
            timeout_s = max(min(request.connect_timeout_s, left_s), 0.001)  # 0 would mean no limit
            held = await connector.open(self._way.target, timeout_s)
        self._connection = held
        connection = held.protocol
        if not isinstance(connection, ProviderConnection):
            raise TypeError("the connector makes its own connections")
        return connection

    async def _post(
        self, connection: ProviderConnection, request: UpstreamRequest, first_due_s: float, *, is_last: bool
    ) -> UpstreamAnswer:
        """Sends the request. After the last time the body is let go."""
        body = self._body
        if body is None:
            raise RuntimeError("the body has been let go")
        connection.set_response_params(read_until_eof=True, read_bufsize=_READ_BUFFER_BYTES)
        self._watch = watch = ReadWatch(
            first_due_s=first_due_s,
            content_due_s=self._begun_s + request.first_content_timeout_s,
            idle_timeout_s=request.idle_timeout_s,
            last_due_s=self._begun_s + request.total_timeout_s,
            deadline_s=request.deadline_s,
            fail=self._fail,
            loop=self._way.loop,
        )
        watch.begin_read()
        self._writing = write_request(connection, self._head, body)
        del body  # the answer may take minutes
        if is_last:
            self._let_go()
        while True:
            message, content = await connection.read()
            if message.code not in _CONTINUE or message.code == _SWITCHING:
                break
        watch.end_read()
        self._content = content
        content.on_eof(self._release)
        headers = {name.lower(): value for name, value in message.headers.items()}
        return HttpAnswer(message.code, headers, content, watch, self._way.hidden)

    def _fail(self, error: GatewayError) -> None:
        """Ends the wait for the head or the body."""
        if self._content is not None:
            self._content.set_exception(error)
        elif self._connection is not None and self._connection.protocol is not None:
            self._connection.protocol.set_exception(error)

    def _release(self) -> None:
        """The answer has come to its end: the connection may serve another one, unless its request is still being written."""
        if self._writing is not None and not self._writing.done():
            return
        connection, self._connection = self._connection, None
        if connection is not None:
            self._way.connector.keep(connection)

    def _break_off(self) -> None:
        """Cuts the connection, unless it has been given back."""
        if self._watch is not None:
            self._watch.stop()
        if self._writing is not None:
            self._writing.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            if connection.transport is not None:
                connection.transport.abort()
            connection.close()


class HttpAnswer:
    """The head of an answer, and its body block by block; of a refusal without what `hidden` finds."""

    __slots__ = ("_content", "_hidden", "_watch", "headers", "status")

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        content: aiohttp.StreamReader,
        watch: ReadWatch,
        hidden: Hidden,
    ) -> None:
        self._hidden = hidden if status != _OK else None
        self.status = status
        self.headers = headers
        self._content = content
        self._watch = watch

    def blocks(self) -> AsyncIterator[bytes]:
        """The body, one item for what has arrived since the last, at most 64 KB."""
        blocks = _Blocks(self._content, self._watch)
        return blocks if self._hidden is None else hide(blocks, self._hidden)

    def note_content(self) -> None:
        """The first content has come: from now on the idle time-out bounds the silence."""
        self._watch.note_content()


class _Blocks:
    """Iterates over the blocks of a body. No generator, so that leaving it half read needs no clean-up."""

    __slots__ = ("_content", "_watch")

    def __init__(self, content: aiohttp.StreamReader, watch: ReadWatch) -> None:
        self._content = content
        self._watch = watch

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        content = self._content
        is_whole = content.is_eof()  # nothing more will come, so there is nothing to wait for
        if not is_whole:
            self._watch.begin_read()
        try:
            block = content.read_nowait(_BLOCK_BYTES) if is_whole else await content.read(_BLOCK_BYTES)
        except (aiohttp.ClientError, ContentEncodingError) as error:
            if isinstance(error, ContentEncodingError) or isinstance(error.__cause__, ContentEncodingError):
                raise _invalid("The provider's answer cannot be decompressed.") from error
            raise _unavailable(_BROKEN) from error
        if not is_whole:
            self._watch.end_read()
        if not block:
            raise StopAsyncIteration
        return block


async def _wait_for_end(content: aiohttp.StreamReader) -> None:
    """Waits a moment for the end of a body whose answer was whole already."""
    try:
        async with asyncio.timeout(_LINGER_S):
            await content.wait_eof()
    except (TimeoutError, aiohttp.ClientError, GatewayError, ContentEncodingError):
        return


def _has_answer(error: Exception) -> bool:
    """Whether part of an answer's head had come before the connection closed."""
    return isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str)


def _late(request: UpstreamRequest, first_due_s: float) -> GatewayError:
    """The failure of a request for which no connection came in time."""
    if time.monotonic() < min(first_due_s, request.deadline_s):
        return _timeout("The provider did not accept a connection in time.")
    if request.deadline_s <= first_due_s:
        return deadline_error()
    return _timeout("The provider did not begin its answer in time.")


def _timeout(message: str) -> GatewayError:
    return GatewayError(ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT, message)


def _unavailable(message: str) -> GatewayError:
    return GatewayError(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, message)


def _invalid(message: str) -> GatewayError:
    return GatewayError(ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE, message)
