# SPDX-License-Identifier: Apache-2.0
"""Streams as clients of the Messages API get them."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.answer_cuts import play
from support.anthropic_wire import MESSAGES, event, events_of, fold, read_message
from support.dialect_matrix import CELLS, Cell
from trunkline.v1.chat_response_pb2 import (
    ChatCompletionChunk,
    ChunkChoice,
    Delta,
    FinishReason,
    FunctionCallDelta,
    ToolCallDelta,
)
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.message_pb2 import (
    Annotation,
    AudioOutput,
    ReasoningDetail,
    ReasoningSummary,
    ReasoningText,
    UrlCitation,
)
from trunkline.v1.usage_pb2 import Usage
from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.anthropic.events import EventRenderer
from trunkline_server.dialects.anthropic.foreign import unwrap
from trunkline_server.dialects.anthropic.stream import StreamDecoder

RECORDED = [
    cell
    for cell in CELLS
    if cell.streamed and cell.dialect in {"anthropic", "openai_chat"} and cell.scenario != "error" and cell.recording
]


def chunk(finish: int = 0, native: str = "", **delta: Any) -> ChatCompletionChunk:
    """A chunk with one choice."""
    choice = ChunkChoice(delta=Delta(**delta), native_finish_reason=native or None)
    if finish:
        choice.finish_reason = FinishReason.ValueType(finish)
    return ChatCompletionChunk(id="gen-1", model="acme/one", provider="acme", choices=[choice])


def call(index: int, arguments: str = "", name: str = "") -> ToolCallDelta:
    """A piece of a call."""
    function = FunctionCallDelta(arguments=arguments, name=name or None)
    return ToolCallDelta(index=index, id=f"c{index}" if name else None, function=function)


def render(*chunks: ChatCompletionChunk) -> list[dict[str, Any]]:
    """The events of an answer, one batch a chunk."""
    renderer = EventRenderer()
    return events_of(b"".join([*(renderer.feed([item]) for item in chunks), renderer.end()]))


STOP = chunk(FinishReason.FINISH_REASON_STOP)
CALLED = chunk(FinishReason.FINISH_REASON_TOOL_CALLS)


def test_the_order_of_events() -> None:
    """Start, block with a ping behind its start, deltas, stop, reason with usage, end."""
    usage = Usage(prompt_tokens=5, completion_tokens=2, total_tokens=7)
    last = ChatCompletionChunk(usage=usage)
    events = render(chunk(role="assistant"), chunk(content="Hi"), chunk(content=" you"), STOP, last)
    assert [item["type"] for item in events] == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert (
        events[0]["message"].items() >= {"id": "gen-1", "role": "assistant", "content": [], "type": "message"}.items()
    )
    assert events[1]["content_block"] == {"type": "text", "text": ""}
    assert events[-2]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert events[-2]["usage"].items() >= {"input_tokens": 5, "output_tokens": 2}.items()


def blocks(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Each block's type and what its deltas say, one after another."""
    told: list[tuple[str, str]] = []
    for item in events:
        if item["type"] == "content_block_start":
            assert item["index"] == len(told)
            told.append((item["content_block"]["type"], ""))
        elif item["type"] == "content_block_delta":
            said = {name: value for name, value in item["delta"].items() if name != "type"}
            kind, text = told[item["index"]]
            told[item["index"]] = (kind, text + "".join(map(str, said.values())))
    return told


