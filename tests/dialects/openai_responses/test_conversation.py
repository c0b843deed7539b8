# SPDX-License-Identifier: Apache-2.0
"""Input items as messages."""

from typing import Any

import pytest

from trunkline_server.dialects.openai_responses.conversation import MessageReader
from trunkline_server.jsonshape import ShapeFaults

REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "a"}],
    "encrypted_content": "x",
}
SAID = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi", "annotations": []}]}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}", "status": "completed"}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "done"}
SEARCH = {"type": "web_search_call", "id": "ws_1"}
TEXT = {"type": "text", "text": "hi"}
CALLED = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def read(*items: Any) -> list[dict[str, Any]]:
    """The messages of items."""
    reader = MessageReader()
    reader.read_all(items)
    return reader.messages


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"role": "user", "content": "hi"}, {"role": "user", "content": "hi"}),
        ({"type": "message", "role": "system", "content": "hi"}, {"role": "system", "content": "hi"}),
        (
            {"role": "developer", "content": [{"type": "input_text", "text": "hi"}]},
            {"role": "developer", "content": [TEXT]},
        ),
        ({"role": "user", "content": None}, {"role": "user", "content": None}),
        ({"role": "assistant", "content": "hi"}, {"role": "assistant", "content": [TEXT]}),
        (SAID, {"role": "assistant", "content": [TEXT]}),
        (RESULT, {"role": "tool", "tool_call_id": "c1", "content": "done"}),
        (
            {**RESULT, "output": [{"type": "input_text", "text": "hi"}]},
            {"role": "tool", "tool_call_id": "c1", "content": [TEXT]},
        ),
    ],
)
def test_items(item: dict[str, Any], expected: dict[str, Any]) -> None:
    """An item that stands alone is a message."""
    assert read(item) == [expected]


def test_a_turn_is_one_message() -> None:
    """Reasoning, text and calls that follow one another are one turn, its details in one order."""
    second = {**REASONING, "id": "rs_2"}
    turn, result, last = read(REASONING, SAID, second, CALL, RESULT, SAID)
    assert turn["content"] == [TEXT]
    assert [(detail["id"], detail["index"]) for detail in turn["reasoning_details"]] == [
        ("rs_1", 0),
        ("rs_1", 1),
        ("rs_2", 2),
        ("rs_2", 3),
    ]
    assert turn["tool_calls"] == [CALLED]
    assert (result["role"], last["content"]) == ("tool", [TEXT])


def test_refusals() -> None:
    """A refusal has its own field, as in the answers of chat completions."""
    refused = {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}
    assert read(refused) == [{"role": "assistant", "content": None, "refusal": "no"}]


def test_annotations_of_several_texts() -> None:
    """Places count from the beginning of the turn's content."""
    cited = {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}
    item = {"role": "assistant", "content": [{"type": "output_text", "text": "hi", "annotations": [cited]}]}
    (turn,) = read(item, item)
    assert [annotation["url_citation"]["start_index"] for annotation in turn["annotations"]] == [0, 2]


def test_a_turn_that_the_contract_cannot_tell_is_kept() -> None:
    """The turn has what can be told, and all of its items."""
    user, turn, last = read({"role": "user", "content": "a"}, SEARCH, SAID, {"role": "user", "content": "b"})
    assert turn == {"role": "assistant", "content": [TEXT], "openai_responses": [SEARCH, SAID]}
    assert (user["content"], last["content"]) == ("a", "b")


def test_custom_calls() -> None:
    """A call whose input is text is a call, and says what it is; its result is one like others."""
    call = {"type": "custom_tool_call", "call_id": "c1", "name": "f", "input": "x"}
    turn, result = read(call, {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"})
    function = {"name": "f", "arguments": "x"}
    assert turn["tool_calls"] == [
        {"id": "c1", "type": "function", "function": function, "openai_responses": "custom_tool_call"}
    ]
    assert result == {"role": "tool", "tool_call_id": "c1", "content": "done"}


def test_origins() -> None:
    """Each message tells which item it began with, so that a fault can be told in its place."""
    reader = MessageReader()
    reader.add({"role": "system", "content": "a"}, "instructions")
    reader.read_all([{"role": "user", "content": "a"}, REASONING, SAID, RESULT])
    assert reader.origins == ["instructions", "input[0]", "input[1]", "input[3]"]


@pytest.mark.parametrize(
    ("item", "path"),
    [
        ("text", "input[0]"),
        ({}, "input[0]"),
        ({"type": 1}, "input[0].type"),
        ({"type": "item_reference", "id": "msg_1"}, "input[0]"),
        ({"type": "message", "role": "critic", "content": "a"}, "input[0].role"),
        ({"role": ["user"], "content": "a"}, "input[0].role"),
        ({"role": "user", "content": 1}, "input[0].content"),
        ({"role": "user", "content": ["a"]}, "input[0].content[0]"),
        ({"role": "user", "content": [{"type": "x"}]}, "input[0].content[0].type"),
        ({"type": "function_call_output", "call_id": "c"}, "input[0].output"),
        ({"type": "function_call_output", "call_id": "c", "output": 1}, "input[0].output"),
    ],
)
def test_faults(item: Any, path: str) -> None:
    """What is no item is a fault at its place."""
    with pytest.raises(ShapeFaults) as caught:
        read(item)
    assert [fault.path for fault in caught.value.faults] == [path]
