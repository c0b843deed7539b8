# SPDX-License-Identifier: Apache-2.0
"""Chunks: which of them hold content, how neighbours merge, and how a stream folds into a whole answer.

Theory: a stream is a sequence of deltas per choice. Texts (content, reasoning, refusal, arguments, transcripts) add up by concatenation; lists (images,
annotations, log probabilities) by appending; tool calls and reasoning details first find their piece by `index`. Everything else is said once, and said
again it replaces. Pieces of text are gathered in lists and joined at the end: adding to a string field with each delta takes time by the square.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final, Literal

from trunkline.v1.chat_response_pb2 import (
    ChatCompletion,
    ChatCompletionChunk,
    Choice,
    ChunkChoice,
    Delta,
    FinishReason,
    FunctionCallDelta,
    ToolCallDelta,
)
from trunkline.v1.error_pb2 import ErrorBody
from trunkline.v1.message_pb2 import AssistantMessage, AudioOutput, FunctionCall, ReasoningDetail, ToolCall

_CHUNK_FIELDS_SAID_ONCE: Final[tuple[Literal["usage", "error", "openrouter_metadata"], ...]] = (
    "usage",
    "error",
    "openrouter_metadata",
)
_CHUNK_TEXTS_SAID_ONCE: Final[tuple[Literal["provider", "system_fingerprint", "service_tier"], ...]] = (
    "provider",
    "system_fingerprint",
    "service_tier",
)
_PLAIN_CHUNK: Final = frozenset({"id", "created", "model", "provider", "choices", "system_fingerprint", "service_tier"})
_PLAIN_CHOICE: Final = frozenset({"index", "delta"})
_TEXTS: Final[tuple[Literal["content", "reasoning", "refusal"], ...]] = ("content", "reasoning", "refusal")
_MERGED_TEXTS: Final = frozenset(_TEXTS)
_SOUNDS: Final[tuple[Literal["data", "transcript"], ...]] = ("data", "transcript")
_NO_FINISH: Final = FinishReason.FINISH_REASON_UNSPECIFIED
_PADDED: Final = re.compile(r"[^=]+=*")
_Text = Literal["content", "reasoning", "refusal"]
_Place = tuple[_Text, int, str, int, str, str, str, str]


def has_content(chunk: ChatCompletionChunk) -> bool:
    """Whether a client sees anything in the chunk: text, reasoning, a refusal, a call, an image, sound, a finish. A role alone is nothing."""
    for choice in chunk.choices:
        if choice.finish_reason:
            return True
        delta = choice.delta
        if delta.content or delta.reasoning or delta.refusal or delta.tool_calls or delta.images:
            return True
        if delta.audio.data or delta.audio.transcript or delta.HasField("function_call"):
            return True
        if any(map(_says_anything, delta.reasoning_details)):
            return True
    return False


def _says_anything(detail: ReasoningDetail) -> bool:
    kind = detail.WhichOneof("detail")
    if kind == "text":
        return bool(detail.text.text or detail.text.signature)
    return kind != "summary" or bool(detail.summary.summary)


def merge_deltas(batch: list[ChatCompletionChunk]) -> list[ChatCompletionChunk]:
    """The batch with adjacent pieces of one text joined: what a client would concatenate anyway, in fewer messages.

    The chunks of the batch are used up. Chunks that carry anything else than one choice's text stay as they are, and so do neighbours that differ in
    anything but the text.
    """
    if len(batch) < 2:
        return batch
    merged: list[ChatCompletionChunk] = []
    run: _Place | None = None
    pieces: list[str] = []
    for chunk in batch:
        if run is not None and (piece := _take_text(chunk, run[0], merged[-1])):
            pieces.append(piece)
            continue
        place = _text_place(chunk)
        if place is not None and place == run:
            pieces.append(getattr(chunk.choices[0].delta, place[0]))
            continue
        _close_run(merged, run, pieces)
        merged.append(chunk)
        run = place
        if place is not None:
            delta = chunk.choices[0].delta
            pieces = [getattr(delta, place[0])]
            delta.ClearField(place[0])  # until the run is closed: what is left is what its other chunks must equal
    _close_run(merged, run, pieces)
    return merged


def _take_text(chunk: ChatCompletionChunk, name: _Text, first: ChatCompletionChunk) -> str:
    """Takes the text out of a chunk that differs from the first of its run, which has lost its own, in nothing else. "" where it differs, or may."""
    choices = chunk.choices
    if len(choices) != 1:
        return ""
    delta = choices[0].delta
    piece: str = getattr(delta, name)
    if not piece:
        return ""
    delta.ClearField(name)
    if chunk == first:
        return piece
    setattr(delta, name, piece)
    return ""


def _text_place(chunk: ChatCompletionChunk) -> _Place | None:
    """The field of the one text that the chunk adds, with all else that the chunk says; None where it adds anything else."""
    choices = chunk.choices
    if len(choices) != 1 or not all(field.name in _PLAIN_CHUNK for field, _ in chunk.ListFields()):
        return None
    choice = choices[0]
    if not all(field.name in _PLAIN_CHOICE for field, _ in choice.ListFields()):
        return None
    said = choice.delta.ListFields()
    if len(said) == 1 and said[0][0].name in _MERGED_TEXTS:
        return (
            said[0][0].name,
            choice.index,
            chunk.id,
            chunk.created,
            chunk.model,
            chunk.provider,
            chunk.system_fingerprint,
            chunk.service_tier,
        )
    return None


def _close_run(merged: list[ChatCompletionChunk], run: _Place | None, pieces: list[str]) -> None:
    if run is not None:
        setattr(merged[-1].choices[0].delta, run[0], "".join(pieces))


class Fold:
    """Adds up the batches of one stream into the whole answer."""

    def __init__(self) -> None:
        self._answer = ChatCompletion()
        self._choices: dict[int, _ChoiceFold] = {}
        self.has_content = False

    def add(self, batch: list[ChatCompletionChunk]) -> None:
        """Adds a batch."""
        for chunk in batch:
            self._add_chunk(chunk)

    def result(self) -> ChatCompletion:
        """The whole answer, choices in order of their index."""
        answer = self._answer
        del answer.choices[:]
        for index in sorted(self._choices):
            self._choices[index].write(answer.choices.add(index=index))
        return answer

    def fail(self, error: ErrorBody) -> ChatCompletion:
        """The partial answer of a stream that failed: `error` set, and finish reason `error` where a choice had not ended."""
        if not self._choices:
            self._choices[0] = _ChoiceFold()
        for choice in self._choices.values():
            choice.finish_reason = choice.finish_reason or FinishReason.FINISH_REASON_ERROR
        self._answer.error.CopyFrom(error)
        return self.result()

    def _add_chunk(self, chunk: ChatCompletionChunk) -> None:
        answer = self._answer
        if not answer.id:
            answer.id, answer.created = chunk.id, chunk.created
        if chunk.model:
            answer.model = chunk.model
        for text in _CHUNK_TEXTS_SAID_ONCE:
            if chunk.HasField(text):
                setattr(answer, text, getattr(chunk, text))
        for name in _CHUNK_FIELDS_SAID_ONCE:
            if chunk.HasField(name):
                getattr(answer, name).CopyFrom(getattr(chunk, name))
        self.has_content = self.has_content or has_content(chunk)
        for choice in chunk.choices:
            index = choice.index
            known = self._choices.get(index)
            if known is None:
                self._choices[index] = known = _ChoiceFold()
            known.add(choice)


class _ChoiceFold:
    """Adds up the deltas of one choice."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._rest = AssistantMessage()
        self._details: list[_DetailFold] = []
        self._tool_calls: dict[int, tuple[ToolCall, list[str]]] = {}
        self._function_call: tuple[FunctionCall, list[str]] | None = None
        self._sound: dict[Literal["data", "transcript"], list[str]] = {}
        self._said = Choice()
        self.finish_reason: FinishReason.ValueType = _NO_FINISH

    def add(self, choice: ChunkChoice) -> None:
        # To list what is set costs less than to ask for each field: a delta has one or two.
        for field, value in choice.ListFields():
            match field.name:
                case "delta":
                    self._add_delta(value)
                case "finish_reason":
                    self.finish_reason = value
                case "native_finish_reason":
                    self._said.native_finish_reason = value
                case "logprobs":
                    self._said.logprobs.MergeFrom(value)
                case "error":
                    self._said.error.CopyFrom(value)
                case "extra":
                    self._said.extra.update(value)

    def write(self, choice: Choice) -> None:
        """Writes the sum into an empty choice."""
        index = choice.index
        choice.CopyFrom(self._said)
        choice.index = index
        if self.finish_reason:
            choice.finish_reason = self.finish_reason
        message = choice.message
        message.CopyFrom(self._rest)
        texts = {name: "".join(pieces) for name, pieces in self._texts.items()}
        if "content" in texts:
            message.content.add(text=texts["content"])
        if "reasoning" in texts:
            message.reasoning = texts["reasoning"]
        if "refusal" in texts:
            message.refusal = texts["refusal"]
        for detail in self._details:
            detail.write(message.reasoning_details.add())
        for _, (call, pieces) in sorted(self._tool_calls.items()):
            added = message.tool_calls.add()
            added.CopyFrom(call)
            added.function.arguments = "".join(pieces)
        if self._function_call is not None:
            message.function_call.CopyFrom(self._function_call[0])
            message.function_call.arguments = "".join(self._function_call[1])
        if "data" in self._sound:
            message.audio.data = _join_base64("".join(self._sound["data"]))
        if "transcript" in self._sound:
            message.audio.transcript = "".join(self._sound["transcript"])

    def _add_delta(self, delta: Delta) -> None:
        for field, value in delta.ListFields():
            match field.name:
                case "content" | "reasoning" | "refusal" as name:
                    self._texts.setdefault(name, []).append(value)
                case "reasoning_details":
                    for detail in value:
                        self._add_detail(detail)
                case "tool_calls":
                    for piece in value:
                        self._add_tool_call(piece)
                case "images":
                    self._rest.images.extend(value)
                case "annotations":
                    self._rest.annotations.extend(value)
                case "extra":
                    self._rest.extra.update(value)
                case "audio":
                    self._add_audio(value)
                case "function_call":
                    if self._function_call is None:
                        self._function_call = (FunctionCall(), [])
                    _add_function(*self._function_call, value)

    def _add_tool_call(self, piece: ToolCallDelta) -> None:
        call, arguments = self._tool_calls.setdefault(piece.index, (ToolCall(), []))
        call.id = call.id or piece.id
        call.extra.update(piece.extra)
        _add_function(call.function, arguments, piece.function)

    def _add_audio(self, piece: AudioOutput) -> None:
        for name in _SOUNDS:
            if piece.HasField(name):
                self._sound.setdefault(name, []).append(getattr(piece, name))
        rest = AudioOutput()
        rest.CopyFrom(piece)
        rest.ClearField("data")
        rest.ClearField("transcript")
        self._rest.audio.MergeFrom(rest)

    def _add_detail(self, piece: ReasoningDetail) -> None:
        """Adds a piece of text or summary to the open one of its index; everything else, and what would touch a signed text, stands alone.

        A piece without index belongs to the one right before it, if to any: to look further would change their order.
        """
        known = self._details if piece.HasField("index") else self._details[-1:]
        for detail in reversed(known):
            if detail.is_of(piece):
                if detail.takes(piece):
                    detail.add(piece)
                    return
                break
        self._details.append(_DetailFold(piece))


