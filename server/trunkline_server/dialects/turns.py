# SPDX-License-Identifier: Apache-2.0
"""Messages as providers want them that keep instructions apart, or take each role once in a row. JSON in the form of openai_chat."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

INSTRUCTIONS: Final = frozenset({"system", "developer"})
"""The roles whose messages are instructions."""


def as_parts(content: object) -> list[dict[str, Any]]:
    """The parts of a content: a text is one part, an empty text and null are none. A list is given back as it is."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return content if isinstance(content, list) else []


def text_of(content: object) -> str:
    """The texts of a content, one after another with a blank line between."""
    if isinstance(content, str):
        return content
    return "\n\n".join(part["text"] for part in as_parts(content) if part.get("type") == "text")


def split_system(messages: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]], bool]:
    """The parts of all instructions, the other messages, and whether an instruction stood behind one of those.

    Instructions behind the first turn go to the front, too: a provider that keeps them apart has no other place for them.
    """
    instructions: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    moved = False
    for message in messages:
        if message.get("role") in INSTRUCTIONS:
            instructions += as_parts(message.get("content"))
            moved = moved or bool(turns)
        else:
            turns.append(message)
    return instructions, turns, moved


def merge_roles(messages: Iterable[dict[str, Any]], key: str = "content") -> list[dict[str, Any]]:
    """The messages with one in place of each run of the same role, their parts one after another under `key`. The first one's other keys stay.

    A message that stands alone is not changed, be its content a text.
    """
    merged: list[dict[str, Any]] = []
    for message in messages:
        last = merged[-1] if merged else None
        if last is not None and last.get("role") == message.get("role"):
            merged[-1] = {**last, key: [*as_parts(last.get(key)), *as_parts(message.get(key))]}
        else:
            merged.append(message)
    return merged
