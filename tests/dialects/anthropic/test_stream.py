# SPDX-License-Identifier: Apache-2.0
"""Streams of Anthropic and of servers that took its wire over, each cut in every way."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.answer_cuts import play, play_every_way, tell
from support.anthropic_wire import PING, START, event, stop, text_block
from trunkline_server.core.chunks import has_content
from trunkline_server.dialects.anthropic.stream import StreamDecoder

END = stop("end_turn")
HI = {"choice 0": {"text": "Hi", "finish": "stop", "native": "end_turn"}, "usage": (9, 3, 12)}
SAID = START + PING + text_block(0, "H", "i")
OVERLOADED = event("error", error={"type": "overloaded_error", "message": "Overloaded"})


def make_decoder() -> StreamDecoder:
    """A decoder for one stream."""
    return StreamDecoder({})


STREAMS = [
    ("as Anthropic does", SAID + END, HI),
    ("pings everywhere", PING + START + PING + text_block(0, "Hi") + PING + stop("end_turn") + PING, HI),
    ("lines end with CR LF", (SAID + END).replace(b"\n", b"\r\n"), HI),
    ("unknown events", event("fresh", x=1) + SAID + event("fresh") + END, HI),
    ("types in the event line alone", (SAID + END).replace(b'"type":"ping"', b'"x":1'), HI),
    (
        "no message_stop",
        SAID + event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 3}),
        HI,
    ),
    ("no blank line at the end", (SAID + END).rstrip(), HI),
    ("cut after the reason", (SAID + END)[:-9], HI),
    (
        "content after the reason",
        SAID + END.replace(event("message_stop"), text_block(1, "no")) + event("message_stop"),
        HI,
    ),
    ("content after the end", SAID + END + text_block(1, "no") + b"data: {broken\n\n", HI),
    ("a mark of the end that is not Anthropic's", SAID + b"data: [DONE]\n\n" + END, HI),
    ("an empty event", SAID + b"data:\n\n" + END, HI),
    (
        "half of a surrogate pair",
        START + text_block(0, "Hi").replace(b'"H', b'"\\ud83dH') + END,
        {"choice 0": {"text": "\ufffdHi", "finish": "stop", "native": "end_turn"}, "usage": (9, 3, 12)},
    ),
    (
        "no starts of blocks",
        START + event("content_block_delta", index=0, delta={"type": "text_delta", "text": "Hi"}) + END,
        HI,
    ),
    ("no reason at all", SAID + event("message_stop"), {"choice 0": {"text": "Hi", "finish": "stop"}}),
]
FAILURES: list[tuple[str, bytes, dict[str, Any]]] = [
    ("overloaded at once", OVERLOADED, {"error": "PROVIDER_OVERLOADED"}),
    ("overloaded after content", SAID + OVERLOADED + END, {"choice 0": {"text": "Hi"}, "error": "PROVIDER_OVERLOADED"}),
    (
        "an error without words",
        SAID + b"event: error\ndata: oops\n\n",
        {"choice 0": {"text": "Hi"}, "error": "PROVIDER_UNAVAILABLE"},
    ),
    ("a bare error", b'data: {"error":{"message":"no"}}\n\n', {"error": "PROVIDER_UNAVAILABLE"}),
    ("cut in the text", SAID[:-120], {"choice 0": {"text": "H"}, "error": "PROVIDER_UNAVAILABLE"}),
    ("cut after the text", SAID, {"choice 0": {"text": "Hi"}, "error": "PROVIDER_UNAVAILABLE"}),
    ("nothing", b"", {"error": "PROVIDER_UNAVAILABLE"}),
    ("an end without a beginning", event("message_stop"), {"error": "PROVIDER_INVALID_RESPONSE"}),
    ("no JSON", START + b"data: {broken\n\n", {"choice 0": {}, "error": "PROVIDER_INVALID_RESPONSE"}),
]


@pytest.mark.parametrize(("what", "body", "told"), [*STREAMS, *FAILURES], ids=[row[0] for row in [*STREAMS, *FAILURES]])
def test_streams(what: str, body: bytes, told: dict[str, Any]) -> None:
    """Each stream says what it says however it is cut, and none ends in silence."""
    assert tell(play_every_way(make_decoder, body)) == told


def test_nothing_waits() -> None:
    """Each piece of text is a chunk as soon as its event is whole."""
    decoder = make_decoder()
    decoder.feed(START + event("content_block_start", index=0, content_block={"type": "text", "text": ""}))
    piece = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "Hi"})
    assert [chunk.choices[0].delta.content for chunk in decoder.feed(piece)] == ["Hi"]
    assert not decoder.finished
    decoder.feed(END)
    assert decoder.finished
    assert decoder.close() == []


@given(
    body=st.lists(
        st.sampled_from(
            [
                START,
                PING,
                END,
                OVERLOADED,
                text_block(0, "a"),
                text_block(5, "b"),
                b"\n",
                b"data: 5\n\n",
                b"data: {\n\n",
            ]
        )
    ).map(b"".join)
)
def test_any_order_of_events(body: bytes) -> None:
    """Events in any order raise nothing but the gateway's errors, and a choice ends at most once."""
    outcome = play(make_decoder(), [body])
    finishes = [choice for chunk in outcome.chunks for choice in chunk.choices if choice.finish_reason]
    assert len(finishes) <= 1
    assert outcome.error is not None or any(map(has_content, outcome.chunks))


@given(body=st.binary(max_size=200), cut=st.integers(0, 400))
def test_any_bytes(body: bytes, cut: int) -> None:
    """So does anything at all in the middle of a stream."""
    stream = SAID + END
    play(make_decoder(), [stream[:cut] + body + stream[cut:]])
