# SPDX-License-Identifier: Apache-2.0
"""Input items as messages in openai_chat's JSON.

A turn of the model is a run of items: its reasoning, messages, calls, and what its tools did. What is between two turns are messages of others and results
of calls. A turn with an item that the contract cannot tell keeps all of its items as they came, see `names.py`, so that a provider of this language gets it
unchanged, while others get what can be told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from trunkline_server.dialects.openai_responses.names import CUSTOM_CALL, CUSTOM_RESULT, OWN_KEY, type_of
from trunkline_server.dialects.openai_responses.parts import fault, parse_annotation, parse_part
from trunkline_server.dialects.openai_responses.reasoning_items import parse_reasoning
from trunkline_server.dialects.openai_responses.turn import own_of_turn
from trunkline_server.dialects.turns import as_parts

_ROLES: Final = frozenset({"user", "system", "developer"})
_RESULTS: Final = frozenset({"function_call_output", CUSTOM_RESULT})
_REFERENCE: Final = "item_reference"
_STATELESS: Final = "an item itself: this API is stateless, so nothing is stored that could be referred to"


class MessageReader:
    """Reads input items one after another.

    `messages` is what was read; `origins` tells for each of them the path of the item that it began with. Raises ShapeFaults for what is no item.
    """

    __slots__ = ("_details", "_items", "_turn", "messages", "origins")

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.origins: list[str] = []
        self._turn: dict[str, Any] | None = None
        self._items: list[dict[str, Any]] = []
        self._details = 0

    def read_all(self, items: Sequence[Any]) -> None:
        """Reads all items of `input`."""
        for index, item in enumerate(items):
            self._read(item, f"input[{index}]")
        self._end_turn()

    def add(self, message: dict[str, Any], path: str) -> None:
        """Adds a message that stands for itself."""
        self._end_turn()
        self.messages.append(message)
        self.origins.append(path)

    def _read(self, item: Any, path: str) -> None:
        if not isinstance(item, dict):
            raise fault(path, "an object")
        if "type" not in item and "role" not in item:
            raise fault(path, "an item with a type, or a message with a role")
        kind = type_of(item)
        if kind == "message" and item.get("role") in ("user", "system", "developer"):
            content = item.get("content")
            # The codec refuses a message without content.
            self.add({"role": item["role"], "content": content and _parse_content(content, path)}, path)
        elif kind in _RESULTS:
            self._read_result(item, path)
        elif kind == _REFERENCE:
            raise fault(path, _STATELESS)
        elif not kind:
            raise fault(f"{path}.type", "a string")
        else:
            self._read_own(kind, item, path)

    def _read_result(self, item: dict[str, Any], path: str) -> None:
        output = item.get("output")
        if output is None:
            raise fault(f"{path}.output", "present", None)
        content = output if isinstance(output, str) else _parse_content(output, path, "output")
        self.add({"role": "tool", "tool_call_id": item.get("call_id"), "content": content}, path)

    def _read_own(self, kind: str, item: dict[str, Any], path: str) -> None:
        """Reads an item of the model's turn."""
        if self._turn is None:
            self._turn = {"role": "assistant", "content": None}
            self._details = 0
            self.messages.append(self._turn)
            self.origins.append(path)
        turn = self._turn
        self._items.append(item)
        match kind:
            case "message":
                if item.get("role") != "assistant":
                    raise fault(f"{path}.role", "one of user, system, developer, assistant", item.get("role"))
                _add_said(turn, item, path)
            case "reasoning":
                details = parse_reasoning(item, self._details)
                self._details += len(details)
                turn.setdefault("reasoning_details", []).extend(details)
            case "function_call":
                turn.setdefault("tool_calls", []).append(_parse_call(item, item.get("arguments")))
            case "custom_tool_call":
                call = _parse_call(item, item.get("input"))
                turn.setdefault("tool_calls", []).append({**call, OWN_KEY: CUSTOM_CALL})

    def _end_turn(self) -> None:
        if self._turn is not None:
            own = own_of_turn(self._items)
            if own is not None:
                self._turn[OWN_KEY] = own
        self._turn, self._items = None, []


def _parse_content(content: Any, path: str, key: str = "content") -> Any:
    """The content of a message, or the output of a tool. An absent one is empty."""
    if isinstance(content, list):
        return [parse_part(part, f"{path}.{key}[{index}]") for index, part in enumerate(content)]
    if content is None or isinstance(content, str):
        return content or ""
    raise fault(f"{path}.{key}", "a string or an array of parts")


def _parse_call(item: dict[str, Any], arguments: object) -> dict[str, Any]:
    function = {"name": item.get("name"), "arguments": arguments}
    return {"id": item.get("call_id"), "type": "function", "function": function}


def _add_said(turn: dict[str, Any], item: dict[str, Any], path: str) -> None:
    """Adds a message to a turn: texts to its content, a refusal to its own field, annotations with places in the whole content."""
    content = item.get("content")
    if isinstance(content, str):
        content = [{"type": "output_text", "text": content}]
    parts = _parse_content(content, path)
    said = as_parts(turn["content"])
    for index, part in enumerate(as_parts(parts)):
        if part["type"] == "refusal":
            refusal = part["refusal"] or ""
            if not isinstance(refusal, str):
                raise fault(f"{path}.content[{index}].refusal", "a string")
            turn["refusal"] = (turn.get("refusal") or "") + refusal
            continue
        offset = sum(len(text["text"]) for text in said if isinstance(text.get("text"), str))
        annotations = content[index].get("annotations") if isinstance(content, list) else None
        if isinstance(annotations, list) and annotations:
            parsed = [
                parse_annotation(annotation, offset) for annotation in annotations if isinstance(annotation, dict)
            ]
            turn.setdefault("annotations", []).extend(parsed)
        said = [*said, part]
    turn["content"] = said or None
