# SPDX-License-Identifier: Apache-2.0
"""Server-sent events: blocks of bytes in, events out, by the rules of the WHATWG (HTML standard, section 9.2).

Theory. Line ends of all three kinds become LF first, block by block; the one thing to remember between blocks is a CR at the end, whose LF may still
come. Then an event is what stands before two LF, so a block that ends with two LF holds whole events only and is used as it is. Everything else waits
in one buffer, in which each byte is searched once: time is linear however the bytes are cut. Characters such as U+2028, NEL, VT and FF are part of a
line here, which is why `splitlines` is never used.

Bytes that are no UTF-8 become U+FFFD. That is done for the whole events of a block at once, since no sequence of UTF-8 holds an LF.

`id:` and `retry:` serve reconnecting, which a gateway never does: both are ignored.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError

Event: TypeAlias = tuple[bytes, bytes]
"""Type and data of an event, both valid UTF-8. The type is b"" where none was given, which means "message"."""

MAX_EVENT_BYTES: Final = 1 << 20
"""Longest event, its field names and line ends included."""

_BOM: Final = b"\xef\xbb\xbf"
_END: Final = b"\n\n"
_DATA: Final = b"data: "
_NEXT_DATA: Final = _END + _DATA


class SseDecoder:
    """Decodes one stream. After a failure, or `close`, it is used up."""

    __slots__ = ("_after_cr", "_begun", "_buffer", "_limit", "failure")

    def __init__(self, limit_bytes: int = MAX_EVENT_BYTES) -> None:
        self._buffer = bytearray()
        self._limit = limit_bytes
        self._begun = False
        self._after_cr = False
        self.failure: GatewayError | None = None
        """Why no more can be decoded. Set as soon as it is known, raised after the events before it have been handed out."""

    def feed(self, block: bytes) -> list[Event]:
        """The events that the block completes. Raises GatewayError (PROVIDER_INVALID_RESPONSE) for an event beyond the limit."""
        if self.failure is not None:
            raise self.failure
        if self._after_cr or b"\r" in block:
            block = self._unify_line_ends(block)
        buffer = self._buffer
        if buffer or not self._begun or not block.endswith(_END):
            searched = max(len(buffer) - 1, 0)
            buffer += block
            if not self._begun and not self._skip_bom():
                return []
            end = buffer.rfind(_END, searched)
            if end < 0:
                return self._wait()
            block = bytes(buffer[: end + 2])
            del buffer[: end + 2]
        return self._whole_events(block)

    def close(self) -> list[Event]:
        """The last event, if the stream ended without the blank line that is due after it.

        The standard drops such an event; providers put usage into it. Raises GatewayError as `feed` does.
        """
        if self.failure is not None:
            raise self.failure
        rest = bytes(self._buffer)
        self._buffer.clear()
        return self._whole_events(rest + _END) if rest else []

    def _unify_line_ends(self, block: bytes) -> bytes:
        if self._after_cr and block:
            self._after_cr = False
            block = block.removeprefix(b"\n")
        if block:
            self._after_cr = block.endswith(b"\r")
        return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _skip_bom(self) -> bool:
        """Whether the stream has begun: its first bytes tell if it has a byte order mark."""
        start = bytes(self._buffer[:3])
        if start != _BOM and _BOM.startswith(start):
            return False
        if start == _BOM:
            del self._buffer[:3]
        self._begun = True
        return True

    def _wait(self) -> list[Event]:
        # One LF may stand before the event and one after it without counting.
        if len(self._buffer) > self._limit + 2:
            self._buffer.clear()
            self.failure = self._too_long()
            raise self.failure
        return []

    def _whole_events(self, block: bytes) -> list[Event]:
        if not block.isascii():
            block = _valid_utf8(block)
        # The usual block: nothing but `data: ...` lines with a blank line after each. If it has no LF besides, one split does it all.
        if block.startswith(_DATA) and len(block) <= self._limit:
            parts = block[6:-2].split(_NEXT_DATA)
            if block.count(b"\n") == 2 * len(parts):
                return [(b"", data) for data in parts]
        events: list[Event] = []
        for text in block.split(_END):
            text = text.strip(b"\n")
            if len(text) > self._limit:
                self.failure = self._too_long()
                break
            event = _read_lines(text)
            if event is not None:
                events.append(event)
        if self.failure is not None and not events:
            raise self.failure
        return events

    def _too_long(self) -> GatewayError:
        return GatewayError(
            ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE,
            f"The provider sent an event of more than {self._limit} bytes.",
        )


def _valid_utf8(text: bytes) -> bytes:
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode(errors="replace").encode()
    return text


def _read_lines(text: bytes) -> Event | None:
    """The event that lines make; None where they hold no data."""
    kind = b""
    data: list[bytes] = []
    for line in text.split(b"\n"):
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            data.append(value)
        elif name == b"event":
            kind = value
    return (kind, b"\n".join(data)) if data else None
