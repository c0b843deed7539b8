# SPDX-License-Identifier: Apache-2.0
"""Tools and the choice among them, each way."""

from typing import Any

import pytest

from trunkline_server.dialects.openai_responses.tools import (
    parse_choice,
    parse_tools,
    render_choice,
    render_function,
    render_search,
    render_tools,
)

SCHEMA = {"type": "object", "properties": {"b": {}, "a": {}}}
GRAMMAR = {"definition": "start: A", "syntax": "lark"}
BOTH_WAYS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "a function",
        {"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True}},
        {"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, "strict": True},
    ),
    (
        "keys that only this language knows",
        {"type": "function", "function": {"name": "f", "defer_loading": True, "parameters": SCHEMA, "strict": False}},
        {"type": "function", "name": "f", "defer_loading": True, "parameters": SCHEMA, "strict": False},
    ),
    (
        "a custom tool",
        {"type": "custom", "custom": {"name": "c", "format": {"type": "grammar", "grammar": GRAMMAR}}},
        {"type": "custom", "name": "c", "format": {"type": "grammar", **GRAMMAR}},
    ),
    (
        "a tool of the provider",
        {"type": "code_interpreter", "container": {}},
        {"type": "code_interpreter", "container": {}},
    ),
    ("web search", {"type": "web_search", "filters": {}}, {"type": "web_search", "filters": {}}),
]


@pytest.mark.parametrize(("chat", "own"), [case[1:] for case in BOTH_WAYS], ids=[case[0] for case in BOTH_WAYS])
def test_both_ways(chat: dict[str, Any], own: dict[str, Any]) -> None:
    """A tool is written flat, and read back as it was."""
    assert render_tools([{**chat}], extensions=False) == ([own], [])
    assert parse_tools([own]) == [chat]


def test_a_function_is_not_strict_unless_said() -> None:
    """Responses are strict by themselves, chat completions are not."""
    assert render_function({"name": "f"}) == {
        "type": "function",
        "name": "f",
        "parameters": {"type": "object", "properties": {}},
        "strict": False,
    }


def test_what_openai_does_not_take() -> None:
    """The gateway's own tools and settings are left out; what is lost is named."""
    tools = [
        {"type": "openrouter:datetime"},
        {"type": "function", "function": {"name": "f"}, "cache_control": {}, "mine": 1},
        {"type": "web_search", "engine": "exa", "max_results": 3, "allowed_domains": ["a.test"]},
    ]
    rendered, dropped = render_tools(tools, extensions=False)
    assert [tool["type"] for tool in rendered] == ["function", "web_search"]
    assert rendered[1] == {"type": "web_search", "filters": {"allowed_domains": ["a.test"]}}
    assert dropped == ["tools.cache_control", "tools.mine", "tools.engine", "tools.max_results"]


@pytest.mark.parametrize(
    ("tool", "sent", "dropped"),
    [
        (
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 3, "allowed_domains": ["a.test"]},
            [{"type": "web_search", "filters": {"allowed_domains": ["a.test"]}}],
            ["tools.max_uses"],
        ),
        (
            {"type": "web_search_20250305", "name": "web_search", "blocked_domains": ["b.test"]},
            [{"type": "web_search"}],
            ["tools.blocked_domains"],
        ),
        ({"type": "bash_20250124", "name": "bash"}, [], ["tools.bash_20250124"]),
        ({"type": "mcp_toolset", "mcp_server_name": "s"}, [], ["tools.mcp_toolset"]),
    ],
)
def test_tools_of_anthropics(tool: dict[str, Any], sent: list[Any], dropped: list[str]) -> None:
    """Anthropic's web search is OpenAI's; its other tools, which OpenAI would refuse, are left out and reported."""
    assert render_tools([tool], extensions=False) == (sent, dropped)


def test_a_provider_with_extensions_gets_them() -> None:
    """OpenRouter has its own tools in this language, too."""
    tools = [
        {"type": "openrouter:web_search", "parameters": {"engine": "exa"}},
        {"type": "web_search", "engine": "exa"},
    ]
    assert render_tools([{**tool} for tool in tools], extensions=True) == (tools, [])


def test_the_search_of_chat_completions() -> None:
    """A parameter there is a tool here, the place of the user one level less deep."""
    options = {"search_context_size": "low", "user_location": {"type": "approximate", "approximate": {"city": "Oslo"}}}
    assert render_search(options) == {
        "type": "web_search",
        "search_context_size": "low",
        "user_location": {"type": "approximate", "city": "Oslo"},
    }


@pytest.mark.parametrize(
    ("chat", "own"),
    [
        ("auto", "auto"),
        ({"type": "function", "function": {"name": "f"}}, {"type": "function", "name": "f"}),
        ({"type": "custom", "custom": {"name": "c"}}, {"type": "custom", "name": "c"}),
        ({"type": "web_search_preview"}, {"type": "web_search_preview"}),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]},
            },
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
        ),
    ],
)
def test_choices_both_ways(chat: Any, own: Any) -> None:
    """A choice is flat here, and nested in chat completions."""
    assert render_choice(chat) == own
    assert parse_choice(own) == chat


@pytest.mark.parametrize(
    ("allowed", "tools"),
    [
        (None, []),
        ("x", []),
        ({"tools": None}, []),
        ({"tools": "x"}, []),
        ({"tools": ["x"]}, ["x"]),
        ({"tools": [{"type": ["x"]}]}, [{"type": ["x"]}]),
    ],
)
def test_allowed_tools_that_are_none(allowed: Any, tools: list[Any]) -> None:
    """What is no list of tools is left to the provider to refuse."""
    assert render_choice({"type": "allowed_tools", "allowed_tools": allowed})["tools"] == tools


@pytest.mark.parametrize("tool", ["text", None, {"type": ["function"]}, {"name": "f"}])
def test_what_is_no_tool_is_left_to_the_check(tool: Any) -> None:
    """What cannot be translated stays as it is, to be refused in its place."""
    assert parse_tools([tool]) == [tool]
    assert parse_choice(tool) == tool
