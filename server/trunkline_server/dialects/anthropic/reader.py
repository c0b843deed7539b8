# SPDX-License-Identifier: Apache-2.0
"""The events of a Messages stream, read into chunks. A whole answer is read as the events that would have brought it.

A stream is: `message_start`; for each block its start, its deltas and its stop; `message_delta` with the reason and the usage; `message_stop`. `ping` comes at
any time, `error` ends everything, and whatever is not known is passed over, as Anthropic's versioning page asks of clients. Chunks are protobufs made
directly: one delta is one event, and there are hundreds a second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from trunkline.v1.chat_response_pb2 import ChatCompletionChunk, Delta, FinishReason
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.anthropic.blocks import OPENERS, OpenBlock, Said
from trunkline_server.dialects.anthropic.errors import error_of_value
from trunkline_server.dialects.anthropic.finish import FINISH_REASONS
from trunkline_server.dialects.anthropic.usage import TIERS, read_usage

_ERROR: Final = "error"
_DELTA: Final = "content_block_delta"
_MOST_BLOCKS: Final = 2**31
_ROLE: Final = "assistant"


class EventReader:
    """Reads the JSON values of one answer's events, in order.

    `failure` is set when an event tells of one, `ended` when the answer is whole; nothing may be read afterwards.
    """

    __slots__ = ("_begun", "_blocks", "_headers", "_id", "_model", "_said", "_usage", "ended", "failure", "finished")

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers
        self._id = ""
        self._model = ""
        self._begun = False
        self._blocks: dict[int, OpenBlock] = {}
        self._said = Said()
        self._usage: dict[str, Any] = {}
        self.finished = False
        self.ended = False
        self.failure: GatewayError | None = None

    def read(self, value: Any, kind: bytes = b"") -> ChatCompletionChunk | None:
        """The chunk of an event; None where it adds nothing. `kind` is its type as the stream names it, for events that do not say it themselves."""
        try:
            if value["type"] == _DELTA and self._begun and not self.finished:
                # By far the most: a piece of text.
                text = value["delta"]["text"]
                if text and type(text) is str and self._blocks[value["index"]].holds_text:
                    self._said.characters += len(text)
                    chunk = ChatCompletionChunk(id=self._id, model=self._model)
                    chunk.choices.add().delta.content = text
                    return chunk
        except (KeyError, TypeError):
            pass  # a rarer event, or an irregular one
        return self._read_other(value, kind)

    def end(self) -> Batch:
        """What is due when the stream ends: a finish, where content came and the provider said that it was all. Sets `failure` for an empty answer."""
        if not self._begun:
            self.failure = GatewayError(
                ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE, "The provider sent an empty answer."
            )
            return []
        if self.finished:
            return []
        chunk = self._make_chunk()
        self._finish(chunk, "", {})
        return [chunk]

    def read_whole(self, message: dict[str, Any]) -> Batch:
        """The chunks of a whole answer."""
        content = message.get("content")
        events: list[dict[str, Any]] = [{"type": "message_start", "message": message}]
        for index, block in enumerate(content if type(content) is list else []):
            events.append({"type": "content_block_start", "index": index, "content_block": block})
            events.append({"type": "content_block_stop", "index": index})
        events.append({"type": "message_delta", "delta": message, "usage": message.get("usage")})
        chunks = [self._read_other(event, b"") for event in events]
        return [chunk for chunk in chunks if chunk is not None]

    def _read_other(self, value: Any, said: bytes) -> ChatCompletionChunk | None:
        if type(value) is not dict:
            return None
        kind = value["type"] if "type" in value else said.decode()
        if kind == _ERROR or (_ERROR in value and "type" not in value):
            self.failure = error_of_value(value, self._headers)
            return None
        handler = _EVENTS.get(kind) if type(kind) is str else None
        return handler(self, value) if handler is not None else None

    def _make_chunk(self) -> ChatCompletionChunk:
        chunk = ChatCompletionChunk(id=self._id, model=self._model)
        choice = chunk.choices.add()
        if not self._begun:
            self._begun = True
            choice.delta.role = _ROLE
        return chunk

    def _start(self, value: dict[str, Any]) -> ChatCompletionChunk | None:
        message = value.get("message")
        if type(message) is not dict or self._begun:
            return None
        self._id, self._model = _text(message.get("id")), _text(message.get("model"))
        self._add_usage(message.get("usage"))
        chunk = self._make_chunk()
        self._set_tier(chunk)
        return chunk

    def _open(self, value: dict[str, Any]) -> ChatCompletionChunk | None:
        said, index = value.get("content_block"), _place(value)
        if type(said) is not dict or index is None or self.finished:
            return None
        opener = OPENERS.get(_text(said.get("type")), OPENERS[""])
        chunk = self._make_chunk()
        self._blocks[index] = opener(index, said, chunk.choices[0].delta, self._said, self._id)
        return _said_something(chunk)

    def _add(self, value: dict[str, Any]) -> ChatCompletionChunk | None:
        delta, index = value.get("delta"), _place(value)
        if type(delta) is not dict or index is None or self.finished:
            return None
        block = self._blocks.get(index)
        chunk = self._make_chunk()
        if block is None:
            # Servers that took the wire over leave the start out; the delta tells what was to start.
            said = {"type": _IMPLIED.get(_text(delta.get("type")), "")}
            block = OPENERS[said["type"]](index, said, chunk.choices[0].delta, self._said, self._id)
            self._blocks[index] = block
        block.add(delta, chunk.choices[0].delta, self._said)
        return _said_something(chunk)

    def _close(self, value: dict[str, Any]) -> ChatCompletionChunk | None:
        index = _place(value)
        block = self._blocks.pop(index, None) if index is not None else None
        if block is None or self.finished:
            return None
        chunk = self._make_chunk()
        block.close(chunk.choices[0].delta, self._said)
        return _said_something(chunk)

    def _change(self, value: dict[str, Any]) -> ChatCompletionChunk | None:
        self._add_usage(value.get("usage"))
        delta = value.get("delta")
        if type(delta) is not dict:
            delta = {}
        reason = _text(delta.get("stop_reason"))
        if self.finished or not reason:
            chunk = ChatCompletionChunk(id=self._id, model=self._model)
        else:
            chunk = self._make_chunk()
            for block in self._blocks.values():
                block.close(chunk.choices[0].delta, self._said)
            self._blocks.clear()
            self._finish(chunk, reason, delta)
        usage = read_usage(self._usage)
        if usage is not None:
            chunk.usage.CopyFrom(usage)
            self._set_tier(chunk)
        return chunk if usage is not None or chunk.choices else None

    def _stop(self, _value: dict[str, Any]) -> ChatCompletionChunk | None:
        self.ended = True
        chunks = self.end()
        return chunks[0] if chunks else None

    def _finish(self, chunk: ChatCompletionChunk, native: str, said: dict[str, Any]) -> None:
        """Ends the only choice. Text that a forced tool brought is an answer, not a call."""
        self.finished = True
        choice = chunk.choices[0]
        reason = FINISH_REASONS.get(native, FinishReason.FINISH_REASON_STOP)
        if native in ("", "tool_use"):
            called = self._said.calls > 0
            reason = FinishReason.FINISH_REASON_TOOL_CALLS if called else FinishReason.FINISH_REASON_STOP
        choice.finish_reason = reason
        if native:
            choice.native_finish_reason = native
        details = said.get("stop_details")
        if type(details) is dict:
            choice.extra["stop_details"] = orjson.dumps(details).decode()
            if native == "refusal" and _text(details.get("explanation")):
                choice.delta.refusal = details["explanation"]
        if _text(said.get("stop_sequence")):
            choice.extra["stop_sequence"] = orjson.dumps(said["stop_sequence"]).decode()

    def _add_usage(self, usage: object) -> None:
        if type(usage) is dict:
            self._usage.update({name: count for name, count in usage.items() if count is not None})

    def _set_tier(self, chunk: ChatCompletionChunk) -> None:
        tier = _text(self._usage.get("service_tier"))
        if tier:
            chunk.service_tier = TIERS.get(tier, tier)


def _said_something(chunk: ChatCompletionChunk) -> ChatCompletionChunk | None:
    delta: Delta = chunk.choices[0].delta
    return chunk if delta.ListFields() else None


def _place(value: dict[str, Any]) -> int | None:
    index = value.get("index")
    return index if type(index) is int and 0 <= index < _MOST_BLOCKS else None


def _text(value: object) -> str:
    return value if type(value) is str else ""


_IMPLIED: Final[Mapping[str, str]] = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "thinking"}
_EVENTS: Final[Mapping[str, Callable[[EventReader, dict[str, Any]], ChatCompletionChunk | None]]] = {
    "message_start": EventReader._start,  # noqa: SLF001 - the table stands beside its class
    "content_block_start": EventReader._open,  # noqa: SLF001 - as above
    _DELTA: EventReader._add,  # noqa: SLF001 - as above
    "content_block_stop": EventReader._close,  # noqa: SLF001 - as above
    "message_delta": EventReader._change,  # noqa: SLF001 - as above
    "message_stop": EventReader._stop,  # noqa: SLF001 - as above
}
