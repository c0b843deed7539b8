# SPDX-License-Identifier: Apache-2.0
"""One block of an answer under way: what its start, its deltas and its stop add. Text and reasoning have no start of their own: their first delta tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

import orjson

from trunkline.v1.chat_response_pb2 import Delta
from trunkline_server.dialects.anthropic.blocks import Said
from trunkline_server.dialects.media import write_data_url
from trunkline_server.dialects.reasoning import ANTHROPIC_FORMAT
from trunkline_server.dialects.schemas import is_answer_tool

_KNOWN_CITATION: Final = frozenset({"title", "source", "sourceContent", "location"})


class OpenBlock(Protocol):
    """A block between its first event and its stop. `holds_text` says that text of its deltas is content."""

    holds_text: bool

    def add(self, said: Mapping[str, Any], delta: Delta, answer: Said) -> None:
        """Adds what a delta says."""

    def close(self, delta: Delta, answer: Said) -> None:
        """Adds what is left at the end."""


class Text:
    """Text, with the citations that support it, which wait for its end: they name its place."""

    __slots__ = ("_citations", "_start")
    holds_text = True

    def __init__(self, answer: Said) -> None:
        self._start = answer.characters
        self._citations: list[Mapping[str, Any]] = []

    def add(self, said: Mapping[str, Any], delta: Delta, answer: Said) -> None:
        text, citation = said.get("text"), said.get("citation")
        if type(text) is str and text:
            delta.content += text
            answer.characters += len(text)
        if type(citation) is dict:
            self._citations.append(citation)

    def close(self, delta: Delta, answer: Said) -> None:
        for citation in self._citations:
            _add_citation(citation, delta, self._start, answer.characters)
        self._citations = []


class Thinking:
    """Reasoning in the open and its signature, or reasoning that nobody reads but its maker."""

    __slots__ = ("_index",)
    holds_text = False

    def __init__(self, index: int) -> None:
        self._index = index

    def add(self, said: Mapping[str, Any], delta: Delta, answer: Said) -> None:  # noqa: ARG002 - as the others
        thought = said.get("reasoningContent")
        if type(thought) is not dict:
            return
        # A whole answer has both in one object, a delta each by itself.
        whole = thought.get("reasoningText")
        thought = whole if type(whole) is dict else thought
        text, signature, redacted = thought.get("text"), thought.get("signature"), thought.get("redactedContent")
        if type(redacted) is str and redacted:
            detail = delta.reasoning_details.add(format=ANTHROPIC_FORMAT, index=self._index)
            detail.encrypted.data = redacted
        if not (type(text) is str and text) and not (type(signature) is str and signature):
            return
        detail = delta.reasoning_details.add(format=ANTHROPIC_FORMAT, index=self._index)
        if type(text) is str and text:
            delta.reasoning += text
            detail.text.text = text
        if type(signature) is str and signature:
            detail.text.signature = signature

    def close(self, delta: Delta, answer: Said) -> None:
        """Nothing is left: all was said at once."""


class Call:
    """A call of a function. The arguments of the tool that stands for a structured answer are content."""

    __slots__ = ("_has_arguments", "_input", "_is_answer", "_place")
    holds_text = False

    def __init__(self, index: int, said: Mapping[str, Any], delta: Delta, answer: Said, answer_id: str) -> None:
        name = said["name"] if type(said.get("name")) is str else ""
        self._input = said.get("input")
        self._has_arguments = False
        self._is_answer = is_answer_tool(name)
        self._place = answer.calls
        if self._is_answer:
            return
        answer.calls += 1
        call = delta.tool_calls.add(index=self._place, type="function")
        call_id = said.get("toolUseId")
        call.id = call_id if type(call_id) is str and call_id else f"tooluse_{answer_id[-24:]}_{index}"
        call.function.name = name
        call.function.arguments = ""

    def add(self, said: Mapping[str, Any], delta: Delta, answer: Said) -> None:
        use = said.get("toolUse")
        piece = use.get("input") if type(use) is dict else None
        if type(piece) is str and piece:
            self._has_arguments = True
            self._write(piece, delta, answer)

    def close(self, delta: Delta, answer: Said) -> None:
        """The arguments where the answer came whole, or they are empty: no delta says so."""
        if not self._has_arguments:
            self._has_arguments = True
            self._write(orjson.dumps(self._input or {}).decode(), delta, answer)

    def _write(self, piece: str, delta: Delta, answer: Said) -> None:
        if self._is_answer:
            delta.content += piece
            answer.characters += len(piece)
        else:
            delta.tool_calls.add(index=self._place).function.arguments = piece


class Picture:
    """An image, told when it is whole: its bytes may come in pieces."""

    __slots__ = ("_data", "_format")
    holds_text = False

    def __init__(self, said: Mapping[str, Any]) -> None:
        self._format = said.get("format") if type(said.get("format")) is str else "png"
        self._data: list[str] = []
        self._keep(said)

    def add(self, said: Mapping[str, Any], delta: Delta, answer: Said) -> None:  # noqa: ARG002 - as the others
        image = said.get("image")
        if type(image) is dict:
            self._keep(image)

    def close(self, delta: Delta, answer: Said) -> None:  # noqa: ARG002 - as the others
        if self._data:
            image = delta.images.add(type="image_url")
            image.image_url.url = write_data_url(f"image/{self._format}", "".join(self._data))
            self._data = []

    def _keep(self, said: Mapping[str, Any]) -> None:
        source = said.get("source")
        data = source.get("bytes") if type(source) is dict else None
        if type(data) is str and data:
            self._data.append(data)


def _add_citation(citation: Mapping[str, Any], delta: Delta, start: int, end: int) -> None:
    """A page that was cited is a url_citation; a place in a document of the request's own is kept as it came."""
    location = citation.get("location")
    web = location.get("web") if type(location) is dict else None
    url = web.get("url") if type(web) is dict else None
    if type(url) is not str or not url:
        delta.annotations.add(unknown=orjson.dumps({"type": "bedrock.citation", **citation}).decode())
        return
    cited = delta.annotations.add().url_citation
    cited.url, cited.start_index, cited.end_index = url, start, end
    if type(citation.get("title")) is str:
        cited.title = citation["title"]
    texts = [piece.get("text") for piece in citation.get("sourceContent") or () if type(piece) is dict]
    cited.content = "".join(text for text in texts if type(text) is str)
    for name, value in citation.items():
        if name not in _KNOWN_CITATION and value is not None:
            cited.extra[name] = orjson.dumps(value).decode()
