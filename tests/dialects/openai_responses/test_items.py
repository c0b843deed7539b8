# SPDX-License-Identifier: Apache-2.0
"""Messages as input items."""

from typing import Any

import pytest

from support.responses_wire import open_endpoint, render, sent_items

OWN = "openai-responses-v1"
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1 }'}}
CALL_ITEM = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a": 1 }'}
ENCRYPTED = {"type": "reasoning.encrypted", "data": "ZW5j", "id": "rs_1", "format": OWN, "index": 0}
REASONING_ITEM = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "ZW5j"}


def said(text: str, **fields: Any) -> dict[str, Any]:
    """An item of what the model said."""
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text, **fields}]}


@pytest.mark.parametrize("role", ["system", "developer", "user"])
def test_messages_of_others(role: str) -> None:
    """Each message is an item in its place, instructions too."""
    item = {"type": "message", "role": role, "content": [{"type": "input_text", "text": "a"}]}
    assert sent_items({"role": role, "content": "a"}, {"role": role, "content": [{"type": "text", "text": "a"}]}) == [
        item,
        item,
    ]


def test_a_turn_of_the_model() -> None:
    """Reasoning comes first, then what was said, then the calls, whose results follow by their id."""
    turn = {
        "role": "assistant",
        "content": "Let me look.",
        "reasoning": "hm",
        "reasoning_details": [ENCRYPTED],
        "tool_calls": [{**CALL, "index": 0}],
    }
    result = {"role": "tool", "tool_call_id": "c1", "content": "a cat"}
    assert sent_items(turn, result) == [
        REASONING_ITEM,
        said("Let me look."),
        CALL_ITEM,
        {"type": "function_call_output", "call_id": "c1", "output": "a cat"},
    ]
    assert render({"messages": [turn, result]}).dropped == ()


def test_a_result_of_parts() -> None:
    """A tool may answer with images."""
    parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "https://a.test/b.png"}}]
    items = sent_items({"role": "tool", "tool_call_id": "c1", "content": parts})
    assert items[0]["output"] == [
        {"type": "input_text", "text": "a"},
        {"type": "input_image", "image_url": "https://a.test/b.png"},
    ]


def test_refusals() -> None:
    """A refusal is a part of what was said, whether it stood in the content or beside it."""
    inside = {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}
    beside = {"role": "assistant", "content": None, "refusal": "no"}
    refused = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}
    assert sent_items(inside, beside) == [refused, refused]


def test_annotations() -> None:
    """Citations stand on the text that they belong to."""
    cited = {"url": "https://a.test", "title": "A", "start_index": 0, "end_index": 1}
    turn = {"role": "assistant", "content": "a", "annotations": [{"type": "url_citation", "url_citation": cited}]}
    assert sent_items(turn) == [said("a", annotations=[{"type": "url_citation", **cited}])]
    apart = {**turn, "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    assert render({"messages": [apart]}).dropped == ("messages.annotations",)


def test_reasoning_without_what_it_led_to_is_left_out() -> None:
    """OpenAI refuses an item of reasoning that nothing of the turn follows."""
    turn = {"role": "assistant", "content": None, "reasoning_details": [ENCRYPTED]}
    assert sent_items(turn) == []
    assert render({"messages": [turn]}).dropped == ("messages.reasoning_details",)


DROPPED = [
    ({"role": "user", "content": "a", "name": "ann"}, ("messages.name",)),
    ({"role": "user", "content": "a", "mine": 1}, ("messages.mine",)),
    ({"role": "tool", "tool_call_id": "c", "content": "a", "name": "f"}, ("messages.name",)),
    ({"role": "user", "content": [{"type": "text", "text": "a", "mine": 1}]}, ("messages.content.mine",)),
    ({"role": "assistant", "content": "a", "reasoning": "hm"}, ("messages.reasoning",)),
    ({"role": "assistant", "content": "a", "model": "x"}, ("messages.model",)),
    ({"role": "assistant", "content": "a", "audio": {"id": "x"}}, ("messages.audio",)),
    ({"role": "assistant", "content": "a", "images": [{"image_url": {"url": "data:,"}}]}, ("messages.images",)),
    (
        {"role": "assistant", "content": "a", "function_call": {"name": "f", "arguments": ""}},
        ("messages.function_call",),
    ),
    (
        {"role": "assistant", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]},
        ("messages.content.image_url",),
    ),
    (
        {"role": "assistant", "content": "a", "reasoning_details": [{**ENCRYPTED, "format": "google-gemini-v1"}]},
        ("messages.reasoning_details",),
    ),
    ({"role": "assistant", "content": None, "tool_calls": [{**CALL, "mine": 1}]}, ("messages.tool_calls.mine",)),
]


@pytest.mark.parametrize(("message", "expected"), DROPPED)
def test_what_has_no_place_is_reported(message: dict[str, Any], expected: tuple[str, ...]) -> None:
    """Nothing of a message is lost in silence."""
    assert render({"messages": [message]}).dropped == expected


def test_a_turn_that_was_kept_goes_out_as_it_came() -> None:
    """A provider of this language gets its own items back, in their order."""
    search = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search"}}
    items = [REASONING_ITEM, search, said("found")]
    assert sent_items({"role": "assistant", "content": "found", "openai_responses": items}) == items


def test_the_phase_of_a_message() -> None:
    """What OpenAI says of a message's phase, it gets back."""
    turn = {"role": "assistant", "content": "a", "openai_responses": {"phase": "final_answer"}}
    assert sent_items(turn) == [{**said("a"), "phase": "final_answer"}]


def test_custom_calls() -> None:
    """A call whose input is text has its own items, and so has its result."""
    call = {**CALL, "openai_responses": "custom_tool_call"}
    result = {"role": "tool", "tool_call_id": "c1", "content": "done"}
    assert sent_items({"role": "assistant", "content": None, "tool_calls": [call]}, result) == [
        {"type": "custom_tool_call", "call_id": "c1", "name": "f", "input": '{"a": 1 }'},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"},
    ]


def test_results_of_kept_custom_calls() -> None:
    """The result finds its call in a turn that was kept, too."""
    kept = [{"type": "custom_tool_call", "call_id": "c1", "name": "f", "input": "x"}, {"type": "web_search_call"}]
    turn = {"role": "assistant", "content": None, "openai_responses": kept}
    items = sent_items(turn, {"role": "tool", "tool_call_id": "c1", "content": "done"})
    assert items[2]["type"] == "custom_tool_call_output"


def test_video_with_extensions() -> None:
    """OpenRouter takes video in this language."""
    part = {"type": "video_url", "video_url": {"url": "https://a.test/b.mp4"}}
    items = sent_items({"role": "user", "content": [part]}, endpoint=open_endpoint())
    assert items[0]["content"] == [{"type": "input_video", "video_url": "https://a.test/b.mp4"}]


@pytest.mark.parametrize(("arguments", "expected"), [("", "{}"), ("{a", "{a")])
def test_arguments_of_past_calls(arguments: str, expected: str) -> None:
    """A call without arguments has an empty object; what the model wrote stays as it is."""
    call = {**CALL, "function": {"name": "f", "arguments": arguments}}
    assert sent_items({"role": "assistant", "content": None, "tool_calls": [call]}) == [
        {**CALL_ITEM, "arguments": expected}
    ]
