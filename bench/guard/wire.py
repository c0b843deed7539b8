# SPDX-License-Identifier: Apache-2.0
"""The other two sides of a proxied call, in step: a client, and a provider with one thread and no event loop.

The provider writes the next chunk when the client has the one before, so each chunk is one wake-up of the gateway, however slowly that runs. Nothing
depends on time, and the gateway does the same work in each run.
"""

from __future__ import annotations

import select
import socket
from typing import Final, Self

import grpc

from bench.guard.payload import KEY, make_answer, make_event, make_last_events, make_request
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_service_pb2_grpc import ChatServiceStub
from trunkline_server.app import make_codec
from trunkline_server.jsonshape import parse_json

TIMEOUT_S: Final = 60.0
_EVENT: Final = make_event()
_END_OF_CHUNK: Final = b'xxx"'  # of its text, on either side of the gateway


class Connection:
    """One end of an HTTP/1.1 connection that reads whole messages."""

    def __init__(self, made: socket.socket) -> None:
        made.settimeout(TIMEOUT_S)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = made
        self._unread = b""

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read_to(self, mark: bytes) -> bytes:
        """All up to the mark and with it. Raises ConnectionError where the other side closed before."""
        while (end := self._unread.find(mark)) < 0:
            self._unread += self._receive()
        end += len(mark)
        read, self._unread = self._unread[:end], self._unread[end:]
        return read

    def read_message(self) -> bytes:
        """A head and its body."""
        head = self.read_to(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                return head + self._read_exactly(int(line.partition(b":")[2]))
        return head + self.read_to(b"0\r\n\r\n") if b"chunked" in head.lower() else head

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def _read_exactly(self, size: int) -> bytes:
        while len(self._unread) < size:
            self._unread += self._receive()
        read, self._unread = self._unread[:size], self._unread[size:]
        return read

    def _receive(self) -> bytes:
        piece = self._socket.recv(1 << 16)
        if not piece:
            raise ConnectionError("the gateway closed the connection in the middle of a message")
        return piece


class Provider:
    """A provider that serves one call at a time, when it is told to."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._kept: list[Connection] = []

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._kept:
            connection.close()
        self._listener.close()

    def answer(self) -> None:
        """Reads a request and answers it whole."""
        connection = self._take_request()
        body = make_answer()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.write(head.encode() + body)

    def begin_stream(self) -> Connection:
        """Reads a request and answers with the head and the first chunk of a stream."""
        connection = self._take_request()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.write(head + _piece(_EVENT))
        return connection

    def _take_request(self) -> Connection:
        ready = self._wait()
        if ready is None:
            ready = Connection(self._listener.accept()[0])
            self._kept.append(ready)
        ready.read_message()
        return ready

    def _wait(self) -> Connection | None:
        """The connection with a request, or None for a new one."""
        by_number = {connection.fileno(): connection for connection in self._kept}
        ready, _, _ = select.select([self._listener.fileno(), *by_number], [], [], TIMEOUT_S)
        if not ready:
            raise TimeoutError("the gateway sent no request to the provider")
        return next((by_number[number] for number in ready if number in by_number), None)


class HttpCalls:
    """Calls over one HTTP connection."""

    def __init__(self, port: int, provider: Provider) -> None:
        self._provider = provider
        self._connection = Connection(socket.create_connection(("127.0.0.1", port), TIMEOUT_S))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def calls(self, times: int) -> None:
        """Calls with whole answers, one after the other."""
        for _ in range(times):
            self._connection.write(_WHOLE_REQUEST)
            self._provider.answer()
            _check(self._connection.read_message(), b" 200 OK", b"take a coat")

    def stream(self, chunks: int) -> None:
        """One stream whose chunks come one by one, each after the one before has arrived."""
        upstream = self._begin()
        for _ in range(chunks - 1):
            upstream.write(_piece(_EVENT))
            self._connection.read_to(_END_OF_CHUNK)
        self._end(upstream)

    def burst(self, chunks: int) -> None:
        """One stream whose chunks, after the first, come in one write."""
        upstream = self._begin()
        upstream.write(_piece(_EVENT * (chunks - 1)))
        for _ in range(chunks - 1):
            self._connection.read_to(_END_OF_CHUNK)
        self._end(upstream)

    def _begin(self) -> Connection:
        self._connection.write(_STREAM_REQUEST)
        upstream = self._provider.begin_stream()
        _check(self._connection.read_to(_END_OF_CHUNK), b" 200 OK")
        return upstream

    def _end(self, upstream: Connection) -> None:
        upstream.write(_LAST_PIECES)
        _check(self._connection.read_to(b"0\r\n\r\n"), b"[DONE]")


class GrpcCalls:
    """Calls over one gRPC channel."""

    def __init__(self, target: str, provider: Provider) -> None:
        self._provider = provider
        self._channel = grpc.insecure_channel(target)
        stub = ChatServiceStub(self._channel)
        self._create = stub.CreateChatCompletion.future
        self._stream = stub.StreamChatCompletion
        codec = make_codec()
        self._request = codec.decode(ChatCompletionRequest, parse_json(make_request(stream=False)))
        self._metadata = (("authorization", f"Bearer {KEY}"),)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def calls(self, times: int) -> None:
        """Calls with whole answers, one after the other."""
        for _ in range(times):
            call = self._create(self._request, metadata=self._metadata, timeout=TIMEOUT_S)
            self._provider.answer()
            call.result()

    def stream(self, chunks: int) -> None:
        """One stream whose chunks come one by one."""
        answer = self._stream(self._request, metadata=self._metadata, timeout=TIMEOUT_S)
        upstream = self._provider.begin_stream()
        next(answer)
        for _ in range(chunks - 1):
            upstream.write(_piece(_EVENT))
            next(answer)
        upstream.write(_LAST_PIECES)
        for _ in answer:
            pass


def _http_request(body: bytes) -> bytes:
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: */*\r\n"
        f"User-Agent: guard\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _piece(data: bytes) -> bytes:
    """A piece of a body in chunked coding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _check(answer: bytes, *marks: bytes) -> None:
    """Raises ValueError for an answer of the gateway that is not the one expected: its cost would say nothing."""
    for mark in marks:
        if mark not in answer:
            raise ValueError(f"the gateway's answer has no {mark!r}: {answer[:2000]!r}")


_LAST_PIECES: Final = _piece(make_last_events()) + b"0\r\n\r\n"
_WHOLE_REQUEST: Final = _http_request(make_request(stream=False))
_STREAM_REQUEST: Final = _http_request(make_request(stream=True))
