# SPDX-License-Identifier: Apache-2.0
"""The rows of the fault matrix in which the provider answers, and its answer is wrong, odd or an error."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import grpc
import orjson

from support.fault_rows import (
    BEGUN,
    BOTH_USED,
    EVENTS,
    HELLO,
    INVALID,
    JSON,
    LAST,
    LIMITED,
    OVERLOADED,
    ROLE,
    SAID,
    STREAM,
    STREAM_TEXT,
    TIMEOUT,
    UNAVAILABLE,
    UNKNOWN_MODEL,
    WHOLE,
    WHOLE_TEXT,
    Breaks,
    Fails,
    Row,
    Says,
    body,
    by_bytes,
    delta,
    events,
    limited,
    refused,
    same,
    whole,
)
from support.fault_upstream import Answer, Pause, json_answer, sse_event, stream_answer
from support.fault_upstream import text_chunk as text

PAGE: Final = Answer(headers={"content-type": "text/html"}, steps=[b"<!doctype html><title>502 Bad Gateway</title>"])
TOO_LONG: Final = 33 << 20
HARMLESS: Final = b": a comment\nevent: message\nid: 7\nretry: 10\nunknown: x\n"


def told(message: str, **fields: Any) -> Mapping[str, Any]:
    """An error in OpenAI's form."""
    return {"error": {"message": message, **fields}}


