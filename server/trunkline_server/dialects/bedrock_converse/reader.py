# SPDX-License-Identifier: Apache-2.0
"""The events of a Converse stream, read into chunks. A whole answer is read as the events that would have brought it.

A stream is: `messageStart`; for each block its start where it is a call or an image, its deltas and its stop; `messageStop` with the reason; `metadata` with the
usage, which ends the answer. Exceptions are events, too. Chunks are protobufs made directly: one delta is one event, and there are hundreds a second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson

from trunkline.v1.chat_response_pb2 import ChatCompletionChunk, FinishReason
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.anthropic.blocks import Said
from trunkline_server.dialects.bedrock_converse.blocks import Call, OpenBlock, Picture, Text, Thinking
from trunkline_server.dialects.bedrock_converse.usage import read_usage

FINISH_REASONS: Final[Mapping[str, FinishReason.ValueType]] = MappingProxyType(
    {
        "end_turn": FinishReason.FINISH_REASON_STOP,
        "stop_sequence": FinishReason.FINISH_REASON_STOP,
        "tool_use": FinishReason.FINISH_REASON_TOOL_CALLS,
        "max_tokens": FinishReason.FINISH_REASON_LENGTH,
        "model_context_window_exceeded": FinishReason.FINISH_REASON_LENGTH,
        "guardrail_intervened": FinishReason.FINISH_REASON_CONTENT_FILTER,
        "content_filtered": FinishReason.FINISH_REASON_CONTENT_FILTER,
    }
)
"""`stopReason` to the contract's. Any other is a stop, but for those below."""
_FAILURES: Final = frozenset({"malformed_model_output", "malformed_tool_use"})
"""Reasons by which Bedrock says that it could not read what its model wrote: another attempt may do better."""
_DELTA: Final = "contentBlockDelta"
_MOST_BLOCKS: Final = 2**31
_ROLE: Final = "assistant"
_KEPT: Final = ("trace", "performanceConfig")
"""What the last event says beside usage; it is kept with that."""
_REQUEST_ID: Final = "x-amzn-requestid"


