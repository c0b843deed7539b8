# SPDX-License-Identifier: Apache-2.0
"""Messages as `systemInstruction` and `contents`: two roles that take turns, calls and their results among the parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import orjson

from trunkline_server.dialects.gemini.families import Family
from trunkline_server.dialects.gemini.marks import MADE_ID, UNSIGNED_CALL, Signatures, image_mark, place_spare
from trunkline_server.dialects.gemini.parts import render_content, render_url
from trunkline_server.dialects.gemini.report import Report
from trunkline_server.dialects.gemini.server_tools import render_server_tool
from trunkline_server.dialects.reasoning import GEMINI_FORMAT, join_pieces
from trunkline_server.dialects.turns import split_system, text_of

Parts = list[dict[str, Any]]

_PLAIN: Final = frozenset({"role", "content"})
_KNOWN: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "user": _PLAIN,
        "system": _PLAIN,
        "developer": _PLAIN,
        "tool": _PLAIN | {"tool_call_id", "name"},
        "assistant": _PLAIN
        | {"refusal", "reasoning", "reasoning_details", "tool_calls", "function_call", "images", "audio"},
    }
)
"""The keys of each role's messages that are looked at; all others are dropped, "name" and "annotations" among them."""
_UNKNOWN_FUNCTION: Final = "unknown_function"
_OUTPUT: Final = "output"
_ARGUMENTS: Final = "arguments"
NO_OBJECT: Final = "no JSON object: sent as one, under `arguments`"


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes the turns of one request. `names` are the functions of the calls so far, by the call's id."""

    family: Family
    report: Report
    names: dict[str, str]

    def write(self, message: dict[str, Any]) -> tuple[str, Parts]:
        """The role and the parts of a message."""
        match message["role"]:
            case "assistant":
                return "model", self._write_model_turn(message)
            case "tool":
                return "user", self._write_result(message)
            case _:
                return "user", render_content(message.get("content"), self.family, self.report)

    def _write_result(self, message: dict[str, Any]) -> Parts:
        """A functionResponse with the text, an object where it is one; media inside of it where the model takes them there, else behind it."""
        content, call_id = message.get("content"), message["tool_call_id"]
        name = self.names.get(call_id) or message.get("name") or _UNKNOWN_FUNCTION
        response: dict[str, Any] = {} if call_id.startswith(MADE_ID) else {"id": call_id}
        response["name"] = name
        response["response"] = _as_object(text_of(content))
        made: Parts = [{"functionResponse": response}]
        media = [part for part in render_content(content, self.family, self.report) if "text" not in part]
        if media and self.family.is_current:
            response["parts"] = media
        else:
            made += media
        return made

    def _write_model_turn(self, message: dict[str, Any]) -> Parts:
        details = self._own_details(message)
        signatures = Signatures(details)
        parts = [part for detail in details for part in _write_detail(detail)]
        said = render_content(message.get("content"), self.family, self.report)
        if signatures.signs_text:
            parts += signatures.sign("".join(part.get("text", "") for part in said))
            said = [part for part in said if "text" not in part]
        parts += said
        if message.get("refusal"):
            parts.append({"text": message["refusal"]})
        if "audio" in message:
            parts += self._write_sound(message["audio"])
        for place, image in enumerate(message.get("images", ())):
            part = render_url(image["image_url"]["url"], "messages.images.image_url.url", self.family)
            parts.append(_signed(part, signatures.take(image_mark(place))))
        parts += self._write_calls(message, signatures)
        place_spare(parts, signatures)
        if signatures.are_left:
            self.report.drop("messages.reasoning_details")
        return parts

    def _own_details(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """The details that Google wrote. Others, and reasoning that is text alone, are nobody's proof and left out."""
        given = message.get("reasoning_details", ())
        mine = [item for item in given if type(item) is dict and item.get("format") == GEMINI_FORMAT]
        own = join_pieces(mine)
        if len(mine) < len(given):
            self.report.drop("messages.reasoning_details")
        if message.get("reasoning") and not own:
            self.report.drop("messages.reasoning")
        return own

    def _write_sound(self, sound: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """What was said in sound that the model made: its data cannot be named by an id here."""
        if sound.get("transcript"):
            self.report.change("messages.audio", "sent as its transcript")
            yield {"text": sound["transcript"]}
        else:
            self.report.drop("messages.audio")

    def _read_arguments(self, text: str) -> dict[str, Any] | orjson.Fragment:
        """The object that a call's arguments are, as it is written; empty where they are."""
        if not text.strip():
            return {}
        value = _read_object(text)
        if value is None:
            self.report.change("messages.tool_calls.function.arguments", NO_OBJECT)
            return {_ARGUMENTS: text}
        return value

    def _write_calls(self, message: dict[str, Any], signatures: Signatures) -> Parts:
        calls: list[dict[str, Any]] = message.get("tool_calls", [])
        if "function_call" in message:
            calls = [*calls, {"id": MADE_ID, "function": message["function_call"]}]
        parts: Parts = []
        for call in calls:
            call_id, function = call["id"], call["function"]
            self.names[call_id] = function["name"]
            written: dict[str, Any] = {} if call_id.startswith(MADE_ID) else {"id": call_id}
            written["name"] = function["name"]
            written["args"] = self._read_arguments(function.get("arguments") or "")
            parts.append(_signed({"functionCall": written}, signatures.take(call_id)))
        if parts and not any("thoughtSignature" in part for part in parts):
            spare = signatures.take_spare(of_calls=True)
            if spare is None and self.family.is_current:
                spare = UNSIGNED_CALL
                self.report.change("messages.tool_calls", "marked as not made by the provider")
            _signed(parts[0], spare)
        return parts


def render_conversation(
    messages: Iterable[dict[str, Any]], family: Family, report: Report
) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The systemInstruction, None where there is none, and the contents. Instructions alone become the user's turn: there must be one."""
    messages = list(messages)
    for message in messages:
        report.drop_others("messages", message, _KNOWN[message["role"]])
    instructions, turns, moved = split_system(messages)
    if moved:
        report.change("messages", "later instructions moved to the front")
    writer = _Writer(family, report, {})
    contents: list[dict[str, Any]] = []
    for message in turns:
        role, parts = writer.write(message)
        if contents and contents[-1]["role"] == role:
            contents[-1]["parts"] += parts
        elif parts:
            contents.append({"role": role, "parts": parts})
    system = render_content(instructions, family, report)
    if system and not contents:
        report.change("messages", "instructions sent as the user's turn")
        return None, [{"role": "user", "parts": system}]
    return {"parts": system} if system else None, contents


def _write_detail(detail: dict[str, Any]) -> Iterator[dict[str, Any]]:
    match detail.get("type"):
        case "reasoning.text":
            yield _signed({"text": detail.get("text", ""), "thought": True}, detail.get("signature"))
        case "reasoning.summary":
            yield {"text": detail.get("summary", ""), "thought": True}
        case "reasoning.server_tool_call":
            yield from render_server_tool(detail)


def _signed(part: dict[str, Any], signature: str | None) -> dict[str, Any]:
    if signature:
        part["thoughtSignature"] = signature
    return part


def _as_object(text: str) -> dict[str, Any] | orjson.Fragment:
    """The JSON object that a result is, as it is written; any other text under Google's key for the output.

    An object with that key alone goes there, too: it would be read back as a text that was no object.
    """
    value = _read_object(text, but=_OUTPUT)
    return {_OUTPUT: text} if value is None else value


def _read_object(text: str, *, but: str | None = None) -> orjson.Fragment | None:
    """The JSON object that a text is, as it is written; None where it is none, or has `but` as its only key."""
    try:
        value = orjson.loads(text) if text.lstrip().startswith("{") else None
    except orjson.JSONDecodeError:
        return None
    return orjson.Fragment(text.encode()) if type(value) is dict and list(value) != [but] else None
