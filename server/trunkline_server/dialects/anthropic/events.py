# SPDX-License-Identifier: Apache-2.0
"""A stream of chunks as the events of a Messages stream, in Anthropic's order.

The rules: one block is open at a time, its start before its deltas and its stop before the next start; the first start is followed by a ping, as Anthropic
does it; the reason to stop and the usage come together at the end, which is why both wait for `end`. A call of a function is not left before it is whole: other
calls whose pieces come in between wait for that, and so does text. A call without arguments is whole at the end only, as they may still come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson

from trunkline.v1.chat_response_pb2 import ChatCompletionChunk, ChunkChoice, FunctionCallDelta, ToolCallDelta
from trunkline.v1.message_pb2 import ReasoningDetail
from trunkline.v1.usage_pb2 import Usage
from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.anthropic.conversation import read_arguments
from trunkline_server.dialects.anthropic.finish import stop_reason
from trunkline_server.dialects.anthropic.foreign import wrap
from trunkline_server.dialects.anthropic.outbound import (
    DETAILS,
    blocks_of_detail,
    citation_of,
    detail_value,
    is_plain,
    render_error,
)
from trunkline_server.dialects.anthropic.usage import write_usage
from trunkline_server.dialects.reasoning import ANTHROPIC_FORMAT

_PING: Final = b'event: ping\ndata: {"type":"ping"}\n\n'
_OPEN_DETAILS: Final = frozenset({"text", "summary"})
_NOT_SAID: Final = frozenset({"role", "tool_calls", "function_call"})
_NO_CALL: Final = -1
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def _event(value: dict[str, Any]) -> bytes:
    kind: str = value["type"]
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(value) + b"\n\n"


class EventRenderer:
    """Renders one answer. `feed` takes its batches, then `end` closes it, or `fail` does."""

    def __init__(self) -> None:
        self._begun = False
        self._pinged = False
        self._index = -1
        self._open: tuple[str, object] | None = None
        self._detail: dict[str, Any] = {}
        self._pieces: list[str] = []
        self._arguments: list[str] = []
        self._called: set[int] = set()
        self._waiting: dict[int, list[ToolCallDelta]] = {}
        self._held: list[ChunkChoice] = []
        self._finish: ChunkChoice | None = None
        self._usage = Usage()
        self._tier = ""

    def feed(self, batch: Iterable[ChatCompletionChunk]) -> bytes:
        """The events of a batch."""
        out: list[bytes] = []
        for chunk in batch:
            if chunk.HasField("usage"):
                self._usage = chunk.usage
            if chunk.service_tier:
                self._tier = chunk.service_tier
            if not self._begun:
                self._begin(chunk, out)
            for choice in chunk.choices:
                if not choice.index:  # Anthropic gives one answer
                    self._add(choice, out)
        return b"".join(out)

    def end(self, told: Mapping[str, Any] = _NOTHING) -> bytes:
        """The events that end the answer. The very last one has what is `told` beside its type."""
        out: list[bytes] = []
        if not self._begun:
            self._begin(ChatCompletionChunk(), out)
        self._close(out)
        while self._waiting or self._held:
            self._release(out)
            self._close(out)
        finish = self._finish or ChunkChoice()
        called = bool(self._called)
        delta: dict[str, Any] = {
            "stop_reason": stop_reason(finish.finish_reason, finish.native_finish_reason, called=called),
            "stop_sequence": None,
        }
        delta.update({name: orjson.loads(value) for name, value in finish.extra.items() if name.startswith("stop_")})
        usage = write_usage(self._usage)
        out.append(_event({"type": "message_delta", "delta": delta, "usage": usage}))
        out.append(_event({"type": "message_stop", **told}))
        return b"".join(out)

    def fail(self, error: GatewayError, request_id: str = "") -> bytes:
        """The event that ends an answer which failed."""
        return _event(render_error(error, request_id))

    def ping(self) -> bytes:
        """An event that says nothing and keeps the connection."""
        return _PING

    def _begin(self, chunk: ChatCompletionChunk, out: list[bytes]) -> None:
        self._begun = True
        usage = write_usage(self._usage, self._tier)
        message: dict[str, Any] = {
            "id": chunk.id,
            "type": "message",
            "role": "assistant",
            "model": chunk.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }
        if chunk.HasField("provider"):
            message["provider"] = chunk.provider
        out.append(_event({"type": "message_start", "message": message}))

    def _add(self, choice: ChunkChoice, out: list[bytes]) -> None:
        delta = choice.delta
        if self._open is None or self._open[0] != "call":
            self._add_said(choice, out)
        elif any(field.name not in _NOT_SAID for field, _ in delta.ListFields()):
            if self._is_calling():
                self._held.append(choice)
            else:
                self._add_said(choice, out)
        for piece in delta.tool_calls:
            self._add_call(piece, out)
        if delta.HasField("function_call"):
            self._add_function(delta.function_call, out)
        if choice.finish_reason:
            self._finish = choice

    def _add_said(self, choice: ChunkChoice, out: list[bytes]) -> None:
        delta = choice.delta
        if delta.reasoning_details:
            for detail in delta.reasoning_details:
                self._add_detail(detail, out)
        elif delta.reasoning:
            self._ensure(("thinking", None), {"type": "thinking", "thinking": "", "signature": ""}, out)
            self._say({"type": "thinking_delta", "thinking": delta.reasoning}, out)
        text = delta.content or delta.audio.transcript
        if not text and DETAILS not in choice.extra:
            text = delta.refusal
        if text:
            self._ensure(("text", None), {"type": "text", "text": ""}, out)
            self._say({"type": "text_delta", "text": text}, out)
        for annotation in delta.annotations:
            citation = citation_of(annotation)
            if citation and self._open == ("text", None):
                self._say({"type": "citations_delta", "citation": citation}, out)

    def _ensure(self, place: tuple[str, object], block: dict[str, Any], out: list[bytes]) -> None:
        """Opens a block unless it is the one that is open."""
        if self._open == place:
            return
        self._close(out)
        self._index += 1
        self._open = place
        out.append(_event({"type": "content_block_start", "index": self._index, "content_block": block}))
        if not self._pinged:
            self._pinged = True
            out.append(_PING)

    def _say(self, delta: dict[str, Any], out: list[bytes]) -> None:
        out.append(_event({"type": "content_block_delta", "index": self._index, "delta": delta}))

    def _close(self, out: list[bytes]) -> None:
        if self._open is None:
            return
        if self._detail:
            self._detail["summary" if "summary" in self._detail else "text"] = "".join(self._pieces)
            if not is_plain(self._detail):
                self._say({"type": "signature_delta", "signature": wrap(self._detail)}, out)
            self._detail, self._pieces = {}, []
        kind, place = self._open
        if kind == "call" and isinstance(place, int):
            self._called.add(place)
            if not any(self._arguments):
                self._say({"type": "input_json_delta", "partial_json": "{}"}, out)
        self._arguments = []
        self._open = None
        out.append(_event({"type": "content_block_stop", "index": self._index}))

    def _add_detail(self, detail: ReasoningDetail, out: list[bytes]) -> None:
        kind = detail.WhichOneof("detail")
        if kind not in _OPEN_DETAILS:
            for _, block in blocks_of_detail(detail):
                self._add_whole(block, out)
            return
        own = detail.format == ANTHROPIC_FORMAT and kind == "text"
        place = ("thinking", (kind, detail.format, detail.index if detail.HasField("index") else None))
        self._ensure(place, {"type": "thinking", "thinking": "", "signature": ""}, out)
        text = detail.text.text or detail.summary.summary
        if text:
            self._say({"type": "thinking_delta", "thinking": text}, out)
        signature = detail.text.signature
        if own and signature:
            self._say({"type": "signature_delta", "signature": signature}, out)
        elif not own:
            self._keep_foreign(detail, text)

    def _keep_foreign(self, detail: ReasoningDetail, text: str) -> None:
        """Gathers another maker's detail: where there is more to it than text, which any piece may tell, it is wrapped into the signature when its block closes."""
        self._pieces.append(text)
        self._detail.update(detail_value(detail))

    def _add_whole(self, block: dict[str, Any], out: list[bytes]) -> None:
        """Opens and closes a block that is told at once."""
        kind = block["type"]
        if kind == "server_tool_use":
            self._ensure((kind, block["id"]), {**block, "input": {}}, out)
            piece = orjson.dumps(block["input"]).decode()
            self._say({"type": "input_json_delta", "partial_json": piece}, out)
        else:
            self._ensure((kind, object()), block, out)
        self._close(out)

    def _add_call(self, piece: ToolCallDelta, out: list[bytes]) -> None:
        place = ("call", piece.index)
        if self._open == place:
            self._say_arguments(piece.function.arguments, out)
            if (self._waiting or self._held) and not self._is_calling():
                self._close(out)
                self._release(out)
        elif self._is_calling():
            self._waiting.setdefault(piece.index, []).append(piece)
        elif piece.index not in self._called:  # nothing but white space comes behind a whole call
            extra = {name: orjson.loads(value) for name, value in piece.extra.items()}
            block = {"type": "tool_use", "id": piece.id, "name": piece.function.name, "input": {}, **extra}
            self._ensure(place, block, out)
            self._say_arguments(piece.function.arguments, out)

    def _is_calling(self) -> bool:
        """Whether a call is open whose arguments are not whole."""
        if self._open is None or self._open[0] != "call":
            return False
        # Looked at from the end, since this is asked for every piece of a long text.
        last = next((piece for piece in map(str.rstrip, reversed(self._arguments)) if piece), "")
        return not last.endswith("}") or read_arguments("".join(self._arguments)) is None

    def _say_arguments(self, text: str, out: list[bytes]) -> None:
        if text:
            self._arguments.append(text)
            self._say({"type": "input_json_delta", "partial_json": text}, out)

    def _add_function(self, piece: FunctionCallDelta, out: list[bytes]) -> None:
        """A legacy call, which has neither place nor id."""
        self._add_call(ToolCallDelta(index=_NO_CALL, id="call_function", function=piece), out)

    def _release(self, out: list[bytes]) -> None:
        """Renders what had to wait: what was said, then the calls, up to one that is not whole."""
        held, self._held = self._held, []
        for choice in held:
            self._add_said(choice, out)
        while self._waiting and not self._is_calling():
            pieces = self._waiting.pop(min(self._waiting))
            call = ToolCallDelta()
            call.CopyFrom(pieces[0])
            call.function.arguments = "".join(piece.function.arguments for piece in pieces)
            self._add_call(call, out)
