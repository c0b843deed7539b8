# SPDX-License-Identifier: Apache-2.0
"""Streams of Google's, each cut in every way."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.answer_cuts import play, play_every_way, tell
from support.gemini_wire import DIALECT, RECORDED, candidate, events, response
from trunkline_server.dialects.base import AnswerDecoder
from trunkline_server.dialects.gemini.stream import StreamDecoder

STREAMS = sorted(RECORDED.glob("*.answer.sse"))
USAGE = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
HI = {"choice 0": {"text": "Hi", "finish": "stop", "native": "STOP"}}
HI_USED = {**HI, "usage": (3, 2, 5)}
BROKEN = {"choice 0": {"text": "Hi"}, "error": "PROVIDER_UNAVAILABLE"}


def make_decoder() -> AnswerDecoder:
    """A decoder for one stream."""
    return StreamDecoder({})


def say(text: str, **rest: Any) -> bytes:
    """An event that adds text."""
    return events(response(candidate({"text": text}), **rest))


STOP = events(response(candidate(finish="STOP"), usageMetadata=USAGE))

STORIES: list[tuple[str, bytes, dict[str, object]]] = [
    ("as Google does", say("H") + say("i") + STOP, HI_USED),
    ("no blank line at the end", say("Hi") + STOP.rstrip(), HI_USED),
    ("LF for CRLF", (say("Hi") + STOP).replace(b"\r\n", b"\n"), HI_USED),
    ("comments and empty data", b": ping\n\ndata:\n\n" + say("Hi") + STOP, HI_USED),
    ("no usage", say("Hi") + events(response(candidate(finish="STOP"))), HI),
    ("usage behind the end", say("Hi") + events(response(candidate(finish="STOP")), {"usageMetadata": USAGE}), HI_USED),
    (
        "cut behind the end",
        say("Hi") + STOP + events({"usageMetadata": USAGE})[:20],
        HI_USED,
    ),
    ("cut in a text", say("Hi"), BROKEN),
    ("cut in an event", say("Hi") + STOP[:30], BROKEN),
    (
        "one of two candidates without an end",
        events(response(candidate({"text": "Hi"}, finish="STOP"), candidate({"text": "b"}, index=1))),
        {"choice 0": HI["choice 0"], "choice 1": {"text": "b"}, "error": "PROVIDER_UNAVAILABLE"},
    ),
    ("no candidate", events({"usageMetadata": USAGE}), {"error": "PROVIDER_INVALID_RESPONSE"}),
    ("what is no JSON", say("Hi") + b"data: {nonsense\n\n" + STOP, {**BROKEN, "error": "PROVIDER_INVALID_RESPONSE"}),
    (
        "half of a pair",
        b'data: {"candidates":[{"content":{"parts":[{"text":"\\ud83d"}]},"finishReason":"STOP"}]}\n\n',
        {"choice 0": {"text": "\ufffd", "finish": "stop", "native": "STOP"}},
    ),
    (
        "an error in the stream",
        say("Hi") + events({"error": {"code": 503, "status": "UNAVAILABLE"}}) + STOP,
        {**BROKEN, "error": "PROVIDER_OVERLOADED"},
    ),
    (
        "a blocked prompt",
        events({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": USAGE}),
        {"error": "CONTENT_POLICY_VIOLATION"},
    ),
]


@pytest.mark.parametrize(("body", "expected"), [case[1:] for case in STORIES], ids=[case[0] for case in STORIES])
def test_streams(body: bytes, expected: dict[str, object]) -> None:
    """However a stream is cut into blocks, it says the same; one without all its ends is never taken for whole."""
    assert tell(play_every_way(make_decoder, body)) == expected


def test_long_integers() -> None:
    """Arguments are told as they were written: a number beyond 64 bits is no float."""
    call = candidate({"functionCall": {"name": "look", "args": {"id": "@"}}}, finish="STOP")
    body = events(response(call)).replace(b'"@"', b"12345678901234567890123")
    outcome = play_every_way(make_decoder, body)
    assert outcome.chunks[0].choices[0].delta.tool_calls[0].function.arguments == '{"id":12345678901234567890123}'


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.name.partition(".")[0])
def test_recorded_streams_byte_by_byte(path: Path) -> None:
    """Each recorded stream gives the same chunks whole, byte by byte, and split at each boundary."""
    play_every_way(lambda: DIALECT.decoder(status=200, headers={}), path.read_bytes())


@settings(max_examples=60, deadline=None)
@given(path=st.sampled_from(STREAMS), data=st.data())
def test_recorded_streams_in_any_blocks(path: Path, data: st.DataObject) -> None:
    """Any split of any recorded stream gives the same chunks."""
    body = path.read_bytes()
    places = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    blocks = [body[start:end] for start, end in zip([0, *places], [*places, len(body)], strict=True)]
    whole = play(DIALECT.decoder(status=200, headers={}), [body])
    assert play(DIALECT.decoder(status=200, headers={}), blocks).essence == whole.essence


def test_a_failure_ends_the_reading() -> None:
    """After a failure nothing more is read, and closing twice says the same once."""
    decoder = StreamDecoder({})
    assert len(decoder.feed(say("Hi") + b"data: {x\n\n")) == 1
    assert decoder.finished
    whole = StreamDecoder({})
    whole.feed(say("Hi") + STOP)
    assert not whole.finished
    assert (whole.close(), whole.close()) == ([], [])


def test_what_was_said_last_is_kept() -> None:
    """What an event without its end said before the stream was cut stands in the failure."""
    outcome = play(make_decoder(), [say("Hi").rstrip()])
    assert outcome.error is not None
    assert [chunk.choices[0].delta.content for chunk in outcome.error.partial] == ["Hi"]


def test_an_image_in_one_event() -> None:
    """An event may hold a picture of several megabytes."""
    picture = {"inlineData": {"mimeType": "image/png", "data": "A" * (4 << 20)}}
    outcome = play(make_decoder(), [events(response(candidate(picture, finish="STOP")))])
    assert outcome.error is None
    assert len(outcome.chunks[0].choices[0].delta.images[0].image_url.url) > 4 << 20


KEYS = """
candidates content parts text thought functionCall name args inlineData mimeType data finishReason index error status usageMetadata promptTokenCount
groundingMetadata groundingChunks groundingSupports segment startIndex endIndex web uri citationMetadata citations logprobsResult chosenCandidates
topCandidates promptFeedback blockReason responseId thoughtSignature executableCode toolCall message details
"""
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3)


def nest(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists, and objects with Google's keys."""
    return st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS.split()), inner, max_size=6)


@settings(max_examples=80, deadline=None)
@given(value=st.recursive(SCALARS, nest, max_leaves=30))
def test_nonsense(value: object) -> None:
    """Whatever JSON comes, there are chunks or a GatewayError, and nothing else."""
    play(make_decoder(), [events({"candidates": [value], "x": value}), events({"candidates": value})])
    play(make_decoder(), [events({"candidates": [{"content": {"parts": value}}]}), events({"error": value})])
