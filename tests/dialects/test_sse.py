# SPDX-License-Identifier: Apache-2.0
"""The SSE decoder: the rules of the WHATWG, however the bytes are cut."""

import time
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from support.answer_cuts import cuts
from trunkline_server.core.errors import GatewayError, reason_name
from trunkline_server.dialects.sse import MAX_EVENT_BYTES, Event, SseDecoder

LIMIT = 64


def decode(blocks: Iterable[bytes], limit: int = MAX_EVENT_BYTES) -> tuple[list[Event], str | None]:
    """The events of a stream, and the message of its failure."""
    decoder = SseDecoder(limit)
    events: list[Event] = []
    try:
        for block in blocks:
            events += decoder.feed(block)
        events += decoder.close()
    except GatewayError as error:
        return events, error.message
    return events, None


CASES = [
    ("one event", b"data: a\n\n", [(b"", b"a")]),
    ("two events", b"data: a\n\ndata: b\n\n", [(b"", b"a"), (b"", b"b")]),
    ("CR", b"data: a\r\rdata: b\r\r", [(b"", b"a"), (b"", b"b")]),
    ("CRLF", b"data: a\r\n\r\ndata: b\r\n\r\n", [(b"", b"a"), (b"", b"b")]),
    ("mixed line ends", b"data: a\r\n\rdata: b\n\r\ndata: c\r\n\n", [(b"", b"a"), (b"", b"b"), (b"", b"c")]),
    ("an LF that belongs to the CR before it ends no event", b"data: a\r\ndata: b\n\n", [(b"", b"a\nb")]),
    ("byte order mark", b"\xef\xbb\xbfdata: a\n\n", [(b"", b"a")]),
    ("only the first byte order mark", b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", [(b"", b"b")]),
    ("half a byte order mark", b"\xef\xbbdata: a\n\ndata: b\n\n", [(b"", b"b")]),
    ("nothing but half a byte order mark", b"\xef\xbb", []),
    ("comments", b": hello\n\n:\n\ndata: a\n: in between\n\n", [(b"", b"a")]),
    ("several data lines", b"data: a\ndata: b\ndata:\n\n", [(b"", b"a\nb\n")]),
    ("no space after the colon", b"data:a\n\n", [(b"", b"a")]),
    ("only one space is taken off", b"data:  a \n\n", [(b"", b" a ")]),
    ("no colon", b"data\n\n", [(b"", b"")]),
    ("empty data", b"data: \n\n", [(b"", b"")]),
    ("colons in the value", b"data: a: b:c\n\n", [(b"", b"a: b:c")]),
    ("type before data", b"event: x\ndata: a\n\n", [(b"x", b"a")]),
    ("type after data", b"data: a\nevent: x\n\n", [(b"x", b"a")]),
    ("the last type counts", b"event: x\nevent: y\ndata: a\n\n", [(b"y", b"a")]),
    ("a type holds for one event", b"event: x\ndata: a\n\ndata: b\n\n", [(b"x", b"a"), (b"", b"b")]),
    ("no data, no event", b"event: x\nid: 1\n\ndata: a\n\n", [(b"", b"a")]),
    ("id, retry and unknown fields", b"id: 1\nretry: 5\nfoo: bar\n data: no\nDATA: no\ndata: a\n\n", [(b"", b"a")]),
    ("more blank lines", b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n\n", [(b"", b"a"), (b"", b"b")]),
    ("the last event without its blank line", b"data: a\n\ndata: b\n", [(b"", b"a"), (b"", b"b")]),
    ("the last event without any line end", b"data: a\n\ndata: b", [(b"", b"a"), (b"", b"b")]),
    ("nothing", b"", []),
    ("only blank lines", b"\n\r\n\r", []),
    (
        "what str.splitlines would split",
        "data: a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\n\n".encode(),
        [(b"", "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg".encode())],
    ),
    ("characters of two to four bytes", "data: é€😀\n\n".encode(), [(b"", "é€😀".encode())]),
    ("bytes that are no UTF-8", b"data: a\xffb\xf0\x9f\n\n", [(b"", "a\ufffdb\ufffd".encode())]),
    ("a surrogate in UTF-8", b"data: \xed\xa0\x80\n\n", [(b"", "\ufffd\ufffd\ufffd".encode())]),
    ("a NUL", b"data: a\x00b\n\n", [(b"", b"a\x00b")]),
]


@pytest.mark.parametrize(("body", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_events(body: bytes, expected: list[Event]) -> None:
    """A stream gives the events of the standard, however it is cut."""
    assert [blocks for blocks in cuts(body) if decode(blocks) != (expected, None)] == []


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"data: ok\n\ndata: " + b"x" * LIMIT + b"\n\ndata: never\n\n", id="one line"),
        pytest.param(b"data: ok\n\n" + b"data: 012345678\n" * 6 + b"\n", id="many lines"),
        pytest.param(b"data: ok\n\ndata: " + b"x" * 3 * LIMIT, id="a line without end"),
        pytest.param(b"data: ok\r\n\r\ndata: " + b"x" * LIMIT + b"\r\n\r\n", id="CRLF"),
        pytest.param(b"data: ok\n\n:" + b"x" * LIMIT + b"\n\n", id="a comment"),
    ],
)
def test_too_long_an_event_is_a_failure(body: bytes) -> None:
    """An event beyond the limit fails the stream, after the events before it have been handed out."""
    failure = "The provider sent an event of more than 64 bytes."
    assert [blocks for blocks in cuts(body) if decode(blocks, LIMIT) != ([(b"", b"ok")], failure)] == []


def test_an_event_of_the_limit_passes() -> None:
    """The limit itself is allowed, whatever blank lines stand around the event."""
    body = b"\n\ndata: " + b"x" * (LIMIT - 6) + b"\n\n\n"
    assert [blocks for blocks in cuts(body) if decode(blocks, LIMIT) != ([(b"", b"x" * (LIMIT - 6))], None)] == []


def test_the_failure_is_known_at_once() -> None:
    """`failure` is set by the block that brings it, and its reason is the provider's invalid answer."""
    decoder = SseDecoder(LIMIT)
    assert decoder.feed(b"data: ok\n\ndata: " + b"x" * LIMIT + b"\n\n") == [(b"", b"ok")]
    assert decoder.failure is not None
    assert reason_name(decoder.failure.reason) == "PROVIDER_INVALID_RESPONSE"


LINES = st.sampled_from(
    [b"data: a", b"data:b", b"data", b"event: x", b": c", b"id", "data: €\u2028😀".encode(), b"\xff"]
)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
STREAMS = st.one_of(
    st.binary(max_size=80),
    st.lists(st.tuples(st.one_of(LINES, st.just(b"")), ENDS), max_size=20).map(
        lambda lines: b"".join(map(b"".join, lines))
    ),
)


@given(body=STREAMS, places=st.lists(st.integers(min_value=0, max_value=400), max_size=8))
@example(body=b"data: a\r\n\r\n", places=[8, 9])
@example(body=b"data: a\n\n\ndata: b\n\n", places=[9])
@example(body=b"\xef\xbb\xbfdata: a\n\n", places=[1, 2])
def test_any_split_is_equal(body: bytes, places: list[int]) -> None:
    """Whatever the bytes and wherever they are cut, the events are the same, valid UTF-8, and nothing but GatewayError is raised."""
    bounds = [0, *sorted(min(place, len(body)) for place in places), len(body)]
    blocks = [body[start:end] for start, end in pairwise(bounds)]
    whole = decode([body], LIMIT)
    assert decode(blocks, LIMIT) == whole
    assert all(kind.decode() is not None and data.decode() is not None for kind, data in whole[0])


def seconds_for(size: int) -> float:
    """How long an event of that size takes in blocks of one byte."""
    body = b"data: " + b"x" * size + b"\n\n"
    decoder = SseDecoder()
    started = time.perf_counter()
    for place in range(len(body)):
        decoder.feed(body[place : place + 1])
    return time.perf_counter() - started


def test_time_is_linear() -> None:
    """Ten times the input in blocks of one byte takes about ten times as long, not a hundred."""
    small = min(seconds_for(20_000) for _ in range(3))
    large = seconds_for(200_000)
    print(f"20 kB in {small:.4f} s, 200 kB in {large:.4f} s")
    assert large < 40 * small
