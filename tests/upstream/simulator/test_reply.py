# SPDX-License-Identifier: Apache-2.0
"""Bytes, blocks, headers and scripted faults."""

import math
from typing import Any

import orjson
import pytest

from support.simulator import (
    CREATED_S,
    DONE,
    ask,
    ask_stream,
    finish,
    fold_stream,
    make_body,
    read_stream,
    read_whole,
    reply_to,
)
from trunkline_server.upstream.simulator.reply import Block, Break, make_reply

EVENTS = "text/event-stream; charset=utf-8"
CHUNKS = 7
"""The `data:` events of a stream of "Hello big world": role, three words, finish, usage, [DONE]."""


def stream(query: str) -> list[Block]:
    """The blocks of a scripted stream."""
    return list(reply_to(f"sim/fault?{query}", stream=True).blocks)


def events(query: str) -> list[Any]:
    """The events of a scripted stream."""
    return read_stream(b"".join(block.data for block in stream(query)))


def test_headers_say_what_comes() -> None:
    """The content type follows the form, and the request id the request."""
    whole, streamed = reply_to("sim/echo"), reply_to("sim/echo", stream=True)
    assert (whole.status, whole.headers["content-type"]) == (200, "application/json")
    assert (streamed.status, streamed.headers["content-type"]) == (200, EVENTS)
    assert whole.headers["x-request-id"] == streamed.headers["x-request-id"]


def test_the_time_is_the_one_given() -> None:
    """Nothing else in an answer depends on the clock."""
    one, other = (
        orjson.loads(read_whole(finish(make_reply("/chat/completions", make_body("sim/echo"), at)))) for at in (1, 2)
    )
    assert (one.pop("created"), other.pop("created")) == (1, 2)
    assert one == other


@pytest.mark.parametrize(
    "model", ["sim/echo", "sim/tools", "sim/json", "sim/reasoner", "sim/vision", "sim/image", "sim/fault?tps=9"]
)
@pytest.mark.parametrize("streamed", [False, True])
def test_the_same_request_gives_the_same_bytes(model: str, streamed: bool) -> None:
    """Two replies to one request are equal to the byte, and so are their blocks."""
    assert list(reply_to(model, stream=streamed).blocks) == list(reply_to(model, stream=streamed).blocks)


def test_blocks_grow_from_one_event() -> None:
    """Readers meet batches of several sizes, and no event is split."""
    blocks = [block.data.count(b"\n\n") for block in reply_to("sim/echo", "x " * 40, stream=True).blocks]
    assert blocks == [1, 2, 4, 8, 16, 14]


def test_paced_streams_bring_one_event_a_block() -> None:
    """Tokens wait, the first for ttft_ms and the others for their share of a second; what is no token comes at once."""
    blocks = stream("ttft_ms=250&tps=4")
    assert [block.data.count(b"\n\n") for block in blocks] == [1] * CHUNKS
    assert [block.wait_s for block in blocks] == [0, 0.25, 0.25, 0.25, 0, 0, 0]
    assert [block.wait_s for block in stream("ttft_ms=50")] == [0, 0.05, 0, 0, 0, 0, 0]


def test_whole_answers_wait_for_all_their_tokens() -> None:
    """One piece comes when its last token would."""
    assert [block.wait_s for block in reply_to("sim/fault?ttft_ms=500&tps=2").blocks] == [1.5]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "query", ["", "?latency_ms=5", "?cut_after=99", "?malformed_at=99", "?error_at=99", "?tps=100"]
)
def test_what_does_not_strike_changes_nothing(query: str, streamed: bool) -> None:
    """A fault that comes too late leaves the echo as it is."""
    answer = fold_stream(ask_stream(f"sim/fault{query}")) if streamed else ask(f"sim/fault{query}")
    assert answer["choices"] == ask("sim/echo")["choices"]


@pytest.mark.parametrize(
    ("query", "count", "then"),
    [
        ("cut_after=0", 0, Break.BROKEN),
        ("cut_after=3", 3, Break.BROKEN),
        (f"cut_after={CHUNKS - 1}", CHUNKS - 1, Break.BROKEN),
        (f"cut_after={CHUNKS}", CHUNKS, None),
        ("end_after=3", 3, None),
        ("stall_after=2", 2, Break.SILENT),
        ("cut_after=4&stall_after=2", 2, Break.SILENT),
        ("cut_after=2&end_after=2", 2, None),
        ("tps=9&cut_after=3", 3, Break.BROKEN),
    ],
)
def test_streams_break_where_scripted(query: str, count: int, then: Break | None) -> None:
    """So many events come, and then what the script says."""
    blocks = stream(query)
    assert len(events(query)) == count
    assert [block.then for block in blocks[-1:]] in ([then], [])
    assert {block.then for block in blocks[:-1]} <= {None}


@pytest.mark.parametrize(
    ("query", "then"), [("cut_after=0", Break.BROKEN), ("end_after=0", None), ("stall_after=0", Break.SILENT)]
)
def test_whole_answers_break_in_their_middle(query: str, then: Break | None) -> None:
    """One piece is one chunk: after none of it, half is there."""
    (block,) = reply_to(f"sim/fault?{query}").blocks
    assert block.then is then
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(block.data)


