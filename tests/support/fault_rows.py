# SPDX-License-Identifier: Apache-2.0
"""The fault matrix as a table: what the provider does in each row, and what a client must then see.

A row has what the provider sends where a stream was asked for, and where a whole answer was (None: the row says nothing of that). Rows "pre" fail before any
content, rows "post" after the first of it. A provider's name in a row says which way is taken to it: see `fault_gateway`.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc
import orjson

from support.fault_upstream import Answer, Close, Hang, Pause, Reset, Step, json_answer, sse_event
from support.fault_upstream import text_chunk as text

EVENTS: Final = {"content-type": "text/event-stream"}
JSON: Final = {"content-type": "application/json"}
OK: Final = b"HTTP/1.1 200 OK\r\n"
BOTH_USED: Final = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fails:
    """The call fails before any content, where no other endpoint is left. `elsewhere`: another endpoint is asked where there is one; `again`: the same one may be,
    once more. `retry_after_s` is what the client is told to wait.
    """

    status: int
    error_type: str
    code: grpc.StatusCode
    elsewhere: bool = True
    again: bool = False
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaks:
    """Content comes, and then the failure. Nobody else is asked."""

    end: Fails
    text: str = "Hello"


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """The answer comes as if nothing were odd. None: the row does not care."""

    text: str = "Hello"
    finish: str = "stop"
    native: str | None = None
    calls: Sequence[tuple[str, str]] = ()
    usage: tuple[int, int] | None = None
    estimated: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault. `unseen`: the upstream cannot be reached, so it sees nothing. `large`: the answer takes many MiB."""

    number: str
    name: str
    outcome: Fails | Breaks | Says
    streamed: Answer | None = None
    whole: Answer | None = None
    provider: str = "faulty"
    unseen: bool = False
    large: bool = False


UNAVAILABLE: Final = Fails(status=502, error_type="provider_unavailable", code=grpc.StatusCode.UNAVAILABLE, again=True)
INVALID: Final = Fails(status=502, error_type="provider_unavailable", code=grpc.StatusCode.UNAVAILABLE)
OVERLOADED: Final = Fails(status=503, error_type="provider_overloaded", code=grpc.StatusCode.UNAVAILABLE, again=True)
TIMEOUT: Final = Fails(status=504, error_type="timeout", code=grpc.StatusCode.DEADLINE_EXCEEDED, again=True)
LIMITED: Final = Fails(status=429, error_type="rate_limit_exceeded", code=grpc.StatusCode.RESOURCE_EXHAUSTED)
UNKNOWN_MODEL: Final = Fails(status=400, error_type="invalid_request", code=grpc.StatusCode.INVALID_ARGUMENT)


def limited(retry_after_s: float) -> Fails:
    """Refused for a while."""
    return Fails(
        status=429,
        error_type="rate_limit_exceeded",
        code=grpc.StatusCode.RESOURCE_EXHAUSTED,
        retry_after_s=retry_after_s,
    )


def refused(error_type: str, status: int = 400, code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT) -> Fails:
    """The request is at fault: nobody else is asked."""
    return Fails(status=status, error_type=error_type, code=code, elsewhere=False)


def whole(content: str | None = "Hello", *, finish: str | None = "stop", usage: Any = BOTH_USED, **message: Any) -> Any:
    """A whole answer in OpenAI's form."""
    said = {"role": "assistant", "content": content, **message}
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": said, "finish_reason": finish}],
    }
    return answer if usage is None else {**answer, "usage": usage}


