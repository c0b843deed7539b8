# SPDX-License-Identifier: Apache-2.0
"""Answers that come as one JSON body, and those that are errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.aws_errors import error_of_answer
from trunkline_server.dialects.bedrock_converse.reader import EventReader
from trunkline_server.dialects.bodies import MAX_ANSWER_BYTES, ErrorBody, WholeBody, invalid_answer


class WholeAnswerDecoder(WholeBody):
    """Decodes an answer that came as one JSON body."""

    __slots__ = ("_headers",)

    def __init__(self, headers: Mapping[str, str], limit_bytes: int = MAX_ANSWER_BYTES) -> None:
        super().__init__(limit_bytes)
        self._headers = headers

    def read(self, value: Any) -> Batch:
        """The whole answer. Raises GatewayError for what is no message."""
        if type(value) is not dict:
            raise invalid_answer("The provider sent JSON that is no message.")
        reader = EventReader(self._headers)
        batch = reader.read_whole(value)
        if reader.failure is not None:
            raise reader.failure
        return batch


class ErrorDecoder(ErrorBody):
    """Decodes an answer whose status is not 200."""

    __slots__ = ()

    def tell(self, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        """The failure in AWS's words."""
        return error_of_answer(status, headers, body)
