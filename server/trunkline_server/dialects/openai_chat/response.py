# SPDX-License-Identifier: Apache-2.0
"""Answers by what they turn out to be: a whole JSON body, an error's body, or a stream.

The content type is not believed. Servers answer with a stream where JSON was asked for and the other way round, and proxies with HTML and status 200. The
first byte that is no space tells: JSON begins with `{` or `[`, HTML with `<`, and every line of a stream with a field's name or a colon.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.base import AnswerDecoder
from trunkline_server.dialects.openai_chat.chunks import ChunkReader
from trunkline_server.dialects.openai_chat.errors import MAX_ERROR_BYTES, error_of_answer
from trunkline_server.dialects.openai_chat.stream import StreamDecoder
from trunkline_server.dialects.upstream_json import parse_upstream_json
from trunkline_server.jsonshape import Codec

MAX_ANSWER_BYTES: Final = 32 << 20
"""Largest whole answer, after decompression."""

_SPACE: Final = b" \t\r\n\xef\xbb\xbf"
_JSON_BEGINS: Final = b"{["
_EVENTS_BEGIN: Final = b":deir"  # a comment, data, event, id, retry
_MARKUP_BEGINS: Final = b"<"


class AnswerSniffer:
    """Decodes an answer with status 200 as what its first byte shows it to be."""

    __slots__ = ("_codec", "_decoder", "_headers", "_is_declared_stream")

    def __init__(self, codec: Codec, headers: Mapping[str, str]) -> None:
        self._codec = codec
        self._headers = headers
        self._is_declared_stream = headers.get("content-type", "").lower().startswith("text/event-stream")
        self._decoder: AnswerDecoder | None = None

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
            raise _invalid("The provider sent an empty answer.")
        return self._decoder.close()

    def _choose(self, first: bytes) -> AnswerDecoder:
        if first in _JSON_BEGINS:
            return WholeAnswerDecoder(self._codec, self._headers)
        if first in _EVENTS_BEGIN or (self._is_declared_stream and first not in _MARKUP_BEGINS):
            return StreamDecoder(self._codec, self._headers)
        raise _invalid("The provider answered with something that is neither JSON nor a stream of events.")


class WholeAnswerDecoder:
    """Decodes an answer that came as one JSON body."""

    __slots__ = ("_blocks", "_codec", "_headers", "_limit", "_size")

    def __init__(self, codec: Codec, headers: Mapping[str, str], limit_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._codec = codec
        self._headers = headers
        self._limit = limit_bytes
        self._blocks: list[bytes] = []
        self._size = 0

    @property
    def finished(self) -> bool:
        """Never: only the end of the body tells."""
        return False

    def feed(self, block: bytes) -> Batch:
        """Keeps the block. Raises GatewayError (PROVIDER_INVALID_RESPONSE) beyond the limit."""
        self._size += len(block)
        if self._size > self._limit:
            self._blocks.clear()
            raise _invalid(f"The provider's answer has more than {self._limit} bytes.")
        self._blocks.append(block)
        return []

    def close(self) -> Batch:
        """The whole answer. One that tells of a failure is that failure, with its content as `partial`: nobody has seen it yet, so another may do better."""
        reader = ChunkReader(self._codec, self._headers)
        try:
            value = parse_upstream_json(b"".join(self._blocks).decode(errors="replace").encode())
        except ValueError as error:
            raise _invalid("The provider's answer is not JSON.") from error
        if type(value) is list and len(value) == 1:
            value = value[0]  # Google's servers put errors into a list
        chunk = reader.read(value)
        batch = [] if chunk is None else [chunk]
        if reader.failure is None:
            batch += reader.end()
        if reader.failure is not None:
            reader.failure.partial = batch
            raise reader.failure
        return batch


class ErrorDecoder:
    """Decodes an answer whose status is not 200: whatever its body says, it is a failure."""

    __slots__ = ("_body", "_headers", "_status")

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self._status = status
        self._headers = headers
        self._body = bytearray()

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
        raise error_of_answer(self._status, self._headers, bytes(self._body))


def _invalid(message: str) -> GatewayError:
    return GatewayError(ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE, message)
