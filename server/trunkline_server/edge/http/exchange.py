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

from aiohttp import hdrs

from trunkline_server.edge.http.request import Request

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


def head_bytes(status: int, headers: Headers) -> bytes:
    """The head of an answer. Names and values are the edge's own, or were checked to be printable ASCII."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    return f"HTTP/1.1 {status} {_PHRASES.get(status, 'Unknown')}\r\n{lines}\r\n".encode("latin-1")


class Exchange:
    """One request, its ids, and the way to answer it.

    `began` is set once the status line is out: from then on a failure cannot have a status of its own. `cut` says that the edge itself ends the exchange
    because the gateway stops. Writing raises ClientGoneError where the client is gone, waiting where it takes nothing for `write_timeout_s`.
    """

    __slots__ = (
        "_chunked",
        "_date",
        "_protocol",
        "_write_timeout_s",
        "began",
        "cut",
        "generation_id",
        "keep_alive",
        "request",
        "request_id",
    )

    def __init__(
        self,
        request: Request,
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
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers]) if headers else ""
        if status in _NO_BODY:
            self._write(self._head(status, f"Cache-Control: no-store\r\n{lines}"))
            return
        head = self._head(
            status,
            f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\nCache-Control: no-store\r\n{lines}",
        )
        self._write(head if self.request.method == "HEAD" else head + body)

    def begin_stream(self, content_type: str, headers: Headers, data: bytes) -> None:
        """Sends the status line 200 and the first bytes of a body of unknown length."""
        self._chunked = self.request.version >= _HTTP_1_1
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
        if self._chunked:
            lines += "Transfer-Encoding: chunked\r\n"
        else:
            self.keep_alive = False
        self._write(self._head(200, f"Content-Type: {content_type}\r\n{lines}") + self._frame(data))

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
                await self._protocol.drain()
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

    def _head(self, status: int, lines: str) -> bytes:
        """The head of an answer: `lines` are headers, each with its line break, the rest is the same in all."""
        self.began = True
        if not self.keep_alive:
            last = "Connection: close\r\n"
        else:
            last = "" if self.request.version >= _HTTP_1_1 else "Connection: keep-alive\r\n"
        return (
            f"HTTP/1.1 {status} {_PHRASES.get(status, 'Unknown')}\r\n{lines}X-Content-Type-Options: nosniff\r\n"
            f"X-Generation-Id: {self.generation_id}\r\nX-Request-Id: {self.request_id}\r\nDate: {self._date.text()}\r\n{last}\r\n"
        ).encode("latin-1")

    def _frame(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked and data else data

    def _write(self, data: bytes) -> None:
        transport = self._protocol.transport
        if transport is None or transport.is_closing():
            raise ClientGoneError("it closed the connection")
        transport.write(data)
