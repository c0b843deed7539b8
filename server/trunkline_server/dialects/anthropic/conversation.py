# SPDX-License-Identifier: Apache-2.0
"""Messages as Anthropic's turns: instructions apart, tool calls and results as blocks, each role once in a row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.anthropic.parts import Block, blocks_of_parts, is_blank, text_block
from trunkline_server.dialects.anthropic.replay import arrange, blocks_of_details
from trunkline_server.dialects.anthropic.report import Report
from trunkline_server.dialects.caching import CONTROL
from trunkline_server.dialects.openai_responses.names import CUSTOM_CALL, OWN_KEY
from trunkline_server.dialects.reasoning import join_pieces
from trunkline_server.dialects.turns import as_parts, merge_roles, split_system

MOVED: Final = "system messages moved to the front"
ALONE: Final = "instructions sent as the user's turn"
CUSTOM_INPUT: Final = "input"
"""The only member of the arguments by which a custom tool, whose input is plain text, is called as a function."""

_NOT_ID: Final = re.compile(r"[^a-zA-Z0-9_-]")
_CALL_EXTRAS: Final = ("caller", "toolset_name", CONTROL)
_RESULT_EXTRAS: Final = ("is_error", "toolset_name")
_ASSISTANT_LOST: Final = ("images", "audio", "annotations", "function_call")
_KEYS: Final = {
    "user": frozenset({"role", "content"}),
    "assistant": frozenset({"role", "content", "refusal", "reasoning", "reasoning_details", "tool_calls", "model"}),
    "tool": frozenset({"role", "content", "tool_call_id", "name", *_RESULT_EXTRAS}),
}
_CALL_KEYS: Final = frozenset({"id", "type", "function", "index", OWN_KEY, *_CALL_EXTRAS})
_INEXACT: Final = re.compile(r"[0-9]{17}")
"""Digits of a number that a float may not hold."""


def render_conversation(messages: list[dict[str, Any]], report: Report) -> tuple[list[Block], list[dict[str, Any]]]:
    """The blocks of the instructions, and the turns. Raises GatewayError for content that no block can hold."""
    if any(message.get("name") for message in messages if message["role"] in ("system", "developer")):
        report.drop("messages.name")
    instructions, others, moved = split_system(messages)
    if moved:
        report.change("messages", MOVED)
    system = blocks_of_parts(instructions, report)
    if any(block["type"] != "text" for block in system):
        reason = ErrorReason.ERROR_REASON_UNPROCESSABLE
        raise GatewayError(reason, "The provider takes nothing but text in system messages.")
    ids = CallIds()
    rendered = (_render_message(message, ids, report) for message in others)
    turns = merge_roles(turn for turn in rendered if turn["content"])
    if system and not turns:
        # There must be a turn, and what instructs may as well ask.
        report.change("messages", ALONE)
        return [], [{"role": "user", "content": system}]
    for turn in turns:
        if turn["role"] == "user":
            # Results must stand right behind their calls (Anthropic's page on handling tool calls).
            turn["content"].sort(key=lambda block: block["type"] != "tool_result")
    _trim_end(turns)
    return system, turns


def clean_id(call_id: str) -> str:
    """The id of a call with the characters that Anthropic takes; other makers' ids have others."""
    return _NOT_ID.sub("_", call_id) or "_"


class CallIds:
    """The ids of a conversation's calls as they are sent, each once: Anthropic refuses an id that two calls have, be they turns apart."""

    __slots__ = ("_sent", "_taken")

    def __init__(self) -> None:
        self._sent: dict[str, str] = {}
        self._taken: dict[str, int] = {}

    def of_call(self, call_id: str) -> str:
        """The id of the next call."""
        clean = sent = clean_id(call_id)
        while sent in self._taken:
            self._taken[clean] = self._taken.get(clean, 1) + 1
            sent = f"{clean}_{self._taken[clean]}"
        self._taken[sent] = 1
        self._sent[call_id] = sent
        return sent

    def of_result(self, call_id: str) -> str:
        """The id of the call before that a result belongs to."""
        return self._sent.get(call_id) or clean_id(call_id)


