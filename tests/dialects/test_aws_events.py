# SPDX-License-Identifier: Apache-2.0
"""AWS's binary event stream, and other makers' events inside it."""

import base64
import sys
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.answer_cuts import Outcome, play, play_every_way, tell
from support.aws_frames import frame, frame_headers, frame_raw
from trunkline_server.core.errors import GatewayError, reason_name
from trunkline_server.dialects.anthropic.stream import StreamDecoder
from trunkline_server.dialects.aws_events import AwsEvent, AwsEventDecoder, Unframed, is_event_stream

STREAM = frame("a", {"n": 1}) + frame("b", b"") + frame("c", {"t": "東京" * 40})
EVENTS = [
    AwsEvent(kind="a", is_exception=False, payload=b'{"n":1}'),
    AwsEvent(kind="b", is_exception=False, payload=b""),
    AwsEvent(kind="c", is_exception=False, payload=orjson.dumps({"t": "東京" * 40})),
]


def decode(blocks: list[bytes], **options: Any) -> tuple[list[AwsEvent], str | None]:
    """The events of some blocks, and the reason of the failure."""
    decoder = AwsEventDecoder(**options)
    events = [event for block in blocks for event in decoder.feed(block)]
    return events, None if decoder.failure is None else reason_name(decoder.failure.reason)


@pytest.mark.parametrize("place", range(len(STREAM)))
def test_split_at_each_byte(place: int) -> None:
    """Where the network cuts does not matter."""
    assert decode([STREAM[:place], STREAM[place:]]) == (EVENTS, None)


def test_byte_by_byte() -> None:
    """Nor how small the pieces are."""
    assert decode([STREAM[place : place + 1] for place in range(len(STREAM))]) == (EVENTS, None)


@pytest.mark.parametrize("place", range(len(frame("a", {"n": 1}))))
def test_damage(place: int) -> None:
    """A bit that changed on its way is noticed, wherever it is; what came before it counts."""
    damaged = bytearray(frame("a", {"n": 1}))
    damaged[place] ^= 1
    events, failure = decode([frame("b", {}), bytes(damaged), frame("c", {})])
    assert (events, failure) == ([AwsEvent(kind="b", is_exception=False, payload=b"{}")], "PROVIDER_INVALID_RESPONSE")


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_any_bytes(blocks: list[bytes]) -> None:
    """Bytes that are no stream raise nothing here: they set the failure, or wait for more."""
    assert decode(blocks)[1] in (None, "PROVIDER_INVALID_RESPONSE")


@pytest.mark.parametrize("headers", [b"\xff", b"\x05ab", b"\x01a\x04\x00", b"\x01a\xff", b"\x01a\x07\x00\x01\xff"])
def test_headers_that_are_none(headers: bytes) -> None:
    """Headers that break off, or are of no known type, under checksums that hold."""
    message = frame_headers(headers)
    assert decode([frame("b", {}), message])[1] == "PROVIDER_INVALID_RESPONSE"


def test_lengths() -> None:
    """A message beyond the limit, or shorter than any, is refused by its first bytes."""
    assert decode([frame("a", b"x" * 500)], limit_bytes=200) == ([], "PROVIDER_INVALID_RESPONSE")
    assert decode([b"\x00\x00\x00\x0c" + b"\x00" * 8]) == ([], "PROVIDER_INVALID_RESPONSE")


def test_what_is_inside() -> None:
    """Where a message has begun and not ended, the stream was cut there."""
    decoder = AwsEventDecoder()
    told = [(decoder.feed(block), decoder.inside)[1] for block in (STREAM[:5], STREAM[5:-1], STREAM[-1:])]
    assert told == [True, True, False]


def test_exceptions() -> None:
    """Both forms of exceptions are told apart from events."""
    unmodelled = frame_raw({":message-type": "error", ":error-code": "Internal", ":error-message": "Oops"}, b"")
    events, _ = decode([frame("throttlingException", {"message": "slow"}, is_exception=True), unmodelled])
    assert events == [
        AwsEvent(kind="throttlingException", is_exception=True, payload=b'{"message":"slow"}'),
        AwsEvent(kind="Internal", is_exception=True, payload=b'{"message":"Oops"}'),
    ]


def test_content_types() -> None:
    """The framing is known by its content type."""
    told = [
        is_event_stream({"content-type": kind}) for kind in ("application/vnd.amazon.eventstream", "text/event-stream")
    ]
    assert (told, is_event_stream({})) == ([True, False], False)


def test_without_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    """The failure says what to install."""
    monkeypatch.setitem(sys.modules, "botocore.eventstream", None)
    with pytest.raises(GatewayError, match=r"install `trunkline\[server,bedrock\]`"):
        AwsEventDecoder()


SAID = [
    {
        "type": "message_start",
        "message": {"id": "msg_1", "model": "claude", "usage": {"input_tokens": 3, "output_tokens": 1}},
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel\nlo"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 3}},
]


def wrap(value: object) -> bytes:
    """An event of another maker's, as `invoke-with-response-stream` sends it."""
    return frame("chunk", {"bytes": base64.b64encode(orjson.dumps(value)).decode(), "p": "abcd"})


def unframed() -> Unframed:
    """A decoder of Anthropic's events inside AWS's framing."""
    return Unframed(StreamDecoder({}), {})


def test_events_inside() -> None:
    """They are read as if they had come alone, however the bytes are cut."""
    outcome = play_every_way(unframed, b"".join(wrap(value) for value in SAID))
    plain = play(StreamDecoder({}), [b"".join(b"data: %b\n\n" % orjson.dumps(value) for value in SAID)])
    assert (tell(outcome), outcome.error) == (tell(plain), None)
    assert tell(outcome)["usage"] == (3, 4, 7)


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        (b"", "PROVIDER_UNAVAILABLE"),
        (wrap(SAID[3])[:-3], "PROVIDER_UNAVAILABLE"),
        (frame("throttlingException", {"message": "slow"}, is_exception=True), "RATE_LIMIT_EXCEEDED"),
        (frame("modelStreamErrorException", {"message": "x"}, is_exception=True), "PROVIDER_UNAVAILABLE"),
        (frame("chunk", {"bytes": "%%%"}), "PROVIDER_INVALID_RESPONSE"),
        (frame("chunk", {}), "PROVIDER_INVALID_RESPONSE"),
        (frame("chunk", b"no json"), "PROVIDER_INVALID_RESPONSE"),
        (wrap(SAID[3])[:-1] + b"\x00", "PROVIDER_INVALID_RESPONSE"),
        (wrap({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}), "PROVIDER_OVERLOADED"),
    ],
)
def test_ends_that_are_none(last: bytes, reason: str) -> None:
    """What came is handed out, and the failure after it: a cut is never silent."""
    outcome: Outcome = play_every_way(unframed, b"".join(wrap(value) for value in SAID[:3]) + last)
    assert outcome.error is not None
    assert reason_name(outcome.error.reason) == reason
    assert "".join(chunk.choices[0].delta.content for chunk in outcome.chunks) == "Hel\nlo"
