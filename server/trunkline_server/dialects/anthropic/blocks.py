# SPDX-License-Identifier: Apache-2.0
"""One block of an answer under way: what its start, its deltas and its stop add.

Each kind is a class with `add` and `close`. What may be shown at once is; citations wait for the end of their text, whose place they name, and blocks of
server tools until they are whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

import orjson

from trunkline.v1.chat_response_pb2 import Delta
from trunkline.v1.message_pb2 import ReasoningDetail
from trunkline_server.dialects.anthropic.replay import detail_of_block
from trunkline_server.dialects.reasoning import ANTHROPIC_FORMAT
from trunkline_server.dialects.schemas import is_answer_tool

_CITED_PAGES: Final = ("http://", "https://")
_KNOWN_CITATION: Final = frozenset({"type", "url", "title", "cited_text"})
_KNOWN_CALL: Final = frozenset({"type", "id", "name", "input", "cache_control"})


class Said:
    """What the answer has said so far: characters of content, and function calls."""

    __slots__ = ("calls", "characters")

    def __init__(self) -> None:
        self.characters = 0
        self.calls = 0


class OpenBlock(Protocol):
    """A block between its start and its stop. `holds_text` says that text of its deltas is content."""

    holds_text: bool

    def add(self, said: dict[str, Any], delta: Delta, answer: Said) -> None:
        """Adds what a delta says."""

    def close(self, delta: Delta, answer: Said) -> None:
        """Adds what is left at the end."""


class _Text:
    """Text, with the citations that support it."""

    __slots__ = ("_citations", "_start")
    holds_text = True

    def __init__(self, _index: int, said: dict[str, Any], delta: Delta, answer: Said, _answer_id: str) -> None:
        self._start = answer.characters
        citations = said.get("citations")
        self._citations: list[dict[str, Any]] = (
            [item for item in citations if type(item) is dict] if type(citations) is list else []
        )
        self._say(said.get("text"), delta, answer)

    def add(self, said: dict[str, Any], delta: Delta, answer: Said) -> None:
        citation = said.get("citation")
        if type(citation) is dict:
            self._citations.append(citation)
        self._say(said.get("text"), delta, answer)

    def close(self, delta: Delta, answer: Said) -> None:
        for citation in self._citations:
            _add_citation(citation, delta, self._start, answer.characters)
        self._citations = []

    def _say(self, text: object, delta: Delta, answer: Said) -> None:
        if type(text) is str and text:
            delta.content += text
            answer.characters += len(text)


class _Thinking:
    """Thinking in the open, and its signature."""

    __slots__ = ("_index",)
    holds_text = False

    def __init__(self, index: int, said: dict[str, Any], delta: Delta, answer: Said, _answer_id: str) -> None:
        self._index = index
        self.add(said, delta, answer)

    def add(self, said: dict[str, Any], delta: Delta, _answer: Said) -> None:
        text, signature = said.get("thinking"), said.get("signature")
        if type(text) is str and text:
            delta.reasoning = text
            detail = delta.reasoning_details.add(format=ANTHROPIC_FORMAT, index=self._index)
            detail.text.text = text
            if type(signature) is str and signature:
                detail.text.signature = signature
        elif type(signature) is str and signature:
            detail = delta.reasoning_details.add(format=ANTHROPIC_FORMAT, index=self._index)
            detail.text.signature = signature

    def close(self, _delta: Delta, _answer: Said) -> None:
        """Nothing is left: all was said at once."""


class _Call:
    """A call of a function. The arguments of the tool that stands for a structured answer are content."""

    __slots__ = ("_has_arguments", "_input", "_is_answer", "_place", "_wrote")
    holds_text = False

    def __init__(self, index: int, said: dict[str, Any], delta: Delta, answer: Said, answer_id: str) -> None:
        name = said["name"] if type(said.get("name")) is str else ""
        self._input = said.get("input")
        self._has_arguments = False
        self._is_answer = is_answer_tool(name)
        self._place = answer.calls
        if self._is_answer:
            return
        answer.calls += 1
        call = delta.tool_calls.add(index=self._place, type="function")
        call_id = said.get("id")
        call.id = call_id if type(call_id) is str and call_id else f"toolu_{answer_id[-24:]}_{index}"
        call.function.name = name
        call.function.arguments = ""
        for key, value in said.items():
            if key not in _KNOWN_CALL and value is not None:
                call.extra[key] = orjson.dumps(value).decode()

    def add(self, said: dict[str, Any], delta: Delta, answer: Said) -> None:
        piece = said.get("partial_json")
        if type(piece) is str and piece:
            self._has_arguments = True
            self._write(piece, delta, answer)

    def close(self, delta: Delta, answer: Said) -> None:
        """The arguments where they came with the start, or are empty: no delta says so."""
        if not self._has_arguments:
            self._has_arguments = True
            self._write(orjson.dumps(self._input or {}).decode(), delta, answer)

    def _write(self, piece: str, delta: Delta, answer: Said) -> None:
        if self._is_answer:
            delta.content += piece
            answer.characters += len(piece)
        else:
            delta.tool_calls.add(index=self._place).function.arguments = piece


class _Whole:
    """A block that is told at its end, as a reasoning detail that brings it back: redacted thinking, server tools, what nobody knows."""

    __slots__ = ("_block", "_index", "_input")
    holds_text = False

    def __init__(self, index: int, said: dict[str, Any], _delta: Delta, _answer: Said, _answer_id: str) -> None:
        self._index = index
        self._block = said
        self._input: list[str] = []

    def add(self, said: dict[str, Any], _delta: Delta, _answer: Said) -> None:
        piece = said.get("partial_json")
        if type(piece) is str:
            self._input.append(piece)
            return
        for key, value in said.items():
            if key != "type":
                known = self._block.get(key)
                self._block[key] = known + value if type(known) is str and type(value) is str else value

    def close(self, delta: Delta, _answer: Said) -> None:
        if not self._block.get("type"):
            return
        block = self._block
        text = "".join(self._input)
        if text:
            try:
                block = {**block, "input": orjson.loads(text)}
            except orjson.JSONDecodeError:
                block = {**block, "input": {"arguments": text}}
        write_detail(detail_of_block(block, self._index, unwraps=False), delta.reasoning_details.add())


def write_detail(value: Mapping[str, Any], detail: ReasoningDetail) -> None:
    """Writes a detail that `detail_of_block` made, in the form of openai_chat, into an empty message."""
    kind = value["type"]
    if kind == "reasoning.encrypted":
        data = value["data"]
        detail.encrypted.data = data if type(data) is str else orjson.dumps(data).decode()
    elif kind == "reasoning.server_tool_call":
        call = detail.server_tool_call
        for name in ("tool_name", "tool_call_id", "arguments", "result"):
            if value.get(name) is not None:
                setattr(call, name, str(value[name]))
        for name, item in value.items():
            if name not in _DETAIL_KEYS:
                detail.extra[name] = orjson.dumps(item).decode()
    else:
        # A detail of a type that the contract does not know is one JSON text, its format and place in it.
        detail.unknown = orjson.dumps(dict(value)).decode()
        return
    detail.format = ANTHROPIC_FORMAT
    detail.index = value["index"]


def _add_citation(citation: dict[str, Any], delta: Delta, start: int, end: int) -> None:
    """A page that was cited is a url_citation; a place in a document of the request's own is kept as it came."""
    url = citation.get("url") or citation.get("source")
    if type(url) is not str or not url.startswith(_CITED_PAGES):
        delta.annotations.add(unknown=orjson.dumps(citation).decode())
        return
    cited = delta.annotations.add().url_citation
    cited.url, cited.start_index, cited.end_index = url, start, end
    if type(citation.get("title")) is str:
        cited.title = citation["title"]
    if type(citation.get("cited_text")) is str:
        cited.content = citation["cited_text"]
    for name, value in citation.items():
        if name not in _KNOWN_CITATION and value is not None:
            cited.extra[name] = orjson.dumps(value).decode()


_DETAIL_KEYS: Final = frozenset(
    {"type", "format", "index", "tool_name", "tool_call_id", "arguments", "result", "block", "data"}
)


class _Openers(dict[str, type[Any]]):
    """The class of each type of block; server tools' results by the ending of their names."""

    def __missing__(self, kind: str) -> type[Any]:
        return _Whole


OPENERS: Final = _Openers({"text": _Text, "thinking": _Thinking, "tool_use": _Call, "": _Whole})
