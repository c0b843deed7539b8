# SPDX-License-Identifier: Apache-2.0
"""The language of Amazon Bedrock's Converse, towards Bedrock alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.dialects.aws_events import is_event_stream
from trunkline_server.dialects.base import AnswerDecoder, RenderedRequest
from trunkline_server.dialects.bedrock_converse.account import ACCOUNT
from trunkline_server.dialects.bedrock_converse.request import render_request
from trunkline_server.dialects.bedrock_converse.response import ErrorDecoder, WholeAnswerDecoder
from trunkline_server.dialects.bedrock_converse.stream import StreamDecoder
from trunkline_server.jsonshape import Codec

__all__ = ["ACCOUNT", "BedrockConverse"]

_OK: Final = 200


class BedrockConverse:
    """The dialect `bedrock_converse`."""

    name: Final = "bedrock_converse"

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def reads_url(self, url: str, endpoint: Endpoint) -> bool:  # noqa: ARG002 - other dialects look at both
        """Never: what is at a URL must have become a data URL before a request is rendered."""
        return False

    def render_request(self, request: ChatCompletionRequest, endpoint: Endpoint, *, stream: bool) -> RenderedRequest:
        """Writes the request as the body of converse, or of converse-stream."""
        return render_request(self._codec, request, endpoint, stream=stream)

    def decoder(self, *, status: int, headers: Mapping[str, str]) -> AnswerDecoder:
        """A decoder for an answer with this head. Raises GatewayError (FEATURE_UNAVAILABLE) for a stream where botocore is not installed."""
        if status != _OK:
            return ErrorDecoder(status, headers)
        return StreamDecoder(headers) if is_event_stream(headers) else WholeAnswerDecoder(headers)
