# SPDX-License-Identifier: Apache-2.0
"""A provider played by the test: a real HTTP server on a port of its own that answers as scripted and records what it is asked.

    async with FaultUpstream(stream_answer({"choices": []}), json_answer({"error": "no"}, status=500)) as upstream:
        ...  # send to upstream.base_url
        assert upstream.requests[0].json["model"] == "x"

Each request takes the next answer; the last one answers all that follow. Instead of answers a function may be given, from the request to its answer.
An answer is a head and steps: bytes are written as they are, one write a step, and the other steps pause, hang or break the connection.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self

import orjson
from aiohttp import web


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hang:
    """Nothing until the other end goes away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """The connection is reset (RST)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """The connection is closed (FIN) without an end of the body."""


Step = bytes | Pause | Hang | Reset | Close


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One scripted answer.

    `raw` steps are written to the socket with no head and no chunking: the script writes its own HTTP. Otherwise the body is chunked, or has the
    content-length that the headers give, and ends properly after the last step.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    steps: Sequence[Step] = ()
    raw: bool = False


@dataclass(slots=True, kw_only=True)
class ReceivedRequest:
    """A request as it came, with lower-case header names.

    `connection` is the same number for requests over one connection. `aborted` is set when the other end goes away before the answer's end.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    aborted: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)


Script = Callable[[ReceivedRequest], Answer]


class FaultUpstream:
    """The server; runs while its context is open. Without `keep_alive` each request needs a connection of its own; with `ssl` it speaks TLS."""

    def __init__(self, *answers: Answer | Script, keep_alive: bool = True, ssl: SSLContext | None = None) -> None:
        self._ssl = ssl
        self._keep_alive = keep_alive
        self._answers = answers or (stream_answer(),)
        self._server = web.Server(self._serve, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(self._server, shutdown_timeout=0.1)
        self.requests: list[ReceivedRequest] = []
        self.port = 0
        self._arrived = asyncio.Condition()

    @property
    def base_url(self) -> str:
        """The URL that a provider's settings would name."""
        return f"{'http' if self._ssl is None else 'https'}://127.0.0.1:{self.port}/v1"

    async def wait_for_requests(self, count: int, timeout_s: float = 5.0) -> None:
        """Waits until so many requests have come. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s), self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= count)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._ssl)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        received = ReceivedRequest(
            method=request.method,
            path=request.path_qs,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.content.read(),
            connection=_peer_port(request),
        )
        scripted = self._answers[min(len(self.requests), len(self._answers) - 1)]
        async with self._arrived:
            self.requests.append(received)
            self._arrived.notify_all()
        answer = scripted if isinstance(scripted, Answer) else scripted(received)
        player = _Player(keep_alive=self._keep_alive)
        try:
            return await player.play(request, answer)
        except (asyncio.CancelledError, ConnectionError):
            if not player.broke_off:
                received.aborted.set()
            raise


class _Player:
    """Plays one answer. `broke_off` says that the script closed the connection, not the other end."""

    def __init__(self, *, keep_alive: bool) -> None:
        self._keep_alive = keep_alive
        self.broke_off = False

    async def play(self, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
        """Writes the head, unless the answer brings its own, and takes the steps."""
        transport = request.transport
        assert transport is not None
        response = web.StreamResponse(status=answer.status, headers=answer.headers)
        if not self._keep_alive:
            response.force_close()
        if not answer.raw:
            if "content-length" not in response.headers:
                response.enable_chunked_encoding()
            await response.prepare(request)
        for step in answer.steps:
            if isinstance(step, bytes) and answer.raw:
                transport.write(step)
            elif isinstance(step, bytes):
                await response.write(step)
            else:
                await self._misbehave(step, transport)
        if answer.raw:
            await self._misbehave(Close(), transport)
        return response

    async def _misbehave(self, step: Pause | Hang | Reset | Close, transport: asyncio.Transport) -> None:
        match step:
            case Pause(seconds=seconds):
                await asyncio.sleep(seconds)
                return
            case Reset():
                self.broke_off = True
                # Closing with a linger time of zero sends RST.
                connection: socket.socket = transport.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                transport.abort()
            case Close():
                self.broke_off = True
                transport.close()
        # The server ends this when the connection is gone.
        await asyncio.Event().wait()


def _peer_port(request: web.BaseRequest) -> int:
    transport = request.transport
    return transport.get_extra_info("peername")[1] if transport is not None else 0


def sse_event(value: object) -> bytes:
    """An event that holds a JSON value."""
    return b"data: " + orjson.dumps(value) + b"\n\n"


def stream_answer(*values: object, done: bool = True, pause_s: float = 0.0, end: Sequence[Step] = ()) -> Answer:
    """An answer of server-sent events, one write an event, with `[DONE]` after them unless told otherwise, then the steps of `end`."""
    steps: list[Step] = []
    for value in values:
        steps += [sse_event(value)] if not pause_s else [sse_event(value), Pause(seconds=pause_s)]
    if done:
        steps.append(b"data: [DONE]\n\n")
    return Answer(headers={"content-type": "text/event-stream"}, steps=[*steps, *end])


def json_answer(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer of one JSON body."""
    body = orjson.dumps(value)
    head = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    return Answer(status=status, headers=head, steps=[body])


def text_chunk(text: str, *, finish_reason: str | None = None, **rest: object) -> dict[str, object]:
    """A chunk in OpenAI's form that adds text."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return {**head, "choices": [choice], **rest}
