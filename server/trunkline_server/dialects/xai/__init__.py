# SPDX-License-Identifier: Apache-2.0
"""xAI's chat API over gRPC, `xai_api.Chat`: bodies are messages of xAI's own protobuf files, which its package brings (extra `[xai]`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.dialects.base import AnswerDecoder, RenderedRequest
from trunkline_server.dialects.xai.account import ACCOUNT
from trunkline_server.dialects.xai.request import render_request
from trunkline_server.dialects.xai.stream import XaiDecoder
from trunkline_server.jsonshape import Codec

__all__ = ["ACCOUNT", "Xai"]


class Xai:
    """The dialect `xai`."""

    name: Final = "xai"

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def render_request(self, request: ChatCompletionRequest, endpoint: Endpoint, *, stream: bool) -> RenderedRequest:  # noqa: ARG002 - whole answers are folded streams
        """Writes the request as a message of GetCompletionChunk, which serves whole answers too.

        Raises GatewayError: FEATURE_UNAVAILABLE where xAI's package is not installed, INVALID_REQUEST for content that xAI cannot read.
        """
        return render_request(self._codec, request, endpoint)

    def decoder(self, *, status: int, headers: Mapping[str, str]) -> AnswerDecoder:  # noqa: ARG002 - statuses are gRPC's, and raised
        """A decoder for an answer; failures come as gRPC statuses, which the upstream raises."""
        return XaiDecoder()
