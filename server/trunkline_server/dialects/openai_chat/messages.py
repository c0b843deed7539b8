# SPDX-License-Identifier: Apache-2.0
"""Messages as a plain server of chat completions gets them.

OpenAI answers 400 to a key of a message that it does not know, and to anything but text in a tool's message: "Image URLs are only allowed for messages with
role 'user'" (github.com/All-Hands-AI/OpenHands/issues/7700). Servers of open models read arguments as JSON, so a past call without any has `{}`
(github.com/vllm-project/vllm/issues/19419).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Final

from trunkline_server.catalog.entry import Endpoint
from trunkline_server.dialects import anthropic_names
from trunkline_server.dialects.account import Kind
from trunkline_server.dialects.base import RESPONSES_KEY
from trunkline_server.dialects.caching import CONTROL
from trunkline_server.dialects.openai_chat.account import ACCOUNT
from trunkline_server.dialects.raw import opened
from trunkline_server.dialects.reasoning import UNKNOWN_FORMAT, own_details
from trunkline_server.dialects.turns import as_parts

MOVED: Final = "moved behind the tool's result, which is text alone"
RENAMED_ID: Final = "written anew in the provider's form"
CUSTOM_CALL: Final = "custom_tool_call"
"""What stands under RESPONSES_KEY on a call of a tool whose input is text."""

_MESSAGES: Final = "messages."
_CONTENT: Final = "messages.content."
_DROPPED_OF_TURNS: Final = tuple(
    path.removeprefix(_MESSAGES)
    for path, entry in ACCOUNT.items()
    if entry.kind is Kind.DROPPED and path.startswith(_MESSAGES) and path.count(".") == 1
)
"""Keys of the model's past turns."""
_CALL_INDEX: Final = "index"
"""The key of tool calls in past turns that a plain OpenAI server does not get: a place in a stream, which says nothing in a list."""
_OPEN_FORMATS: Final = frozenset({UNKNOWN_FORMAT})
_ALPHANUMERIC_9: Final = re.compile(r"[A-Za-z0-9]{9}")
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BELOW: Final = "The result stands in the next message."
_MEDIA: Final = frozenset({"image_url", "input_audio", "file", "video_url", "input_video"})
"""Types of parts that a tool's message does not hold."""
_HELD_BY: Final = (("image_url", anthropic_names.IMAGE_KEYS), ("file", anthropic_names.FILE_KEYS))


class PlainMessages:
    """Makes messages plain, which are used up. What is lost, and what is sent otherwise, is added to the lists given."""

    __slots__ = ("_changed", "_dropped", "_provider", "_reasoning_key", "_takes_marks")

    def __init__(self, endpoint: Endpoint, dropped: list[str], changed: list[tuple[str, str]]) -> None:
        self._provider = endpoint.provider
        self._takes_marks = endpoint.cache_marks is not None
        self._reasoning_key = endpoint.provider.renames.get("messages.reasoning")
        self._dropped = dropped
        self._changed = changed

    def write(self, messages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """The messages. What tools showed stands at the front of the user's message behind their results, or in one of its own."""
        made: list[dict[str, Any]] = []
        shown: list[dict[str, Any]] = []
        for message in messages:
            role = message.get("role")
            if shown and role != "tool":
                if role == "user":
                    message["content"] = [*shown, *as_parts(message.get("content"))]
                else:
                    made.append({"role": "user", "content": shown})
                shown = []
            content = message.get("content")
            if type(content) is list:
                message["content"] = self._clean_parts(content)
            if role == "assistant":
                self._clean_turn(message)
            elif role == "tool":
                shown += self._clean_result(message)
            made.append(message)
        if shown:
            made.append({"role": "user", "content": shown})
        return made

    def _clean_parts(self, parts: Iterable[Any]) -> list[Any]:
        kept = []
        for part in parts:
            if type(part) is dict:
                if not self._takes_marks:
                    self._drop(part, (CONTROL,), _CONTENT)
                self._drop(part, anthropic_names.PART_KEYS, _CONTENT)
                for kind, keys in _HELD_BY:
                    if type(held := part.get(kind)) is dict:
                        self._drop(held, keys, f"{_CONTENT}{kind}.")
            kept.append(part)
        return kept

    def _clean_result(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """Makes a tool's result plain. Gives what the message behind it shows of it."""
        self._drop(message, anthropic_names.RESULT_KEYS, _MESSAGES)
        message["tool_call_id"] = own = self._fit_id(message["tool_call_id"])
        content = message.get("content")
        if type(content) is not list or self._provider.takes_images_in_results:
            return []
        media = [part for part in content if type(part) is dict and part.get("type") in _MEDIA]
        if not media:
            return []
        rest = [part for part in content if part not in media]
        message["content"] = rest or [{"type": "text", "text": _BELOW}]
        for part in media:
            self._change(f"{_CONTENT}{part['type']}", MOVED)
        return [{"type": "text", "text": f"From the result of the tool call {own}:"}, *media]

    def _clean_turn(self, message: dict[str, Any]) -> None:
        key = self._reasoning_key
        if key is not None and (said := _open_reasoning(message)):
            message.pop("reasoning", None)
            message.pop("reasoning_details", None)
            message[key] = said
        self._drop(message, (name for name in _DROPPED_OF_TURNS if name != key), _MESSAGES)
        self._drop(message, (RESPONSES_KEY,), _MESSAGES)
        if message.get("tool_calls"):
            message["tool_calls"] = [self._clean_call(call) for call in message["tool_calls"]]

    def _clean_call(self, call: dict[str, Any]) -> dict[str, Any]:
        call.pop(_CALL_INDEX, None)
        call["id"] = self._fit_id(call["id"])
        self._drop(call, anthropic_names.CALL_KEYS, f"{_MESSAGES}tool_calls.")
        function = call["function"]
        arguments = function.get("arguments", "")  # over gRPC they may be absent
        if RESPONSES_KEY in call:
            if opened(call[RESPONSES_KEY]) == CUSTOM_CALL:
                custom = {"name": function["name"], "input": arguments}
                return {"id": call["id"], "type": "custom", "custom": custom}
            self._drop(call, (RESPONSES_KEY,), f"{_MESSAGES}tool_calls.")
        if not arguments.strip():
            function["arguments"] = "{}"
        return call

    def _fit_id(self, own: str) -> str:
        """The id of a call in the form that the provider takes, for the same id always the same."""
        if self._provider.tool_ids is None or _ALPHANUMERIC_9.fullmatch(own):
            return own
        self._change("messages.tool_calls.id", RENAMED_ID)
        number = int.from_bytes(sha256(own.encode()).digest()[:8])
        return "".join(_DIGITS[number // len(_DIGITS) ** place % len(_DIGITS)] for place in range(9))

    def _drop(self, value: dict[str, Any], keys: Iterable[str], path: str) -> None:
        self._dropped += (f"{path}{key}" for key in keys if value.pop(key, None) is not None)

    def _change(self, path: str, done: str) -> None:
        if (path, done) not in self._changed:
            self._changed.append((path, done))


def _open_reasoning(message: Mapping[str, Any]) -> str:
    """The reasoning of a past turn as text, "" where there is none. A turn may hold it in its details alone."""
    said: str | None = message.get("reasoning")
    if said:
        return said
    details, _ = own_details(message, _OPEN_FORMATS, unmarked=True)
    return "".join(item.get("text") or "" for item in details)
