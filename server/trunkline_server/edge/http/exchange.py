# SPDX-License-Identifier: Apache-2.0
"""One HTTP request and the answer to it, as bytes.

The edge writes answers itself instead of building aiohttp's response objects: the head is one formatted text, an answer one write, and a chunk of a
stream can be written from a timer, where nothing can be awaited. aiohttp parses requests, keeps connections and tells when a client goes away.
"""

from __future__ import annotations

import asyncio
import email.utils
import http
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Final

from aiohttp import hdrs, web

JSON: Final = "application/json"
Headers = Sequence[tuple[str, str]]

_PHRASES: Final = MappingProxyType({status.value: status.phrase for status in http.HTTPStatus})
_NO_BODY: Final = frozenset({204, 304})
_HTTP_1_1: Final = (1, 1)


class ClientGoneError(Exception):
    """The client closed the connection, or takes nothing any more: there is nobody to answer. Told apart from an upstream's ConnectionError."""


class HttpDate:
    """The `Date` header, formatted once a second. `clock_s` is the wall clock in Unix seconds."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._second = -1
        self._text = ""

    def text(self) -> str:
        """The date of now."""
        second = int(self._clock_s())
        if second != self._second:
            self._second, self._text = second, email.utils.formatdate(second, usegmt=True)
        return self._text


class Written(web.StreamResponse):
    """What a handler gives back to aiohttp: the answer is written, or given as `answer`; `keep_alive` says whether the connection may live on."""

    def __init__(self, *, keep_alive: bool, answer: bytes = b"") -> None:
        super().__init__()
        self._answer = answer
        self._may_live = keep_alive

    @property
    def keep_alive(self) -> bool:
        """Whether the connection may serve another request."""
        return self._may_live

    async def prepare(self, request: web.BaseRequest) -> None:
        """Writes `answer`; aiohttp calls this when the handler is done."""
        if self._answer and request.transport is not None:
            request.transport.write(self._answer)

    async def write_eof(self, data: bytes = b"") -> None:
        """Does nothing: what there was to write is written."""


def head_bytes(status: int, headers: Headers) -> bytes:
    """The head of an answer. Names and values are the edge's own, or were checked to be printable ASCII."""
    lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, 'Unknown')}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Exchange:
    """One request, its ids, and the way to answer it.

    `began` is set once the status line is out: from then on a failure cannot have a status of its own. `cut` says that the edge itself ends the exchange
    because the gateway stops. Writing raises ClientGoneError where the client is gone, waiting where it takes nothing for `write_timeout_s`.
    """

    def __init__(
        self,
        request: web.BaseRequest,
        *,
        request_id: str,
        generation_id: str,
        date: HttpDate,
        write_timeout_s: float,
    ) -> None:
        self.request = request
        self._protocol = request.protocol
        self.request_id = request_id
        self.generation_id = generation_id
        self.keep_alive = request.keep_alive
        self.began = False
        self.cut = False
        self._date = date
        self._write_timeout_s = write_timeout_s
        self._chunked = False

    async def answer(self, status: int, body: bytes, *, content_type: str = JSON, headers: Headers = ()) -> None:
        """Answers whole, in one write. Without the body where the request was a HEAD or the status has none."""
        self.write_answer(status, body, content_type=content_type, headers=headers)
        await self.drain()

    def write_answer(self, status: int, body: bytes, *, content_type: str = JSON, headers: Headers = ()) -> None:
        """As `answer`, without waiting for a slow client."""
        said: list[tuple[str, str]] = []
        if status not in _NO_BODY:
            said += [("Content-Type", content_type), ("Content-Length", str(len(body)))]
        said += [("Cache-Control", "no-store"), *headers]
        head = self._head(status, said)
        self._write(head if self.request.method == "HEAD" or status in _NO_BODY else head + body)

    def begin_stream(self, content_type: str, headers: Headers, data: bytes) -> None:
        """Sends the status line 200 and the first bytes of a body of unknown length."""
        self._chunked = self.request.version >= _HTTP_1_1
        said = [("Content-Type", content_type), *headers]
        if self._chunked:
            said.append(("Transfer-Encoding", "chunked"))
        else:
            self.keep_alive = False
        self._write(self._head(200, said) + self._frame(data))

    def write_piece(self, data: bytes, *, last: bool = False) -> None:
        """Sends a piece of a begun stream, and its end when it is the `last`. Never waits: `drain` does."""
        if self._chunked:
            size = len(data)
            if not last:
                data = b"%x\r\n%b\r\n" % (size, data) if size else data
            else:
                data = b"%x\r\n%b\r\n0\r\n\r\n" % (size, data) if size else b"0\r\n\r\n"
        if data:
            self._write(data)

    @property
    def expects_continue(self) -> bool:
        """The client waits for a word before it sends the body; where none was said, what comes next on the connection is unknown."""
        return self.request.headers.get(hdrs.EXPECT, "").lower() == "100-continue"

    @property
    def is_stalled(self) -> bool:
        """The client is slower than the stream: what was written waits in the gateway's own buffer."""
        return self._protocol.writing_paused

    @property
    def is_gone(self) -> bool:
        """The connection is closed, or about to be."""
        transport = self.request.transport
        return transport is None or transport.is_closing()

    async def drain(self) -> None:
        """Waits while the client is slower than the stream."""
        if not self.is_stalled:
            return
        try:
            async with asyncio.timeout(self._write_timeout_s):
                await self.request.writer.drain()
        except TimeoutError:
            self.abort()
            raise ClientGoneError(f"it took nothing for {self._write_timeout_s} s") from None
        except ConnectionError as error:
            raise ClientGoneError("it closed the connection") from error

    def abort(self) -> None:
        """Breaks the connection: the client must not take what it has for a whole answer."""
        self.keep_alive = False
        if self.request.transport is not None:
            self.request.transport.abort()

    def _head(self, status: int, headers: Headers) -> bytes:
        self.began = True
        said = [
            *headers,
            ("X-Content-Type-Options", "nosniff"),
            ("X-Generation-Id", self.generation_id),
            ("X-Request-Id", self.request_id),
            ("Date", self._date.text()),
        ]
        if not self.keep_alive:
            said.append(("Connection", "close"))
        elif self.request.version < _HTTP_1_1:
            said.append(("Connection", "keep-alive"))
        return head_bytes(status, said)

    def _frame(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked and data else data

    def _write(self, data: bytes) -> None:
        transport = self._protocol.transport
        if transport is None or transport.is_closing():
            raise ClientGoneError("it closed the connection")
        transport.write(data)
