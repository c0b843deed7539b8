# SPDX-License-Identifier: Apache-2.0
"""The contract itself, as another Trunkline speaks it over gRPC: nothing is translated, so nothing can be lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.dialects.base import AnswerDecoder, RenderedRequest
from trunkline_server.dialects.trunkline.request import render_request
from trunkline_server.dialects.trunkline.stream import MessageDecoder
from trunkline_server.jsonshape import Codec

__all__ = ["Trunkline"]


class Trunkline:
    """The dialect `trunkline`."""

    name: Final = "trunkline"

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def render_request(self, request: ChatCompletionRequest, endpoint: Endpoint, *, stream: bool) -> RenderedRequest:
        """Writes the request as a message of StreamChatCompletion, which serves whole answers too: they are its chunks folded."""
        return render_request(self._codec, request, endpoint, stream=stream)

    def decoder(self, *, status: int, headers: Mapping[str, str]) -> AnswerDecoder:  # noqa: ARG002 - statuses are gRPC's, and raised
        """A decoder for an answer; failures come as gRPC statuses, which the upstream raises."""
        return MessageDecoder()
