# SPDX-License-Identifier: Apache-2.0
"""Clients' turns as messages."""

from typing import Any

import orjson
import pytest

from support.anthropic_wire import CODEC, parse, render_again
from trunkline_server.dialects.anthropic.request import thaw

MARK = {"type": "ephemeral"}


def messages(*turns: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages that a client's turns are."""
    encoded = CODEC.encode(parse({"max_tokens": 5, "messages": list(turns)}), answer=False)
    told: list[dict[str, Any]] = orjson.loads(orjson.dumps(thaw(encoded)))["messages"]
    return told


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    """A user's turn."""
    return {"role": "user", "content": list(blocks)}


PARTS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "an image's data",
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
    ),
    (
        "a document's URL",
        {"type": "document", "source": {"type": "url", "url": "https://a.example"}, "title": "a.pdf"},
        {"type": "file", "file": {"file_data": "https://a.example", "filename": "a.pdf"}},
    ),
    (
        "a document's text",
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "å"},
            "cache_control": MARK,
        },
        {"type": "file", "file": {"file_data": "data:text/plain;base64,w6U="}, "cache_control": MARK},
    ),
    (
        "a document of the provider's",
        {"type": "document", "source": {"type": "file", "file_id": "f"}},
        {"type": "file", "file": {"file_id": "f"}},
    ),
    (
        "a search result, readable for all",
        {
            "type": "search_result",
            "source": "https://a.example",
            "title": "A",
            "content": [{"type": "text", "text": "b"}],
        },
        {
            "type": "text",
            "text": "A\nhttps://a.example\nb",
            "anthropic_block": {
                "type": "search_result",
                "source": "https://a.example",
                "title": "A",
                "content": [{"type": "text", "text": "b"}],
            },
        },
    ),
    (
        "an image of the provider's",
        {"type": "image", "source": {"type": "file", "file_id": "f"}},
        {"type": "text", "text": "", "anthropic_block": {"type": "image", "source": {"type": "file", "file_id": "f"}}},
    ),
]


@pytest.mark.parametrize(("what", "block", "part"), PARTS, ids=[row[0] for row in PARTS])
def test_blocks_of_the_users(what: str, block: dict[str, Any], part: dict[str, Any]) -> None:
    """Each block is the contract's part of its kind, or travels inside one."""
    assert messages(user(block)) == [{"role": "user", "content": [part]}]


def test_results_stand_alone() -> None:
    """A turn with results is several messages, in its order."""
    told = messages(
        user({"type": "text", "text": "Hi"}),
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}}]},
        user(
            {"type": "tool_result", "tool_use_id": "c", "content": "no", "is_error": True, "cache_control": MARK},
            {"type": "tool_result", "tool_use_id": "d"},
            {"type": "text", "text": "Go on."},
        ),
    )
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    assert told[1] == {"role": "assistant", "tool_calls": [call]}
    assert told[2:] == [
        {
            "role": "tool",
            "content": [{"type": "text", "text": "no", "cache_control": MARK}],
            "tool_call_id": "c",
            "is_error": True,
        },
        {"role": "tool", "content": "", "tool_call_id": "d"},
        {"role": "user", "content": "Go on."},
    ]


def test_a_result_without_parts() -> None:
    """Tools that have nothing to say answer with an empty list; a mark on it stays with the result."""
    call = {"type": "tool_use", "id": "c", "name": "f", "input": {}}
    turn = user({"type": "tool_result", "tool_use_id": "c", "content": [], "cache_control": MARK})
    asked = [user({"type": "text", "text": "Hi"}), {"role": "assistant", "content": [call]}]
    assert messages(*asked, user({"type": "tool_result", "tool_use_id": "c", "content": []}))[2]["content"] == ""
    again = render_again({"max_tokens": 5, "messages": [*asked, turn]})["messages"]
    assert again[2]["content"] == [{"type": "tool_result", "tool_use_id": "c", "cache_control": MARK}]


def test_a_models_turn() -> None:
    """Thinking and what server tools did are details with their places; texts keep their citations."""
    cited = {"type": "text", "text": "So.", "citations": [{"type": "char_location", "cited_text": "so"}]}
    thinking = {"type": "thinking", "thinking": "hm", "signature": "s"}
    told = messages(user({"type": "text", "text": "Hi"}), {"role": "assistant", "content": [thinking, cited]})[1]
    assert told["content"] == [cited]
    assert told["reasoning_details"] == [
        {"type": "reasoning.text", "text": "hm", "signature": "s", "format": "anthropic-claude-v1", "index": 0}
    ]


def test_instructions_among_the_turns() -> None:
    """A system message stands where the client put it."""
    told = messages({"role": "user", "content": "a"}, {"role": "system", "content": [{"type": "text", "text": "b"}]})
    assert [message["role"] for message in told] == ["user", "system"]
