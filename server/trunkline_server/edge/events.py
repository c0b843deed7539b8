# SPDX-License-Identifier: Apache-2.0
"""Server-sent events as bytes: the framing that a method declares, and the event that ends a failed stream. The same on both wires."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trunkline.jsonshape.v1.options_pb2 import ServerSentEvents
from trunkline.v1.chat_response_pb2 import ChatCompletionChunk, FinishReason
from trunkline_server.core.errors import GatewayError, error_body


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """The fixed pieces of a stream, as bytes; `terminator` is b"" where a stream simply ends."""

    comment: bytes
    terminator: bytes

    @classmethod
    def read(cls, options: ServerSentEvents) -> Framing:
        """The framing that a method declares."""
        terminator = f"data: {options.terminator}\n\n" if options.terminator else ""
        return cls(comment=f": {options.comment}\n\n".encode(), terminator=terminator.encode())


def frame_events(texts: Iterable[bytes]) -> bytes:
    """JSON texts, which hold no line break, as events."""
    return b"".join([b"data: %b\n\n" % text for text in texts])


def frame_event(text: bytes) -> bytes:
    """One JSON text as an event."""
    return b"data: %b\n\n" % text


def error_chunk(
    error: GatewayError, *, generation_id: str, created_s: int, model: str, provider: str
) -> ChatCompletionChunk:
    """The chunk that ends a failed stream. `provider` is the one that was answering; "" where none had begun.

    Each choice that had begun and not ended ends here; where nothing is known of choices, the first one.
    """
    chunk = ChatCompletionChunk(id=generation_id, created=created_s, model=model, error=error_body(error))
    if named := provider or error.provider:
        chunk.provider = named
    if (route := error.public_route) is not None:
        chunk.openrouter_metadata.CopyFrom(route)
    for index in (0,) if error.open_choices is None else error.open_choices:
        choice = chunk.choices.add(index=index, finish_reason=FinishReason.FINISH_REASON_ERROR)
        choice.delta.content = ""
    return chunk
