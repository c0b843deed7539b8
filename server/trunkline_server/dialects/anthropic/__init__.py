# SPDX-License-Identifier: Apache-2.0
"""The language of Anthropic's Messages API, towards Anthropic and towards clients that speak it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.dialects.anthropic.account import ACCOUNT
from trunkline_server.dialects.anthropic.events import EventRenderer
from trunkline_server.dialects.anthropic.inbound import parse_request
from trunkline_server.dialects.anthropic.outbound import error_status, render_answer, render_error
from trunkline_server.dialects.anthropic.request import render_request
from trunkline_server.dialects.anthropic.response import AnswerSniffer, ErrorDecoder
from trunkline_server.dialects.base import AnswerDecoder, RenderedRequest
from trunkline_server.jsonshape import Codec

__all__ = ["ACCOUNT", "Anthropic", "EventRenderer", "error_status", "parse_request", "render_answer", "render_error"]

_OK: Final = 200
_SECURE: Final = "https://"


class Anthropic:
    """The dialect `anthropic`."""

    name: Final = "anthropic"

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def reads_url(self, url: str, endpoint: Endpoint) -> bool:  # noqa: ARG002 - other dialects look at both
        """Whether the endpoint's provider reads a URL itself: Anthropic refuses any but https."""
        return url[: len(_SECURE)].lower() == _SECURE

    def render_request(self, request: ChatCompletionRequest, endpoint: Endpoint, *, stream: bool) -> RenderedRequest:
        """Writes the request as the body of POST /v1/messages."""
        return render_request(self._codec, request, endpoint, stream=stream)

    def decoder(self, *, status: int, headers: Mapping[str, str]) -> AnswerDecoder:
        """A decoder for an answer with this head."""
        return AnswerSniffer(headers) if status == _OK else ErrorDecoder(status, headers)