SIGNED = {"type": "thinking", "thinking": "hm", "signature": "sig"}
ORDERS = [
    ("reasoning, then text", [chunk(reasoning="hm"), chunk(content="Hi")], [("thinking", "hm"), ("text", "Hi")]),
    ("a refusal", [chunk(refusal="No.")], [("text", "No.")]),
    ("what is spoken", [chunk(audio=AudioOutput(data="QUJD", transcript="Hi"))], [("text", "Hi")]),
    (
        "calls one after another",
        [
            chunk(tool_calls=[call(0, "", "f")]),
            chunk(tool_calls=[call(0, "{}")]),
            chunk(tool_calls=[call(1, "{}", "g")]),
        ],
        [("tool_use", "{}"), ("tool_use", "{}")],
    ),
    ("a call without arguments", [chunk(tool_calls=[call(0, "", "f")])], [("tool_use", "{}")]),
    (
        "mixed calls",
        [
            chunk(tool_calls=[call(0, '{"a":', "f"), call(1, '{"b"', "g"), call(2, "{}", "h")]),
            chunk(tool_calls=[call(1, ":2}")]),
            chunk(tool_calls=[call(0, "1}")]),
        ],
        [("tool_use", '{"a":1}'), ("tool_use", '{"b":2}'), ("tool_use", "{}")],
    ),
    (
        "mixed calls that are announced first",
        [
            chunk(tool_calls=[call(0, "", "f")]),
            chunk(tool_calls=[call(1, "", "g")]),
            chunk(tool_calls=[call(0, '{"a":')]),
            chunk(tool_calls=[call(1, '{"b":')]),
            chunk(tool_calls=[call(0, "1}")]),
            chunk(tool_calls=[call(1, "2}")]),
        ],
        [("tool_use", '{"a":1}'), ("tool_use", '{"b":2}')],
    ),
    (
        "three mixed calls, the second whole at the end",
        [
            chunk(tool_calls=[call(0, "{", "f"), call(1, "{", "g"), call(2, "{", "h")]),
            chunk(tool_calls=[call(0, "}")]),
            chunk(tool_calls=[call(2, "}")]),
            chunk(tool_calls=[call(1, "}")]),
        ],
        [("tool_use", "{}"), ("tool_use", "{}"), ("tool_use", "{}")],
    ),
    (
        "calls without arguments",
        [chunk(tool_calls=[call(0, "", "f")]), chunk(tool_calls=[call(1, "", "g")]), chunk(content="Hi")],
        [("tool_use", "{}"), ("text", "Hi"), ("tool_use", "{}")],
    ),
    (
        "text between the pieces of a call",
        [
            chunk(tool_calls=[call(0, '{"a"', "f")]),
            chunk(content="H", reasoning="hm"),
            chunk(content="i"),
            chunk(tool_calls=[call(0, ":1} ")]),
            chunk(content="."),
        ],
        [("tool_use", '{"a":1} '), ("thinking", "hm"), ("text", "Hi.")],
    ),
    (
        "white space behind a whole call",
        [
            chunk(tool_calls=[call(0, "{}", "f"), call(1, "{}", "g")]),
            chunk(tool_calls=[call(0, "\n")]),
            chunk(content="Hi"),
        ],
        [("tool_use", "{}"), ("tool_use", "{}"), ("text", "Hi")],
    ),
    (
        "mixed calls, the first never whole",
        [chunk(tool_calls=[call(0, "{", "f"), call(1, "{}", "g")])],
        [("tool_use", "{"), ("tool_use", "{}")],
    ),
    (
        "a legacy call",
        [chunk(function_call=FunctionCallDelta(name="f")), chunk(function_call=FunctionCallDelta(arguments="{}"))],
        [("tool_use", "{}")],
    ),
]


@pytest.mark.parametrize(("what", "chunks", "told"), ORDERS, ids=[row[0] for row in ORDERS])
def test_blocks(what: str, chunks: list[ChatCompletionChunk], told: list[tuple[str, str]]) -> None:
    """One block is open at a time and nothing is lost, however the pieces come."""
    assert blocks(render(*chunks, CALLED)) == told


def test_a_stop_beside_calls() -> None:
    """The client has to run the tool, whatever the server said; and every call has its name and its id."""
    events = render(chunk(tool_calls=[call(0, "", "f")]), chunk(tool_calls=[call(1, "{}", "g")]), STOP)
    assert events[-2]["delta"]["stop_reason"] == "tool_use"
    starts = [item["content_block"] for item in events if item["type"] == "content_block_start"]
    assert [(start["id"], start["name"]) for start in starts] == [("c0", "f"), ("c1", "g")]


