# SPDX-License-Identifier: Apache-2.0
"""Tools and their choice in Anthropic's words."""

from typing import Any

import pytest

from support.anthropic_wire import render
from trunkline_server.dialects.anthropic.form import FITTED
from trunkline_server.dialects.anthropic.tools import AS_FUNCTION
from trunkline_server.dialects.anthropic.variants import FLATTENED

LOOK = {"type": "function", "function": {"name": "look"}}
BARE = {"name": "look", "input_schema": {"type": "object", "properties": {}}}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}

TOOLS = [
    ("a function", LOOK, BARE),
    (
        "all of a function",
        {
            "type": "function",
            "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True},
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
            "defer_loading": True,
        },
        {
            "name": "f",
            "description": "d",
            "input_schema": {"type": "object", "additionalProperties": False},
            "strict": True,
            "defer_loading": True,
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
        },
    ),
    ("a server tool of Anthropic's", {**SEARCH, "max_uses": 3}, {**SEARCH, "max_uses": 3}),
    (
        "a tool of the client's with a type",
        {"type": "bash_20250124", "name": "bash"},
        {"type": "bash_20250124", "name": "bash"},
    ),
    (
        "a function as Anthropic has it",
        {"type": "custom", "name": "f", "input_schema": {"type": "object"}},
        {"type": "custom", "name": "f", "input_schema": {"type": "object"}},
    ),
    (
        "web search in OpenAI's words",
        {
            "type": "web_search",
            "allowed_domains": ["a.example"],
            "excluded_domains": ["b.example"],
            "user_location": {"city": "Oslo"},
        },
        {
            **SEARCH,
            "allowed_domains": ["a.example"],
            "blocked_domains": ["b.example"],
            "user_location": {"city": "Oslo", "type": "approximate"},
        },
    ),
]


@pytest.mark.parametrize(("what", "tool", "sent"), TOOLS, ids=[row[0] for row in TOOLS])
def test_tools(what: str, tool: dict[str, Any], sent: dict[str, Any]) -> None:
    """Functions are renamed, Anthropic's own tools stay as they came."""
    assert render({"tools": [tool]})[0]["tools"] == [sent]


OBJECT = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
CUSTOM = [
    ({"name": "x", "description": "d"}, {"name": "x", "description": "d", "input_schema": OBJECT}),
    (
        {
            "name": "x",
            "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: x"}},
        },
        {
            "name": "x",
            "description": "The text of `input` follows this grammar (lark):\nstart: x",
            "input_schema": OBJECT,
        },
    ),
]


@pytest.mark.parametrize(("custom", "sent"), CUSTOM)
def test_custom_tools(custom: dict[str, Any], sent: dict[str, Any]) -> None:
    """A tool whose input is text is a function with one argument, which is told; it can be chosen, too."""
    choice = {"type": "custom", "custom": {"name": "x"}}
    body, report = render({"tools": [{"type": "custom", "custom": custom}], "tool_choice": choice})
    assert (body["tools"], body["tool_choice"]) == ([sent], {"type": "tool", "name": "x"})
    assert (report.dropped, report.changed) == ((), (("tools.custom", AS_FUNCTION),))


@pytest.mark.parametrize("custom", [{}, {"name": 1}, "x"])
def test_a_custom_tool_that_is_none(custom: Any) -> None:
    """Without a name there is nothing to call."""
    body, report = render({"tools": [LOOK, {"type": "custom", "custom": custom}]})
    assert (body["tools"], report.dropped) == ([BARE], ("tools.custom",))


@pytest.mark.parametrize("kind", ["code_interpreter", "local_shell", "computer_use_preview", "image_generation"])
def test_tools_of_other_makers(kind: str) -> None:
    """Anthropic answers 400 to types that it does not know, so they are left out and reported."""
    body, report = render({"tools": [LOOK, {"type": kind}]})
    assert (body["tools"], report.dropped) == ([BARE], (f"tools.{kind}",))
    assert "tools" not in render({"tools": [{"type": kind}]})[0]


