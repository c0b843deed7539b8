# SPDX-License-Identifier: Apache-2.0
"""Answers by what they turn out to be: events, one JSON object, a JSON array of them (streamGenerateContent without alt=sse), an error's body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.base import AnswerDecoder
from trunkline_server.dialects.bodies import MAX_ANSWER_BYTES, ErrorBody, Sniffer, WholeBody
from trunkline_server.dialects.gemini.chunks import ChunkReader
from trunkline_server.dialects.gemini.errors import error_of_answer
from trunkline_server.dialects.gemini.stream import StreamDecoder, missing_end


class AnswerSniffer(Sniffer):
    """Decodes an answer with status 200."""

    __slots__ = ("_headers",)

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__()
        self._headers = headers

    def whole(self) -> AnswerDecoder:
        """What decodes an object or an array of them."""
        return WholeAnswerDecoder(self._headers)

    def stream(self) -> AnswerDecoder:
        """What decodes events."""
        return StreamDecoder(self._headers)


class WholeAnswerDecoder(WholeBody):
    """Decodes an answer that came as one JSON body. An array is read when it is whole, too: nobody asks Google for one."""

    __slots__ = ("_headers",)

    def __init__(self, headers: Mapping[str, str], limit_bytes: int = MAX_ANSWER_BYTES) -> None:
        super().__init__(limit_bytes)
        self._headers = headers

    def read(self, value: Any) -> Batch:
        """The whole answer. One that tells of a failure is that failure, with its content as `partial`: nobody has seen it yet, so another may do better."""
        reader = ChunkReader(self._headers)
        batch: Batch = []
        for item in value if type(value) is list else [value]:
            chunk = reader.read(item)
            if chunk is not None:
                batch.append(chunk)
            if reader.failure is not None:
                break
        failure = reader.failure or missing_end(reader)
        if failure is not None:
            failure.partial = batch
            raise failure
        return batch


class ErrorDecoder(ErrorBody):
    """Decodes an answer whose status is not 200."""

    __slots__ = ()

    def tell(self, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        """The failure in Google's words."""
        return error_of_answer(status, headers, body)
