# SPDX-License-Identifier: Apache-2.0
"""The language of Google's Gemini API and of Gemini on Vertex AI: generateContent and streamGenerateContent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.dialects.base import AnswerDecoder, RenderedRequest
from trunkline_server.dialects.gemini.account import ACCOUNT
from trunkline_server.dialects.gemini.families import family_of
from trunkline_server.dialects.gemini.inbound import parse_request
from trunkline_server.dialects.gemini.outbound import EventRenderer, render_answer, render_error
from trunkline_server.dialects.gemini.parts import FETCHED_URLS, can_read
from trunkline_server.dialects.gemini.request import render_request
from trunkline_server.dialects.gemini.response import AnswerSniffer, ErrorDecoder
from trunkline_server.jsonshape import Codec

__all__ = ["ACCOUNT", "EventRenderer", "Gemini", "parse_request", "render_answer", "render_error"]

_OK: Final = 200


class Gemini:
    """The dialect `gemini`."""

    name: Final = "gemini"
    fetches: Final[frozenset[str]] = FETCHED_URLS
    """What begins the URLs that the provider reads itself for any model. See `reads_url` for the rest."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def reads_url(self, url: str, endpoint: Endpoint) -> bool:
        """Whether the endpoint's provider reads a URL itself. Any other must have become a data URL before a request is rendered."""
        return can_read(url, family_of(endpoint.upstream_model))

    def render_request(self, request: ChatCompletionRequest, endpoint: Endpoint, *, stream: bool) -> RenderedRequest:
        """Writes the request as the body of generateContent, or of streamGenerateContent."""
        return render_request(self._codec, request, endpoint, stream=stream)

    def decoder(self, *, status: int, headers: Mapping[str, str]) -> AnswerDecoder:
        """A decoder for an answer with this head."""
        return AnswerSniffer(headers) if status == _OK else ErrorDecoder(status, headers)
