# SPDX-License-Identifier: Apache-2.0
"""The language of OpenAI's chat completions, as OpenAI and the many servers that took it over speak it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.dialects.base import AnswerDecoder, RenderedRequest
from trunkline_server.dialects.openai_chat.request import render_request
from trunkline_server.dialects.openai_chat.response import AnswerSniffer, ErrorDecoder
from trunkline_server.jsonshape import Codec

__all__ = ["OpenAiChat"]

_OK: Final = 200


class OpenAiChat:
    """The dialect `openai_chat`."""

    name: Final = "openai_chat"

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def render_request(self, request: ChatCompletionRequest, endpoint: Endpoint, *, stream: bool) -> RenderedRequest:
        """Writes the request as the body of POST /chat/completions."""
        return render_request(self._codec, request, endpoint, stream=stream)

    def decoder(self, *, status: int, headers: Mapping[str, str]) -> AnswerDecoder:
        """A decoder for an answer with this head."""
        return AnswerSniffer(self._codec, headers) if status == _OK else ErrorDecoder(status, headers)
