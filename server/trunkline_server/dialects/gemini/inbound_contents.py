# SPDX-License-Identifier: Apache-2.0
"""`systemInstruction` and `contents`, read into messages: what contents.py writes, backwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import orjson

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import FieldFault, GatewayError
from trunkline_server.dialects.gemini.marks import MADE_ID, UNSIGNED_CALL, image_mark, text_mark
from trunkline_server.dialects.gemini.server_tools import read_server_tool
from trunkline_server.dialects.media import audio_format, write_data_url
from trunkline_server.dialects.reasoning import GEMINI_FORMAT

Message: TypeAlias = dict[str, Any]

_OUTPUT: Final = "output"


def parse_contents(body: Mapping[str, Any]) -> list[Message]:
    """The messages of a request. Raises GatewayError (INVALID_REQUEST) for a part that is none."""
    messages: list[Message] = []
    system = body.get("systemInstruction", body.get("system_instruction"))
    if system is not None:
        messages.append({"role": "system", "content": _simplify(_parse_media(system, "systemInstruction"))})
    contents = body.get("contents")
    if type(contents) is dict:
        contents = [contents]
    if type(contents) is not list:
        raise _fault("contents", "must be an array")
    calls = _Calls()
    for place, content in enumerate(contents):
        path = f"contents[{place}]"
        role = content.get("role", "user") if type(content) is dict else None
        match role:
            case "model":
                messages.append(_TurnReader(calls).read(_parts_of(content, path), path))
            case "user" | "function":
                messages += _parse_user_turn(_parts_of(content, path), path, calls)
            case _:
                raise _fault(f"{path}.role", "must be user or model")
    return messages


class _Calls:
    """The calls of the conversation that wait for their results: a result without an id belongs to the oldest of its function."""

    __slots__ = ("_made", "_open")

    def __init__(self) -> None:
        self._open: list[tuple[str, str]] = []
        self._made = 0

    def add(self, call_id: str | None, name: str) -> str:
        if not call_id:
            call_id = f"{MADE_ID}{self._made}"
            self._made += 1
        self._open.append((call_id, name))
        return call_id

    def answer(self, call_id: str | None, name: str) -> str:
        for place, (known, function) in enumerate(self._open):
            if known == call_id or (not call_id and function == name):
                del self._open[place]
                return known
        return call_id or MADE_ID + name


def _parse_user_turn(parts: list[dict[str, Any]], path: str, calls: _Calls) -> list[Message]:
    """The results of calls, and what the user says beside them."""
    messages: list[Message] = []
    said: list[dict[str, Any]] = []
    for place, part in enumerate(parts):
        response = part.get("functionResponse")
        if response is None:
            said.append(_parse_part(part, f"{path}.parts[{place}]"))
            continue
        if type(response) is not dict or type(response.get("name")) is not str:
            raise _fault(f"{path}.parts[{place}].functionResponse", "must be an object with a name")
        content: list[dict[str, Any]] = [{"type": "text", "text": _text_of_response(response.get("response", {}))}]
        inner = f"{path}.parts[{place}].functionResponse"
        content += [_parse_part(media, f"{inner}.parts") for media in _parts_of({"parts": [], **response}, inner)]
        call_id = calls.answer(response.get("id"), response["name"])
        messages.append({"role": "tool", "tool_call_id": call_id, "content": _simplify(content)})
    if said or not messages:
        messages.append({"role": "user", "content": _simplify(said)})
    return messages


def _text_of_response(response: object) -> str:
    if type(response) is dict and list(response) == [_OUTPUT] and type(response[_OUTPUT]) is str:
        return str(response[_OUTPUT])
    return orjson.dumps(response).decode()


class _TurnReader:
    """Reads one turn of the model's: texts, and what signatures say where they were."""

    __slots__ = ("_calls", "_details", "_images", "_texts", "_tool_calls")

    def __init__(self, calls: _Calls) -> None:
        self._calls = calls
        self._texts: list[str] = []
        self._details: list[dict[str, Any]] = []
        self._images: list[dict[str, Any]] = []
        self._tool_calls: list[dict[str, Any]] = []

    def read(self, parts: list[dict[str, Any]], path: str) -> Message:
        for place, part in enumerate(parts):
            self._read_part(part, f"{path}.parts[{place}]")
        message: Message = {"role": "assistant"}
        text = "".join(self._texts)
        if text:
            message["content"] = text
        thoughts = "".join(item["text"] for item in self._details if item["type"] == "reasoning.text")
        if thoughts:
            message["reasoning"] = thoughts
        for name, items in (
            ("reasoning_details", self._details),
            ("images", self._images),
            ("tool_calls", self._tool_calls),
        ):
            if items:
                message[name] = items
        return message

    def _read_part(self, part: dict[str, Any], path: str) -> None:
        signature = part.get("thoughtSignature")
        if type(text := part.get("text")) is str:
            if part.get("thought") is True:
                thought = {"type": "reasoning.text", "text": text}
                self._add(thought if signature is None else {**thought, "signature": signature})
                return
            start = sum(map(len, self._texts))
            self._texts.append(text)
            self._sign(signature, text_mark(start, start + len(text)))
        elif type(call := part.get("functionCall")) is dict:
            call_id = self._calls.add(call.get("id"), str(call.get("name")))
            function = {"name": call.get("name"), "arguments": orjson.dumps(call.get("args", {})).decode()}
            self._tool_calls.append({"id": call_id, "type": "function", "function": function})
            self._sign(signature, call_id)
        elif (detail := read_server_tool(part)) is not None:
            self._add(detail)
        else:
            media = _parse_part(part, path)
            if media["type"] != "image_url":
                raise _fault(path, "must be a text, a call or an image in a turn of the model's")
            self._sign(signature, image_mark(len(self._images)))
            self._images.append(media)

    def _sign(self, signature: object, mark: str) -> None:
        if signature is not None and signature != UNSIGNED_CALL:
            self._add({"type": "reasoning.encrypted", "data": signature, "id": mark})

    def _add(self, detail: dict[str, Any]) -> None:
        self._details.append({**detail, "format": GEMINI_FORMAT, "index": len(self._details)})


