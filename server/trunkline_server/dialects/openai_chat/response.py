# SPDX-License-Identifier: Apache-2.0
"""Answers by what they turn out to be: a completion, an error's body, or a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.base import AnswerDecoder
from trunkline_server.dialects.bodies import MAX_ANSWER_BYTES, ErrorBody, Sniffer, WholeBody, is_declared_stream
from trunkline_server.dialects.openai_chat.chunks import ChunkReader
from trunkline_server.dialects.openai_chat.errors import error_of_answer
from trunkline_server.dialects.openai_chat.stream import StreamDecoder
from trunkline_server.dialects.upstream_json import parse_upstream_json
from trunkline_server.jsonshape import Codec


class AnswerSniffer(Sniffer):
    """Decodes an answer with status 200."""

    __slots__ = ("_codec", "_headers")

    def __init__(self, codec: Codec, headers: Mapping[str, str]) -> None:
        super().__init__(is_declared_stream=is_declared_stream(headers))
        self._codec = codec
        self._headers = headers

    def whole(self) -> AnswerDecoder:
        """What decodes a completion."""
        return WholeAnswerDecoder(self._codec, self._headers)

    def stream(self) -> AnswerDecoder:
        """What decodes events."""
        return StreamDecoder(self._codec, self._headers)


class WholeAnswerDecoder(WholeBody):
    """Decodes an answer that came as one JSON body."""

    __slots__ = ("_codec", "_headers")

    def __init__(self, codec: Codec, headers: Mapping[str, str], limit_bytes: int = MAX_ANSWER_BYTES) -> None:
        super().__init__(limit_bytes, parse_upstream_json)
        self._codec = codec
        self._headers = headers

    def read(self, value: Any) -> Batch:
        """The whole answer. One that tells of a failure is that failure, with its content as `partial`: nobody has seen it yet, so another may do better."""
        reader = ChunkReader(self._codec, self._headers)
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


class ErrorDecoder(ErrorBody):
    """Decodes an answer whose status is not 200."""

    __slots__ = ()

    def tell(self, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        """The failure in OpenAI's and OpenRouter's words."""
        return error_of_answer(status, headers, body)
