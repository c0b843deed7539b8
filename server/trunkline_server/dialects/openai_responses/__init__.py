# SPDX-License-Identifier: Apache-2.0
"""The language of OpenAI's Responses API, without state: towards providers, and from clients of `POST /v1/responses`.

`inbound.parse_request` reads a client's request, `outbound.render_answer` and `events.EventRenderer` write its answer, `errors.render_error` a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.dialects.base import AnswerDecoder, RenderedRequest
from trunkline_server.dialects.openai_chat.response import ErrorDecoder
from trunkline_server.dialects.openai_responses.request import render_request
from trunkline_server.dialects.openai_responses.response import AnswerSniffer
from trunkline_server.jsonshape import Codec

__all__ = ["OpenAiResponses"]

_OK: Final = 200


class OpenAiResponses:
    """The dialect `openai_responses`."""

    name: Final = "openai_responses"

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def render_request(self, request: ChatCompletionRequest, endpoint: Endpoint, *, stream: bool) -> RenderedRequest:
        """Writes the request as the body of POST /responses."""
        return render_request(self._codec, request, endpoint, stream=stream)

    def decoder(self, *, status: int, headers: Mapping[str, str]) -> AnswerDecoder:
        """A decoder for an answer with this head."""
        return AnswerSniffer(self._codec, headers) if status == _OK else ErrorDecoder(status, headers)
