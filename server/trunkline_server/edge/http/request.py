# SPDX-License-Identifier: Apache-2.0
"""What the edge wants to know of a request, and no more.

aiohttp's own request has a place for sessions, cookies, forms and routes; to make it takes as long as to parse the head that it is made from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiohttp import HttpVersion, StreamReader, hdrs
from aiohttp.helpers import set_exception
from aiohttp.http_parser import RawRequestMessage

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

    from trunkline_server.edge.http.protocol import EdgeProtocol


class Request:
    """A parsed head, the body as it comes, and the connection that it came on. `raw_path` is the target as it was sent."""

    __slots__ = ("content", "headers", "keep_alive", "method", "protocol", "raw_headers", "raw_path", "version")

    def __init__(self, message: RawRequestMessage, content: StreamReader, protocol: EdgeProtocol) -> None:
        self.method: str = message.method
        self.raw_path: str = message.path
        self.headers: CIMultiDictProxy[str] = message.headers
        self.raw_headers: Sequence[tuple[bytes, bytes]] = message.raw_headers
        self.version: HttpVersion = message.version
        self.keep_alive: bool = not message.should_close
        self.content = content
        self.protocol = protocol

    @property
    def transport(self) -> asyncio.Transport | None:
        """The way to the client; None once it is gone."""
        return self.protocol.transport

    @property
    def content_length(self) -> int | None:
        """The declared length of the body, which the parser has found to be a number; None where none is declared."""
        declared = self.headers.get(hdrs.CONTENT_LENGTH)
        return None if declared is None else int(declared)

    def _cancel(self, error: BaseException) -> None:
        """Ends the wait for the body: aiohttp calls this when the connection is lost."""
        set_exception(self.content, error)

    def _finish(self) -> None:
        """Does nothing: aiohttp calls this when the request was answered, for the files of a form."""
