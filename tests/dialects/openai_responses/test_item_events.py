# SPDX-License-Identifier: Apache-2.0
"""The events of one item, in the vendor's order."""

from typing import Any

from support.responses_wire import kinds, read_events
from trunkline_server.dialects.openai_responses.item_events import (
    CallEvents,
    EventWriter,
    MessageEvents,
    ReasoningEvents,
    WholeItemEvents,
)

CALL: dict[str, Any] = {
    "id": "fc_1",
    "type": "function_call",
    "status": "in_progress",
    "call_id": "c1",
    "name": "f",
    "arguments": "",
}
REASONING: dict[str, Any] = {"id": "rs_1", "type": "reasoning", "summary": [], "format": "openai-responses-v1"}


def test_events_are_numbered() -> None:
    """Each event has its type twice, and its number."""
    writer = EventWriter()
    writer.write("a", {"x": 1})
    writer.write("b", {})
    assert writer.take() == (
        b'event: a\ndata: {"type":"a","sequence_number":0,"x":1}\n\nevent: b\ndata: {"type":"b","sequence_number":1}\n\n'
    )
    assert writer.take() == b""


def test_a_message() -> None:
    """A text, its citation, a refusal: each part is added, grows, and is done, then the item."""
    writer = EventWriter()
    message = MessageEvents(writer, 2, "msg_1")
    message.add_text("a", [])
    message.add_text("b", [{"token": "b"}])
    message.annotate({"type": "file_citation"})
    message.add_refusal("no")
    message.close("incomplete")
    events = read_events(writer.take())
    assert kinds(events) == [
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.annotation.added",
        "output_text.done",
        "content_part.done",
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
    ]
    assert {event["output_index"] for event in events} == {2}
    assert [event["content_index"] for event in events[1:-1]] == [0, 0, 0, 0, 0, 0, 1, 1, 1, 1]
    assert (events[0]["item"]["content"], events[5]["text"], events[9]["refusal"]) == ([], "ab", "no")
    assert events[1]["part"] == {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
    part = {
        "type": "output_text",
        "annotations": [{"type": "file_citation"}],
        "logprobs": [{"token": "b"}],
        "text": "ab",
    }
    assert events[6]["part"] == part
    assert events[-1]["item"] == {
        "id": "msg_1",
        "type": "message",
        "status": "incomplete",
        "role": "assistant",
        "content": [part, {"type": "refusal", "refusal": "no"}],
    }


def test_reasoning() -> None:
    """Summaries and open texts grow part by part; what is encrypted comes with the item."""
    writer = EventWriter()
    item = ReasoningEvents(writer, 0, REASONING)
    item.add({"type": "reasoning.summary", "summary": "a", "index": 0, "id": "rs_1"})
    item.add({"type": "reasoning.summary", "summary": "b", "index": 0, "id": "rs_1"})
    item.add({"type": "reasoning.summary", "summary": "", "index": 1, "id": "rs_1"})
    item.add({"type": "reasoning.text", "text": "c", "signature": "s", "index": 2})
    item.add({"type": "reasoning.encrypted", "data": "x", "index": 3})
    item.close()
    events = read_events(writer.take())
    summary = ["reasoning_summary_part.added", "reasoning_summary_text.delta", "reasoning_summary_text.done"]
    assert kinds(events) == [
        "output_item.added",
        *summary[:2],
        *summary[1:],
        "reasoning_summary_part.done",
        summary[0],
        summary[2],
        "reasoning_summary_part.done",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
    ]
    assert events[-1]["item"] == {
        **REASONING,
        "status": "completed",
        "summary": [{"type": "summary_text", "text": "ab"}, {"type": "summary_text", "text": ""}],
        "content": [{"type": "reasoning_text", "text": "c"}],
        "signature": "s",
        "encrypted_content": "x",
    }


def test_a_call() -> None:
    """Arguments grow; the call is done once, and whole when they are a JSON object."""
    writer = EventWriter()
    call = CallEvents(writer, 1, {**CALL})
    assert not call.is_whole
    call.add('{"a":')
    call.add("")
    call.add("{}")
    assert not call.is_whole
    call.add("} ")
    assert call.is_whole
    call.close()
    call.close()
    events = read_events(writer.take())
    deltas = ["function_call_arguments.delta"] * 3
    assert kinds(events) == ["output_item.added", *deltas, "function_call_arguments.done", "output_item.done"]
    assert events[-2]["arguments"] == events[-1]["item"]["arguments"] == '{"a":{}} '


def test_a_piece_after_the_end() -> None:
    """It is told all the same, and stands in the item."""
    writer = EventWriter()
    call = CallEvents(writer, 1, {**CALL})
    call.add("{}")
    call.close()
    call.add(" ")
    assert kinds(read_events(writer.take()))[-1] == "function_call_arguments.delta"
    assert call.item["arguments"] == "{} "


def test_a_custom_call() -> None:
    """Its input grows by events of its own."""
    writer = EventWriter()
    call = CallEvents(writer, 1, {"id": "ctc_1", "type": "custom_tool_call", "call_id": "c1", "name": "f", "input": ""})
    call.add("a b")
    call.close()
    events = read_events(writer.take())
    assert kinds(events)[1:3] == ["custom_tool_call_input.delta", "custom_tool_call_input.done"]
    assert events[2]["input"] == "a b"


def test_what_was_said_before_a_failure() -> None:
    """An item that no event will tell has what was said so far."""
    writer = EventWriter()
    message = MessageEvents(writer, 0, "msg_1")
    message.settle()
    message.add_text("a", [])
    message.settle()
    item = ReasoningEvents(writer, 1, REASONING)
    item.settle()
    item.add({"type": "reasoning.summary", "summary": "b", "index": 0})
    item.settle()
    assert (message.item["content"][0]["text"], item.item["summary"][0]["text"]) == ("a", "b")


def test_a_whole_item() -> None:
    """An item without parts is added and done."""
    writer = EventWriter()
    WholeItemEvents(writer, 0, {"id": "ws_1", "type": "web_search_call"}).close()
    assert kinds(read_events(writer.take())) == ["output_item.added", "output_item.done"]
