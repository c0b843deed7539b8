# SPDX-License-Identifier: Apache-2.0
"""aiohttp's server, as far as this edge differs from it: what is no HTTP gets a JSON answer, and floods no log.

aiohttp answers a request that it cannot parse by itself, before any handler: 400, text, the parser's own words, and a traceback in the log. Here such an
answer is the edge's, its text is fixed, and the log has one line at debug level. And where the framing of a body breaks, aiohttp lets the handler wait
for the rest until it gives up; here the handler is told at once. And aiohttp waits for the rest of a head as long as for the next request; here a head
has a time of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler, RequestPayloadError, _ErrInfo

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.edge.http.exchange import Written

_LOG: Final = logging.getLogger("trunkline.http")
_Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Refusal = Callable[[GatewayError], bytes]
"""Makes the answer to bytes that are no HTTP request, and to a request whose head does not come."""


class EdgeServer(web.Server):
    """Makes the protocol of each connection. `refusal` makes the answer to what is no HTTP; a head may take `head_timeout_s`."""

    def __init__(self, handler: _Handler, *, refusal: Refusal, head_timeout_s: float, **settings: Any) -> None:
        super().__init__(handler, **settings)
        self.refusal = refusal
        self.head_timeout_s = head_timeout_s
        self._settings = settings

    def __call__(self) -> RequestHandler:
        """The protocol of a new connection."""
        settings = {name: value for name, value in self._settings.items() if name != "handler_cancellation"}
        return EdgeProtocol(self, loop=asyncio.get_running_loop(), **settings)


class EdgeProtocol(RequestHandler):
    """One connection."""

    __slots__ = ("_head_timeout_s", "_head_timer", "_refusal")

    def __init__(self, server: EdgeServer, *, loop: asyncio.AbstractEventLoop, **settings: Any) -> None:
        super().__init__(server, loop=loop, **settings)
        self._refusal = server.refusal
        self._head_timeout_s = server.head_timeout_s
        self._head_timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Takes what came. The parser queues what is no HTTP like a request, after the one whose body it should have been."""
        super().data_received(data)
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

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,  # noqa: ARG002 - aiohttp's signature; what is no HTTP is a 400 here
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer where aiohttp could not parse a request. The edge's handler lets no failure of its own out."""
        _LOG.debug("a connection sent no HTTP request: %s", message or exc)
        if request.writer.output_size > 0:
            raise ConnectionResetError("an answer had begun")
        text = "The bytes sent are no well-formed HTTP request."
        answer = self._refusal(GatewayError(ErrorReason.ERROR_REASON_INVALID_REQUEST, text))
        return Written(keep_alive=False, answer=answer)
