# SPDX-License-Identifier: Apache-2.0
"""Answers by what they turn out to be, each cut in every way."""

import json
from functools import partial
from typing import Any

import pytest

from support.answer_cuts import make_codec, play, play_every_way, tell
from trunkline_server.dialects.base import AnswerDecoder
from trunkline_server.dialects.bodies import MAX_ERROR_BYTES
from trunkline_server.dialects.openai_chat import OpenAiChat
from trunkline_server.dialects.openai_chat.response import ErrorDecoder, WholeAnswerDecoder

CODEC = make_codec()
DIALECT = OpenAiChat(CODEC)
SSE = {"content-type": "text/event-stream; charset=utf-8"}
JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html"}


def make_decoder(headers: dict[str, str], status: int = 200) -> AnswerDecoder:
    """A decoder for an answer with this head."""
    return DIALECT.decoder(status=status, headers=headers)


def whole(**rest: Any) -> bytes:
    """A whole answer."""
    message = {"role": "assistant", "content": "Hi"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({"id": "x", "object": "chat.completion", "model": "m", "choices": [choice], **rest}).encode()


def answer_with(message: dict[str, Any], finish: str = "stop") -> bytes:
    """A whole answer with this message."""
    return whole(choices=[{"index": 0, "message": message, "finish_reason": finish}])


STREAM = b'data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n'
HI = {"choice 0": {"text": "Hi", "finish": "stop", "native": "stop"}}
INVALID = {"error": "PROVIDER_INVALID_RESPONSE"}

SNIFFED = [
    ("a stream", SSE, STREAM, HI),
    ("a stream that begins with a comment", SSE, b": hi\n\n" + STREAM, HI),
    ("a stream that begins with an unknown field", SSE, b"foo: bar\n" + STREAM, HI),
    ("a stream that begins with blank lines", SSE, b"\r\n\r\n" + STREAM, HI),
    ("a stream that begins with a byte order mark", SSE, b"\xef\xbb\xbf" + STREAM, HI),
    ("F19 JSON where a stream was declared", SSE, whole(), HI),
    ("F20 a stream where JSON was declared", JSON, STREAM, HI),
    ("F21 a stream as HTML", HTML, STREAM, HI),
    ("F21 JSON as HTML", HTML, whole(), HI),
    ("no content type", {}, STREAM, HI),
    ("JSON after empty lines that keep the connection alive", JSON, b"\n\n \n" + whole(), HI),
    ("F16 HTML", HTML, b"<!DOCTYPE html><p>data: no</p>", INVALID),
    ("F16 HTML declared as a stream", SSE, b"\n<html>", INVALID),
    ("text", {"content-type": "text/plain"}, b"Internal Server Error", INVALID),
    ("F18 nothing", SSE, b"", INVALID),
    ("spaces", JSON, b" \n ", INVALID),
    ("cut JSON", JSON, whole()[:-3], INVALID),
    ("F17 an error in JSON", JSON, b'{"error":{"message":"m","code":429}}', {"error": "RATE_LIMIT_EXCEEDED"}),
    ("F17 an error in a list", JSON, b'[{"error":{"message":"m","code":503}}]', {"error": "PROVIDER_OVERLOADED"}),
    ("F17 an error that is text", JSON, b'{"error":"no"}', {"error": "PROVIDER_UNAVAILABLE"}),
    ("JSON that is no answer", JSON, b'{"detail":"x"}', INVALID),
    ("a list", JSON, b"[1,2]", INVALID),
    ("no choices", JSON, whole(choices=[]), INVALID),
    ("an empty message without a finish", JSON, whole(choices=[{"index": 0, "message": {"content": ""}}]), INVALID),
    (
        "an empty message with a finish",
        JSON,
        answer_with({"content": ""}),
        {"choice 0": {"finish": "stop", "native": "stop"}},
    ),
    (
        "no finish",
        JSON,
        whole(choices=[{"message": {"content": "Hi"}}]),
        {"choice 0": {"text": "Hi", "finish": "stop"}},
    ),
    ("an answer cut by a failure", JSON, whole(error={"code": 502, "message": "m"}), {"error": "PROVIDER_UNAVAILABLE"}),
]


@pytest.mark.parametrize(
    ("headers", "body", "expected"), [case[1:] for case in SNIFFED], ids=[case[0] for case in SNIFFED]
)
def test_the_body_tells(headers: dict[str, str], body: bytes, expected: dict[str, object]) -> None:
    """The first byte of an answer decides what it is, the content type hardly matters."""
    assert tell(play_every_way(partial(make_decoder, headers), body)) == expected


MESSAGES = [
    (
        "tool calls",
        {
            "content": None,
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "b", "function": {"name": "g", "arguments": {"x": 1}}},
            ],
        },
        {"calls": [("a", "f", "{}"), ("b", "g", '{"x":1}')]},
    ),
    (
        "the legacy function call",
        {"content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"function_call": ("f", "{}")},
    ),
    ("reasoning under its alias", {"content": "Hi", "reasoning_content": "hm"}, {"text": "Hi", "reasoning": "hm"}),
    ("a refusal", {"content": None, "refusal": "no"}, {"refusal": "no"}),
    ("parts", {"content": [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]}, {"text": "Hi"}),
    (
        "images",
        {"content": "", "images": [{"type": "image_url", "image_url": {"url": "data:,"}}]},
        {"images": ["data:,"]},
    ),
]


@pytest.mark.parametrize(("message", "expected"), [case[1:] for case in MESSAGES], ids=[case[0] for case in MESSAGES])
def test_whole_messages(message: dict[str, Any], expected: dict[str, object]) -> None:
    """A whole message becomes the chunk that says the same."""
    told = tell(play(make_decoder(JSON), [answer_with(message)]))
    assert told == {"choice 0": {**expected, "finish": "stop", "native": "stop"}}


def test_a_whole_answer_keeps_its_rest() -> None:
    """Usage, several choices and log probabilities of a whole answer arrive."""
    choices = [
        {
            "index": place,
            "message": {"content": text},
            "finish_reason": "stop",
            "logprobs": {"content": [{"token": text, "logprob": -1}]},
        }
        for place, text in enumerate("ab")
    ]
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    outcome = play(make_decoder(JSON), [whole(choices=choices, usage=usage)])
    assert tell(outcome) == {
        "choice 0": {"text": "a", "finish": "stop", "native": "stop"},
        "choice 1": {"text": "b", "finish": "stop", "native": "stop"},
        "usage": (1, 2, 3),
    }
    assert [choice.logprobs.content[0].token for choice in outcome.chunks[0].choices] == ["a", "b"]


def test_a_whole_answer_is_bounded() -> None:
    """F24: an answer beyond the limit is a failure as soon as it is seen."""
    outcome = play(WholeAnswerDecoder(CODEC, {}, limit_bytes=100), [b'{"a":"' + b"x" * 50, b"x" * 50])
    assert tell(outcome) == INVALID


def test_an_error_status_is_a_failure_whatever_the_body() -> None:
    """A body that would be a good answer does not make an error status one."""
    assert tell(play_every_way(partial(make_decoder, SSE, 500), STREAM)) == {"error": "PROVIDER_UNAVAILABLE"}


def test_an_error_body_is_bounded() -> None:
    """What exceeds the limit of an error's body is not waited for."""
    decoder = ErrorDecoder(400, {})
    decoder.feed(b"x" * (MAX_ERROR_BYTES - 1))
    assert not decoder.finished
    decoder.feed(b"xx")
    assert decoder.finished
