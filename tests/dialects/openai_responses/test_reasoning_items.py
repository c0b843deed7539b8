# SPDX-License-Identifier: Apache-2.0
"""Items of reasoning and reasoning details, each way."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline_server.dialects.openai_responses.reasoning_items import parse_reasoning, render_own, render_reasoning

OWN = "openai-responses-v1"
ITEM: dict[str, Any] = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
    "encrypted_content": "ZW5j",
}
DETAILS = [
    {"type": "reasoning.summary", "summary": "a", "id": "rs_1", "format": OWN, "index": 0},
    {"type": "reasoning.summary", "summary": "b", "id": "rs_1", "format": OWN, "index": 1},
    {"type": "reasoning.encrypted", "data": "ZW5j", "id": "rs_1", "format": OWN, "index": 2},
]


def test_an_item_both_ways() -> None:
    """Each summary is a detail, the encrypted content the last, all with the item's id."""
    assert parse_reasoning(ITEM, 0) == DETAILS
    assert render_own(DETAILS) == ([ITEM], False)


def test_details_of_openrouter() -> None:
    """OpenRouter's details of one item have one index."""
    details = [{**detail, "index": 0} for detail in DETAILS]
    assert render_own(details) == ([ITEM], False)


def test_items_follow_one_another() -> None:
    """Another id, or what comes after the encrypted content, is another item."""
    second = [{**detail, "id": "rs_2"} for detail in DETAILS]
    items, lost = render_own([*DETAILS, *second, DETAILS[2]])
    assert [item["id"] for item in items] == ["rs_1", "rs_2", "rs_1"]
    assert not lost


def test_what_the_provider_no_longer_has_is_left_out() -> None:
    """A summary alone names an item that nobody stored."""
    assert render_own(DETAILS[:2]) == ([], True)


def test_open_text_is_whole_without_encryption() -> None:
    """Servers of open models write their reasoning in the open, and take it back."""
    item = {"id": "rs_1", "type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}
    assert render_own(parse_reasoning(item, 0)) == ([item], False)


def test_other_kinds_are_left_out() -> None:
    """A detail of a server tool is no reasoning of the model's."""
    assert render_reasoning([{"type": "reasoning.server_tool_call", "id": "x"}, {"type": "reasoning.new"}]) == []


def test_format_and_signature_of_others() -> None:
    """Reasoning of another provider keeps its format and its signature, an item for each signature."""
    details = [
        {"type": "reasoning.text", "text": "a", "signature": "s1", "format": "anthropic-claude-v1", "index": 0},
        {"type": "reasoning.text", "text": "b", "signature": "s2", "format": "anthropic-claude-v1", "index": 1},
        {"type": "reasoning.encrypted", "data": "r", "format": "anthropic-claude-v1", "index": 2},
    ]
    items = render_reasoning(details)
    assert [item.get("signature") for item in items] == ["s1", "s2", None]
    assert [detail for place, item in enumerate(items) for detail in parse_reasoning(item, place)] == details


def test_a_signature_without_text() -> None:
    """A signature of nothing is kept."""
    item = {"type": "reasoning", "summary": [], "signature": "s", "format": "anthropic-claude-v1"}
    assert parse_reasoning(item, 3) == [
        {"type": "reasoning.text", "signature": "s", "format": "anthropic-claude-v1", "index": 3}
    ]


@pytest.mark.parametrize(
    "item",
    [
        {"summary": "text"},
        {"summary": [None, {"text": 1}]},
        {"content": {}, "encrypted_content": None},
        {"signature": 1},
    ],
)
def test_broken_items_say_nothing(item: dict[str, Any]) -> None:
    """What is no text is left out."""
    assert parse_reasoning(item, 0) == []


GROUPS = st.lists(
    st.tuples(
        st.sampled_from([OWN, "anthropic-claude-v1", None]),
        st.lists(st.text(max_size=4), max_size=2),
        st.lists(st.text(max_size=4), max_size=2),
        st.none() | st.text(max_size=4),
        st.none() | st.text(max_size=4),
    ),
    max_size=3,
)


@given(groups=GROUPS)
def test_items_are_read_back_as_they_were(groups: list[Any]) -> None:
    """Details of any format survive being items: order, texts, signatures and encrypted parts."""
    details: list[dict[str, Any]] = []
    for number, (form, summaries, texts, signature, data) in enumerate(groups):
        item: dict[str, Any] = {"id": f"rs_{number}", "format": form or "unknown", "encrypted_content": data}
        item["summary"] = [{"text": text} for text in summaries]
        item["content"] = [{"text": text} for text in texts[:1] if signature is not None] or [
            {"text": text} for text in texts
        ]
        details += parse_reasoning({**item, "signature": signature}, len(details))
    read: list[dict[str, Any]] = []
    for made in render_reasoning(details):
        read += parse_reasoning(made, len(read))
    assert read == [{"text": "", **detail} if detail["type"] == "reasoning.text" else detail for detail in details]
