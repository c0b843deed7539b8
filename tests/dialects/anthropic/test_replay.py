# SPDX-License-Identifier: Apache-2.0
"""Reasoning details as blocks of a past turn."""

from typing import Any

import pytest

from trunkline_server.dialects.anthropic.replay import arrange, blocks_of_details, detail_of_block

OWN = "anthropic-claude-v1"


def text(words: str) -> dict[str, Any]:
    """A block of text."""
    return {"type": "text", "text": words}


def mark(name: str) -> dict[str, Any]:
    """Some other block."""
    return {"type": name}


ORDERS = [
    ([], ["a"], ["a"]),
    ([(0, "T"), (1, "U")], ["a"], ["T", "U", "a"]),
    ([(0, "T"), (2, "U")], ["a"], ["T", "a", "U"]),
    ([(0, "T"), (2, "U"), (4, "V")], ["a", "b", "c"], ["T", "a", "U", "b", "V", "c"]),
    ([(1, "T")], ["a"], ["a", "T"]),
    ([(None, "T"), (None, "U")], ["a"], ["T", "U", "a"]),
    ([(5, "T")], ["a"], ["a", "T"]),
    ([(5, "T")], [], ["T"]),
]


@pytest.mark.parametrize(("placed", "texts", "turn"), ORDERS)
def test_arrange(placed: list[tuple[int | None, str]], texts: list[str], turn: list[str]) -> None:
    """Blocks stand where they stood, and texts between them."""
    made = arrange([(place, mark(name)) for place, name in placed], [text(words) for words in texts])
    assert [block.get("text", block["type"]) for block in made] == turn


BLOCKS: list[dict[str, Any]] = [
    {"type": "thinking", "thinking": "hm", "signature": "s"},
    {"type": "thinking", "thinking": "", "signature": "s"},
    {"type": "redacted_thinking", "data": "d"},
    {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"q": 1}, "caller": {"type": "direct"}},
    {
        "type": "web_search_tool_result",
        "tool_use_id": "s1",
        "content": {"type": "web_search_tool_result_error", "error_code": "x"},
    },
    {"type": "tool_search_tool_result", "tool_use_id": "s1", "content": []},
    {"type": "container_upload", "file_id": "f"},
    {"type": "mcp_tool_result", "tool_use_id": "m", "is_error": False, "content": [{"type": "text", "text": "a"}]},
]


@pytest.mark.parametrize("block", BLOCKS)
def test_blocks_come_back(block: dict[str, Any]) -> None:
    """A block becomes a detail, and the detail the same block in the same place."""
    detail = detail_of_block(block, 3)
    assert (detail["format"], detail["index"]) == (OWN, 3)
    assert blocks_of_details([detail]) == ([(3, block)], False)


NOT_OURS: list[dict[str, Any]] = [
    {"type": "reasoning.text", "text": "hm"},
    {"type": "reasoning.text", "text": "hm", "format": OWN},
    {"type": "reasoning.text", "text": "hm", "signature": "s", "format": "google-gemini-v1"},
    {"type": "reasoning.encrypted", "data": "d"},
    {"type": "reasoning.encrypted", "data": "d", "format": "openai-responses-v1"},
    {"type": "reasoning.summary", "summary": "s", "format": "openai-responses-v1"},
    {"type": "anthropic.block", "format": OWN},
    {"type": "anthropic.block", "block": {"no": "type"}, "format": OWN},
    {"type": "fresh", "format": OWN},
]


@pytest.mark.parametrize("detail", NOT_OURS)
def test_what_is_not_anthropics(detail: dict[str, Any]) -> None:
    """Other makers' details, and thinking that nobody signed, are never sent as Anthropic's."""
    assert blocks_of_details([detail]) == ([], True)


def test_a_signature_without_a_format() -> None:
    """A client that lost the format but kept text and signature has kept enough."""
    detail = {"type": "reasoning.text", "text": "hm", "signature": "s"}
    assert blocks_of_details([detail]) == ([(None, {"type": "thinking", "thinking": "hm", "signature": "s"})], False)


def test_a_whole_server_tool_call() -> None:
    """A detail with arguments and result is two blocks."""
    detail = {
        "type": "reasoning.server_tool_call",
        "tool_name": "web_fetch",
        "tool_call_id": "s",
        "arguments": "oops",
        "result": "text",
        "format": OWN,
    }
    assert [block for _, block in blocks_of_details([detail])[0]] == [
        {"type": "server_tool_use", "id": "s", "name": "web_fetch", "input": {}},
        {"type": "web_fetch_tool_result", "tool_use_id": "s", "content": "text"},
    ]