def _render_message(message: dict[str, Any], ids: CallIds, report: Report) -> dict[str, Any]:
    role = message["role"]
    for key in message.keys() - _KEYS[role]:
        report.drop(f"messages.{key}")
    if role == "assistant":
        return {"role": "assistant", "content": _render_assistant(message, ids, report)}
    parts = as_parts(message.get("content"))
    if role == "tool":
        return {"role": "user", "content": [_render_result(message, parts, ids, report)]}
    return {"role": "user", "content": blocks_of_parts(parts, report)}


def _render_assistant(message: dict[str, Any], ids: CallIds, report: Report) -> list[Block]:
    texts = blocks_of_parts(as_parts(message.get("content")), report, said=True)
    if (message.get("refusal") or "").strip():
        texts.append(text_block(message["refusal"]))
    placed, lost = blocks_of_details(join_pieces(message.get("reasoning_details") or ()))
    if lost:
        report.drop("messages.reasoning_details")
    if message.get("reasoning") and not placed:
        report.drop("messages.reasoning")
    calls = [_render_call(call, ids, report) for call in message.get("tool_calls") or ()]
    return arrange(placed, texts) + calls


def _render_call(call: Mapping[str, Any], ids: CallIds, report: Report) -> Block:
    function = call["function"]
    for key in call.keys() - _CALL_KEYS:
        report.drop(f"messages.tool_calls.{key}")
    text = function.get("arguments") or ""
    value: dict[str, Any] | orjson.Fragment | None
    if call.get(OWN_KEY) == CUSTOM_CALL:
        value = {CUSTOM_INPUT: text}
    else:
        value = read_exactly(text)
    if value is None:
        value = {"arguments": text}
        report.change("messages.tool_calls.function.arguments", "no JSON object: sent as one, under `arguments`")
    block = {"type": "tool_use", "id": ids.of_call(call["id"]), "name": function["name"], "input": value}
    block.update({key: call[key] for key in _CALL_EXTRAS if call.get(key) is not None})
    return block


def read_arguments(text: str) -> dict[str, Any] | None:
    """The object that a call's arguments are; empty where they are. None where they are no object."""
    if not text.strip():
        return {}
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if type(value) is dict else None


def read_exactly(text: str) -> dict[str, Any] | orjson.Fragment | None:
    """The object that a call's arguments are, ready to be written. None where they are no object.

    Where a number is too long to be read without loss, it is the text as it stands.
    """
    value = read_arguments(text)
    return orjson.Fragment(text.encode()) if value and _INEXACT.search(text) else value


def _render_result(message: Mapping[str, Any], parts: list[dict[str, Any]], ids: CallIds, report: Report) -> Block:
    block: Block = {"type": "tool_result", "tool_use_id": ids.of_result(message["tool_call_id"])}
    if all(map(is_blank, parts)):
        # A result may be empty, so that a mark on nothing has its place.
        content: list[Block] = []
        control = next((part[CONTROL] for part in parts if part.get(CONTROL) is not None), None)
    else:
        content = blocks_of_parts(parts, report)
        control = content[-1].pop(CONTROL, None)
    if len(content) == 1 and content[0].keys() == {"type", "text"}:
        block["content"] = content[0]["text"]
    elif content:
        block["content"] = content
    if control is not None:
        block[CONTROL] = control
    block.update({key: message[key] for key in _RESULT_EXTRAS if message.get(key) is not None})
    return block


def _trim_end(turns: Iterable[dict[str, Any]]) -> None:
    """Anthropic refuses a last text of the model's that ends in white space: the answer goes on from there."""
    last: dict[str, Any] = next(reversed(list(turns)), {})
    if last.get("role") == "assistant" and last["content"][-1]["type"] == "text":
        block = last["content"][-1]
        block["text"] = block["text"].rstrip()
