# SPDX-License-Identifier: Apache-2.0
"""Answers for clients of POST /v1/completions, whole and streamed: `text_completion` objects (openai-python 3.54, `types/completion.py`).

A stream ends with `[DONE]`; the last object before it tells the usage. Reasoning stands beside the text, as OpenRouter has it; a refusal, and what was spoken, is text.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson

from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk, ChunkChoice, FinishReason, Logprobs
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.openai_completions.inbound import Prompt
from trunkline_server.dialects.openai_responses.errors import render_error
from trunkline_server.jsonshape import Codec

_OBJECT: Final = "text_completion"
_DONE: Final = b"data: [DONE]\n\n"
_REASONS: Final[Mapping[int, str]] = MappingProxyType(
    {
        FinishReason.FINISH_REASON_LENGTH: "length",
        FinishReason.FINISH_REASON_CONTENT_FILTER: "content_filter",
        FinishReason.FINISH_REASON_ERROR: "error",
    }
)
"""Finish reasons by the words of this language; any other is "stop"."""
_EXTRAS: Final = ("usage", "openrouter_metadata")


def render_answer(codec: Codec, completion: ChatCompletion, prompt: Prompt) -> dict[str, Any]:
    """The object of a whole answer. One that a failure cut tells it in `error`."""
    made = _head(completion)
    for choice in completion.choices:
        message = choice.message
        said = "".join(part.text for part in message.content) or message.audio.transcript
        text = prompt.echoed + said + message.refusal
        tokens = _render_logprobs(choice.logprobs, len(prompt.echoed)) if choice.HasField("logprobs") else None
        rendered = _choice(choice.index, text, tokens, choice.finish_reason)
        if message.reasoning:
            rendered["reasoning"] = message.reasoning
        made["choices"].append(rendered)
    made["system_fingerprint"] = completion.system_fingerprint or None
    for name in (*_EXTRAS, "error"):
        if completion.HasField(name):
            made[name] = codec.encode(getattr(completion, name))
    return made


class ChunkRenderer:
    """Writes one answer as events. `end` or `fail` is called once, at the end."""

    def __init__(self, codec: Codec, prompt: Prompt) -> None:
        self._codec = codec
        self._prompt = prompt
        self._lengths: dict[int, int] = {}

    def feed(self, batch: Batch) -> bytes:
        """The events of a batch."""
        return b"".join(self._render(chunk) for chunk in batch)

    def end(self) -> bytes:
        """The mark of the end."""
        return _DONE

    def fail(self, error: GatewayError) -> bytes:
        """The event of a failure, which ends the stream."""
        return b"data: " + orjson.dumps(render_error(self._codec, error)) + b"\n\n"

    def _render(self, chunk: ChatCompletionChunk) -> bytes:
        made = _head(chunk)
        made["choices"] = [self._render_choice(choice) for choice in chunk.choices]
        for name in _EXTRAS:
            if chunk.HasField(name):
                made[name] = self._codec.encode(getattr(chunk, name))
        return b"data: " + orjson.dumps(made) + b"\n\n"

    def _render_choice(self, choice: ChunkChoice) -> dict[str, Any]:
        delta = choice.delta
        text = (delta.content or delta.audio.transcript) + delta.refusal
        offset = self._lengths.get(choice.index)
        if offset is None:  # the first of the choice
            offset = len(self._prompt.echoed)
            self._lengths[choice.index] = offset + len(text)
            text = self._prompt.echoed + text
        else:
            self._lengths[choice.index] = offset + len(text)
        tokens = _render_logprobs(choice.logprobs, offset) if choice.HasField("logprobs") else None
        made = _choice(choice.index, text, tokens, choice.finish_reason)
        if delta.reasoning:
            made["reasoning"] = delta.reasoning
        return made


def _head(answer: ChatCompletion | ChatCompletionChunk) -> dict[str, Any]:
    made: dict[str, Any] = {"id": answer.id, "object": _OBJECT, "created": answer.created, "model": answer.model}
    if answer.HasField("provider"):
        made["provider"] = answer.provider
    return {**made, "choices": []}


def _choice(index: int, text: str, logprobs: object, reason: FinishReason.ValueType) -> dict[str, Any]:
    said = _REASONS.get(reason, "stop") if reason else None
    return {"text": text, "index": index, "logprobs": logprobs, "finish_reason": said}


def _render_logprobs(logprobs: Logprobs, offset: int) -> dict[str, list[Any]]:
    """Log probabilities as lists side by side; `offset` is where their text begins."""
    made: dict[str, list[Any]] = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
    for token in logprobs.content:
        made["tokens"].append(token.token)
        made["token_logprobs"].append(token.logprob)
        made["top_logprobs"].append({top.token: top.logprob for top in token.top_logprobs})
        made["text_offset"].append(offset)
        offset += len(token.token)
    return made
