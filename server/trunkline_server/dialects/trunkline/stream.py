# SPDX-License-Identifier: Apache-2.0
"""Chunks as another gateway sends them, each a message."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from trunkline.v1.chat_response_pb2 import ChatCompletionChunk
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch


class MessageDecoder:
    """Decodes blocks that are one message each, as `upstream/grpc.py` gives them."""

    __slots__ = ("_ended", "_open")

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._ended = False

    @property
    def finished(self) -> bool:
        """Never: only the status of the call tells."""
        return False

    def feed(self, block: bytes) -> Batch:
        """The chunk of a message. What the other gateway says of its own work is left out: this one says its own."""
        try:
            chunk = ChatCompletionChunk.FromString(block)
        except DecodeError as error:
            message = "The gateway upstream sent a message that is no chunk of an answer."
            raise GatewayError(ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE, message) from error
        chunk.ClearField("openrouter_metadata")
        chunk.ClearField("continuation")
        chunk.ClearField("debug")
        for choice in chunk.choices:
            if choice.finish_reason:
                self._open.discard(choice.index)
                self._ended = True
            else:
                self._open.add(choice.index)
        return [chunk] if chunk.choices or chunk.HasField("usage") else []

    def close(self) -> Batch:
        """Nothing is left. Raises GatewayError where a choice had no end."""
        if self._open or not self._ended:
            message = "The provider's answer broke off before its end."
            raise GatewayError(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, message)
        return []