def delta(finish_reason: str | None = None, **fields: Any) -> Mapping[str, Any]:
    """A chunk with any delta."""
    return {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": fields, "finish_reason": finish_reason}]}


ROLE: Final = delta(role="assistant", content="")
LAST: Final = text("lo", finish_reason="stop", usage=BOTH_USED)
WHOLE: Final = json_answer(whole())
WHOLE_TEXT: Final = orjson.dumps(whole())
STREAM_TEXT: Final = b"".join([sse_event(ROLE), sse_event(text("Hel")), sse_event(LAST), b"data: [DONE]\n\n"])
STREAM: Final = Answer(headers=EVENTS, steps=[STREAM_TEXT])


def events(*steps: Step) -> Answer:
    """A stream of these steps."""
    return Answer(headers=EVENTS, steps=steps)


def body(*steps: Step) -> Answer:
    """A whole answer of these steps."""
    return Answer(headers=JSON, steps=steps)


def raw(*steps: Step) -> Answer:
    """An answer that writes its own HTTP."""
    return Answer(raw=True, steps=steps)


def head(kind: str, *lines: str) -> bytes:
    """The head of a raw answer."""
    return OK + b"".join(f"{line}\r\n".encode() for line in (f"content-type: {kind}", *lines)) + b"\r\n"


def same(answer: Answer) -> Mapping[str, Answer]:
    """The provider does the same whatever it was asked for."""
    return {"streamed": answer, "whole": answer}


HELLO: Final = sse_event(text("Hello"))
# One write each, with time between them: what comes together is read together.
SAID: Final[Sequence[Step]] = (sse_event(ROLE), HELLO, Pause(seconds=0.05))
BEGUN: Final[Sequence[Step]] = (sse_event(ROLE), Pause(seconds=0.02))
HALF: Final = WHOLE_TEXT[: len(WHOLE_TEXT) // 2]
DRIPS: Final[Sequence[Step]] = tuple(
    step for byte in OK + b"x: y" * 99 for step in (bytes([byte]), Pause(seconds=0.05))
)
PINGS: Final[Sequence[Step]] = (b": wait\n\n", Pause(seconds=0.05)) * 60


def by_bytes(content: bytes, size: int = 1) -> Sequence[Step]:
    """Pieces of so many bytes, each written by itself."""
    return [content[place : place + size] for place in range(0, len(content), size)]


def gzipped(kind: str, *parts: bytes) -> Answer:
    """A compressed answer; what comes after a part is sent as it is."""
    return Answer(headers={"content-type": kind, "content-encoding": "gzip"}, steps=parts)


def begin_gzip(content: bytes) -> bytes:
    """The beginning of a compressed body, enough to read the content."""
    packer = zlib.compressobj(wbits=31)
    return packer.compress(content) + packer.flush(zlib.Z_SYNC_FLUSH)


TRANSPORT: Final[Sequence[Row]] = (
    Row(number="F01", name="refused", outcome=UNAVAILABLE, provider="refusing", unseen=True, **same(WHOLE)),
    Row(number="F05", name="hole", outcome=TIMEOUT, provider="hole", unseen=True, **same(WHOLE)),
    Row(number="F06", name="silence", outcome=TIMEOUT, provider="silent", **same(raw(Hang()))),
    Row(
        number="F07",
        name="pre.head",
        outcome=TIMEOUT,
        provider="silent",
        streamed=events(Hang()),
        whole=body(Hang()),
    ),
    Row(number="F07", name="pre.role", outcome=TIMEOUT, provider="silent", streamed=events(*BEGUN, Hang())),
    Row(number="F07", name="pre.pings", outcome=TIMEOUT, provider="silent", streamed=events(*PINGS)),
    Row(number="F07", name="pre.half", outcome=TIMEOUT, provider="silent", whole=body(HALF, Hang())),
    Row(number="F07", name="post", outcome=Breaks(end=TIMEOUT), provider="silent", streamed=events(*SAID, Hang())),
    Row(number="F08", name="drips", outcome=TIMEOUT, provider="silent", **same(raw(*DRIPS))),
    Row(number="F09", name="reset", outcome=UNAVAILABLE, **same(raw(Reset()))),
    Row(number="F09", name="closed", outcome=UNAVAILABLE, **same(raw(Close()))),
    Row(number="F10", name="reset", outcome=UNAVAILABLE, whole=body(HALF, Pause(seconds=0.02), Reset())),
    Row(number="F11", name="pre.reset", outcome=UNAVAILABLE, streamed=events(*BEGUN, Reset())),
    Row(number="F11", name="post.reset", outcome=Breaks(end=UNAVAILABLE), streamed=events(*SAID, Reset())),
    Row(
        number="F11",
        name="post.half",
        outcome=Breaks(end=UNAVAILABLE),
        streamed=events(*SAID, HELLO[:20], Pause(seconds=0.02), Reset()),
    ),
    Row(
        number="F12",
        name="pre",
        outcome=UNAVAILABLE,
        streamed=events(*BEGUN, Close()),
        whole=body(HALF, Pause(seconds=0.02), Close()),
    ),
    Row(number="F12", name="post", outcome=Breaks(end=UNAVAILABLE), streamed=events(*SAID, Close())),
    Row(
        number="F13",
        name="pre",
        outcome=UNAVAILABLE,
        streamed=raw(head("text/event-stream", "content-length: 9999"), sse_event(ROLE)),
        whole=raw(head("application/json", "content-length: 9999"), WHOLE_TEXT),
    ),
    Row(
        number="F13",
        name="post",
        outcome=Breaks(end=UNAVAILABLE),
        streamed=raw(head("text/event-stream", "content-length: 9999"), *SAID),
    ),
    # What is behind the declared length belongs to nothing: a second answer there is dropped with its connection, other bytes are no HTTP.
    Row(
        number="F14",
        name="spliced",
        outcome=Says(),
        streamed=raw(head("text/event-stream", f"content-length: {len(STREAM_TEXT)}"), STREAM_TEXT + OK + b"\r\n{}"),
        whole=raw(head("application/json", f"content-length: {len(WHOLE_TEXT)}"), WHOLE_TEXT + OK + b"\r\n{}"),
    ),
    Row(
        number="F14",
        name="rubbish",
        outcome=INVALID,
        streamed=raw(head("text/event-stream", f"content-length: {len(STREAM_TEXT)}") + STREAM_TEXT + HELLO),
        whole=raw(head("application/json", f"content-length: {len(WHOLE_TEXT)}") + WHOLE_TEXT + HELLO),
    ),
    Row(
        number="F15",
        name="both",
        outcome=INVALID,
        streamed=raw(
            head("text/event-stream", f"content-length: {len(STREAM_TEXT)}", "transfer-encoding: chunked"),
            b"%x\r\n%b\r\n0\r\n\r\n" % (len(STREAM_TEXT), STREAM_TEXT),
        ),
        whole=raw(
            head("application/json", f"content-length: {len(WHOLE_TEXT)}", "transfer-encoding: chunked"),
            b"%x\r\n%b\r\n0\r\n\r\n" % (len(WHOLE_TEXT), WHOLE_TEXT),
        ),
    ),
    Row(
        number="F22",
        name="pre.plain",
        outcome=INVALID,
        streamed=gzipped("text/event-stream", STREAM_TEXT),
        whole=gzipped("application/json", WHOLE_TEXT),
    ),
    Row(
        number="F22",
        name="pre.corrupt",
        outcome=INVALID,
        whole=gzipped("application/json", gzip.compress(WHOLE_TEXT)[:20] + b"\xff" * 40),
    ),
    Row(
        number="F22",
        name="post.corrupt",
        outcome=Breaks(end=INVALID),
        streamed=Answer(
            headers={**EVENTS, "content-encoding": "gzip"},
            steps=[begin_gzip(HELLO), Pause(seconds=0.05), b"\xff" * 40],
        ),
    ),
    Row(
        number="F56",
        name="odd",
        outcome=Says(),
        streamed=raw(
            b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 Very Odd\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\nx-trailer: y\r\n\r\n" % (len(STREAM_TEXT), STREAM_TEXT)
        ),
        whole=raw(
            b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 \r\ncontent-type: application/json\r\n"
            b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\nx-trailer: y\r\n\r\n" % (len(WHOLE_TEXT), WHOLE_TEXT)
        ),
    ),
    Row(
        number="F57",
        name="slow",
        outcome=Says(),
        streamed=events(Pause(seconds=0.7), STREAM_TEXT),
        whole=body(Pause(seconds=0.7), WHOLE_TEXT),
    ),
)
