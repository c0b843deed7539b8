# SPDX-License-Identifier: Apache-2.0
"""Answers by what they turn out to be."""

from pathlib import Path

import orjson
import pytest

from support.answer_cuts import cuts, play, tell
from support.responses_wire import CODEC, DIALECT, answer_json, completed, delta, message
from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.openai_responses.response import WholeAnswerDecoder

MATRIX = Path(__file__).parents[1] / "matrix" / "openai_responses"
WHOLE = orjson.dumps({"id": "resp_1", "status": "completed", "output": [message("Hi")]})
STREAM = delta("Hi") + completed()
HI = {"choice 0": {"text": "Hi", "finish": "stop", "native": "completed"}}
EVENTS = {"content-type": "text/event-stream"}


@pytest.mark.parametrize(
    ("body", "headers"),
    [(WHOLE, {}), (WHOLE, EVENTS), (b"\n\n" + WHOLE, {}), (STREAM, {}), (STREAM, {"content-type": "application/json"})],
)
def test_the_body_tells(body: bytes, headers: dict[str, str]) -> None:
    """The first byte shows what it is, whatever was declared and however it is cut."""
    for blocks in cuts(body):
        assert tell(play(DIALECT.decoder(status=200, headers=headers), blocks)) == HI


@pytest.mark.parametrize("body", [b"", b"  \n", b"<html>", b"#", b"{broken", b"[1]", b"null"])
def test_what_is_no_answer(body: bytes) -> None:
    """Anything else is a failure of the provider."""
    assert tell(play(DIALECT.decoder(status=200, headers={}), [body])) == {"error": "PROVIDER_INVALID_RESPONSE"}


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (429, "rate_limit_exceeded", "RATE_LIMIT_EXCEEDED"),
        (400, "context_length_exceeded", "CONTEXT_LENGTH_EXCEEDED"),
        (401, "invalid_api_key", "PROVIDER_AUTHENTICATION"),
        (400, "invalid_encrypted_content", "INVALID_REQUEST"),
        (500, None, "PROVIDER_UNAVAILABLE"),
    ],
)
def test_error_statuses(status: int, code: str | None, expected: str) -> None:
    """An error's body is read as in chat completions."""
    body = orjson.dumps({"error": {"message": "x", "type": "x", "param": None, "code": code}})
    assert tell(play(DIALECT.decoder(status=status, headers={}), [body])) == {"error": expected}


def test_a_failed_answer_keeps_what_it_said() -> None:
    """Nobody has seen it yet, so another provider may do better."""
    body = orjson.dumps(
        {"status": "failed", "error": {"code": "server_error", "message": "x"}, "output": [message("Hi")]}
    )
    error = play(DIALECT.decoder(status=200, headers={}), [body]).error
    assert error is not None
    assert [chunk.choices[0].delta.content for chunk in error.partial] == ["Hi"]


def test_the_limit() -> None:
    """A body without end does not fill the memory."""
    decoder = WholeAnswerDecoder(CODEC, limit_bytes=8)
    with pytest.raises(GatewayError):
        decoder.feed(b"x" * 9)
    assert not decoder.finished


def test_reasoning_of_a_recorded_answer() -> None:
    """Both summaries and the encrypted content are details of their own, with the item's id."""
    outcome = play(DIALECT.decoder(status=200, headers={}), [(MATRIX / "reasoning.answer.json").read_bytes()])
    told = answer_json(outcome)
    kinds = [(detail["type"], detail["index"]) for detail in told["reasoning_details"]]
    assert kinds == [("reasoning.summary", 0), ("reasoning.summary", 1), ("reasoning.encrypted", 2)]
    assert {detail["id"] for detail in told["reasoning_details"]} == {"rs_68f1c0de080c81909f00"}
