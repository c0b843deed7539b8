# SPDX-License-Identifier: Apache-2.0
"""aiohttp's server, as far as this edge differs from it: what is no HTTP gets a JSON answer, and floods no log.

aiohttp answers a request that it cannot parse by itself, before any handler: 400, text, the parser's own words, and a traceback in the log. Here such an
answer is the edge's, its text is fixed, and the log has one line at debug level. And where the framing of a body breaks, aiohttp lets the handler wait
for the rest until it gives up; here the handler is told at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler, RequestPayloadError, _ErrInfo

_LOG: Final = logging.getLogger("trunkline.http")
_Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Refusal = Callable[[], web.StreamResponse]
"""Makes the answer to bytes that are no HTTP request."""


class EdgeServer(web.Server):
    """Makes the protocol of each connection. `refusal` makes the answer to what is no HTTP."""

    def __init__(self, handler: _Handler, *, refusal: Refusal, **settings: Any) -> None:
        super().__init__(handler, **settings)
        self.refusal = refusal
        self._settings = settings

    def __call__(self) -> RequestHandler:
        """The protocol of a new connection."""
        settings = {name: value for name, value in self._settings.items() if name != "handler_cancellation"}
        return EdgeProtocol(self, loop=asyncio.get_running_loop(), **settings)


class EdgeProtocol(RequestHandler):
    """One connection."""

    __slots__ = ("_refusal",)

    def __init__(self, server: EdgeServer, *, loop: asyncio.AbstractEventLoop, **settings: Any) -> None:
        super().__init__(server, loop=loop, **settings)
        self._refusal = server.refusal

    def data_received(self, data: bytes) -> None:
        """Takes what came. The parser queues what is no HTTP like a request, after the one whose body it should have been."""
        super().data_received(data)
        current = self._current_request
        if current is None or not self._messages or not isinstance(self._messages[-1][0], _ErrInfo):
            return
        if not current.content.is_eof():
            current.content.set_exception(RequestPayloadError("the framing of the body is broken"))

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
        return self._refusal()
