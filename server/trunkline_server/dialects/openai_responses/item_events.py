# SPDX-License-Identifier: Apache-2.0
"""The events of the items of a streamed answer, in the order in which OpenAI sends them (openai-python 3.54, `types/responses/*_event.py`).

Each item is added empty, grows by its parts, and is told whole when it is done, after each of its parts was.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from trunkline_server.dialects.openai_responses.names import CUSTOM_CALL
from trunkline_server.dialects.openai_responses.outbound import COMPLETED, IN_PROGRESS, Item, text_part

_ADDED: Final = "response.output_item.added"
_DONE: Final = "response.output_item.done"


class EventWriter:
    """Writes events as they go over the wire, each with its number."""

    __slots__ = ("_lines", "_number")

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._number = 0

    def write(self, kind: str, fields: dict[str, Any]) -> None:
        """Writes an event."""
        value = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        self._lines += (b"event: ", kind.encode(), b"\ndata: ", orjson.dumps(value), b"\n\n")

    def take(self) -> bytes:
        """What has been written since the last time."""
        lines, self._lines = self._lines, []
        return b"".join(lines)


class _ItemEvents:
    """What all items share: the item under construction and its place. `kind` is what their class makes of them."""

    def __init__(self, writer: EventWriter, place: int, item: Item) -> None:
        self.item = item
        self._writer = writer
        self._place = place
        self._write(_ADDED, {"item": item}, named=False)

    def close(self, status: str = COMPLETED) -> None:
        """The item is done."""
        self.item["status"] = status
        self._write(_DONE, {"item": self.item}, named=False)

    def _write(self, kind: str, fields: dict[str, Any], *, named: bool = True) -> None:
        head = {"item_id": self.item["id"], "output_index": self._place} if named else {"output_index": self._place}
        self._writer.write(kind, head | fields)


class WholeItemEvents(_ItemEvents):
    """An item that has no parts: told whole at once."""


class MessageEvents(_ItemEvents):
    """A message: texts, each with its annotations, and refusals."""

    def __init__(self, writer: EventWriter, place: int, item_id: str) -> None:
        item = {"id": item_id, "type": "message", "status": IN_PROGRESS, "content": [], "role": "assistant"}
        super().__init__(writer, place, item)
        self._pieces: list[str] = []
        self._kind = ""

    def add_text(self, text: str, logprobs: list[Any]) -> None:
        """A piece of text."""
        self._open("output_text")
        self._pieces.append(text)
        self._part["logprobs"] += logprobs
        self._write_part("response.output_text.delta", {"delta": text, "logprobs": logprobs})

    def add_refusal(self, text: str) -> None:
        """A piece of a refusal."""
        self._open("refusal")
        self._pieces.append(text)
        self._write_part("response.refusal.delta", {"delta": text})

    def annotate(self, annotation: dict[str, Any]) -> None:
        """A citation of the text."""
        self._open("output_text")
        annotations = self._part["annotations"]
        fields = {"annotation_index": len(annotations), "annotation": annotation}
        annotations.append(annotation)
        self._write_part("response.output_text.annotation.added", fields)

    def close(self, status: str = COMPLETED) -> None:
        """The message is done."""
        self._close_part()
        super().close(status)

    def settle(self) -> None:
        """Writes what was said into the item, where it will not be told by an event."""
        if self._kind:
            self._part["refusal" if self._kind == "refusal" else "text"] = "".join(self._pieces)

    @property
    def _part(self) -> dict[str, Any]:
        part: dict[str, Any] = self.item["content"][-1]
        return part

    def _open(self, kind: str) -> None:
        if self._kind == kind:
            return
        self._close_part()
        self._kind = kind
        part = text_part("", []) if kind == "output_text" else {"type": "refusal", "refusal": ""}
        self.item["content"].append(part)
        self._write_part("response.content_part.added", {"part": part})

    def _close_part(self) -> None:
        if not self._kind:
            return
        self.settle()
        part = self._part
        if self._kind == "refusal":
            self._write_part("response.refusal.done", {"refusal": part["refusal"]})
        else:
            self._write_part("response.output_text.done", {"text": part["text"], "logprobs": part["logprobs"]})
        self._write_part("response.content_part.done", {"part": part})
        self._kind, self._pieces = "", []

    def _write_part(self, kind: str, fields: dict[str, Any]) -> None:
        self._write(kind, {"content_index": len(self.item["content"]) - 1, **fields})


class ReasoningEvents(_ItemEvents):
    """An item of reasoning: summaries, texts in the open, and what is encrypted."""

    def __init__(self, writer: EventWriter, place: int, item: Item) -> None:
        own = {**item, "summary": [], "encrypted_content": None, "status": IN_PROGRESS}
        super().__init__(writer, place, own)
        self._pieces: list[str] = []
        self._kind = ""
        self._index: object = None

    def is_at(self, detail: dict[str, Any]) -> bool:
        """Whether a detail goes on with the part that is open."""
        same_id = detail.get("id") in (None, self.item["id"])
        return bool(self._kind) and same_id and detail["type"] == self._kind and detail.get("index") == self._index

    def add(self, detail: dict[str, Any]) -> None:
        """A detail, or a piece of one."""
        kind = detail["type"]
        if kind == "reasoning.encrypted":
            self.item["encrypted_content"] = detail.get("data")
            return
        if not self.is_at(detail):
            self._open(kind, detail.get("index"))
        if detail.get("signature") is not None:
            self.item["signature"] = detail["signature"]
        text = detail.get("summary") if kind == "reasoning.summary" else detail.get("text")
        if text:
            self._pieces.append(text)
            self._write_part("delta", {"delta": text})

    def close(self, status: str = COMPLETED) -> None:
        """The item is done."""
        self._close_part()
        super().close(status)

    def settle(self) -> None:
        """Writes what was said into the item, where it will not be told by an event."""
        if self._kind:
            self._parts[-1]["text"] = "".join(self._pieces)

    @property
    def _is_summary(self) -> bool:
        return self._kind == "reasoning.summary"

    @property
    def _parts(self) -> list[dict[str, Any]]:
        parts: list[dict[str, Any]] = self.item.setdefault("summary" if self._is_summary else "content", [])
        return parts

    def _open(self, kind: str, index: object) -> None:
        self._close_part()
        self._kind, self._index = kind, index
        part = {"type": "summary_text" if self._is_summary else "reasoning_text", "text": ""}
        self._parts.append(part)
        name = "response.reasoning_summary_part.added" if self._is_summary else "response.content_part.added"
        self._write(name, {self._index_key: len(self._parts) - 1, "part": part})

    def _close_part(self) -> None:
        if not self._kind:
            return
        self.settle()
        part = self._parts[-1]
        self._write_part("done", {"text": part["text"]})
        name = "response.reasoning_summary_part.done" if self._is_summary else "response.content_part.done"
        self._write(name, {self._index_key: len(self._parts) - 1, "part": part})
        self._kind, self._pieces = "", []

    @property
    def _index_key(self) -> str:
        return "summary_index" if self._is_summary else "content_index"

    def _write_part(self, end: str, fields: dict[str, Any]) -> None:
        name = "response.reasoning_summary_text" if self._is_summary else "response.reasoning_text"
        self._write(f"{name}.{end}", {self._index_key: len(self._parts) - 1, **fields})


class CallEvents(_ItemEvents):
    """A tool call, whose arguments grow."""

    def __init__(self, writer: EventWriter, place: int, item: Item) -> None:
        super().__init__(writer, place, item)
        is_custom = item["type"] == CUSTOM_CALL
        self._key = "input" if is_custom else "arguments"
        self._name = "response.custom_tool_call_input" if is_custom else "response.function_call_arguments"
        self._pieces: list[str] = []
        self._is_closed = False

    @property
    def is_whole(self) -> bool:
        """Whether the arguments are a JSON object, so that no more can come."""
        if not self._pieces or not self._pieces[-1].rstrip().endswith("}"):
            return False
        try:
            orjson.loads("".join(self._pieces))
        except orjson.JSONDecodeError:
            return False
        return True

    def add(self, text: str) -> None:
        """A piece of the arguments."""
        if text:
            self._pieces.append(text)
            self._write(f"{self._name}.delta", {"delta": text})
            if self._is_closed:
                self.settle()

    def close(self, status: str = COMPLETED) -> None:
        """The call is done, unless it was already."""
        if not self._is_closed:
            self._is_closed = True
            self.settle()
            self._write(f"{self._name}.done", {self._key: self.item[self._key]})
            super().close(status)

    def settle(self) -> None:
        """Writes what was said into the item, where it will not be told by an event."""
        self.item[self._key] = "".join(self._pieces)