@pytest.mark.parametrize(
    ("query", "keys", "contents", "finishes"),
    [
        ("cut_after=1", {}, [""], ["error"]),
        ("cut_after=2", {}, ["Hello"], ["error"]),
        ("cut_after=3", {}, ["Hello big"], ["error"]),
        ("cut_after=4", {}, ["Hello big world"], ["error"]),
        ("cut_after=5", {}, ["Hello big world"], ["stop"]),
        ("cut_after=1", {"n": 2}, ["", ""], ["error", "error"]),
        ("cut_after=5", {"n": 2}, ["Hello big", "Hello"], ["error", "error"]),
        ("cut_after=9", {"n": 2}, ["Hello big world"] * 2, ["stop", "error"]),
        ("cut_after=4&no_finish=1", {}, ["Hello big world"], [None]),
        ("cut_after=4&end_after=3", {}, ["Hello big world"], ["stop"]),
    ],
)
def test_whole_answers_can_fail_midway(query: str, keys: dict[str, Any], contents: Any, finishes: Any) -> None:
    """The choices hold what the chunks of a stream would have brought; those that had not ended say that they failed."""
    choices = ask(f"sim/fault?{query}", **keys)["choices"]
    assert [choice["message"]["content"] for choice in choices] == contents
    assert [choice["finish_reason"] for choice in choices] == finishes
    assert ["error" in choice for choice in choices] == [finish == "error" for finish in finishes]


@pytest.mark.parametrize(("query", "code"), [("cut_after=2", 502), ("cut_after=2&code=overloaded", "overloaded")])
def test_failed_choices_say_why(query: str, code: str | int) -> None:
    """The error has a message and the script's code; usage counts what there is, and the status is 200."""
    reply = reply_to(f"sim/fault?{query}")
    answer = orjson.loads(read_whole(reply))
    assert answer["choices"][0]["error"] == {"code": code, "message": "This failure was asked for."}
    assert (reply.status, answer["usage"]["completion_tokens"]) == (200, 1)


def test_a_malformed_chunk_is_no_json() -> None:
    """The chunk is framed as an event and broken inside; the others are whole."""
    lines = read_whole(reply_to("sim/fault?malformed_at=3", stream=True)).split(b"\n\n")
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(lines[2].removeprefix(b"data: "))
    assert orjson.loads(lines[3].removeprefix(b"data: "))["choices"][0]["delta"] == {"content": " world"}
    with pytest.raises(orjson.JSONDecodeError):
        ask("sim/fault?malformed_at=1")


def test_an_error_event_ends_a_stream() -> None:
    """The event holds an error object and is the last; in one piece it is the whole body."""
    error = {"message": "This failure was asked for.", "type": "server_error", "param": None, "code": "overloaded"}
    assert events("error_at=3&code=overloaded")[2:] == [{"error": error}]
    assert ask("sim/fault?error_at=1&code=overloaded") == {"error": error}


def test_parts_of_an_answer_can_be_missing() -> None:
    """Tokens, finish, usage and [DONE] are left out one by one."""
    assert ask("sim/fault?no_tokens=1")["usage"]["completion_tokens"] == 0
    assert ask("sim/fault?no_finish=1")["choices"][0]["finish_reason"] is None
    assert ask("sim/fault?finish=content_filter")["choices"][0]["finish_reason"] == "content_filter"
    assert "usage" not in ask("sim/fault?no_usage=1")
    assert fold_stream(events("no_finish=1"))["choices"][0]["finish_reason"] is None
    assert [event for event in events("no_usage=1&no_done=1") if event == DONE or "usage" in event] == []


@pytest.mark.parametrize(
    ("query", "status", "content_type", "body"),
    [
        ("html=1", 200, "text/html; charset=utf-8", b"<!doctype html>"),
        ("html=1&status=502", 502, "text/html; charset=utf-8", b"<!doctype html>"),
        ("empty=1", 200, EVENTS, b""),
        ("empty=1&status=503", 503, EVENTS, b""),
        (
            "error_body=1",
            200,
            "application/json",
            b'{"error":{"message":"This failure was asked for.","type":"server_error"',
        ),
        (
            "status=429",
            429,
            "application/json",
            b'{"error":{"message":"This failure was asked for.","type":"rate_limit_error"',
        ),
        (
            "status=400&code=context_length_exceeded",
            400,
            "application/json",
            b'{"error":{"message":"This failure was asked for."',
        ),
        ("status=202", 202, EVENTS, b"data: {"),
    ],
)
def test_answers_can_be_something_else(query: str, status: int, content_type: str, body: bytes) -> None:
    """A page, nothing, or an error, with any status."""
    reply = reply_to(f"sim/fault?{query}", stream=True)
    assert (reply.status, reply.headers["content-type"]) == (status, content_type)
    assert read_whole(reply)[: len(body) or None] == body


def test_error_bodies_carry_the_code() -> None:
    """The code of the query is the code of the error."""
    assert ask("sim/fault?status=400&code=context_length_exceeded")["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize("query", ["status=429&retry_after=7", "retry_after=7", "html=1&retry_after=7"])
def test_retry_after_is_a_header(query: str) -> None:
    """It is sent with whatever answer there is."""
    assert reply_to(f"sim/fault?{query}").headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("query", "wait_s", "refused"),
    [
        ("", 0, False),
        ("latency_ms=20", 0.02, False),
        ("hang=1", math.inf, False),
        ("refuse=1", 0, True),
        ("refuse=1&status=500", 0, True),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_heads_can_wait_hang_or_be_refused(query: str, wait_s: float, refused: bool, streamed: bool) -> None:
    """What happens before the head is for the upstream to act out."""
    reply = reply_to(f"sim/fault?{query}", stream=streamed)
    assert (reply.wait_s, reply.refused) == (wait_s, refused)


def test_other_paths_are_not_served() -> None:
    """There is one path."""
    assert finish(make_reply("/embeddings", make_body("sim/echo"), CREATED_S)).status == 404
