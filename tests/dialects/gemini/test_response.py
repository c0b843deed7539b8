# SPDX-License-Identifier: Apache-2.0
"""Whole answers, errors, and what answers turn out to be."""

from pathlib import Path

import orjson
import pytest

from support.answer_cuts import play, play_every_way, tell
from support.gemini_wire import DIALECT, RECORDED, candidate, events, fold, response
from trunkline_server.core.errors import GatewayError, reason_name
from trunkline_server.dialects.gemini.response import AnswerSniffer, ErrorDecoder, WholeAnswerDecoder

WHOLE = sorted(RECORDED.glob("*.answer.json"))
HI = {"choice 0": {"text": "Hi", "finish": "stop", "native": "STOP"}}
ANSWER = response(candidate({"text": "Hi"}, finish="STOP"))
PIECES = [response(candidate({"text": "H"})), response(candidate({"text": "i"}, finish="STOP"))]

BODIES: list[tuple[str, bytes, dict[str, object]]] = [
    ("an object", orjson.dumps(ANSWER), HI),
    ("an object, indented, behind a mark", b"\xef\xbb\xbf\n" + orjson.dumps(ANSWER, option=orjson.OPT_INDENT_2), HI),
    ("an array, as streams are without alt=sse", orjson.dumps(PIECES, option=orjson.OPT_INDENT_2), HI),
    ("events", events(*PIECES), HI),
    (
        "an array that ends with an error",
        orjson.dumps([PIECES[0], {"error": {"status": "INTERNAL"}}]),
        {"error": "PROVIDER_UNAVAILABLE"},
    ),
    ("an answer without its end", orjson.dumps(PIECES[0]), {"error": "PROVIDER_UNAVAILABLE"}),
    ("an empty object", b"{}", {"error": "PROVIDER_INVALID_RESPONSE"}),
    ("an empty array", b"[]", {"error": "PROVIDER_INVALID_RESPONSE"}),
    ("what is cut", orjson.dumps(ANSWER)[:-9], {"error": "PROVIDER_INVALID_RESPONSE"}),
    ("a page", b"<html></html>", {"error": "PROVIDER_INVALID_RESPONSE"}),
    ("nothing", b" \n", {"error": "PROVIDER_INVALID_RESPONSE"}),
    (
        "a blocked prompt",
        orjson.dumps({"promptFeedback": {"blockReason": "OTHER"}}),
        {"error": "CONTENT_POLICY_VIOLATION"},
    ),
]


@pytest.mark.parametrize(("body", "expected"), [case[1:] for case in BODIES], ids=[case[0] for case in BODIES])
def test_bodies(body: bytes, expected: dict[str, object]) -> None:
    """The first byte tells what an answer is; one that is not whole is a failure."""
    assert tell(play_every_way(lambda: AnswerSniffer({}), body)) == expected


def test_long_integers() -> None:
    """Arguments are told as they were written: a number beyond 64 bits is no float."""
    call = candidate({"functionCall": {"name": "look", "args": {"id": "@"}}}, finish="STOP")
    body = orjson.dumps(response(call)).replace(b'"@"', b"12345678901234567890123")
    outcome = play(AnswerSniffer({}), [body])
    assert outcome.chunks[0].choices[0].delta.tool_calls[0].function.arguments == '{"id":12345678901234567890123}'


def test_the_beginning_of_a_failed_answer() -> None:
    """What was said before a whole answer failed is kept for whoever wants it."""
    outcome = play(WholeAnswerDecoder({}), [orjson.dumps([PIECES[0], {"error": {"status": "INTERNAL"}}])])
    assert outcome.error is not None
    assert [chunk.choices[0].delta.content for chunk in outcome.error.partial] == ["H"]


def test_the_largest_answer() -> None:
    """An answer beyond the limit is none."""
    decoder = WholeAnswerDecoder({}, limit_bytes=4)
    assert not decoder.finished
    with pytest.raises(GatewayError, match="more than 4 bytes"):
        decoder.feed(b"12345")


def test_errors() -> None:
    """An answer with another status is a failure, read up to what can be of use."""
    decoder = DIALECT.decoder(status=429, headers={})
    assert decoder.feed(b'{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}') == []
    with pytest.raises(GatewayError) as caught:
        decoder.close()
    assert reason_name(caught.value.reason) == "RATE_LIMIT_EXCEEDED"
    endless = ErrorDecoder(500, {})
    endless.feed(b"x" * (1 << 20))
    assert endless.finished


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.name.partition(".")[0])
def test_whole_and_streamed_say_the_same(path: Path) -> None:
    """A recorded answer says the same whole and streamed, but for where a signature stood and what failed when."""
    streamed = path.with_suffix(".sse").read_bytes()
    status = 503 if path.name.startswith("error.") else 200
    whole = play_every_way(lambda: DIALECT.decoder(status=status, headers={}), path.read_bytes())
    other = play(DIALECT.decoder(status=200, headers={}), [streamed])
    said = [
        [choice.message.content, choice.message.tool_calls, choice.native_finish_reason]
        for choice in fold(whole.chunks).choices
    ]
    assert [
        [choice.message.content, choice.message.tool_calls, choice.native_finish_reason]
        for choice in fold(other.chunks).choices
        if status == 200
    ] == said
    assert (whole.error is None) == (other.error is None)
    assert fold(whole.chunks).usage == fold(other.chunks).usage
