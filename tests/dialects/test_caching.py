# SPDX-License-Identifier: Apache-2.0
"""Breakpoints of prompt caches."""

import copy
from typing import Any

import pytest

from trunkline_server.dialects.caching import breakpoints, keep_last, translate_to_openai

EPHEMERAL = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
EXPLICIT = {"mode": "explicit"}


def text(words: str, **marks: Any) -> dict[str, Any]:
    """A part of text."""
    return {"type": "text", "text": words, **marks}


def tool(**marks: Any) -> dict[str, Any]:
    """A tool."""
    return {"type": "function", "function": {"name": "look"}, **marks}


def test_order() -> None:
    """The marked blocks come in the order of the prompt, in which tools and instructions stand ahead of the turns."""
    turn, rule, marked_tool = (
        text("a", cache_control=EPHEMERAL),
        text("b", cache_control=HOUR),
        tool(cache_control=HOUR),
    )
    body = {
        "messages": [{"role": "user", "content": [turn, text("c")]}, {"role": "system", "content": [rule]}],
        "tools": [tool(), marked_tool],
    }
    assert breakpoints(body) == [marked_tool, rule, turn]


def test_openais_mark() -> None:
    """OpenAI's mark becomes Anthropic's, unless the part has both."""
    mine = text("a", prompt_cache_breakpoint=EXPLICIT)
    both = text("b", prompt_cache_breakpoint=EXPLICIT, cache_control=HOUR)
    body = {"messages": [{"role": "user", "content": [mine, both]}]}
    assert breakpoints(body) == [text("a", cache_control=EPHEMERAL), text("b", cache_control=HOUR)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"messages": [{"role": "user", "content": "a"}]}, text("a", cache_control=HOUR)),
        (
            {"messages": [{"role": "user", "content": [text("a"), text("")]}, {"role": "user", "content": ""}]},
            text("a", cache_control=HOUR),
        ),
        (
            {"messages": [{"role": "user", "content": "b"}, {"role": "system", "content": "a"}]},
            text("b", cache_control=HOUR),
        ),
        (
            {"messages": [{"role": "user", "content": [text("a", cache_control=EPHEMERAL)]}]},
            text("a", cache_control=EPHEMERAL),
        ),
        ({"messages": [{"role": "user", "content": ""}], "tools": [tool()]}, tool(cache_control=HOUR)),
    ],
)
def test_the_moving_breakpoint(body: dict[str, Any], expected: dict[str, Any]) -> None:
    """The top-level mark goes to the last block that can be cached, unless that one has its own."""
    body = {**copy.deepcopy(body), "cache_control": HOUR}
    assert breakpoints(body)[-1] == expected
    assert "cache_control" not in body


def test_nothing_to_mark() -> None:
    """Where nothing can be cached nothing is marked."""
    assert breakpoints({"messages": [{"role": "user", "content": ""}], "cache_control": HOUR}) == []


def test_keep_last() -> None:
    """The last four keep their mark."""
    parts = [text(str(number), cache_control=EPHEMERAL) for number in range(6)]
    marked = breakpoints({"messages": [{"role": "user", "content": parts}]})
    assert keep_last(marked) == 2
    assert [part for part in parts if "cache_control" in part] == parts[2:]
    assert keep_last(parts[2:]) == 0


def test_to_openai() -> None:
    """Anthropic's mark becomes OpenAI's, without its time to live; a tool's is lost."""
    body = {
        "messages": [{"role": "user", "content": [text("a", cache_control=HOUR), text("b")]}],
        "tools": [tool(cache_control=HOUR)],
    }
    assert translate_to_openai(body) == (True, True)
    assert body == {
        "messages": [{"role": "user", "content": [text("a", prompt_cache_breakpoint=EXPLICIT), text("b")]}],
        "tools": [tool()],
    }


def test_openais_own_mark_stays() -> None:
    """OpenAI's own mark is no translation."""
    body = {"messages": [{"role": "user", "content": [text("a", prompt_cache_breakpoint=EXPLICIT)]}]}
    expected = copy.deepcopy(body)
    assert translate_to_openai(body) == (False, False)
    assert body == expected


def test_the_moving_breakpoint_for_openai() -> None:
    """The top-level mark is put on the last part, and a part that had its own mark keeps it."""
    mine = text("a", prompt_cache_breakpoint=EXPLICIT, cache_control=HOUR)
    body = {"messages": [{"role": "user", "content": [mine, text("b")]}], "cache_control": HOUR}
    assert translate_to_openai(body) == (True, False)
    marked = [text("a", prompt_cache_breakpoint=EXPLICIT), text("b", prompt_cache_breakpoint=EXPLICIT)]
    assert body == {"messages": [{"role": "user", "content": marked}]}
