# SPDX-License-Identifier: Apache-2.0
"""Messages as Converse's turns: instructions apart, tool calls and results as blocks, each role once in a row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.anthropic.conversation import MOVED, read_arguments
from trunkline_server.dialects.anthropic.report import Report
from trunkline_server.dialects.bedrock_converse.parts import Block, blocks_of_parts, cache_point, number_documents
from trunkline_server.dialects.caching import CONTROL
from trunkline_server.dialects.reasoning import ANTHROPIC_FORMAT, join_pieces
from trunkline_server.dialects.turns import as_parts, merge_roles, split_system

_NOT_ID: Final = re.compile(r"[^a-zA-Z0-9_.:-]")
_LONGEST_ID: Final = 64
_SYSTEM_BLOCKS: Final = frozenset({"text", "guardContent", "cachePoint"})
_KEYS: Final = {
    "user": frozenset({"role", "content"}),
    "assistant": frozenset({"role", "content", "refusal", "reasoning", "reasoning_details", "tool_calls", "model"}),
    "tool": frozenset({"role", "content", "tool_call_id", "name", "is_error"}),
}
_CALL_KEYS: Final = frozenset({"id", "type", "function", "index"})


def render_conversation(messages: list[dict[str, Any]], report: Report) -> tuple[list[Block], list[dict[str, Any]]]:
    """The blocks of the instructions, and the turns. Raises GatewayError for content that no block can hold."""
    if any(message.get("name") for message in messages if message["role"] in ("system", "developer")):
        report.drop("messages.name")
    instructions, others, moved = split_system(messages)
    if moved:
        report.change("messages", MOVED)
    system = blocks_of_parts(instructions, report)
    if any(_SYSTEM_BLOCKS.isdisjoint(block) for block in system):
        reason = ErrorReason.ERROR_REASON_UNPROCESSABLE
        raise GatewayError(reason, "The provider takes nothing but text in system messages.")
    rendered = (_render_message(message, report) for message in others)
    turns = merge_roles(turn for turn in rendered if turn["content"])
    number_documents(block for turn in turns for block in _all_blocks(turn["content"]))
    for turn in turns:
        if turn["role"] == "user":
            _results_first(turn)
    return system, turns


def clean_id(call_id: str) -> str:
    """The id of a call with the characters and the length that Bedrock takes; other makers' ids have others."""
    return _NOT_ID.sub("_", call_id)[-_LONGEST_ID:] or "_"


def is_thought(turns: list[dict[str, Any]]) -> bool:
    """Tell whether Claude may think on where the turns end.

    While results of tools are handed in, or a beginning is, the answer under way goes on, and one that began without thinking cannot have any: such a request is
    refused. It is enough that some turn of that answer begins with thinking, since between two calls there need be none
    (platform.claude.com/docs/en/build-with-claude/extended-thinking, November 2026).
    """
    thinks = not turns or turns[-1]["role"] == "user"
    for turn in reversed(turns):
        if turn["role"] == "assistant":
            if "reasoningContent" in turn["content"][0]:
                return True
        elif not any("toolResult" in block for block in turn["content"]):
            break
        else:
            thinks = False
    return thinks


def _results_first(turn: dict[str, Any]) -> None:
    """Results stand right behind their calls; the mark of a cached prefix stays behind the block that it ends."""
    results: list[Block] = []
    rest: list[Block] = []
    last = rest
    for block in turn["content"]:
        if "cachePoint" not in block:
            last = results if "toolResult" in block else rest
        last.append(block)
    turn["content"] = results + rest


def _all_blocks(blocks: Iterable[Block]) -> Iterable[Block]:
    for block in blocks:
        yield block
        yield from block.get("toolResult", {}).get("content", ())


def _render_message(message: dict[str, Any], report: Report) -> dict[str, Any]:
    role = message["role"]
    for key in message.keys() - _KEYS[role]:
        report.drop(f"messages.{key}")
    if role == "assistant":
        return {"role": "assistant", "content": _render_assistant(message, report)}
    parts = as_parts(message.get("content"))
    if role == "tool":
        return {"role": "user", "content": _render_result(message, parts, report)}
    return {"role": "user", "content": blocks_of_parts(parts, report)}


def _render_assistant(message: dict[str, Any], report: Report) -> list[Block]:
    texts = blocks_of_parts(as_parts(message.get("content")), report)
    if (message.get("refusal") or "").strip():
        texts.append({"text": message["refusal"]})
    thoughts, lost = _thoughts(join_pieces(message.get("reasoning_details") or ()))
    if lost:
        report.drop("messages.reasoning_details")
    if message.get("reasoning") and not thoughts:
        report.drop("messages.reasoning")
    calls = [_render_call(call, report) for call in message.get("tool_calls") or ()]
    return [*thoughts, *texts, *calls]


def _thoughts(details: Iterable[Mapping[str, Any]]) -> tuple[list[Block], bool]:
    """The blocks of those details that come from here, in order, and whether there were others. Thinking that nobody signed is refused, so it is not sent."""
    blocks: list[Block] = []
    lost = False
    for detail in details:
        kind, form = detail.get("type"), detail.get("format")
        if kind == "reasoning.text" and detail.get("signature") and form in (ANTHROPIC_FORMAT, None):
            text = {"text": detail.get("text") or "", "signature": detail["signature"]}
            blocks.append({"reasoningContent": {"reasoningText": text}})
        elif kind == "reasoning.encrypted" and form == ANTHROPIC_FORMAT and detail.get("data"):
            blocks.append({"reasoningContent": {"redactedContent": detail["data"]}})
        else:
            lost = True
    return blocks, lost


def _render_call(call: Mapping[str, Any], report: Report) -> Block:
    function = call["function"]
    for key in call.keys() - _CALL_KEYS:
        report.drop(f"messages.tool_calls.{key}")
    value = read_arguments(function.get("arguments") or "")
    if value is None:
        value = {"arguments": function["arguments"]}
        report.change("messages.tool_calls.function.arguments", "no JSON object: sent as one, under `arguments`")
    return {"toolUse": {"toolUseId": clean_id(call["id"]), "name": function["name"], "input": value}}


def _render_result(message: Mapping[str, Any], parts: list[dict[str, Any]], report: Report) -> list[Block]:
    # A mark of a cached prefix stands behind the result, also where the part that had it is empty.
    marks = [mark for part in parts if (mark := part.pop(CONTROL, None)) is not None]
    content = blocks_of_parts(parts, report)
    # An empty list is refused.
    result: Block = {"toolUseId": clean_id(message["tool_call_id"]), "content": content or [{"text": "(no output)"}]}
    if message.get("is_error"):
        result["status"] = "error"
    return [{"toolResult": result}, *(cache_point(mark) for mark in marks[-1:])]