def _add_function(call: FunctionCall, arguments: list[str], piece: FunctionCallDelta) -> None:
    call.name = call.name or piece.name
    arguments.append(piece.arguments)
    call.extra.update(piece.extra)


class _DetailFold:
    """Adds up the pieces of one reasoning detail."""

    def __init__(self, piece: ReasoningDetail) -> None:
        self._kind = piece.WhichOneof("detail")
        self._sum = ReasoningDetail()
        self._sum.CopyFrom(piece)
        self._pieces = [self._text_of(piece)]
        self._has_text = self._has_text_in(piece)

    def is_of(self, piece: ReasoningDetail) -> bool:
        """Whether the piece is of the same kind and place, as far as both say."""
        known = self._sum
        return (
            self._kind == piece.WhichOneof("detail")
            and known.HasField("index") == piece.HasField("index")
            and known.index == piece.index
            and not (known.HasField("id") and piece.HasField("id") and known.id != piece.id)
            and not (known.HasField("format") and piece.HasField("format") and known.format != piece.format)
        )

    def takes(self, piece: ReasoningDetail) -> bool:
        """Whether the piece may be joined: never to what is opaque, and no more text to what is signed."""
        if self._kind == "text":
            signature = self._sum.text.signature
            return not signature or (not piece.text.text and piece.text.signature in ("", signature))
        return self._kind == "summary"

    def add(self, piece: ReasoningDetail) -> None:
        """Joins a piece that `takes` allows."""
        self._pieces.append(self._text_of(piece))
        self._has_text = self._has_text or self._has_text_in(piece)
        signature = self._sum.text.signature
        self._sum.MergeFrom(piece)
        if signature:
            self._sum.text.signature = signature

    def write(self, detail: ReasoningDetail) -> None:
        """Writes the sum into an empty detail."""
        detail.CopyFrom(self._sum)
        if self._has_text:
            self._write_text(detail, "".join(self._pieces))

    def _text_of(self, piece: ReasoningDetail) -> str:
        return piece.summary.summary if self._kind == "summary" else piece.text.text

    def _has_text_in(self, piece: ReasoningDetail) -> bool:
        return piece.summary.HasField("summary") or piece.text.HasField("text")

    def _write_text(self, detail: ReasoningDetail, text: str) -> None:
        if self._kind == "summary":
            detail.summary.summary = text
        else:
            detail.text.text = text


def _join_base64(text: str) -> str:
    """Concatenated base64 pieces as one base64 text. Pieces that were padded each by itself are decoded; what is no base64 stays as it came."""
    if "=" not in text.rstrip("="):
        return text
    try:
        raw = b"".join(base64.b64decode(piece, validate=True) for piece in _PADDED.findall(text))
    except binascii.Error:
        return text
    return base64.b64encode(raw).decode("ascii")
