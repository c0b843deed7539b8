# SPDX-License-Identifier: Apache-2.0
"""Reasoning details as the blocks of a past turn, and back: thinking, redacted thinking, server tools and their results, blocks nobody knows.

Anthropic checks that blocks which it signed come back byte by byte and in their order, and newer models that the text before them does, too. So a detail's
`index` is the block's place in the turn, and the turn's texts fill the places between. Function calls end a turn, so they follow everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from trunkline_server.dialects.anthropic.foreign import unwrap
from trunkline_server.dialects.reasoning import ANTHROPIC_FORMAT

UNKNOWN_BLOCK: Final = "anthropic.block"
"""The type of a detail that holds a block of a type that the contract has no place for, under `block`."""
RESULT_ENDING: Final = "_tool_result"
"""How the type of a server tool's result ends; before it stands the tool's name, or that of its kind."""

_TEXT: Final = "reasoning.text"
_ENCRYPTED: Final = "reasoning.encrypted"
_SERVER_TOOL: Final = "reasoning.server_tool_call"
_KNOWN_DETAIL: Final = frozenset({"type", "id", "format", "index", "tool_name", "tool_call_id", "arguments", "result"})
_KNOWN_USE: Final = frozenset({"type", "id", "name", "input"})
_KNOWN_RESULT: Final = frozenset({"type", "tool_use_id", "content"})

Placed = tuple[int | None, dict[str, Any]]
"""A block and its place in the turn, None where it is not known."""


def blocks_of_details(details: Iterable[Mapping[str, Any]]) -> tuple[list[Placed], bool]:
    """The blocks of those details that are Anthropic's, in order, and whether there were others."""
    blocks: list[Placed] = []
    lost = False
    for detail in details:
        made = _blocks_of(detail)
        lost = lost or not made
        place = detail.get("index")
        blocks += [(place if type(place) is int else None, block) for block in made]
    return blocks, lost


def arrange(placed: Iterable[Placed], texts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks of a turn in the order in which they were said; texts whose place is unknown come last."""
    rest = list(texts)
    turn: list[dict[str, Any]] = []
    for place, block in placed:
        while rest and place is not None and len(turn) < place:
            turn.append(rest.pop(0))
        turn.append(block)
    return turn + rest


def detail_of_block(block: Mapping[str, Any], place: int, *, unwraps: bool = True) -> dict[str, Any]:
    """The detail of a block that is neither text nor a function call.

    `unwraps` gives other makers' details back as they were; not wanted of a provider's answer, whose blocks have to go back as they came.
    """
    kind = block.get("type")
    detail: dict[str, Any]
    if kind == "thinking":
        signature = block.get("signature") or ""
        foreign = unwrap(signature) if unwraps else None
        if foreign is not None:
            return foreign
        detail = {"type": _TEXT, "text": block.get("thinking") or ""}
        if not signature:
            return {**detail, "index": place}
        detail["signature"] = signature
    elif kind == "redacted_thinking":
        data = block.get("data") or ""
        foreign = unwrap(data) if unwraps else None
        if foreign is not None:
            return foreign
        detail = {"type": _ENCRYPTED, "data": data}
    elif kind == "server_tool_use":
        detail = {
            "type": _SERVER_TOOL,
            "tool_name": block.get("name"),
            "tool_call_id": block.get("id"),
            "arguments": _dump(block.get("input") or {}),
            **_others(block, _KNOWN_USE),
        }
    elif isinstance(kind, str) and kind.endswith(RESULT_ENDING):
        detail = {
            "type": _SERVER_TOOL,
            "tool_name": kind.removesuffix(RESULT_ENDING),
            "tool_call_id": block.get("tool_use_id"),
            "result": _dump(block.get("content")),
            **_others(block, _KNOWN_RESULT),
        }
    else:
        detail = {"type": UNKNOWN_BLOCK, "block": dict(block)}
    return {**detail, "format": ANTHROPIC_FORMAT, "index": place}


def _blocks_of(detail: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The blocks of one detail; none where it is not Anthropic's, or is thinking that nobody signed."""
    kind, form = detail.get("type"), detail.get("format")
    signature = detail.get("signature")
    if kind == _TEXT and signature and form in (ANTHROPIC_FORMAT, None):
        return [{"type": "thinking", "thinking": detail.get("text") or "", "signature": signature}]
    if form != ANTHROPIC_FORMAT:
        return []
    if kind == _ENCRYPTED:
        return [{"type": "redacted_thinking", "data": detail.get("data") or ""}]
    if kind == _SERVER_TOOL:
        return _server_tool_blocks(detail)
    block = detail.get("block")
    is_block = kind == UNKNOWN_BLOCK and type(block) is dict and type(block.get("type")) is str
    return [block] if is_block and type(block) is dict else []


def _server_tool_blocks(detail: Mapping[str, Any]) -> list[dict[str, Any]]:
    name, call_id = detail.get("tool_name") or "", detail.get("tool_call_id") or ""
    others = _others(detail, _KNOWN_DETAIL)
    blocks: list[dict[str, Any]] = []
    if detail.get("arguments") is not None:
        value = _load(detail["arguments"])
        use = {"type": "server_tool_use", "id": call_id, "name": name, "input": value if type(value) is dict else {}}
        blocks.append({**use, **others})
    if detail.get("result") is not None:
        result = {"type": name + RESULT_ENDING, "tool_use_id": call_id, "content": _load(detail["result"])}
        blocks.append({**result, **others})
    return blocks


def _others(value: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key not in known and item is not None}


def _dump(value: object) -> str:
    return orjson.dumps(value).decode()


def _load(text: str) -> Any:
    """The JSON of a text; the text itself where it is none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
