# SPDX-License-Identifier: Apache-2.0
"""The chunks of one answer, made directly: one choice, its head the same in all.

A chunk is read from the few bytes that all of them begin with, which costs less than to set the fields one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from trunkline.v1.chat_response_pb2 import (
    ChatCompletionChunk,
    ChunkChoice,
    Delta,
    FinishReason,
    TokenLogprob,
    TopLogprob,
)
from trunkline.v1.message_pb2 import Annotation, ReasoningDetail
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.openai_responses.names import OWN_KEY
from trunkline_server.dialects.openai_responses.parts import parse_annotation
from trunkline_server.dialects.openai_responses.reasoning_items import UNKNOWN_FORMAT
from trunkline_server.dialects.reasoning import OPENAI_FORMAT

_MOST_INT32 = 2**31 - 1


@dataclass(slots=True)
class Origin:
    """The item that reasoning belongs to: its id, "" where it has none, and its format, which OpenRouter tells of other providers' reasoning."""

    item_id: str = ""
    form: str = OPENAI_FORMAT


class ChunkWriter:
    """Writes the chunks of one answer into `batch`, which whoever reads them takes."""

    __slots__ = ("_begun", "_head", "_reasoned", "answer_id", "batch")

    def __init__(self) -> None:
        self.batch: Batch = []
        self.answer_id = ""
        self._begun = False
        self._reasoned = False
        self._head = _head(ChatCompletionChunk())

    @property
    def has_begun(self) -> bool:
        """Whether there is any chunk yet."""
        return self._begun

    def set_head(self, response: Mapping[str, Any]) -> None:
        """Takes id, time and model from a response object, as far as it has them."""
        chunk = ChatCompletionChunk()
        if isinstance(said := response.get("id"), str):
            chunk.id = self.answer_id = said
        if isinstance(said := response.get("created_at"), int | float) and 0 <= said < 2**53:
            chunk.created = int(said)
        if isinstance(said := response.get("model"), str):
            chunk.model = said
        self._head = _head(chunk)

    def add(self) -> tuple[ChatCompletionChunk, ChunkChoice, Delta]:
        """A new chunk of the batch with its choice and its delta, the role in the first one."""
        chunk = ChatCompletionChunk.FromString(self._head)
        choice = chunk.choices[0]
        delta = choice.delta
        if not self._begun:
            self._begun = True
            delta.role = "assistant"
        self.batch.append(chunk)
        return chunk, choice, delta

    def add_text(self, text: str, logprobs: object = None) -> None:
        """A piece of the content."""
        _, choice, delta = self.add()
        delta.content = text
        if logprobs and isinstance(logprobs, list):
            choice.logprobs.content.extend(_tokens(logprobs))

    def add_refusal(self, text: str) -> None:
        """A piece of a refusal."""
        self.add()[2].refusal = text

    def add_reasoning(self, text: str, index: int, origin: Origin, *, is_summary: bool, is_new: bool) -> None:
        """A piece of a summary, or of reasoning in the open. In the plain text a blank line parts it from the one before."""
        delta = self.add()[2]
        if text:
            delta.reasoning = "\n\n" + text if is_new and self._reasoned else text
            self._reasoned = True
        detail = _add_detail(delta, index, origin)
        if is_summary:
            detail.summary.summary = text
        else:
            detail.text.text = text

    def add_signature(self, signature: str, index: int, origin: Origin) -> None:
        """The proof that the reasoning of an index is its provider's own."""
        _add_detail(self.add()[2], index, origin).text.signature = signature

    def add_encrypted(self, data: str, index: int, origin: Origin) -> None:
        """Reasoning that only its provider can read."""
        _add_detail(self.add()[2], index, origin).encrypted.data = data

    def begin_call(self, index: int, call_id: str, name: str, *, kind: str | None = None) -> None:
        """The first piece of a tool call; `kind` is the type of its item, where that is not `function_call`."""
        call = self.add()[2].tool_calls.add(index=index, id=call_id, type="function")
        call.function.name = name
        call.function.arguments = ""
        if kind is not None:
            call.extra[OWN_KEY] = f'"{kind}"'

    def add_arguments(self, index: int, text: str) -> None:
        """A piece of a call's arguments."""
        self.add()[2].tool_calls.add(index=index).function.arguments = text

    def add_annotation(self, value: Mapping[str, Any], offset: int) -> None:
        """A citation. `offset` is where its text begins in the whole content."""
        annotation = self.add()[2].annotations.add()
        if not _read_citation(annotation, value, offset):
            annotation.Clear()
            annotation.unknown = orjson.dumps(value).decode()

    def add_image(self, url: str, index: int) -> None:
        """An image, whole."""
        self.add()[2].images.add(index=index).image_url.url = url

    def finish(self, reason: FinishReason.ValueType, native: str, own: object = None) -> ChatCompletionChunk:
        """The last chunk; `own` is what of the turn only this language knows."""
        chunk, choice, delta = self.add()
        choice.finish_reason = reason
        choice.native_finish_reason = native
        if own is not None:
            delta.extra[OWN_KEY] = orjson.dumps(own).decode()
        return chunk

    def take(self) -> Batch:
        """What has been written since the last time."""
        batch, self.batch = self.batch, []
        return batch


def _head(chunk: ChatCompletionChunk) -> bytes:
    chunk.choices.add().delta.SetInParent()
    return chunk.SerializeToString()


def _add_detail(delta: Delta, index: int, origin: Origin) -> ReasoningDetail:
    detail = delta.reasoning_details.add(index=index)
    if origin.form != UNKNOWN_FORMAT:
        detail.format = origin.form
    if origin.item_id:
        detail.id = origin.item_id
    return detail


def _read_citation(annotation: Annotation, value: Mapping[str, Any], offset: int) -> bool:
    """Reads a citation of a page; False where it is something else, or broken."""
    cited = parse_annotation(value, offset).get("url_citation")
    if not isinstance(cited, dict) or not isinstance(cited.get("url"), str):
        return False
    made = annotation.url_citation
    made.url = cited["url"]
    for name in ("title", "content"):
        if isinstance(said := cited.get(name), str):
            setattr(made, name, said)
    for name in ("start_index", "end_index"):
        if type(place := cited.get(name)) is int and 0 <= place <= _MOST_INT32:
            setattr(made, name, place)
    return True


def _tokens(values: list[Any]) -> list[TokenLogprob]:
    """Log probabilities, without those that are broken."""
    made = []
    for value in values:
        if token := _token(value):
            tops = value.get("top_logprobs")
            likeliest = [top for top in map(_token, tops) if top] if isinstance(tops, list) else []
            made.append(TokenLogprob(top_logprobs=[TopLogprob(**top) for top in likeliest], **token))
    return made


def _token(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict) or not isinstance(value.get("token"), str):
        return None
    logprob, raw = value.get("logprob"), value.get("bytes")
    if type(logprob) not in {int, float}:
        return None
    is_bytes = isinstance(raw, list) and all(type(byte) is int and 0 <= byte <= 255 for byte in raw)
    return {"token": value["token"], "logprob": logprob, "bytes": raw if is_bytes else value["token"].encode()}
