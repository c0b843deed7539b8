# SPDX-License-Identifier: Apache-2.0
"""AWS's binary event stream: blocks of bytes in, events out. botocore checks and takes apart each message; it is imported with the first stream.

Theory. A message is a prelude of 12 bytes (its length, the length of its headers, a checksum of both), headers, payload, and a checksum of everything before.
Only the length is read here, so that botocore's buffer gets one message at a time: given whole blocks it would copy what is left after each message. The
prelude goes there as soon as it has come, whose checksum tells whether its length is to be believed.

Anthropic's models behind `invoke-with-response-stream` put their own events into this framing, as base64 in JSON. `Unframed` takes them out and writes them
as the server-sent events that the dialect's own decoder reads.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import orjson

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.aws_errors import error_of_event
from trunkline_server.dialects.base import AnswerDecoder

if TYPE_CHECKING:
    from botocore.eventstream import EventStreamBuffer, EventStreamMessage

MEDIA_TYPE: Final = "application/vnd.amazon.eventstream"
"""The content type of such streams."""
MAX_EVENT_BYTES: Final = 4 << 20
"""Longest message, headers and checksums included. AWS's own payloads of models have a megabyte at most, before base64."""
NOT_INSTALLED: Final = "This provider needs the package botocore: install `trunkline[server,bedrock]`."

_PRELUDE_BYTES: Final = 12
_LEAST_BYTES: Final = 16
_EXCEPTIONS: Final = frozenset({"exception", "error"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsEvent:
    """One event: its type ("contentBlockDelta", or an exception's name), whether it is an exception, and its payload, JSON most often."""

    kind: str
    is_exception: bool
    payload: bytes


def is_event_stream(headers: Mapping[str, str]) -> bool:
    """Whether an answer with these headers, whose names are in lower case, is such a stream."""
    return headers.get("content-type", "").lower().startswith(MEDIA_TYPE)


class AwsEventDecoder:
    """Decodes one stream. After a failure it is used up."""

    __slots__ = ("_buffer", "_fed", "_limit", "_pending", "failure")

    def __init__(self, limit_bytes: int = MAX_EVENT_BYTES) -> None:
        """Raises GatewayError (FEATURE_UNAVAILABLE) where botocore is not installed."""
        self._buffer = _make_buffer()
        self._pending = bytearray()
        self._fed = 0
        self._limit = limit_bytes
        self.failure: GatewayError | None = None
        """Why no more can be decoded. Set as soon as it is known; the events before it have been handed out then."""

    @property
    def inside(self) -> bool:
        """Whether a message has begun and not ended: where the stream ends so, it was cut."""
        return bool(self._pending)

    def feed(self, block: bytes) -> list[AwsEvent]:
        """The events that the block completes. What cannot be decoded sets `failure`."""
        pending, start = self._pending, 0
        pending += block
        events: list[AwsEvent] = []
        try:
            while (length := self._length_at(start)) is not None:
                events.append(self._decode(bytes(pending[start + self._fed : start + length])))
                start += length
                self._fed = 0
        except (ValueError, LookupError, struct.error, _parser_error()) as error:
            self.failure = _invalid("The provider's stream of events is damaged.")
            self.failure.__cause__ = error
        del pending[:start]
        return events

    def _length_at(self, start: int) -> int | None:
        """The length of the message that begins at a place; None where it has not come whole. Raises where it is none."""
        there = len(self._pending) - start
        if there < _PRELUDE_BYTES:
            return None
        length = int.from_bytes(self._pending[start : start + 4], "big")
        if not self._fed:
            if not _LEAST_BYTES <= length <= self._limit:
                raise ValueError(f"a message of {length} bytes")
            self._buffer.add_data(bytes(self._pending[start : start + _PRELUDE_BYTES]))
            self._fed = _PRELUDE_BYTES
            if next(self._buffer, None) is not None:
                raise ValueError("a message that ends in its prelude")
        return length if there >= length else None

    def _decode(self, rest: bytes) -> AwsEvent:
        self._buffer.add_data(rest)
        message: EventStreamMessage = next(self._buffer)
        headers = message.headers
        kind = str(headers.get(":message-type", "event"))
        named = headers.get(":event-type") or headers.get(":exception-type") or headers.get(":error-code") or ""
        payload = message.payload
        if not payload and ":error-message" in headers:
            payload = orjson.dumps({"message": str(headers[":error-message"])})
        return AwsEvent(kind=str(named), is_exception=kind in _EXCEPTIONS, payload=payload)


class Unframed:
    """Feeds the decoder of a dialect whose stream of events came in this framing: each payload is `{"bytes": base64 of the event's JSON}`."""

    __slots__ = ("_decoder", "_events", "_failure", "_headers")

    def __init__(self, decoder: AnswerDecoder, headers: Mapping[str, str]) -> None:
        self._events = AwsEventDecoder()
        self._decoder = decoder
        self._headers = headers
        self._failure: GatewayError | None = None

    @property
    def finished(self) -> bool:
        """Whether the rest of the body means nothing."""
        return self._failure is not None or self._decoder.finished

    def feed(self, block: bytes) -> Batch:
        """The chunks that the block completes."""
        if self._failure is not None:
            raise self._failure
        lines: list[bytes] = []
        for event in self._events.feed(block):
            if event.is_exception:
                self._failure = error_of_event(event.kind, event.payload, self._headers)
                break
            try:
                lines.append(b"data: %b\n\n" % _unwrap(event.payload))
            except (ValueError, binascii.Error):
                self._failure = _invalid("The provider sent an event that is not JSON.")
                break
        self._failure = self._failure or self._events.failure
        batch = self._decoder.feed(b"".join(lines)) if lines else []
        if not batch and self._failure is not None and not self._decoder.finished:
            raise self._failure
        return batch

    def close(self) -> Batch:
        """What is left when the body has ended. Raises GatewayError where the answer is not whole."""
        if self._failure is not None and not self._decoder.finished:
            raise self._failure
        return self._decoder.close()


def _unwrap(payload: bytes) -> bytes:
    """The JSON inside a payload, in one line. Raises ValueError where there is none."""
    value = orjson.loads(payload)
    inner = value.get("bytes") if type(value) is dict else None
    if type(inner) is not str:
        raise ValueError("no bytes in it")
    # What the servers send has no line end in it; JSON may, and there it means nothing.
    return base64.b64decode(inner, validate=True).replace(b"\r", b" ").replace(b"\n", b" ")


def _make_buffer() -> EventStreamBuffer:
    try:
        from botocore.eventstream import EventStreamBuffer  # noqa: PLC0415 - the package is an extra
    except ImportError as error:
        raise GatewayError(ErrorReason.ERROR_REASON_FEATURE_UNAVAILABLE, NOT_INSTALLED) from error
    return EventStreamBuffer()


def _parser_error() -> type[Exception]:
    from botocore.eventstream import ParserError  # noqa: PLC0415 - as above

    return cast("type[Exception]", ParserError)


def _invalid(message: str) -> GatewayError:
    return GatewayError(ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE, message)