def refusing(number: str, name: str, outcome: Fails, status: int, error: Any, **headers: str) -> Row:
    """A row in which the provider answers with an error status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Row(number=number, name=name, outcome=outcome, **same(json_answer(error, status=status, headers=named)))


def spoken(number: str, name: str, outcome: Says, *chunks: Any, answer: Any = None, done: bool = True) -> Row:
    """A row in which the stream is these chunks, and the whole answer is this value (None: the row is of streams alone)."""
    return Row(
        number=number,
        name=name,
        outcome=outcome,
        streamed=stream_answer(*chunks, done=done),
        whole=None if answer is None else json_answer(answer),
    )


def calling(*pieces: Any, finish: str | None = None) -> Mapping[str, Any]:
    """A chunk with pieces of tool calls."""
    return delta(finish, tool_calls=list(pieces))


def piece(arguments: str, name: str | None = None, **fields: Any) -> Mapping[str, Any]:
    """A piece of a tool call."""
    function = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    return {"type": "function", "function": function, **fields}


NO_ANSWERS: Final[Sequence[Row]] = (
    Row(number="F16", name="page", outcome=INVALID, **same(PAGE)),
    Row(number="F17", name="limited", outcome=LIMITED, **same(json_answer(told("slow down", code=429)))),
    Row(number="F17", name="inside", outcome=UNAVAILABLE, **same(json_answer(told("inside", code=500)))),
    Row(number="F17", name="event", outcome=OVERLOADED, streamed=stream_answer(told("busy", code=503), done=False)),
    Row(number="F18", name="empty", outcome=INVALID, streamed=events(), whole=body()),
    Row(number="F18", name="done", outcome=INVALID, streamed=stream_answer()),
    Row(number="F18", name="blank", outcome=INVALID, whole=body(b" \n ")),
    Row(number="F19", name="json", outcome=Says(usage=(7, 3)), streamed=WHOLE),
    Row(number="F20", name="events", outcome=Says(usage=(7, 3)), whole=STREAM),
    Row(
        number="F21",
        name="swapped",
        outcome=Says(),
        streamed=Answer(headers=JSON, steps=[STREAM_TEXT]),
        whole=Answer(headers=EVENTS, steps=[WHOLE_TEXT]),
    ),
    Row(
        number="F21",
        name="page",
        outcome=Says(),
        streamed=Answer(headers={"content-type": "text/html"}, steps=[STREAM_TEXT]),
        whole=Answer(headers={"content-type": "text/html"}, steps=[WHOLE_TEXT]),
    ),
    Row(
        number="F23",
        name="bomb",
        outcome=INVALID,
        large=True,
        **same(
            Answer(
                headers={**JSON, "content-encoding": "gzip"},
                steps=[gzip.compress(b'{"choices": "' + b"x" * TOO_LONG, 1)],
            )
        ),
    ),
    Row(number="F24", name="long", outcome=INVALID, whole=body(b'{"choices": "', *[b"x" * (1 << 20)] * 33), large=True),
    Row(number="F25", name="pre", outcome=INVALID, streamed=events(sse_event({"x": "x" * (1 << 20)}))),
    Row(
        number="F25",
        name="post",
        outcome=Breaks(end=INVALID),
        streamed=events(*SAID, sse_event({"x": "x" * (1 << 20)})),
    ),
    Row(number="F26", name="pre", outcome=INVALID, streamed=events(*[b"data: " + b"x" * (256 << 10)] * 5)),
    Row(
        number="F26",
        name="post",
        outcome=Breaks(end=INVALID),
        streamed=events(*SAID, *[b"data: " + b"x" * (256 << 10)] * 5),
    ),
    Row(
        number="F27",
        name="endless",
        outcome=Breaks(end=TIMEOUT, text="on "),
        provider="endless",
        streamed=events(*[sse_event(text("on ")), Pause(seconds=0.05)] * 60),
    ),
    Row(number="F37", name="pre", outcome=UNAVAILABLE, streamed=events(*BEGUN)),
    Row(number="F37", name="post", outcome=Breaks(end=UNAVAILABLE), streamed=events(*SAID)),
    Row(number="F39", name="pre", outcome=INVALID, streamed=events(sse_event(ROLE), b'data: {"choices": [\n\n')),
    Row(number="F39", name="post", outcome=Breaks(end=INVALID), streamed=events(*SAID, b'data: {"choices": [\n\n')),
    Row(
        number="F39", name="together", outcome=Breaks(end=INVALID), streamed=events(HELLO + b'data: {"choices": [\n\n')
    ),
)


def _odd_lines() -> Iterator[Row]:
    """Rows about the lines of a stream, whose answer is well."""
    yield Row(
        number="F28",
        name="bytes",
        outcome=Says(usage=(7, 3)),
        streamed=events(*by_bytes(STREAM_TEXT)),
        whole=body(*by_bytes(WHOLE_TEXT)),
    )
    said = "h\u00e9llo \u2713 \U0001f600"
    yield Row(
        number="F29",
        name="utf8",
        outcome=Says(text=said),
        streamed=events(*by_bytes(b"data: " + _utf8(text(said)) + b"\n\n"), sse_event(_finish()), b"data: [DONE]\n\n"),
        whole=body(*by_bytes(_utf8(whole(said)))),
    )
    yield Row(
        number="F30",
        name="utf8",
        outcome=Says(text="a\ufffdb"),
        streamed=events(sse_event(text("a?b")).replace(b"?", b"\xff"), sse_event(_finish()), b"data: [DONE]\n\n"),
        whole=body(_utf8(whole("a?b")).replace(b"?", b"\xff")),
    )
    for name, end in (("cr", b"\r"), ("lf", b"\n"), ("crlf", b"\r\n")):
        yield Row(number="F31", name=name, outcome=Says(), streamed=events(STREAM_TEXT.replace(b"\n", end)))
    mixed = STREAM_TEXT.replace(b"\n\n", b"\r\n\n", 1).replace(b"\n\n", b"\r\r\n", 1)
    yield Row(number="F31", name="mixed", outcome=Says(), streamed=events(*by_bytes(mixed, 7)))
    yield Row(
        number="F31",
        name="bom",
        outcome=Says(),
        streamed=events(b"\xef\xbb\xbf" + STREAM_TEXT),
        whole=body(b"\xef\xbb\xbf" + WHOLE_TEXT),
    )


def _odd_fields() -> Iterator[Row]:
    """Rows about what stands on the lines of a stream, and about its end; the answer is well but for the last."""
    odd = "a\u2028b\u2029c\u0085d"
    yield Row(
        number="F32",
        name="separators",
        outcome=Says(text=odd),
        streamed=events(b"data: " + _utf8(text(odd)) + b"\n\n", sse_event(_finish()), b"data: [DONE]\n\n"),
        whole=body(_utf8(whole(odd))),
    )
    yield Row(
        number="F33",
        name="fields",
        outcome=Says(),
        streamed=events(HARMLESS + b"\n", STREAM_TEXT.replace(b"data:", HARMLESS + b"data:")),
    )
    lines = STREAM_TEXT.replace(b', "'[:1] + b'"choices"', b',\ndata: "choices"')
    yield Row(number="F34", name="lines", outcome=Says(), streamed=events(lines))
    bare = STREAM_TEXT.removesuffix(b"data: [DONE]\n\n")
    yield Row(number="F35", name="finish", outcome=Says(usage=(7, 3)), streamed=events(bare.removesuffix(b"\n\n")))
    yield Row(
        number="F35",
        name="cut",
        outcome=Breaks(end=UNAVAILABLE),
        streamed=events(*SAID, sse_event(text(" you")).removesuffix(b"\n\n")),
    )
    yield Row(number="F36", name="undone", outcome=Says(usage=(7, 3)), streamed=events(bare))
    yield Row(number="F38", name="after", outcome=Says(), streamed=events(STREAM_TEXT, HELLO, b"data: {broken\n\n"))


def _utf8(value: Any) -> bytes:
    return orjson.dumps(value)


def _finish(reason: str = "stop", **rest: Any) -> Any:
    return text("", finish_reason=reason, **rest)


def _odd_answers() -> Iterator[Row]:
    """Rows about usage, tool calls and finishes, whose answer is well."""
    hello, end = text("Hello"), _finish()
    yield spoken("F40", "none", Says(estimated=True), hello, end, answer=whole(usage=None))
    yield spoken("F41", "finish", Says(usage=(7, 3), estimated=False), hello, _finish(usage=BOTH_USED))
    own = {"choices": [], "usage": BOTH_USED}
    yield spoken("F41", "own", Says(usage=(7, 3), estimated=False), hello, end, own)
    counts = [
        {"usage": {"prompt_tokens": 7, "completion_tokens": count, "total_tokens": 7 + count}} for count in (1, 3)
    ]
    yield spoken("F41", "every", Says(usage=(7, 3)), text("Hel", **counts[0]), text("lo", **counts[1]), end)
    for name, bad in (("negative", -5), ("text", "many"), ("broken", 1.5)):
        absurd = {"prompt_tokens": 7, "completion_tokens": bad, "total_tokens": 7}
        yield spoken("F42", name, Says(estimated=True), hello, _finish(usage=absurd), answer=whole(usage=absurd))
    twice = [piece('{"a":1}', "f", index=0, id="x"), piece('{"b":2}', "g", index=1, id="x")]
    both = Says(text="", finish="tool_calls", calls=(("f", '{"a":1}'), ("g", '{"b":2}')))
    yield spoken("F43", "twice", both, calling(*twice), _finish("tool_calls"), answer=_calls(*twice))
    absent = [piece('{"a":1}', "f", index=0), piece('{"b":2}', "g", index=1)]
    yield spoken("F43", "absent", both, calling(*absent), _finish("tool_calls"), answer=_calls(*absent))
    one = Says(text="", finish="tool_calls", calls=(("f", '{"a":1}'),))
    start, rest = piece('{"a"', "f", index=0, id="x"), piece(":1}", index=0, id="y")
    yield spoken("F43", "changed", one, calling(start), calling(rest), _finish("tool_calls"))
    mixed = [calling(piece('{"b"', "g", index=5, id="y")), calling(piece('{"a"', "f", index=2, id="x"))]
    mixed += [calling(piece(":2}", index=5)), calling(piece(":1}", index=2))]
    order = replace(both, calls=(("g", '{"b":2}'), ("f", '{"a":1}')))
    yield spoken("F44", "gaps", order, *mixed, _finish("tool_calls"))
    loose = piece("not json {", "f", index=0, id="x")
    passed = replace(one, calls=(("f", "not json {"),))
    yield spoken("F45", "text", passed, calling(loose), _finish("tool_calls"), answer=_calls(loose))
    yield spoken("F46", "word", Says(native="eos_token"), hello, _finish("eos_token"), answer=whole(finish="eos_token"))
    nothing = [{"choices": []}, {"id": "x"}, {"choices": [{"index": 0, "delta": None}]}]
    again = delta(role="assistant", content="lo")
    yield spoken("F47", "gaps", Says(), *nothing, text("Hel"), again, {"choices": [{"delta": {}}]}, LAST_STOP)
    yield spoken("F47", "unfinished", Says(), hello, answer=whole(finish=None))
    yield spoken("F48", "twice", Says(), hello, end, _finish("length"), text(" you"), LAST)


LAST_STOP: Final = {"choices": [{"delta": {}, "finish_reason": "stop"}]}


def _calls(*calls: Any) -> Any:
    return whole(None, finish="tool_calls", tool_calls=list(calls))


def _errors() -> Iterator[Row]:
    """Rows in which the provider refuses."""
    slow_down = told("slow down")
    yield refusing("F49", "seconds", limited(3), 429, slow_down, retry_after="3")
    yield refusing("F49", "millis", limited(1.5), 429, slow_down, retry_after_ms="1500")
    date = {"retry_after": "Sun, 22 Nov 2026 12:00:09 GMT", "date": "Sun, 22 Nov 2026 12:00:05 GMT"}
    yield refusing("F49", "date", limited(4), 429, slow_down, **date)
    yield Row(
        number="F49",
        name="post",
        outcome=Breaks(end=LIMITED),
        streamed=events(*SAID, sse_event(told("slow down", code=429))),
    )
    yield refusing("F50", "unauthorized", INVALID, 401, told("bad key"))
    yield refusing("F50", "forbidden", INVALID, 403, told("not yours"))
    yield refusing(
        "F51", "code", refused("context_length_exceeded"), 400, told("too long", code="context_length_exceeded")
    )
    yield refusing("F51", "words", refused("context_length_exceeded"), 400, told("maximum context length is 9 tokens"))
    yield refusing("F52", "spent", INVALID, 402, told("no credit"))
    yield refusing("F52", "quota", INVALID, 429, told("no credit", code="insufficient_quota"))
    yield refusing("F53", "model", UNKNOWN_MODEL, 404, told("no such model", code="model_not_found"))
    for status, outcome in ((500, UNAVAILABLE), (502, UNAVAILABLE), (503, OVERLOADED), (529, OVERLOADED)):
        yield refusing("F54", f"s{status}", outcome, status, told("inside"))
    for status, outcome in ((520, UNAVAILABLE), (521, UNAVAILABLE), (522, TIMEOUT), (524, TIMEOUT)):
        yield Row(number="F54", name=f"s{status}", outcome=outcome, **same(replace(PAGE, status=status)))
    yield refusing("F55", "moved", INVALID, 307, {}, location="http://127.0.0.1:9/")
    # P-19: what the provider blames on the request is not sent again, here or elsewhere.
    for status, word in ((400, "invalid_request"), (413, "payload_too_large"), (422, "unprocessable")):
        code = grpc.StatusCode.RESOURCE_EXHAUSTED if status == 413 else grpc.StatusCode.INVALID_ARGUMENT
        yield refusing("P19", f"s{status}", refused(word, status, code), status, told("bad value of x"))


ANSWERS: Final[Sequence[Row]] = (*NO_ANSWERS, *_odd_lines(), *_odd_fields(), *_odd_answers(), *_errors())