def test_a_strict_schema_is_fitted() -> None:
    """What OpenAI's strict tools take and Anthropic's refuse goes into descriptions; other tools keep their schema."""
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema, "strict": True}}
    body, report = render({"tools": [tool]})
    assert body["tools"][0]["input_schema"] == {
        "type": "object",
        "properties": {"n": {"type": "integer", "description": '{"minimum":1}'}},
        "additionalProperties": False,
    }
    assert report.changed == (("tools.function.parameters", FITTED),)
    plain, report = render({"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]})
    assert (plain["tools"][0]["input_schema"], report.changed) == (schema, ())


def test_variants_at_the_top_are_merged() -> None:
    """Anthropic refuses them there."""
    schema = {"anyOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]}]}
    body, report = render({"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]})
    sent = body["tools"][0]["input_schema"]
    assert (sent["type"], sent["properties"], "anyOf" in sent) == ("object", {"a": {"type": "string"}}, False)
    assert report.changed == (("tools.function.parameters", FLATTENED),)


def test_other_ways_to_tools() -> None:
    """Legacy functions and search options are tools, too."""
    body, report = render(
        {
            "functions": [{"name": "look"}],
            "function_call": {"name": "look"},
            "web_search_options": {
                "search_context_size": "low",
                "user_location": {"type": "approximate", "approximate": {"country": "NO"}},
            },
        }
    )
    assert body["tools"] == [BARE, {**SEARCH, "user_location": {"country": "NO", "type": "approximate"}}]
    assert body["tool_choice"] == {"type": "tool", "name": "look"}
    assert report.dropped == ("web_search_options.search_context_size",)


def test_what_is_not_sent() -> None:
    """The gateway's own tools and a strictness that the model does not know are left out and reported."""
    tools = [
        {"type": "openrouter:datetime"},
        {"type": "function", "function": {"name": "f", "strict": True}, "mine": 1},
    ]
    body, report = render({"tools": tools}, "claude-sonnet-4-20250514")
    assert body["tools"] == [{**BARE, "name": "f"}]
    assert set(report.dropped) == {"tools", "tools.function.strict", "tools.mine"}


CHOICES = [
    ({"tool_choice": "auto"}, {"type": "auto"}),
    ({"tool_choice": "required"}, {"type": "any"}),
    ({"tool_choice": "none", "parallel_tool_calls": False}, {"type": "none"}),
    ({"tool_choice": {"type": "function", "function": {"name": "look"}}}, {"type": "tool", "name": "look"}),
    ({"tool_choice": {"type": SEARCH["type"]}}, {"type": "tool", "name": "web_search"}),
    ({"tool_choice": {"type": "openrouter:bash"}}, {"type": "any"}),
    ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
    ({"tool_choice": "required", "parallel_tool_calls": True}, {"type": "any", "disable_parallel_tool_use": False}),
    ({"function_call": "none"}, {"type": "none"}),
    ({}, None),
]


@pytest.mark.parametrize(("said", "sent"), CHOICES)
def test_choices(said: dict[str, Any], sent: dict[str, Any] | None) -> None:
    """Each choice has its word, and says whether several calls are allowed."""
    assert render({"tools": [LOOK, SEARCH], **said})[0].get("tool_choice") == sent


def test_a_model_that_takes_no_forced_tool() -> None:
    """Where a model refuses to be forced, the choice is left to it and that is told."""
    body, report = render({"tools": [LOOK], "tool_choice": "required"}, "claude-opus-5-5")
    assert body["tool_choice"] == {"type": "auto"}
    assert [path for path, _ in report.changed] == ["tool_choice"]


def test_no_tools_no_choice() -> None:
    """Without tools there is nothing to choose from."""
    body, report = render({"tool_choice": "auto", "parallel_tool_calls": True})
    assert ("tool_choice" in body, report.dropped) == (False, ("tool_choice", "parallel_tool_calls"))
