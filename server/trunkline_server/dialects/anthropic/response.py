# SPDX-License-Identifier: Apache-2.0
"""Answers by what they turn out to be: a message, an error's body, or a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.anthropic.errors import error_of_answer, error_of_value
from trunkline_server.dialects.anthropic.reader import EventReader
from trunkline_server.dialects.anthropic.stream import StreamDecoder
from trunkline_server.dialects.base import AnswerDecoder
from trunkline_server.dialects.bodies import MAX_ANSWER_BYTES, ErrorBody, Sniffer, WholeBody, invalid_answer


class AnswerSniffer(Sniffer):
    """Decodes an answer with status 200."""

    __slots__ = ("_headers",)

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__()
        self._headers = headers

    def whole(self) -> AnswerDecoder:
        """What decodes a message."""
        return WholeAnswerDecoder(self._headers)

    def stream(self) -> AnswerDecoder:
        """What decodes events."""
        return StreamDecoder(self._headers)


class WholeAnswerDecoder(WholeBody):
    """Decodes an answer that came as one message."""

    __slots__ = ("_headers",)

    def __init__(self, headers: Mapping[str, str], limit_bytes: int = MAX_ANSWER_BYTES) -> None:
        super().__init__(limit_bytes)
        self._headers = headers

    def read(self, value: Any) -> Batch:
        """The message. Raises GatewayError for an error in its place, and for what is no message."""
        if type(value) is not dict:
            raise invalid_answer("The provider sent JSON that is no message.")
        if value.get("type") == "error" or ("error" in value and "content" not in value):
            raise error_of_value(value, self._headers)
        if type(value.get("content")) is not list:
            raise invalid_answer("The provider sent JSON that is no message.")
        reader = EventReader(self._headers)
        return [*reader.read_whole(value), *reader.end()]


class ErrorDecoder(ErrorBody):
    """Decodes an answer whose status is not 200."""

    __slots__ = ()

    def tell(self, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        """The failure in Anthropic's words."""
        return error_of_answer(status, headers, body)
