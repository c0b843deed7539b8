# SPDX-License-Identifier: Apache-2.0
"""The messages of a request, and what they count as prompt tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from trunkline_server.upstream.simulator.body import (
    Json,
    json_path,
    list_at,
    object_at,
    read_object,
    required_text,
    text_at,
    wrong,
)
from trunkline_server.upstream.simulator.limits import (
    CONTEXT_LENGTH,
    MAX_DETAILS,
    MAX_ITEMS,
    MESSAGES_SLICE,
    Work,
    prompt_too_long,
    too_many,
)
from trunkline_server.upstream.simulator.refused import RefusedError
from trunkline_server.upstream.simulator.tokens import LONGEST_TOKEN, MEDIA_TOKENS, count_tokens

ROLES: Final = ("system", "developer", "user", "assistant", "tool", "function")


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierCall:
    """A tool call of an earlier assistant message."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message.

    `parts` are the content parts as sent, where a content string is one text part; `text` is the text parts joined with nothing between them.
    `tool_call_id` is what a tool message answers (None elsewhere). `path` is where the message stands in the request.
    """

    role: str
    path: str
    parts: Sequence[Mapping[str, Json]]
    text: str
    calls: Sequence[EarlierCall]
    reasoning: str
    reasoning_details: Sequence[Json]
    tool_call_id: str | None


def read_messages(source: Mapping[str, Json]) -> Work[Sequence[Message]]:
    """The request's messages, of which there must be one at least and MAX_ITEMS at most, their parts and tool calls counted with them."""
    stated = list_at(source, "messages", "")
    if not stated:
        raise RefusedError("messages: an array of at least one message is missing.", param="messages")
    _check_amount(stated)
    read = []
    for position, item in enumerate(stated, 1):
        read.append(_read_message(item, json_path("messages", position - 1)))
        if position % MESSAGES_SLICE == 0:
            yield MESSAGES_SLICE
    return read


def count_prompt(messages: Sequence[Message], source: Mapping[str, Json]) -> Work[int]:
    """The prompt's tokens, by the rule in tokens.py. Raises RefusedError beyond CONTEXT_LENGTH.

    A prompt with more characters than that many of the longest tokens is refused before a word of it is counted.
    """
    extras = [source.get("tools"), source.get("response_format")]
    texts = [orjson.dumps(extra).decode() for extra in extras if extra]
    fixed = len(messages)
    for message in messages:
        texts += [message.text, message.reasoning]
        texts += [text for call in message.calls for text in (call.name, call.arguments)]
        fixed += MEDIA_TOKENS * sum(part.get("type") != "text" for part in message.parts)
    characters = sum(map(len, texts))
    if characters > CONTEXT_LENGTH * LONGEST_TOKEN:
        raise prompt_too_long(f"{characters} characters long")
    total = fixed + (yield from count_tokens(texts, CONTEXT_LENGTH - fixed))
    if total > CONTEXT_LENGTH:
        raise prompt_too_long(f"more than {CONTEXT_LENGTH} tokens long")
    return total


def _check_amount(stated: Sequence[Json]) -> None:
    """Counts before anything is built: objects cost the event loop more than texts."""
    items, details = len(stated), 0
    if items <= MAX_ITEMS:
        found = [message for message in stated if isinstance(message, dict)]
        items += sum(_length(message.get(key)) for message in found for key in ("content", "tool_calls"))
        details = sum(_length(message.get("reasoning_details")) for message in found)
    if items > MAX_ITEMS:
        raise too_many("messages", MAX_ITEMS, "messages, parts and tool calls together")
    if details > MAX_DETAILS:
        raise too_many("messages", MAX_DETAILS, "reasoning details")


def _length(value: Json) -> int:
    return len(value) if isinstance(value, list) else 0


def _read_message(item: Json, path: str) -> Message:
    source = read_object(item, path)
    role = required_text(source, "role", path)
    if role not in ROLES:
        raise wrong(json_path(path, "role"), f"one of {', '.join(ROLES)}", role)
    parts = _read_parts(source, path)
    return Message(
        role=role,
        path=path,
        parts=parts,
        text="".join(part["text"] for part in parts if part["type"] == "text"),
        calls=tuple(
            _read_call(call, json_path(json_path(path, "tool_calls"), position))
            for position, call in enumerate(list_at(source, "tool_calls", path) or ())
        ),
        reasoning=text_at(source, "reasoning", path) or "",
        reasoning_details=tuple(list_at(source, "reasoning_details", path) or ()),
        tool_call_id=text_at(source, "tool_call_id", path),
    )


def _read_parts(source: Mapping[str, Json], path: str) -> Sequence[Mapping[str, Json]]:
    content = source.get("content")
    if content is None:
        return ()
    if isinstance(content, str):
        return ({"type": "text", "text": content},)
    where = json_path(path, "content")
    if not isinstance(content, list):
        raise wrong(where, "a string or an array of parts", content)
    return tuple(_read_part(part, json_path(where, position)) for position, part in enumerate(content))


def _read_part(item: Json, path: str) -> Mapping[str, Json]:
    part = read_object(item, path)
    if required_text(part, "type", path) == "text":
        required_text(part, "text", path)
    return part


def _read_call(item: Json, path: str) -> EarlierCall:
    source = read_object(item, path)
    function = object_at(source, "function", path) or {}
    where = json_path(path, "function")
    return EarlierCall(
        call_id=text_at(source, "id", path) or "",
        name=text_at(function, "name", where) or "",
        arguments=text_at(function, "arguments", where) or "",
    )
