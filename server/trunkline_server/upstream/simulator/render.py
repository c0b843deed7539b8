# SPDX-License-Identifier: Apache-2.0
"""Choices into the two forms of an answer: one JSON object, or the chunks of a stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

import orjson

from trunkline_server.upstream.simulator.limits import SLICE
from trunkline_server.upstream.simulator.logprobs import token_logprob
from trunkline_server.upstream.simulator.reasoning import FORMAT
from trunkline_server.upstream.simulator.script import Call, Choice, Picture, Reasoning, Segment, Text

FINGERPRINT: Final = "sim-1"
_LOGPROBS_SLICE: Final = 32
"""Tokens whose log probabilities are made in one go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What stands around the choices. `alternatives` is the number of top_logprobs, None where no log probabilities are wanted."""

    answer_id: str
    created_s: int
    model: str
    service_tier: str | None
    prompt_tokens: int
    alternatives: int | None

    def head(self, kind: str) -> dict[str, Any]:
        """The keys before `choices`."""
        keys = {
            "id": self.answer_id,
            "object": kind,
            "created": self.created_s,
            "model": self.model,
            "system_fingerprint": FINGERPRINT,
        }
        return keys if self.service_tier is None else {**keys, "service_tier": "default"}  # there is only one tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One chunk of a stream; `has_token` where it brings a token."""

    data: bytes
    has_token: bool


def render_whole(envelope: Envelope, choices: Sequence[Choice], *, with_usage: bool = True) -> Iterator[bytes]:
    """The answer as one JSON object, lazily: pieces of its text that each take little work."""
    yield orjson.dumps(envelope.head("chat.completion"))[:-1] + b',"choices":['
    for position, choice in enumerate(choices):
        yield from _whole_choice(choice, envelope.alternatives, b"," if position else b"")
    usage = b',"usage":' + orjson.dumps(make_usage(envelope.prompt_tokens, choices)) if with_usage else b""
    yield b"]" + usage + b"}"


def render_stream(envelope: Envelope, choices: Sequence[Choice], *, with_usage: bool = True) -> Iterator[Event]:
    """The answer as chunks, lazily: the choices take turns, and usage comes last, in a chunk without choices."""
    head = orjson.dumps(envelope.head("chat.completion.chunk"))[:-1] + b',"choices":['
    for turn in zip_longest(*(_choice_deltas(choice, envelope.alternatives) for choice in choices)):
        for step in turn:
            if step is not None:
                yield Event(data=head + orjson.dumps(step[0]) + b"]}", has_token=step[1])
    if with_usage:
        yield Event(
            data=head + b'],"usage":' + orjson.dumps(make_usage(envelope.prompt_tokens, choices)) + b"}",
            has_token=False,
        )


def make_usage(prompt_tokens: int, choices: Sequence[Choice]) -> dict[str, Any]:
    """What was read and written, in tokens; the choices count together."""
    completion = sum(choice.tokens for choice in choices)
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": prompt_tokens + completion,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": sum(choice.tokens_of(Reasoning) for choice in choices)},
    }


def _choice_deltas(choice: Choice, alternatives: int | None) -> Iterator[tuple[dict[str, Any], bool]]:
    """The `choices[]` items of one choice, each with whether it brings a token."""
    opening = {"role": "assistant", "content": None if _has_no_text(choice) else ""}
    yield _delta(choice.index, opening), False
    for segment in choice.segments:
        if isinstance(segment, Text):
            for token in segment.tokens:
                yield _delta(choice.index, {"content": token}, _logprobs(token, alternatives)), True
        else:
            for delta, has_token in _segment_deltas(segment):
                yield _delta(choice.index, delta), has_token
    if choice.finish is not None:
        yield _delta(choice.index, {}, finish=choice.finish), False


def _segment_deltas(segment: Segment) -> Iterator[tuple[dict[str, Any], bool]]:
    if isinstance(segment, Reasoning) and segment.shown:
        name: dict[str, Any] = {"id": segment.detail_id}
        for token in segment.tokens:
            yield {"reasoning": token, "reasoning_details": [_detail(text=token, **name)]}, True
            name = {}
        if segment.signature is not None:
            yield {"reasoning_details": [_detail(signature=segment.signature)]}, False
    elif isinstance(segment, Call):
        function = {"name": segment.name, "arguments": ""}
        yield (
            {
                "tool_calls": [
                    {"index": segment.position, "id": segment.call_id, "type": "function", "function": function}
                ]
            },
            True,
        )
        for token in segment.tokens:
            yield {"tool_calls": [{"index": segment.position, "function": {"arguments": token}}]}, True
    elif isinstance(segment, Picture):
        yield {"images": [_image(segment)]}, False


def _delta(
    index: int, delta: Mapping[str, Any], logprobs: Mapping[str, Any] | None = None, finish: str | None = None
) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}


def _whole_choice(choice: Choice, alternatives: int | None, before: bytes) -> Iterator[bytes]:
    tokens = [token for segment in choice.segments if isinstance(segment, Text) for token in segment.tokens]
    yield before + b'{"index":%d,"message":{"role":"assistant","content":' % choice.index
    yield from [b"null"] if _has_no_text(choice) else _whole_content(tokens)
    yield b"," + orjson.dumps(_message_rest(choice))[1:] + b',"logprobs":'
    yield from _whole_logprobs(tokens, alternatives)
    ending: dict[str, object] = {"finish_reason": choice.finish}
    if choice.error is not None:
        ending["error"] = choice.error
    yield b"," + orjson.dumps(ending)[1:]


def _whole_content(tokens: Sequence[str]) -> Iterator[bytes]:
    yield b'"'
    for start in range(0, len(tokens), SLICE):
        yield orjson.dumps("".join(tokens[start : start + SLICE]))[1:-1]
    yield b'"'


def _message_rest(choice: Choice) -> dict[str, Any]:
    """The keys of a message behind its content."""
    message: dict[str, Any] = {"refusal": None}
    for segment in choice.segments:
        if isinstance(segment, Reasoning) and segment.shown:
            text = "".join(segment.tokens)
            signed = {} if segment.signature is None else {"signature": segment.signature}
            message["reasoning"] = text
            message["reasoning_details"] = [_detail(text=text, id=segment.detail_id, **signed)]
        elif isinstance(segment, Call):
            function = {"name": segment.name, "arguments": "".join(segment.tokens)}
            message.setdefault("tool_calls", []).append(
                {"id": segment.call_id, "type": "function", "function": function}
            )
        elif isinstance(segment, Picture):
            message.setdefault("images", []).append(_image(segment))
    return message


def _whole_logprobs(tokens: Sequence[str], alternatives: int | None) -> Iterator[bytes]:
    if alternatives is None or not tokens:
        yield b"null"
        return
    before = b'{"content":['
    for start in range(0, len(tokens), _LOGPROBS_SLICE):
        entries = [token_logprob(token, alternatives) for token in tokens[start : start + _LOGPROBS_SLICE]]
        yield before + orjson.dumps(entries)[1:-1]
        before = b","
    yield b'],"refusal":null}'


def _has_no_text(choice: Choice) -> bool:
    return not any(isinstance(segment, Text) for segment in choice.segments)


def _logprobs(token: str, alternatives: int | None) -> dict[str, Any] | None:
    return None if alternatives is None else {"content": [token_logprob(token, alternatives)], "refusal": None}


def _detail(**keys: str) -> dict[str, Any]:
    return {"type": "reasoning.text", **keys, "format": FORMAT, "index": 0}


def _image(picture: Picture) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": picture.url}}
