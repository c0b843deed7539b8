# SPDX-License-Identifier: Apache-2.0
"""Messages as input items.

Instructions stay items in their place: `instructions` would hold one text, at the front, without marks for the cache. A turn of the model becomes its
reasoning, its message and its calls, in this order, each an item. Items bear no ids but those of reasoning, which the provider looks for inside of the
encrypted content; to an id of anything else it would answer that nothing is stored under it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from trunkline_server.dialects.caching import BREAKPOINT
from trunkline_server.dialects.openai_responses.names import CUSTOM_CALL, CUSTOM_RESULT, OWN_KEY, is_text
from trunkline_server.dialects.openai_responses.parts import render_annotation, render_part, unknown_keys
from trunkline_server.dialects.openai_responses.reasoning_items import render_own
from trunkline_server.dialects.raw import opened
from trunkline_server.dialects.reasoning import OPENAI_FORMAT, own_details
from trunkline_server.dialects.turns import as_parts

_MESSAGE_KEYS: Final = frozenset({"role", "content"})
_RESULT_KEYS: Final = frozenset({"role", "content", "tool_call_id"})
_TURN_KEYS: Final = frozenset(
    {"role", "content", "refusal", "reasoning", "reasoning_details", "tool_calls", "annotations", OWN_KEY}
)
_CALL_KEYS: Final = frozenset({"id", "type", "function", "index", OWN_KEY})


class InputWriter:
    """Writes messages one after another.

    `items` is what was written; `dropped` are the paths of what had no place, in order. `takes_video` says that the provider has OpenRouter's `input_video`.
    """

    __slots__ = ("_custom_calls", "_takes_video", "dropped", "items")

    def __init__(self, *, takes_video: bool = False) -> None:
        self.items: list[dict[str, Any]] = []
        self.dropped: dict[str, None] = {}
        self._custom_calls: set[str] = set()
        self._takes_video = takes_video

    def write(self, message: Mapping[str, Any]) -> None:
        """Writes a message. Raises GatewayError for content that the provider does not take."""
        role = message["role"]
        if role == "assistant":
            self._write_turn(message)
        elif role == "tool":
            self._write_result(message)
        else:
            self._drop_others(message, _MESSAGE_KEYS)
            content = self._render_parts(message.get("content"))
            self.items.append({"type": "message", "role": role, "content": content})

    def _write_turn(self, message: Mapping[str, Any]) -> None:
        kept = opened(message.get(OWN_KEY))
        if isinstance(kept, list):
            self._write_kept(kept)
            return
        said: list[dict[str, Any]] = []
        if content := self._render_said(message):
            phase = {"phase": kept["phase"]} if isinstance(kept, dict) and "phase" in kept else {}
            said.append({"type": "message", "role": "assistant", "content": content, **phase})
        said += map(self._render_call, message.get("tool_calls", ()))
        self.items += self._render_reasoning(message, is_followed=bool(said))
        self.items += said
        self._drop_others(message, _TURN_KEYS)

    def _write_kept(self, items: Iterable[Any]) -> None:
        """Writes a turn's items as they came."""
        for item in items:
            if isinstance(item, dict):
                self.items.append(item)
                if item.get("type") == CUSTOM_CALL and is_text(item.get("call_id")):
                    self._custom_calls.add(item["call_id"])

    def _render_reasoning(self, message: Mapping[str, Any], *, is_followed: bool) -> list[dict[str, Any]]:
        """The reasoning of a turn, none where nothing of the turn follows it: OpenAI answers 400 to reasoning without what it led to."""
        own, others = own_details(message, {OPENAI_FORMAT})
        items, lost = render_own(map(opened, own)) if is_followed else ([], bool(own))
        if others or lost:
            self.dropped["messages.reasoning_details"] = None
        if "reasoning" in message and not items:
            self.dropped["messages.reasoning"] = None
        return items

    def _render_said(self, message: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The content of a turn of the model: texts and refusals."""
        parts: list[dict[str, Any]] = []
        for part in as_parts(message.get("content")):
            kind = part.get("type")
            if kind == "text":
                parts.append({"type": "output_text", "text": part["text"]})
            elif kind == "refusal":
                parts.append({"type": "refusal", "refusal": part["refusal"]})
            else:
                self.dropped[f"messages.content.{kind}"] = None
            for key in (*unknown_keys(part), BREAKPOINT):
                if key in part:
                    self.dropped[f"messages.content.{key}"] = None
        if message.get("annotations"):
            self._add_annotations(parts, message["annotations"])
        if message.get("refusal"):
            parts.append({"type": "refusal", "refusal": message["refusal"]})
        return parts

    def _add_annotations(self, parts: list[dict[str, Any]], annotations: Iterable[Any]) -> None:
        """Puts annotations, whose places count from the beginning of the content, on the first text where it is the only one."""
        texts = [part for part in parts if part["type"] == "output_text"]
        rendered = [render_annotation(opened(annotation)) for annotation in annotations]
        kept = [annotation for annotation in rendered if annotation is not None]
        if len(kept) < len(rendered) or len(texts) != 1:
            self.dropped["messages.annotations"] = None
        if kept and len(texts) == 1:
            texts[0]["annotations"] = kept

    def _render_call(self, call: Mapping[str, Any]) -> dict[str, Any]:
        function = call["function"]
        arguments = function.get("arguments", "")  # over gRPC they may be absent
        self.dropped |= {f"messages.tool_calls.{key}": None for key in call if key not in _CALL_KEYS}
        if opened(call.get(OWN_KEY)) == CUSTOM_CALL:
            self._custom_calls.add(call["id"])
            return {
                "type": CUSTOM_CALL,
                "call_id": call["id"],
                "name": function["name"],
                "input": arguments,
            }
        return {
            "type": "function_call",
            "call_id": call["id"],
            "name": function["name"],
            # Servers of open models read them as JSON (github.com/vllm-project/vllm/issues/19419).
            "arguments": arguments if arguments.strip() else "{}",
        }

    def _write_result(self, message: Mapping[str, Any]) -> None:
        content = message.get("content")
        call_id = message["tool_call_id"]
        self.items.append(
            {
                "type": CUSTOM_RESULT if call_id in self._custom_calls else "function_call_output",
                "call_id": call_id,
                "output": content if isinstance(content, str) else self._render_parts(content),
            }
        )
        self._drop_others(message, _RESULT_KEYS)

    def _render_parts(self, content: object) -> list[dict[str, Any]]:
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else as_parts(content)
        for part in parts:
            self.dropped |= {f"messages.content.{key}": None for key in unknown_keys(part)}
        return [render_part(part, takes_video=self._takes_video) for part in parts]

    def _drop_others(self, message: Mapping[str, Any], known: frozenset[str]) -> None:
        self.dropped |= {f"messages.{key}": None for key in message if key not in known}
