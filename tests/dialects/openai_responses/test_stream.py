# SPDX-License-Identifier: Apache-2.0
"""Streams of the Responses API with the oddities of servers, each cut in every way."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.answer_cuts import play, tell
from support.responses_wire import completed, delta, event, fold, make_decoder, message, streamed

RECORDED = sorted((Path(__file__).parents[1] / "matrix" / "openai_responses").glob("*.answer.sse"))
CREATED = event("response.created", response={"id": "resp_1", "created_at": 1, "model": "one", "output": []})
HI = {"choice 0": {"text": "Hi", "finish": "stop", "native": "completed"}}
CUT = {"choice 0": {"text": "Hi"}, "error": "PROVIDER_UNAVAILABLE"}
ITEM_DONE = event("response.output_item.done", output_index=0, item=message("Hi"))
PART_DONE = event("response.output_text.done", output_index=0, content_index=0, text="Hi")
END = completed()

STREAMS = [
    ("deltas alone", CREATED + delta("H") + delta("i") + END, HI),
    ("deltas, and all that repeats them", CREATED + delta("Hi") + PART_DONE + ITEM_DONE + completed(message("Hi")), HI),
    ("the part alone", CREATED + PART_DONE + END, HI),
    ("the item alone", CREATED + ITEM_DONE + END, HI),
    ("the whole answer alone", CREATED + completed(message("Hi")), HI),
    ("the last delta missing", CREATED + delta("H") + completed(message("Hi")), HI),
    ("no created", delta("Hi") + END, HI),
    ("DONE after the end", CREATED + delta("Hi") + END + b"data: [DONE]\n\n", HI),
    ("no blank line at the end", CREATED + delta("Hi") + END.rstrip(), HI),
    ("an event after the end", CREATED + delta("Hi") + END + delta("no"), HI),
    ("the older name of the end", CREATED + delta("Hi") + event("response.done", response={"status": "completed"}), HI),
    ("the type beside the data", CREATED + b'event: response.output_text.delta\ndata: {"delta":"Hi"}\n\n' + END, HI),
    ("the data alone", CREATED + delta("Hi").split(b"\n", 1)[1] + END, HI),
    ("comments and empty data", b": ping\n\ndata:\n\n" + CREATED + delta("Hi") + b": ping\n\n" + END, HI),
    ("CRLF", (CREATED + delta("Hi") + END).replace(b"\n", b"\r\n"), HI),
    ("a whole answer without items", CREATED + delta("Hi") + event("response.completed", response={}), HI),
    ("an end without an answer", CREATED + delta("Hi") + event("response.completed"), HI),
    (
        "half of a pair",
        CREATED + delta("Hi").replace(b"Hi", b"Hi\\ud83d") + END,
        {"choice 0": {**HI["choice 0"], "text": "Hi\ufffd"}},
    ),
    ("cut after the text", CREATED + delta("Hi") + PART_DONE + ITEM_DONE, CUT),
    ("cut inside the last event", CREATED + delta("Hi") + END[:-20], CUT),
    ("DONE without an end", CREATED + delta("Hi") + b"data: [DONE]\n\n", CUT),
    ("nothing but the beginning", CREATED, {"error": "PROVIDER_UNAVAILABLE"}),
    ("an end of nothing", event("response.completed", response={}), {"error": "PROVIDER_INVALID_RESPONSE"}),
    ("no JSON", CREATED + delta("Hi") + b"data: {broken\n\n" + END, {**CUT, "error": "PROVIDER_INVALID_RESPONSE"}),
    ("an error first", event("error", code="rate_limit_exceeded", message="x"), {"error": "RATE_LIMIT_EXCEEDED"}),
    (
        "an error after content, then the failure",
        CREATED + delta("Hi") + event("error", error={"code": "server_error"}) + event("response.failed", response={}),
        CUT,
    ),
    (
        "a failure after content",
        CREATED + delta("Hi") + event("response.failed", response={"error": {"code": "rate_limit_exceeded"}}),
        {**CUT, "error": "RATE_LIMIT_EXCEEDED"},
    ),
    ("an end that failed", CREATED + delta("Hi") + completed(status="completed", error={"message": "x"}), CUT),
]


@pytest.mark.parametrize(("body", "expected"), [case[1:] for case in STREAMS], ids=[case[0] for case in STREAMS])
def test_streams(body: bytes, expected: dict[str, object]) -> None:
    """However a server streams, all that it said arrives once, and an answer without its end is a failure."""
    assert tell(streamed(body)) == expected


def test_calls_grow_side_by_side() -> None:
    """Pieces of several calls find their own by the place of the item."""
    added = b"".join(
        event(
            "response.output_item.added",
            output_index=place,
            item={"type": "function_call", "id": f"fc_{place}", "call_id": f"c{place}", "name": "f", "arguments": ""},
        )
        for place in (0, 1)
    )
    pieces = b"".join(
        event("response.function_call_arguments.delta", output_index=place, delta=text)
        for place, text in ((0, '{"a"'), (1, "{"), (0, ":1}"), (1, "}"))
    )
    done = event("response.function_call_arguments.done", output_index=1, arguments="{}")
    calls = tell(streamed(CREATED + added + pieces + done + END))["choice 0"]["calls"]
    assert calls == [("c0", "f", '{"a":1}'), ("c1", "f", "{}")]


def test_custom_calls() -> None:
    """A call whose input is text grows likewise, and says what it is."""
    item = {"type": "custom_tool_call", "id": "ctc_0", "call_id": "c0", "name": "f", "input": ""}
    body = (
        event("response.output_item.added", output_index=0, item=item)
        + event("response.custom_tool_call_input.delta", output_index=0, delta="a b")
        + event("response.custom_tool_call_input.done", output_index=0, input="a b c")
    )
    call = fold(streamed(CREATED + body + END)).choices[0].message.tool_calls[0]
    assert (call.function.arguments, dict(call.extra)) == ("a b c", {"openai_responses": '"custom_tool_call"'})


def test_an_event_as_long_as_an_answer() -> None:
    """The last event repeats all that was said, images too."""
    image = {"type": "image_generation_call", "id": "ig_1", "result": "A" * (2 << 20)}
    outcome = play(make_decoder(), [CREATED, completed(image)])
    assert len(fold(outcome).choices[0].message.images[0].image_url.url) > 2 << 20


def test_finished() -> None:
    """The rest of the body means nothing once the answer is whole, or has failed."""
    decoder = make_decoder()
    decoder.feed(CREATED + delta("Hi"))
    assert not decoder.finished
    decoder.feed(END)
    assert decoder.finished
    assert (decoder.feed(delta("no")), decoder.close()) == ([], [])


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
def test_recorded_streams_split_at_each_boundary(path: Path) -> None:
    """Each byte by itself gives the same chunks."""
    body = path.read_bytes()
    single = play(make_decoder(), (body[place : place + 1] for place in range(len(body))))
    assert single.essence == play(make_decoder(), [body]).essence


@given(data=st.data(), path=st.sampled_from(RECORDED))
def test_recorded_streams_split_anywhere(data: st.DataObject, path: Path) -> None:
    """Any split of any recorded stream gives the same chunks."""
    body = path.read_bytes()
    places = sorted(data.draw(st.sets(st.integers(1, len(body) - 1), max_size=12)))
    blocks = [body[begin:end] for begin, end in zip([0, *places], [*places, len(body)], strict=True)]
    assert play(make_decoder(), blocks).essence == play(make_decoder(), [body]).essence
