# SPDX-License-Identifier: Apache-2.0
"""A provider that dies and comes back when it is told to, on the event loop of who tells it.

It dies in three ways: nobody listens at its port; it takes requests and never answers; it answers each with a failure of its own. It counts the requests that
reach it, so that it can say what was really sent.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
from enum import StrEnum
from typing import Final, Self

PIECES: Final = ("All is well", " in the mountains.")
_USAGE: Final = {"prompt_tokens": 420, "completion_tokens": 7, "total_tokens": 427}
_LENGTH: Final = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)
_STREAM: Final = re.compile(rb'"stream": *true')


class Fault(StrEnum):
    """How a provider is dead."""

    REFUSE = "refuse"
    HANG = "hang"
    BREAK = "5xx"


class FaultyProvider:
    """The provider; it listens on a free port of loopback while its context is open. `requests` counts those that it has read."""

    def __init__(self) -> None:
        self.port = 0
        self.requests = 0
        self._fault: Fault | None = None
        self._bound: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def __aenter__(self) -> Self:
        self._bind()
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._leave()
        if self._bound is not None:
            self._bound.close()

    async def die(self, fault: Fault) -> None:
        """From now on it is dead; where it refuses, connections that are open are reset."""
        self._fault = fault
        if fault is Fault.REFUSE:
            await self._leave()
            self._bind()

    async def recover(self) -> None:
        """From now on it answers well."""
        was, self._fault = self._fault, None
        if was is Fault.REFUSE:
            await self._listen()

    def _bind(self) -> None:
        """Take the port, at which nobody listens yet: who knocks is refused."""
        self._bound = socket.socket()
        self._bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._bound.bind(("127.0.0.1", self.port))
        self.port = self._bound.getsockname()[1]

    async def _listen(self) -> None:
        self._server, self._bound = await asyncio.start_server(self._serve, sock=self._bound), None

    async def _leave(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._open:
            writer.transport.abort()
        # Their ends are told to those who serve them.
        await asyncio.gather(*(serving for serving in self._open.values() if serving is not None))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open[writer] = asyncio.current_task()
        try:
            while True:
                length = _LENGTH.search(await reader.readuntil(b"\r\n\r\n"))
                body = await reader.readexactly(int(length[1]) if length else 0)
                self.requests += 1
                if self._fault is Fault.HANG:
                    await reader.read()
                    return
                writer.write(_BREAKDOWN if self._fault is Fault.BREAK else _answer(body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the other end is gone
        finally:
            del self._open[writer]
            writer.close()


def _answer(request: bytes) -> bytes:
    return _STREAM_ANSWER if _STREAM.search(request) else _WHOLE_ANSWER


def _choice(said: str, text: str, finish: str | None) -> dict[str, object]:
    head = {"id": "chatcmpl-1", "created": 1_760_000_000, "model": "upstream-one"}
    message = {"role": "assistant", "content": text}
    return {**head, "choices": [{"index": 0, said: message, "finish_reason": finish}]}


def _http(status: str, kind: str, body: bytes) -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b" % (
        status.encode(),
        kind.encode(),
        len(body),
        body,
    )


def _json(status: str, value: object) -> bytes:
    return _http(status, "application/json", json.dumps(value).encode())


_BREAKDOWN: Final = _json("503 Service Unavailable", {"error": {"message": "the provider is down"}})
_WHOLE_ANSWER: Final = _json("200 OK", {**_choice("message", "".join(PIECES), "stop"), "usage": _USAGE})
_STREAM_ANSWER: Final = _http(
    "200 OK",
    "text/event-stream",
    b"".join(
        b"data: %b\n\n" % event
        for event in (
            json.dumps(_choice("delta", PIECES[0], None)).encode(),
            json.dumps({**_choice("delta", PIECES[1], "stop"), "usage": _USAGE}).encode(),
            b"[DONE]",
        )
    ),
)
