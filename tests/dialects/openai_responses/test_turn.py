# SPDX-License-Identifier: Apache-2.0
"""A turn under construction: what later events know more is said then, and nothing twice."""

from typing import Any

import pytest

from support.responses_wire import message
from trunkline_server.dialects.openai_responses.turn import REASONING, REFUSAL, SUMMARY, TEXT, Turn, own_of_turn

CALL: dict[str, Any] = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": '{"a":1}'}


def texts(turn: Turn) -> list[str]:
    """The texts that a turn has said since the last time, of whatever kind."""
    deltas = [chunk.choices[0].delta for chunk in turn.writer.take()]
    return [
        delta.content + delta.refusal + delta.reasoning + "".join(call.function.arguments for call in delta.tool_calls)
        for delta in deltas
    ]


@pytest.mark.parametrize("kind", [TEXT, REFUSAL, SUMMARY, REASONING])
def test_the_rest_of_a_text(kind: str) -> None:
    """A text that is whole adds what its pieces did not say; said again it adds nothing."""
    turn = Turn()
    turn.say((kind, 0, 0), "ab")
    turn.say_whole((kind, 0, 0), "abc")
    turn.say_whole((kind, 0, 0), "abc")
    assert texts(turn) == ["ab", "c"]


def test_a_text_that_contradicts_its_pieces() -> None:
    """What was said cannot be taken back."""
    turn = Turn()
    turn.say((TEXT, 0, 0), "ab")
    turn.say_whole((TEXT, 0, 0), "xyz")
    assert texts(turn) == ["ab"]


def test_an_empty_summary_is_kept() -> None:
    """It is part of what comes back in the next turn."""
    turn = Turn()
    turn.take_item(0, {"type": "reasoning", "summary": [{"text": ""}]})
    turn.take_item(0, {"type": "reasoning", "summary": [{"text": ""}]})
    assert len(turn.writer.take()) == 1


def test_a_call_that_comes_whole_only() -> None:
    """Deltas of a call that has not begun wait for the item."""
    turn = Turn()
    turn.say_arguments(0, '{"a"')
    turn.take_item(0, CALL)
    turn.take_output([CALL])
    assert texts(turn) == ["", '{"a":1}']


def test_arguments_as_an_object() -> None:
    """They are written as the text that they should have been."""
    turn = Turn()
    turn.take_item(0, {**CALL, "arguments": {"a": 1}})
    assert texts(turn) == ["", '{"a":1}']


def test_ids_of_calls_are_different() -> None:
    """Two calls with one id could not be told apart; one without any gets one."""
    turn = Turn()
    turn.begin_item(0, CALL)
    turn.begin_item(1, CALL)
    turn.begin_item(2, {**CALL, "call_id": None, "id": None})
    calls = [chunk.choices[0].delta.tool_calls[0].id for chunk in turn.writer.take()]
    assert calls == ["c1", "c1_1", "call__2"]
    assert turn.asks_for_tools


def test_items_numbered_anew() -> None:
    """The whole answer of some servers leaves items out: what stands at another's place was said before."""
    turn = Turn()
    turn.take_item(0, {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"})
    turn.take_item(1, message("hi"))
    turn.take_item(2, CALL)
    turn.writer.take()
    turn.take_output([message("hi", id="msg_9"), {**CALL, "id": "fc_9"}])
    turn.take_output([message("hi", id="msg_9")] * 4)
    assert texts(turn) == []


def test_items_without_an_index_are_found_by_id() -> None:
    """An event without an index speaks of the item that has its id."""
    turn = Turn()
    item = message("hi")
    place = turn.place_of({"item": item})
    turn.begin_item(place, item)
    turn.say((TEXT, turn.place_of({"item_id": "msg_1"}), 0), "hi")
    turn.take_output([item])
    assert texts(turn) == ["hi"]
    assert turn.place_of({"output_index": "0"}) is None


def test_two_texts_alike_in_a_whole_answer() -> None:
    """Both are said where nothing was before."""
    turn = Turn()
    turn.take_output([message("hi", id="a"), message("hi", id="b")])
    assert texts(turn) == ["hi", "hi"]


def test_annotations_are_said_once() -> None:
    """Those of the whole part are said as far as they did not come by themselves; places count from the first text."""
    turn = Turn()
    cited = {"type": "url_citation", "url": "u", "start_index": 0, "end_index": 1}
    turn.say((TEXT, 0, 0), "abc")
    turn.say((TEXT, 1, 0), "d")
    turn.annotate((TEXT, 1, 0), cited)
    turn.annotate((TEXT, 1, 0), None)
    part = {"type": "output_text", "text": "d", "annotations": [cited, cited]}
    turn.take_item(1, {"type": "message", "content": [part]})
    found = [
        item.url_citation.start_index for chunk in turn.writer.take() for item in chunk.choices[0].delta.annotations
    ]
    assert found == [3, 3]


def test_images_come_once() -> None:
    """An image that was made is said when it is whole."""
    turn = Turn()
    item = {"type": "image_generation_call", "id": "ig_1", "result": "AA==", "output_format": "webp"}
    turn.take_item(0, item)
    turn.take_output([item])
    chunks = turn.writer.take()
    assert [chunk.choices[0].delta.images[0].image_url.url for chunk in chunks] == ["data:image/webp;base64,AA=="]


def test_reasoning_of_others() -> None:
    """Format and signature of another provider's reasoning are told by the item that OpenRouter sends."""
    turn = Turn()
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "format": "anthropic-claude-v1"}
    turn.begin_item(0, item)
    turn.say((REASONING, 0, 0), "hm", item_id="rs_1")
    turn.take_item(0, {**item, "content": [{"text": "hm"}], "signature": "s"})
    details = [chunk.choices[0].delta.reasoning_details[0] for chunk in turn.writer.take()]
    assert [(detail.text.text, detail.text.signature, detail.index) for detail in details] == [
        ("hm", "", 0),
        ("", "s", 0),
    ]
    assert {detail.format for detail in details} == {"anthropic-claude-v1"}


SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed"}


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([message("a"), CALL], None),
        ([message("a", phase="final_answer")], {"phase": "final_answer"}),
        ([SEARCH, message("a")], [SEARCH, message("a")]),
        ([message("a", phase="commentary"), message("b")], [message("a", phase="commentary"), message("b")]),
        ([{"type": ["x"]}], [{"type": ["x"]}]),
    ],
)
def test_own_of_turn(items: list[Any], expected: object) -> None:
    """A turn is kept where the contract cannot tell all of it."""
    assert own_of_turn(items) == expected


def test_searches() -> None:
    """Searches are counted, and the turn is kept from the items where the last event has none."""
    turn = Turn()
    turn.take_item(1, message("a"))
    turn.take_item(0, SEARCH)
    assert turn.searches == 1
    assert turn.own([]) == [SEARCH, message("a")]
