# SPDX-License-Identifier: Apache-2.0
"""Where a prompt's cached prefix ends: Anthropic's `cache_control`, OpenAI's `prompt_cache_breakpoint`, and one from the other.

How long a prefix is kept is not translated: OpenRouter's guide to prompt caching (August 2026) does not either, and the two count differently.
JSON in the form of openai_chat, marked in place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from trunkline_server.dialects.turns import INSTRUCTIONS, as_parts

CONTROL: Final = "cache_control"
BREAKPOINT: Final = "prompt_cache_breakpoint"
MOST_ANTHROPIC: Final = 4
"""Most breakpoints of one request: five are an error (Anthropic's page on prompt caching, 2026)."""

_EPHEMERAL: Final = "ephemeral"
_EXPLICIT: Final = "explicit"
_UNCACHED: Final = frozenset({"refusal"})


def breakpoints(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The tools and content parts that end a cached prefix, in the order of the prompt: tools, instructions, turns. Each has `cache_control`.

    Translates OpenAI's marks. The top-level `cache_control` is taken out and put on the last block that can be cached, unless that one has its own.
    """
    control = body.pop(CONTROL, None)
    last: dict[str, Any] | None = None
    if control is not None:
        last = _last_block(body)
    marked = []
    for block in _blocks(body):
        mark = block.pop(BREAKPOINT, None)
        if mark is not None:
            block.setdefault(CONTROL, {"type": _EPHEMERAL})
        if block is last:
            block.setdefault(CONTROL, control)
        if CONTROL in block:
            marked.append(block)
    return marked


def keep_last(marked: list[dict[str, Any]], most: int = MOST_ANTHROPIC) -> int:
    """Takes the mark from all blocks but the last `most`. How many lost it."""
    surplus = marked[: max(0, len(marked) - most)]
    for block in surplus:
        del block[CONTROL]
    return len(surplus)


def translate_to_openai(body: dict[str, Any]) -> tuple[bool, bool]:
    """Puts OpenAI's mark in place of Anthropic's on content parts. Whether a mark was translated, and whether one was lost.

    The top-level one goes to the last block that can be cached. A tool has no mark at OpenAI, so a tool's is lost. Of any number of marks OpenAI writes the
    latest four, three beside its own (openai-python 3.54, PromptCacheOptions), so none is taken out.
    """
    own = {id(part) for part in _parts(body) if BREAKPOINT in part}
    tools = {id(tool) for tool in _tools(body)}
    marked = breakpoints(body)
    parts = [block for block in marked if id(block) not in tools]
    for block in marked:
        del block[CONTROL]
    for part in parts:
        part[BREAKPOINT] = {"mode": _EXPLICIT}
    return any(id(part) not in own for part in parts), len(parts) < len(marked)


def _last_block(body: dict[str, Any]) -> dict[str, Any] | None:
    """The last block that can be cached. A text that stands for its only part becomes a list, so that it can bear a mark."""
    for message in reversed(_ordered(body)):
        parts = as_parts(message.get("content"))
        fit = [part for part in parts if _can_be_cached(part)]
        if fit:
            message["content"] = parts
            return fit[-1]
    tools = _tools(body)
    return tools[-1] if tools else None


def _can_be_cached(part: dict[str, Any]) -> bool:
    kind = part.get("type")
    return kind not in _UNCACHED and (kind != "text" or bool((part.get("text") or "").strip()))


def _blocks(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from _tools(body)
    yield from _parts(body)


def _tools(body: dict[str, Any]) -> list[dict[str, Any]]:
    tools: list[Any] = body.get("tools", [])
    return [tool for tool in tools if isinstance(tool, dict)]


def _parts(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for message in _ordered(body):
        content = message.get("content")
        if type(content) is list:
            yield from (part for part in content if type(part) is dict)


def _ordered(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages with the instructions ahead."""
    return sorted(body["messages"], key=lambda message: message.get("role") not in INSTRUCTIONS)