def test_foreign_reasoning_is_wrapped_at_its_end() -> None:
    """Another maker's summary streams as thinking; what makes it whole follows as the signature."""
    pieces = [
        ReasoningDetail(summary=ReasoningSummary(summary=text), format="openai-responses-v1", index=0) for text in "ab"
    ]
    events = render(*(chunk(reasoning_details=[piece]) for piece in pieces), STOP)
    deltas = [item["delta"] for item in events if item["type"] == "content_block_delta"]
    assert [item["type"] for item in deltas] == ["thinking_delta", "thinking_delta", "signature_delta"]
    assert deltas[-1]["signature"].startswith("trunkline.reasoning:")


def test_foreign_reasoning_is_wrapped_whole() -> None:
    """Whichever piece says what is more than text, all of the text is wrapped with it; plain text is not wrapped at all."""
    first = ReasoningDetail(text=ReasoningText(text="a"), id="rs-1", index=0)
    plain = ReasoningDetail(text=ReasoningText(text="b"), index=0)
    signed = ReasoningDetail(text=ReasoningText(signature="sig"), index=0)
    events = render(*(chunk(reasoning_details=[piece]) for piece in (first, plain, signed)), STOP)
    (told,) = [item["delta"] for item in events if item.get("delta", {}).get("type") == "signature_delta"]
    assert unwrap(told["signature"]) == {
        "type": "reasoning.text",
        "id": "rs-1",
        "index": 0,
        "text": "ab",
        "signature": "sig",
    }
    assert "signature_delta" not in str(render(chunk(reasoning_details=[plain]), STOP))


def test_citations() -> None:
    """A citation belongs to the text that is open; without one there is no place for it."""
    cited = Annotation(url_citation=UrlCitation(url="https://a.example", content="so"))
    events = render(chunk(content="Hi"), chunk(annotations=[cited]), STOP)
    assert events[4]["delta"]["citation"]["url"] == "https://a.example"
    assert len(render(chunk(annotations=[cited]), STOP)) == 3


@given(message=MESSAGES)
def test_a_stream_is_read_back(message: dict[str, Any]) -> None:
    """The events of any answer of Anthropic's say what the answer says."""
    chunks = read_message(message)
    renderer = EventRenderer()
    again = play(StreamDecoder({}), [renderer.feed(chunks) + renderer.end()])
    assert again.error is None
    expected = fold(chunks)
    expected.ClearField("service_tier")
    got = fold(again.chunks)
    got.ClearField("service_tier")
    assert got == expected


@pytest.mark.parametrize("cell", RECORDED, ids=str)
def test_recorded_streams_come_through(cell: Cell) -> None:
    """Every provider's recorded stream becomes events that say the same text and calls."""
    chunks = cell.play([cell.answer()]).chunks
    renderer = EventRenderer()
    again = fold(play(StreamDecoder({}), [renderer.feed(chunks) + renderer.end()]).chunks).choices[0]
    told = fold(chunks).choices[0]
    spoken = told.message.audio.transcript
    assert "".join(part.text for part in again.message.content) in {
        "".join(part.text for part in told.message.content) or spoken,
        told.message.refusal,
    }
    assert [item.function.name for item in again.message.tool_calls] == [
        item.function.name for item in told.message.tool_calls
    ]


@given(cuts=st.lists(st.integers(0, 3), max_size=3))
def test_batches_do_not_matter(cuts: list[int]) -> None:
    """The same chunks in other batches are the same bytes."""
    chunks = [chunk(role="assistant"), chunk(reasoning="hm"), chunk(content="Hi"), STOP]
    whole, split = EventRenderer(), EventRenderer()
    places = sorted({0, *cuts, len(chunks)})
    pieces = [split.feed(chunks[begin:end]) for begin, end in pairwise(places)]
    assert b"".join(pieces) + split.end() == whole.feed(chunks) + whole.end()


def test_pings_and_failures() -> None:
    """A ping keeps the connection; a failure is one event with its words."""
    renderer = EventRenderer()
    assert renderer.ping() == event("ping")
    error = GatewayError(ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED, "Busy.")
    assert events_of(renderer.fail(error, "req-1")) == [
        {"type": "error", "error": {"type": "overloaded_error", "message": "Busy."}, "request_id": "req-1"}
    ]


def test_an_empty_answer_has_its_frame() -> None:
    """Even where no chunk came, the client gets a whole message."""
    assert [item["type"] for item in render()] == ["message_start", "message_delta", "message_stop"]
