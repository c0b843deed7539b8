# SPDX-License-Identifier: Apache-2.0
"""An answer that comes as AWS's binary event stream; the matrix plays whole recordings in every cut."""

import pytest

from support.answer_cuts import play_every_way
from support.aws_frames import frame, frame_events
from trunkline_server.core.errors import reason_name
from trunkline_server.dialects.bedrock_converse.stream import StreamDecoder

BEGUN = frame_events(
    [
        {"type": "messageStart", "payload": {"role": "assistant"}},
        {"type": "contentBlockDelta", "payload": {"contentBlockIndex": 0, "delta": {"text": "Hé"}}},
    ]
)
STOP = frame("messageStop", {"stopReason": "end_turn"})
USAGE = frame("metadata", {"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}})


def decoder() -> StreamDecoder:
    """A decoder of one answer."""
    return StreamDecoder({})


@pytest.mark.parametrize("rest", [STOP + USAGE, STOP, STOP + USAGE + b"rubbish", STOP + frame("new", {}) + USAGE])
def test_whole_streams(rest: bytes) -> None:
    """An answer is whole with its reason to stop; what follows the usage means nothing."""
    outcome = play_every_way(decoder, BEGUN + rest)
    assert outcome.error is None
    assert "".join(chunk.choices[0].delta.content for chunk in outcome.chunks if chunk.choices) == "Hé"


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        (b"", "PROVIDER_UNAVAILABLE"),
        (STOP[:7], "PROVIDER_UNAVAILABLE"),
        (STOP[:-1], "PROVIDER_UNAVAILABLE"),
        (STOP + USAGE[:-1], "PROVIDER_UNAVAILABLE"),
        (STOP[:-1] + b"\x00", "PROVIDER_INVALID_RESPONSE"),
        (frame("messageStop", b"{no json"), "PROVIDER_INVALID_RESPONSE"),
        (frame("messageStop", {"stopReason": "malformed_tool_use"}), "PROVIDER_INVALID_RESPONSE"),
        (frame("throttlingException", {"message": "slow"}, is_exception=True) + STOP, "RATE_LIMIT_EXCEEDED"),
        (frame("validationException", {"message": "Input is too long"}, is_exception=True), "CONTEXT_LENGTH_EXCEEDED"),
        (frame("modelStreamErrorException", {"message": "x"}, is_exception=True), "PROVIDER_UNAVAILABLE"),
        (b"data: hello\n\n", "PROVIDER_INVALID_RESPONSE"),
    ],
)
def test_streams_that_fail(rest: bytes, reason: str) -> None:
    """What came before is handed out; a cut, damage and exceptions are each told as what they are."""
    outcome = play_every_way(decoder, BEGUN + rest)
    assert outcome.error is not None
    assert reason_name(outcome.error.reason) == reason
    assert "".join(chunk.choices[0].delta.content for chunk in outcome.chunks if chunk.choices) == "Hé"


def test_nothing() -> None:
    """An empty body is no answer."""
    outcome = play_every_way(decoder, b"")
    assert outcome.error is not None
    assert outcome.chunks == []