def _parse_media(content: object, path: str) -> list[dict[str, Any]]:
    if type(content) is str:
        return [{"type": "text", "text": content}]
    parts = _parts_of(content, path)
    return [_parse_part(part, f"{path}.parts[{place}]") for place, part in enumerate(parts)]


def _parts_of(content: object, path: str) -> list[dict[str, Any]]:
    parts = content.get("parts") if type(content) is dict else None
    if type(parts) is dict:
        parts = [parts]
    if type(parts) is not list or not all(type(part) is dict for part in parts):
        raise _fault(f"{path}.parts", "must be an array of objects")
    return parts


def _parse_part(part: Mapping[str, Any], path: str) -> dict[str, Any]:
    """A text, or media by its type."""
    match part:
        case {"text": str() as text}:
            return {"type": "text", "text": text}
        case {"inlineData": {"mimeType": str() as kind, "data": str() as data}}:
            return _media_of(kind, data)
        case {"fileData": {"fileUri": str() as uri, **others}}:
            kind = str(others.get("mimeType", ""))
            if kind.startswith("image/"):
                return {"type": "image_url", "image_url": {"url": uri}}
            if kind.startswith("video/") or "youtu" in uri:
                return {"type": "video_url", "video_url": {"url": uri}}
            return {"type": "file", "file": {"file_id": uri}}
    raise _fault(path, "must be a text, inlineData or fileData")


def _media_of(kind: str, data: str) -> dict[str, Any]:
    url = write_data_url(kind, data)
    if kind.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": url}}
    if kind.startswith("video/"):
        return {"type": "video_url", "video_url": {"url": url}}
    if kind.startswith("audio/"):
        word = audio_format(kind) or kind.removeprefix("audio/")
        return {"type": "input_audio", "input_audio": {"data": data, "format": word}}
    return {"type": "file", "file": {"file_data": url}}


def _simplify(parts: list[dict[str, Any]]) -> Any:
    """One text as the text itself."""
    return parts[0]["text"] if len(parts) == 1 and parts[0]["type"] == "text" else parts


def _fault(path: str, description: str) -> GatewayError:
    message = f"The request cannot be served as it is: {path}: {description}."
    faults = [FieldFault(field=path, description=description)]
    return GatewayError(ErrorReason.ERROR_REASON_INVALID_REQUEST, message, faults=faults)
