# SPDX-License-Identifier: Apache-2.0
"""aiohttp's server, as far as this edge differs from it: what is no HTTP gets a JSON answer, and floods no log.

aiohttp answers a request that it cannot parse by itself, before any handler: 400, text, the parser's own words, and a traceback in the log. Here such an
answer is the edge's, its text is fixed, and the log has one line at debug level. And where the framing of a body breaks, aiohttp lets the handler wait
for the rest until it gives up; here the handler is told at once. And aiohttp waits for the rest of a head as long as for the next request; here a head
has a time of its own.

And a connection is one task: aiohttp makes one more for each request, a request and a response that know far more than this edge asks, and a writer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from aiohttp import StreamReader, web
from aiohttp.web_protocol import RequestHandler, RequestPayloadError, _ErrInfo

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.edge.http.request import Request

_LOG: Final = logging.getLogger("trunkline.http")
Handler = Callable[[Request], Awaitable[bool]]
"""Answers a request, and says whether the connection may serve another one. Lets no failure out."""
Refusal = Callable[[GatewayError], bytes]
"""Makes the answer to bytes that are no HTTP request, and to a request whose head does not come."""


class EdgeServer(web.Server):
    """Makes the protocol of each connection. `refusal` makes the answer to what is no HTTP; a head may take `head_timeout_s`."""

    def __init__(self, handler: Handler, *, refusal: Refusal, head_timeout_s: float, **settings: Any) -> None:
        super().__init__(_serve_nothing, **settings)
        self.handler = handler
        self.refusal = refusal
        self.head_timeout_s = head_timeout_s
        self._settings = settings

    def __call__(self) -> RequestHandler:
        """The protocol of a new connection."""
        settings = {name: value for name, value in self._settings.items() if name != "handler_cancellation"}
        return EdgeProtocol(self, loop=asyncio.get_running_loop(), **settings)


async def _serve_nothing(_request: web.BaseRequest) -> web.StreamResponse:
    """What aiohttp would call, if its part of a connection's life were not this module's."""
    raise NotImplementedError


class _Answered(web.StreamResponse):
    """What aiohttp is shown for a request whose answer is written."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """Does nothing."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Does nothing."""


class EdgeProtocol(RequestHandler):
    """One connection."""

    __slots__ = ("_handle", "_head_timeout_s", "_head_timer", "_refusal")

    def __init__(self, server: EdgeServer, *, loop: asyncio.AbstractEventLoop, **settings: Any) -> None:
        super().__init__(server, loop=loop, **settings)
        self._handle = server.handler
        self._refusal = server.refusal
        self._head_timeout_s = server.head_timeout_s
        self._head_timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Takes what came. The parser queues what is no HTTP like a request, after the one whose body it should have been."""
        super().data_received(data)
        if self._head_timer is not None or not self._messages:
            self._watch_head()
        current = self._current_request
        if current is None or not self._messages or not isinstance(self._messages[-1][0], _ErrInfo):
            return
        if not current.content.is_eof():
            current.content.set_exception(RequestPayloadError("the framing of the body is broken"))

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Goes on reading where it had stopped. aiohttp asks after each block, and would run the parser each time."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    async def drain(self) -> None:
        """Waits while the client takes less than was written. Raises ConnectionError where it has gone."""
        await self._drain_helper()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forgets the connection."""
        self._stop_watching()
        super().connection_lost(exc)

    def _watch_head(self) -> None:
        """Starts the head's time with its first bytes, and stops it when the head is whole. The usual head comes whole and needs no timer."""
        waits = self._request_count == 0 or (self._waiter is not None and not self._waiter.done())
        if self._messages or not waits:
            self._stop_watching()
        elif self._head_timer is None and not self._force_close:
            self._head_timer = self._loop.call_later(self._head_timeout_s, self._give_up_head)

    def _stop_watching(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up_head(self) -> None:
        self._head_timer = None
        if self.transport is None:
            return
        message = f"The head of the request did not come whole in {self._head_timeout_s:g} s."
        self.transport.write(self._refusal(GatewayError(ErrorReason.ERROR_REASON_REQUEST_TIMEOUT, message)))
        self.force_close()

    def log_exception(self, *args: Any, **details: Any) -> None:
        """Logs what went wrong inside aiohttp. A body that broke is the client's doing and was answered."""
        if not isinstance(details.get("exc_info"), RequestPayloadError):
            super().log_exception(*args, **details)

    async def start(self) -> None:
        """Serves the requests of the connection one after the other. Ends with the connection, whoever closes it."""
        try:
            while not self._force_close:
                message, content = await self._next_message()
                if isinstance(message, _ErrInfo):
                    self._refuse(message)
                    break
                keeps = await self._serve(Request(message, content, self))
                self._keepalive = keeps
                if not content.is_eof() and not self._force_close:
                    await self._read_rest(content)
                if not keeps or self._close or self._force_close:
                    break
                self._await_next()
        except asyncio.CancelledError:
            self.force_close()
            raise
        except Exception as error:  # noqa: BLE001 - the last place where a fault of the edge can be told
            self.log_exception("Unhandled exception", exc_info=error)
            self.force_close()
        if not self._force_close:
            self._task_handler = None
            if self.transport is not None:
                self.transport.close()

    async def _next_message(self) -> tuple[Any, StreamReader]:
        """The next request, or what came in the place of one."""
        messages = self._messages
        if not messages:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        taken = messages.popleft()
        if self._parser is not None:
            self._parser.message_consumed()
        if self._buffer_paused and len(messages) <= self._msg_queue_resume_size:
            self._resume_reading_if_drained()
        return taken

    async def _serve(self, request: Request) -> bool:
        """Lets the request be answered. Whether the connection may live on."""
        self._request_in_progress = True
        # aiohttp tells it when the connection is lost.
        self._current_request = current = cast("web.BaseRequest", request)
        try:
            keeps = await self._handle(request)
        finally:
            self._current_request = None
            self._request_in_progress = False
            if self._handler_waiter is not None:
                self._handler_waiter.set_result(None)
        if self._upgraded:  # nobody here takes the offer of another protocol: what comes next is HTTP again
            await self.finish_response(current, _Answered(), None)
        return keeps

    async def _read_rest(self, content: StreamReader) -> None:
        """Reads what is left of a body that nobody wanted, for a while, so that the client gets to read its answer."""
        try:
            async with asyncio.timeout(self._lingering_time):
                while not content.is_eof() and not self._force_close:
                    await content.readany()
        except TimeoutError:
            self.close()

    def _await_next(self) -> None:
        """Gives the client the keep-alive time for its next request. A timer that is there is moved only when it fires."""
        loop = self._loop
        self._next_keepalive_close_time = close_s = loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = loop.call_at(close_s, self._process_keepalive)

    def _refuse(self, error: _ErrInfo) -> None:
        """Answers what is no HTTP; the connection ends."""
        _LOG.debug("a connection sent no HTTP request: %s", error.message or error.exc)
        self._keepalive = False
        if self.transport is not None:
            text = "The bytes sent are no well-formed HTTP request."
            self.transport.write(self._refusal(GatewayError(ErrorReason.ERROR_REASON_INVALID_REQUEST, text)))
