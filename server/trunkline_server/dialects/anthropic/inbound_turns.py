# SPDX-License-Identifier: Apache-2.0
"""A client's turns as messages in the form of openai_chat: results of tools stand alone, and what the contract has no part for travels inside a text part."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

import orjson

from trunkline_server.dialects.anthropic.parts import RAW_BLOCK
from trunkline_server.dialects.anthropic.replay import detail_of_block
from trunkline_server.dialects.caching import CONTROL
from trunkline_server.dialects.media import write_data_url
from trunkline_server.jsonshape.faults import Fault, describe

_RESULT_KEYS: Final = frozenset({"type", "tool_use_id", "content", CONTROL})
_CALL_KEYS: Final = frozenset({"type", "id", "name", "input"})
_DOCUMENT_EXTRAS: Final = ("citations", "context")


class Turns:
    """Gathers messages. `origins` are the client's paths of each, `faults` what no message could be made of."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.origins: list[str] = []
        self.faults: list[Fault] = []

    def add_system(self, content: Any, path: str) -> None:
        """Adds instructions: a text or blocks of text."""
        self._push({"role": "system", "content": self._read_parts(content, path)}, path)

    def add(self, message: Any, path: str) -> None:
        """Adds a turn, which may be several messages."""
        if not isinstance(message, dict):
            self.faults.append(Fault(path=path, expected="an object", got=describe(message)))
            return
        role, content = message.get("role"), message.get("content")
        if role == "system":
            self.add_system(content, path)
        elif role == "assistant":
            self._add_assistant(content, path)
        elif role == "user":
            self._add_user(content, path)
        else:
            self.faults.append(
                Fault(path=f"{path}.role", expected='"user", "assistant" or "system"', got=describe(role))
            )

    def _push(self, message: dict[str, Any], path: str) -> None:
        self.messages.append(message)
        self.origins.append(path)

    def _blocks(self, content: Any, path: str) -> list[dict[str, Any]] | None:
        """The blocks of a content; None with a fault where it is none."""
        if not isinstance(content, list):
            self.faults.append(Fault(path=path, expected="a string or a list of blocks", got=describe(content)))
            return None
        for place, block in enumerate(content):
            if not isinstance(block, dict) or not isinstance(block.get("type"), str):
                self.faults.append(Fault(path=f"{path}[{place}]", expected="a block with a type", got=describe(block)))
                return None
        return content

    def _add_user(self, content: Any, path: str) -> None:
        if isinstance(content, str):
            self._push({"role": "user", "content": content}, path)
            return
        blocks = self._blocks(content, f"{path}.content") or []
        rest: list[Any] = []
        for place, block in enumerate(blocks):
            if block["type"] != "tool_result":
                rest.append(block)
                continue
            if rest:
                self._push({"role": "user", "content": self._read_parts(rest, f"{path}.content")}, path)
                rest = []
            self._push(self._read_result(block, f"{path}.content[{place}]"), f"{path}.content[{place}]")
        if rest or not blocks:
            self._push({"role": "user", "content": self._read_parts(rest, f"{path}.content")}, path)

    def _read_result(self, block: dict[str, Any], path: str) -> dict[str, Any]:
        content = block.get("content")
        # No list of parts may be empty, but a tool may have nothing to say.
        parts = self._read_parts("" if content in (None, []) else content, f"{path}.content")
        control = block.get(CONTROL)
        if control is not None:
            parts = [{"type": "text", "text": parts}] if isinstance(parts, str) else parts
            if parts:
                parts[-1] = {**parts[-1], CONTROL: control}
        others = {key: item for key, item in block.items() if key not in _RESULT_KEYS and item is not None}
        return {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": parts, **others}

    def _add_assistant(self, content: Any, path: str) -> None:
        if isinstance(content, str):
            self._push({"role": "assistant", "content": content}, path)
            return
        texts: list[dict[str, Any]] = []
        details: list[dict[str, Any]] = []
        calls: list[dict[str, Any]] = []
        for place, block in enumerate(self._blocks(content, f"{path}.content") or []):
            if block["type"] == "text":
                texts.append(_read_text(block))
            elif block["type"] == "tool_use":
                calls.append(_read_call(block))
            else:
                details.append(detail_of_block(block, place))
        message: dict[str, Any] = {"role": "assistant", "content": texts or None}
        if details:
            message["reasoning_details"] = details
        if calls:
            message["tool_calls"] = calls
        self._push(message, path)

    def _read_parts(self, content: Any, path: str) -> Any:
        if isinstance(content, str):
            return content
        return [_read_part(block) for block in self._blocks(content, path) or []]


def _read_text(block: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in block.items() if item is not None}


def _read_call(block: dict[str, Any]) -> dict[str, Any]:
    arguments = orjson.dumps(block.get("input") or {}).decode()
    others = {key: item for key, item in block.items() if key not in _CALL_KEYS and item is not None}
    function = {"name": block.get("name"), "arguments": arguments}
    return {"id": block.get("id"), "type": "function", "function": function, **others}


def _read_part(block: dict[str, Any]) -> dict[str, Any]:
    """The part of a block of the user's, of instructions or of a result."""
    kind = block["type"]
    if kind == "text":
        return _read_text(block)
    source = block.get("source")
    part: dict[str, Any] | None = None
    if kind == "image" and isinstance(source, dict):
        part = _read_image(block, source)
    elif kind == "document" and isinstance(source, dict):
        part = _read_document(block, source)
    if part is None:
        raw = {key: item for key, item in block.items() if key != CONTROL}
        part = {"type": "text", "text": _readable(block), RAW_BLOCK: raw}
    if block.get(CONTROL) is not None:
        part[CONTROL] = block[CONTROL]
    return part


def _read_image(block: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any] | None:
    """The part of an image; None for one by the id of a file, which nobody else can read."""
    url = _url_of(source)
    if url is None:
        return None
    image: dict[str, Any] = {"url": url}
    if block.get("transformations") is not None:
        image["transformations"] = block["transformations"]
    return {"type": "image_url", "image_url": image}


def _read_document(block: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
    file: dict[str, Any] = {}
    url = _url_of(source)
    if url is not None:
        file["file_data"] = url
    elif source.get("type") == "file":
        file["file_id"] = source.get("file_id")
    else:
        file["source"] = dict(source)
    if block.get("title") is not None:
        file["filename"] = block["title"]
    file.update({key: block[key] for key in _DOCUMENT_EXTRAS if block.get(key) is not None})
    return {"type": "file", "file": file}


def _url_of(source: Mapping[str, Any]) -> str | None:
    """The URL, or data URL, of a source; None for a source of another kind."""
    kind = source.get("type")
    if kind == "url":
        return str(source.get("url"))
    if kind == "base64":
        return write_data_url(str(source.get("media_type")), str(source.get("data")))
    if kind == "text" and isinstance(source.get("data"), str):
        return write_data_url("text/plain", base64.b64encode(source["data"].encode()).decode())
    return None


def _readable(block: Mapping[str, Any]) -> str:
    """What a provider that does not know the block may read of it: title, source and texts."""
    content = block.get("content")
    texts = [block.get("title"), block.get("source"), content]
    if isinstance(content, list):
        texts += [item.get("text") for item in content if isinstance(item, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))
