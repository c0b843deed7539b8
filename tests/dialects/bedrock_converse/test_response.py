# SPDX-License-Identifier: Apache-2.0
"""Answers of Bedrock's that come as one body."""

import pytest

from support.answer_cuts import make_codec, play
from trunkline_server.core.errors import reason_name
from trunkline_server.dialects.bedrock_converse import BedrockConverse
from trunkline_server.dialects.bedrock_converse.response import WholeAnswerDecoder

ANSWER = b'{"output":{"message":{"role":"assistant","content":[{"text":"Hi"}]}},"stopReason":"end_turn"}'
DIALECT = BedrockConverse(make_codec())


def test_an_answer() -> None:
    """A body in pieces is one answer."""
    outcome = play(DIALECT.decoder(status=200, headers={"content-type": "application/json"}), [ANSWER[:9], ANSWER[9:]])
    assert (outcome.error, outcome.chunks[0].choices[0].delta.content) == (None, "Hi")


def test_long_integers() -> None:
    """Arguments are told as they were written: a number beyond 64 bits is no float."""
    call = b'{"toolUse":{"toolUseId":"a","name":"look","input":{"id":12345678901234567890123}}}'
    body = ANSWER.replace(b'{"text":"Hi"}', call).replace(b"end_turn", b"tool_use")
    outcome = play(DIALECT.decoder(status=200, headers={}), [body])
    calls = [call for chunk in outcome.chunks for choice in chunk.choices for call in choice.delta.tool_calls]
    assert "".join(call.function.arguments for call in calls) == '{"id":12345678901234567890123}'


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'"a"', b"{}", b'{"output":{"message":{"content":[]}}}'])
def test_bodies_that_are_no_answer(body: bytes) -> None:
    """Whatever else comes with status 200 is a failure."""
    outcome = play(DIALECT.decoder(status=200, headers={}), [body])
    assert outcome.error is not None
    assert (reason_name(outcome.error.reason), outcome.chunks) == ("PROVIDER_INVALID_RESPONSE", [])


def test_the_limit() -> None:
    """A body beyond the limit is refused while it comes."""
    outcome = play(WholeAnswerDecoder({}, limit_bytes=10), [b"x" * 8, b"x" * 8])
    assert outcome.error is not None
    assert "10 bytes" in outcome.error.message


@pytest.mark.parametrize("headers", [{}, {"content-type": "application/vnd.amazon.eventstream"}])
def test_errors(headers: dict[str, str]) -> None:
    """A status other than 200 is a failure, whatever the body is said to be."""
    outcome = play(
        DIALECT.decoder(status=429, headers={**headers, "x-amzn-errortype": "ThrottlingException"}), [b"{}" * 40000]
    )
    assert outcome.error is not None
    assert reason_name(outcome.error.reason) == "RATE_LIMIT_EXCEEDED"
