# SPDX-License-Identifier: Apache-2.0
"""Bodies of answers by what they turn out to be: a whole JSON body, an error's body, or a stream. What every JSON dialect has in common about them.

The content type is not believed. Servers answer with a stream where JSON was asked for and the other way round, and proxies with HTML and status 200. The
first byte that is no space tells: JSON begins with `{` or `[`, HTML with `<`, and every line of a stream with a field's name or a colon.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Final

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.base import AnswerDecoder
from trunkline_server.dialects.upstream_json import parse_exact_json

MAX_ANSWER_BYTES: Final = 32 << 20
"""Largest whole answer, after decompression."""
MAX_ERROR_BYTES: Final = 64 << 10
"""How much of an error's body is read."""

_SPACE: Final = b" \t\r\n\xef\xbb\xbf"
_JSON_BEGINS: Final = b"{["
_EVENTS_BEGIN: Final = b":deir"  # a comment, data, event, id, retry
_MARKUP_BEGINS: Final = b"<"


class Sniffer(ABC):
    """Decodes an answer with status 200 as what its first byte shows it to be.

    `is_declared_stream` says that the content type is a stream's: then anything but JSON and markup is read as one.
    """

    __slots__ = ("_decoder", "_is_declared_stream")

    def __init__(self, *, is_declared_stream: bool = False) -> None:
        self._is_declared_stream = is_declared_stream
        self._decoder: AnswerDecoder | None = None

    @abstractmethod
    def whole(self) -> AnswerDecoder:
        """What decodes a JSON body."""

    @abstractmethod
    def stream(self) -> AnswerDecoder:
        """What decodes a stream."""

    @property
    def finished(self) -> bool:
        """Whether the rest of the body means nothing."""
        return self._decoder is not None and self._decoder.finished

    def feed(self, block: bytes) -> Batch:
        """The chunks that the block completes."""
        decoder = self._decoder
        if decoder is None:
            block = block.lstrip(_SPACE)
            if not block:
                return []
            self._decoder = decoder = self._choose(block[:1])
        return decoder.feed(block)

    def close(self) -> Batch:
        """What is left when the body has ended."""
        if self._decoder is None:
            raise invalid_answer("The provider sent an empty answer.")
        return self._decoder.close()

    def _choose(self, first: bytes) -> AnswerDecoder:
        if first in _JSON_BEGINS:
            return self.whole()
        if first in _EVENTS_BEGIN or (self._is_declared_stream and first not in _MARKUP_BEGINS):
            return self.stream()
        raise invalid_answer("The provider answered with something that is neither JSON nor a stream of events.")


class WholeBody(ABC):
    """Decodes an answer that came as one JSON body. `parse` reads its text, raising ValueError for what is no JSON."""

    __slots__ = ("_blocks", "_limit", "_parse", "_size")

    def __init__(self, limit_bytes: int, parse: Callable[[bytes], Any] = parse_exact_json) -> None:
        self._limit = limit_bytes
        self._parse = parse
        self._blocks: list[bytes] = []
        self._size = 0

    @abstractmethod
    def read(self, value: Any) -> Batch:
        """The chunks of the body's value. Raises GatewayError."""

    @property
    def finished(self) -> bool:
        """Never: only the end of the body tells."""
        return False

    def feed(self, block: bytes) -> Batch:
        """Keeps the block. Raises GatewayError (PROVIDER_INVALID_RESPONSE) beyond the limit."""
        self._size += len(block)
        if self._size > self._limit:
            self._blocks.clear()
            raise invalid_answer(f"The provider's answer has more than {self._limit} bytes.")
        self._blocks.append(block)
        return []

    def close(self) -> Batch:
        """The whole answer. Raises GatewayError for what is none."""
        try:
            value = self._parse(b"".join(self._blocks).decode(errors="replace").encode())
        except ValueError as error:
            raise invalid_answer("The provider's answer is not JSON.") from error
        return self.read(value)


class ErrorBody(ABC):
    """Decodes an answer whose status is not 200: whatever its body says, it is a failure."""

    __slots__ = ("_body", "_headers", "_status")

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self._status = status
        self._headers = headers
        self._body = bytearray()

    @abstractmethod
    def tell(self, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        """The failure that an answer tells of."""

    @property
    def finished(self) -> bool:
        """Whether enough of the body has come to tell the failure."""
        return len(self._body) >= MAX_ERROR_BYTES

    def feed(self, block: bytes) -> Batch:
        """Keeps as much of the body as may be of use."""
        self._body += block[: MAX_ERROR_BYTES - len(self._body)]
        return []

    def close(self) -> Batch:
        """Raises the failure."""
        raise self.tell(self._status, self._headers, bytes(self._body))


def is_declared_stream(headers: Mapping[str, str]) -> bool:
    """Whether the content type is a stream's."""
    return headers.get("content-type", "").lower().startswith("text/event-stream")


def invalid_answer(message: str) -> GatewayError:
    """The failure of an answer that is none."""
    return GatewayError(ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE, message)
