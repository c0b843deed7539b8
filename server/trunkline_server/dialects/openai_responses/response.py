# SPDX-License-Identifier: Apache-2.0
"""Answers with status 200 by what they turn out to be: a response or a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trunkline_server.core.ports import Batch
from trunkline_server.dialects.base import AnswerDecoder
from trunkline_server.dialects.bodies import MAX_ANSWER_BYTES, Sniffer, WholeBody, is_declared_stream
from trunkline_server.dialects.openai_responses.reader import AnswerReader
from trunkline_server.dialects.openai_responses.stream import StreamDecoder
from trunkline_server.dialects.upstream_json import parse_upstream_json
from trunkline_server.jsonshape import Codec


class AnswerSniffer(Sniffer):
    """Decodes an answer with status 200."""

    __slots__ = ("_codec",)

    def __init__(self, codec: Codec, headers: Mapping[str, str]) -> None:
        super().__init__(is_declared_stream=is_declared_stream(headers))
        self._codec = codec

    def whole(self) -> AnswerDecoder:
        """What decodes a response."""
        return WholeAnswerDecoder(self._codec)

    def stream(self) -> AnswerDecoder:
        """What decodes events."""
        return StreamDecoder(self._codec)


class WholeAnswerDecoder(WholeBody):
    """Decodes an answer that came as one JSON body."""

    __slots__ = ("_codec",)

    def __init__(self, codec: Codec, limit_bytes: int = MAX_ANSWER_BYTES) -> None:
        super().__init__(limit_bytes, parse_upstream_json)
        self._codec = codec

    def read(self, value: Any) -> Batch:
        """The whole answer. One that tells of a failure is that failure, with its content as `partial`: nobody has seen it yet, so another may do better."""
        reader = AnswerReader(self._codec)
        batch = reader.read_whole(value)
        if reader.failure is not None:
            reader.failure.partial = batch
            raise reader.failure
        return batch