class EventReader:
    """Reads the JSON values of one answer's events, in order.

    `failure` is set when an event tells of one, `finished` when the reason to stop has come, `ended` when the answer is whole.
    """

    __slots__ = ("_begun", "_blocks", "_id", "_said", "ended", "failure", "finished")

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._id = headers.get(_REQUEST_ID, "")
        self._begun = False
        self._blocks: dict[int, OpenBlock] = {}
        self._said = Said()
        self.finished = False
        self.ended = False
        self.failure: GatewayError | None = None

    def read(self, kind: str, value: Any) -> ChatCompletionChunk | None:
        """The chunk of an event of a type; None where it adds nothing."""
        try:
            if kind == _DELTA and self._begun and not self.finished:
                # By far the most: a piece of text.
                text = value["delta"]["text"]
                if text and type(text) is str and self._blocks[value["contentBlockIndex"]].holds_text:
                    self._said.characters += len(text)
                    chunk = ChatCompletionChunk(id=self._id)
                    chunk.choices.add().delta.content = text
                    return chunk
        except (KeyError, TypeError):
            pass  # a rarer event, or an irregular one
        handler = _EVENTS.get(kind)
        return handler(self, value) if handler is not None and type(value) is dict else None

    def read_whole(self, answer: dict[str, Any]) -> Batch:
        """The chunks of a whole answer. Sets `failure` for what is none."""
        output = answer.get("output")
        message = output.get("message") if type(output) is dict else None
        content = message.get("content") if type(message) is dict else None
        if type(content) is not list:
            self.failure = _invalid("The provider sent JSON that is no message.")
            return []
        chunk = self._make_chunk()
        delta = chunk.choices[0].delta
        for index, block in enumerate(content):
            if type(block) is dict:
                opened = self._open(index, block, chunk)
                for piece in _pieces(block):
                    opened.add(piece, delta, self._said)
                opened.close(delta, self._said)
        batch = [chunk]
        for kind in ("messageStop", "metadata"):
            read = self.read(kind, answer)
            if read is not None:
                batch.append(read)
        if not self.finished and self.failure is None:
            self.failure = _invalid("The provider sent an answer without a reason to stop.")
        return batch

    def _make_chunk(self) -> ChatCompletionChunk:
        chunk = ChatCompletionChunk(id=self._id)
        choice = chunk.choices.add()
        if not self._begun:
            self._begun = True
            choice.delta.role = _ROLE
        return chunk

    def _open(self, index: int, said: Mapping[str, Any], chunk: ChatCompletionChunk) -> OpenBlock:
        """A block that begins with an event, a delta or a whole block."""
        block: OpenBlock
        use, image = said.get("toolUse"), said.get("image")
        if type(use) is dict:
            block = Call(index, use, chunk.choices[0].delta, self._said, self._id)
        elif type(image) is dict:
            block = Picture(image)
        elif "reasoningContent" in said:
            block = Thinking(index)
        else:
            block = Text(self._said)
        self._blocks[index] = block
        return block

    def _start(self, _value: dict[str, Any]) -> ChatCompletionChunk | None:
        return None if self._begun else self._make_chunk()

    def _begin(self, value: dict[str, Any]) -> ChatCompletionChunk | None:
        said, index = value.get("start"), _place(value)
        if type(said) is not dict or index is None or self.finished:
            return None
        chunk = self._make_chunk()
        self._open(index, said, chunk)
        return _said_something(chunk)

    def _add(self, value: dict[str, Any]) -> ChatCompletionChunk | None:
        said, index = value.get("delta"), _place(value)
        if type(said) is not dict or index is None or self.finished:
            return None
        chunk = self._make_chunk()
        block = self._blocks.get(index) or self._open(index, said, chunk)
        block.add(said, chunk.choices[0].delta, self._said)
        return _said_something(chunk)

    def _close(self, value: dict[str, Any]) -> ChatCompletionChunk | None:
        index = _place(value)
        block = self._blocks.pop(index, None) if index is not None else None
        if block is None or self.finished:
            return None
        chunk = self._make_chunk()
        block.close(chunk.choices[0].delta, self._said)
        return _said_something(chunk)

    def _stop(self, value: dict[str, Any]) -> ChatCompletionChunk | None:
        native = value.get("stopReason")
        if self.finished or type(native) is not str or not native:
            return None
        if native in _FAILURES:
            reason = ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE
            self.failure = GatewayError(
                reason, "The provider could not read what its model wrote.", provider_code=native
            )
            return None
        chunk = self._make_chunk()
        choice = chunk.choices[0]
        for block in self._blocks.values():
            block.close(choice.delta, self._said)
        self._blocks.clear()
        self.finished = True
        finish = FINISH_REASONS.get(native, FinishReason.FINISH_REASON_STOP)
        if native == "tool_use" and not self._said.calls:
            finish = FinishReason.FINISH_REASON_STOP  # what a forced tool brought is an answer
        choice.finish_reason = finish
        choice.native_finish_reason = native
        return chunk

    def _end(self, value: dict[str, Any]) -> ChatCompletionChunk | None:
        """The last event: usage, the tier that served, and what guardrails found."""
        self.ended = self.finished
        chunk = ChatCompletionChunk(id=self._id)
        usage, tier = value.get("usage"), value.get("serviceTier")
        known = read_usage(usage) if type(usage) is dict else None
        if known is not None:
            for name in _KEPT:
                if value.get(name) is not None:
                    known.extra[name] = orjson.dumps(value[name]).decode()
            chunk.usage.CopyFrom(known)
        if type(tier) is dict and type(tier.get("type")) is str:
            chunk.service_tier = tier["type"]
        return chunk if known is not None or chunk.service_tier else None


def _pieces(block: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The deltas that a whole block stands for."""
    cited = block.get("citationsContent")
    if type(cited) is not dict:
        return [] if "image" in block else [block]
    texts = [piece for piece in cited.get("content") or () if type(piece) is dict]
    return [*texts, *({"citation": citation} for citation in cited.get("citations") or ())]


def _said_something(chunk: ChatCompletionChunk) -> ChatCompletionChunk | None:
    return chunk if chunk.choices[0].delta.ListFields() else None


def _place(value: dict[str, Any]) -> int | None:
    index = value.get("contentBlockIndex")
    return index if type(index) is int and 0 <= index < _MOST_BLOCKS else None


def _invalid(message: str) -> GatewayError:
    return GatewayError(ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE, message)


_EVENTS: Final[Mapping[str, Callable[[EventReader, dict[str, Any]], ChatCompletionChunk | None]]] = {
    "messageStart": EventReader._start,  # noqa: SLF001 - the table stands beside its class
    "contentBlockStart": EventReader._begin,  # noqa: SLF001 - as above
    _DELTA: EventReader._add,  # noqa: SLF001 - as above
    "contentBlockStop": EventReader._close,  # noqa: SLF001 - as above
    "messageStop": EventReader._stop,  # noqa: SLF001 - as above
    "metadata": EventReader._end,  # noqa: SLF001 - as above
}
