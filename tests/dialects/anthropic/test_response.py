# SPDX-License-Identifier: Apache-2.0
"""Answers by what they turn out to be."""

from typing import Any

import orjson
import pytest

from support.answer_cuts import make_codec, play_every_way, tell
from support.anthropic_wire import START, USAGE, stop, text_block
from trunkline_server.core.errors import GatewayError, reason_name
from trunkline_server.dialects.anthropic import Anthropic
from trunkline_server.dialects.anthropic.response import AnswerSniffer, ErrorDecoder, WholeAnswerDecoder

MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "text", "text": "Hi"}, {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}}],
    "stop_reason": "tool_use",
    "usage": USAGE,
}
CALLED = {
    "choice 0": {"text": "Hi", "calls": [("c", "f", '{"a":1}')], "finish": "tool_calls", "native": "tool_use"},
    "usage": (9, 3, 12),
}
BUSY = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}

ANSWERS: list[tuple[str, bytes, dict[str, Any]]] = [
    ("a message", orjson.dumps(MESSAGE), CALLED),
    ("with space before it", b"\n " + orjson.dumps(MESSAGE), CALLED),
    (
        "without a reason",
        orjson.dumps({**MESSAGE, "stop_reason": None}),
        {**CALLED, "choice 0": {"text": "Hi", "calls": [("c", "f", '{"a":1}')], "finish": "tool_calls"}},
    ),
    (
        "an empty one",
        orjson.dumps({**MESSAGE, "content": [], "stop_reason": "end_turn"}),
        {"choice 0": {"finish": "stop", "native": "end_turn"}, "usage": (9, 3, 12)},
    ),
    (
        "a stream",
        START + text_block(0, "Hi") + stop("end_turn"),
        {"choice 0": {"text": "Hi", "finish": "stop", "native": "end_turn"}, "usage": (9, 3, 12)},
    ),
    (
        "a number that no float holds",
        orjson.dumps(MESSAGE).replace(b'{"a":1}', b'{"a":12345678901234567890123}'),
        {
            **CALLED,
            "choice 0": {**CALLED["choice 0"], "calls": [("c", "f", '{"a":12345678901234567890123}')]},
        },
    ),
    ("an error", orjson.dumps(BUSY), {"error": "PROVIDER_OVERLOADED"}),
    ("a bare error", b'{"error":{"message":"no"}}', {"error": "PROVIDER_UNAVAILABLE"}),
    ("no message", b'{"type":"message"}', {"error": "PROVIDER_INVALID_RESPONSE"}),
    ("a list", b"[1]", {"error": "PROVIDER_INVALID_RESPONSE"}),
    ("broken JSON", b'{"type":', {"error": "PROVIDER_INVALID_RESPONSE"}),
    ("a page", b"<html></html>", {"error": "PROVIDER_INVALID_RESPONSE"}),
    ("nothing", b"", {"error": "PROVIDER_INVALID_RESPONSE"}),
    ("space", b"  \n", {"error": "PROVIDER_INVALID_RESPONSE"}),
]


@pytest.mark.parametrize(("what", "body", "told"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_answers(what: str, body: bytes, told: dict[str, Any]) -> None:
    """The first byte tells what an answer is, however it is cut."""
    assert tell(play_every_way(lambda: AnswerSniffer({}), body)) == told


def test_blocks_that_are_none() -> None:
    """What stands among the blocks and is none is passed over."""
    body = orjson.dumps({**MESSAGE, "content": [5, None, {}, {"type": 7}, *MESSAGE["content"]]})
    assert tell(play_every_way(lambda: WholeAnswerDecoder({}), body)) == CALLED


def test_an_answer_beyond_the_limit() -> None:
    """An endless answer is given up."""
    decoder = WholeAnswerDecoder({}, limit_bytes=3)
    decoder.feed(b"{  ")
    with pytest.raises(GatewayError) as caught:
        decoder.feed(b" ")
    assert reason_name(caught.value.reason) == "PROVIDER_INVALID_RESPONSE"


def test_statuses() -> None:
    """Any status but 200 is a failure, whatever the body says."""
    dialect = Anthropic(make_codec())
    assert isinstance(dialect.decoder(status=200, headers={}), AnswerSniffer)
    assert isinstance(dialect.decoder(status=529, headers={}), ErrorDecoder)
    outcome = play_every_way(lambda: dialect.decoder(status=529, headers={"retry-after": "2"}), orjson.dumps(BUSY))
    assert outcome.error is not None
    assert (reason_name(outcome.error.reason), outcome.error.retry_after_s) == ("PROVIDER_OVERLOADED", 2.0)


def test_long_errors() -> None:
    """No more of an error's body is read than may be of use."""
    decoder = ErrorDecoder(500, {})
    assert decoder.feed(b"x" * (1 << 20)) == []
    assert decoder.finished
