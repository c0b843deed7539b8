# SPDX-License-Identifier: Apache-2.0
"""Answers in Google's language, and read again."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from support.answer_cuts import play
from support.gemini_wire import CODEC, DIALECT, RECORDED, decode, fold
from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk, FinishReason
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import FieldFault, GatewayError
from trunkline_server.dialects.gemini import EventRenderer, render_answer, render_error

ANSWERS = [
    path
    for path in sorted(RECORDED.glob("*.answer.*"))
    if not path.name.startswith(("error.", "refusal.")) and path.suffix in {".json", ".sse"}
]
FORMAT = "google-gemini-v1"


def without_annotations(answer: ChatCompletion) -> ChatCompletion:
    """The answer without what Google's candidates say in metadata that others do not have, and without the tier."""
    copy = ChatCompletion()
    copy.CopyFrom(answer)
    for choice in copy.choices:
        if "groundingMetadata" not in choice.extra:
            del choice.message.annotations[:]
        if choice.message.HasField("audio"):
            choice.message.audio.extra.clear()
    copy.usage.ClearField("server_tool_use_details")
    copy.ClearField("service_tier")
    return copy


@pytest.mark.parametrize("path", ANSWERS, ids=lambda path: path.name)
def test_recorded_answers_come_back(path: Path) -> None:
    """A recorded answer that is read, written and read again says the same: whole, and as a stream."""
    chunks = play(DIALECT.decoder(status=200, headers={}), [path.read_bytes()]).chunks
    answer = fold(chunks)
    whole = decode(orjson.dumps(render_answer(answer)))
    assert without_annotations(whole) == without_annotations(answer)
    renderer = EventRenderer()
    streamed = decode(renderer.feed(chunks) + renderer.close())
    assert without_annotations(streamed) == without_annotations(answer)


def make_answer(**choice: Any) -> ChatCompletion:
    """An answer with one choice."""
    body = {"id": "gen-1", "object": "chat.completion", "created": 1, "model": "acme/one"}
    return CODEC.decode(ChatCompletion, {**body, "choices": [{"index": 0, **choice}]}, strict=False)


def test_an_answer_of_another_model() -> None:
    """What another provider's model said is told in Google's words: its reasoning without proofs, its refusal as text."""
    answer = make_answer(
        message={
            "role": "assistant",
            "content": "Hi",
            "refusal": "no",
            "reasoning": "hm",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "hm", "signature": "X", "format": "anthropic-claude-v1", "index": 0}
            ],
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                {"id": "call_made_0", "type": "function", "function": {"name": "g", "arguments": "nonsense"}},
            ],
            "audio": {"data": "AAAA"},
        },
        finish_reason="tool_calls",
        native_finish_reason="tool_use",
    )
    assert render_answer(answer) == {
        "candidates": [
            {
                "content": {
                    "parts": [
                        {"text": "hm", "thought": True},
                        {"text": "Hi"},
                        {"text": "no"},
                        {"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": "AAAA"}},
                        {"functionCall": {"id": "c1", "name": "f", "args": {"a": 1}}},
                        {"functionCall": {"name": "g", "args": {"arguments": "nonsense"}}},
                    ],
                    "role": "model",
                },
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "modelVersion": "acme/one",
        "responseId": "gen-1",
    }


@pytest.mark.parametrize(
    ("reason", "native", "word"),
    [
        ("stop", "end_turn", "STOP"),
        ("length", "max_tokens", "MAX_TOKENS"),
        ("content_filter", "RECITATION", "RECITATION"),
        ("content_filter", "refusal", "SAFETY"),
        ("error", "", "OTHER"),
    ],
)
def test_finishes(reason: str, native: str, word: str) -> None:
    """A finish is Google's own word where it has come from there, else the nearest."""
    answer = make_answer(
        message={"role": "assistant", "content": "a"}, finish_reason=reason, native_finish_reason=native
    )
    assert render_answer(answer)["candidates"][0]["finishReason"] == word


def delta(finish: FinishReason.ValueType | None = None, **said: Any) -> ChatCompletionChunk:
    """A chunk with one delta."""
    body = {"id": "g", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    chunk = CODEC.decode(ChatCompletionChunk, {**body, "choices": [{"index": 0, "delta": said}]}, strict=False)
    if finish is not None:
        chunk.choices[0].finish_reason = finish
    return chunk


def test_calls_are_gathered() -> None:
    """A call that comes in pieces goes out whole, at the end; what adds nothing is no event."""
    renderer = EventRenderer()
    head = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a"'}}
    tail = {"index": 0, "function": {"arguments": ":1}"}}
    assert renderer.feed([delta(role="assistant"), delta(tool_calls=[head]), delta(tool_calls=[tail])]) == b""
    event = renderer.feed([delta(FinishReason.FINISH_REASON_TOOL_CALLS)])
    value = orjson.loads(event.removeprefix(b"data: "))
    assert event.endswith(b"\r\n\r\n")
    assert value["candidates"][0]["content"]["parts"] == [{"functionCall": {"id": "c", "name": "f", "args": {"a": 1}}}]


def test_failures() -> None:
    """A failure is a google.rpc.Status with its reason, the wait and the faults; a masked one tells nothing."""
    limited = GatewayError(ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED, "Slow down.", retry_after_s=1.5)
    assert render_error(limited) == {
        "error": {
            "code": 429,
            "message": "Slow down.",
            "status": "RESOURCE_EXHAUSTED",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "RATE_LIMIT_EXCEEDED",
                    "domain": "trunkline",
                },
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"},
            ],
        }
    }
    faulty = GatewayError(
        ErrorReason.ERROR_REASON_INVALID_REQUEST, "Bad.", faults=[FieldFault(field="contents", description="must be")]
    )
    violations = render_error(faulty)["error"]["details"][1]["fieldViolations"]
    assert violations == [{"field": "contents", "description": "must be"}]
    masked = render_error(GatewayError(ErrorReason.ERROR_REASON_SERVER, "secret", retry_after_s=1.0))["error"]
    assert (masked["status"], "details" in masked, "secret" in masked["message"]) == ("INTERNAL", False, False)


def test_a_failure_in_a_stream_is_read_again() -> None:
    """The event of a failure means the same failure to whoever reads it."""
    event = EventRenderer().fail(GatewayError(ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED, "Full."))
    with pytest.raises(GatewayError) as caught:
        decode(event)
    assert caught.value.reason == ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED


@pytest.mark.parametrize("number", [value for value in ErrorReason.values() if value])
def test_every_reason_has_a_word(number: ErrorReason.ValueType) -> None:
    """Whatever fails has a status of Google's."""
    assert render_error(GatewayError(number, "x"))["error"]["status"] != "UNKNOWN"
