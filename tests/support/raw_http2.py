# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 frames by hand, for what no well-behaved gRPC client would send. Answers are decoded, nothing is checked."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from hpack import Decoder

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
ACK = END_STREAM = 1
END_HEADERS = 4
MANY_PINGS = b"too_many_pings"

Pairs = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame."""

    kind: int
    flags: int = 0
    stream: int = 0
    payload: bytes = b""

    def to_bytes(self) -> bytes:
        """The frame as it travels."""
        return (
            len(self.payload).to_bytes(3, "big")
            + bytes([self.kind, self.flags])
            + self.stream.to_bytes(4, "big")
            + self.payload
        )


@dataclass(slots=True, kw_only=True)
class Ending:
    """What came for the calls of a connection: metadata by name, the frames' kinds, and whether the connection was closed."""

    headers: dict[str, str] = field(default_factory=dict)
    kinds: set[int] = field(default_factory=set)
    goaway: bytes = b""
    closed: bool = False


def literal(name: bytes, value: bytes) -> bytes:
    """A header field without compression and without a place in the table."""
    return b"\x00" + _length(name) + name + _length(value) + value


def call_block(path: str, *more: tuple[bytes, bytes], method: bytes = b"POST") -> bytes:
    """The header block of a gRPC call."""
    pairs: Pairs = (
        (b":method", method),
        (b":scheme", b"http"),
        (b":path", path.encode()),
        (b":authority", b"localhost"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        *more,
    )
    return b"".join(literal(name, value) for name, value in pairs)


def message_frame(message: bytes, *, stream: int = 1, compressed: bool = False, last: bool = True) -> Frame:
    """A message of at most 16 kB in one DATA frame."""
    payload = bytes([compressed]) + len(message).to_bytes(4, "big") + message
    return Frame(kind=DATA, flags=END_STREAM if last else 0, stream=stream, payload=payload)


def call_frames(path: str, message: bytes, *more: tuple[bytes, bytes], stream: int = 1) -> bytes:
    """A whole call of one message."""
    head = Frame(kind=HEADERS, flags=END_HEADERS, stream=stream, payload=call_block(path, *more))
    return head.to_bytes() + message_frame(message, stream=stream).to_bytes()


@asynccontextmanager
async def connect(target: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection that has said the preface and its settings."""
    host, _, port = target.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(PREFACE + Frame(kind=SETTINGS).to_bytes())
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def exchange(target: str, data: bytes, *, wait_s: float = 3.0) -> Ending:
    """Sends bytes after the preface and reads until a call ends, the connection does, or the time is over."""
    ending = Ending()
    async with connect(target) as (reader, writer):
        with suppress(ConnectionError):
            writer.write(data)
            async with asyncio.timeout(wait_s):
                await writer.drain()
        await _read_ending(reader, ending, wait_s)
    return ending


async def _read_ending(reader: asyncio.StreamReader, ending: Ending, wait_s: float) -> None:
    decoder = Decoder()
    with suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            try:
                while "grpc-status" not in ending.headers and RST_STREAM not in ending.kinds:
                    head = await reader.readexactly(9)
                    payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
                    ending.kinds.add(head[3])
                    if head[3] == HEADERS:
                        ending.headers |= {str(name): str(value) for name, value in decoder.decode(payload)}
                    if head[3] == GOAWAY:
                        ending.goaway = payload
            except (asyncio.IncompleteReadError, ConnectionError):
                ending.closed = True


def _length(text: bytes) -> bytes:
    """The length of a string as HPACK's integer with a prefix of seven bits."""
    size = len(text)
    if size < 127:
        return bytes([size])
    size -= 127
    digits = bytearray(b"\x7f")
    while size >= 128:
        digits.append(size % 128 + 128)
        size //= 128
    digits.append(size)
    return bytes(digits)
