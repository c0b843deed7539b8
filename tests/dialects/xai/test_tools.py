# SPDX-License-Identifier: Apache-2.0
"""Tools and the choice among them."""

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from xai_sdk import chat as theirs

from trunkline_server.dialects.gemini.report import Report
from trunkline_server.dialects.xai.stubs import chat_stubs
from trunkline_server.dialects.xai.tools import write_tools

SCHEMA = {"type": "object", "properties": {"at": {"type": "string"}}}
LOOK = {"name": "look", "description": "Looks.", "parameters": SCHEMA}


def write(**body: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The tools in a request, and what is lost."""
    made, report = chat_stubs().GetCompletionsRequest(), Report()
    write_tools(body, made, report)
    assert body == {}
    return MessageToDict(made, preserving_proto_field_name=True), report.dropped


def test_a_function_as_their_client_writes_it() -> None:
    """The same tool, but for white space in the schema; the legacy field's too."""
    expected = MessageToDict(theirs.tool("look", "Looks.", SCHEMA), preserving_proto_field_name=True)
    expected["function"]["parameters"] = expected["function"]["parameters"].replace(" ", "")
    assert write(tools=[{"type": "function", "function": LOOK}]) == ({"tools": [expected]}, ())
    assert write(functions=[LOOK]) == ({"tools": [expected]}, ())


def test_a_function_without_arguments() -> None:
    """It has a schema all the same; keys that have no place are reported."""
    written, dropped = write(tools=[{"type": "function", "function": {"name": "f", "own": 1}, "cache_control": {}}])
    assert written["tools"][0]["function"]["parameters"] == '{"type":"object","properties":{}}'
    assert dropped == ("tools.cache_control", "tools.function.own")


CITED = {"include": ["INCLUDE_OPTION_INLINE_CITATIONS"]}


@pytest.mark.parametrize(
    ("body", "expected", "lost"),
    [
        ({"web_search_options": {}}, {}, ()),
        (
            {"web_search_options": {"search_context_size": "low"}},
            {},
            ("web_search_options.search_context_size",),
        ),
        (
            {
                "web_search_options": {
                    "user_location": {"type": "approximate", "approximate": {"city": "Oslo", "country": "NO"}}
                }
            },
            {"user_location": {"city": "Oslo", "country": "NO"}},
            (),
        ),
        (
            {"tools": [{"type": "web_search", "allowed_domains": ["a.com"], "user_location": {"timezone": "UTC"}}]},
            {"allowed_domains": ["a.com"], "user_location": {"timezone": "UTC"}},
            (),
        ),
        (
            {"tools": [{"type": "web_search_preview", "parameters": {"excluded_domains": ["a.com"]}, "engine": "x"}]},
            {"excluded_domains": ["a.com"]},
            ("tools.web_search.engine",),
        ),
        ({"tools": [{"type": "web_search"}], "web_search_options": {}}, {}, ()),
    ],
)
def test_search(body: dict[str, Any], expected: dict[str, Any], lost: tuple[str, ...]) -> None:
    """OpenAI's search is xAI's, once, whose citations have places."""
    assert write(**body) == ({"tools": [{"web_search": expected}], **CITED}, lost)


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        ({"type": "x_search", "allowed_x_handles": ["xai"]}, {"x_search": {"allowed_x_handles": ["xai"]}}),
        ({"type": "code_execution"}, {"code_execution": {}}),
        (
            {"type": "mcp", "server_url": "https://a", "server_label": "a"},
            {"mcp": {"server_url": "https://a", "server_label": "a"}},
        ),
        (
            {"type": "image_generation", "image_generation": {"action": "edit"}},
            {"image_generation": {"action": "edit"}},
        ),
    ],
)
def test_own_tools(tool: dict[str, Any], expected: dict[str, Any]) -> None:
    """A tool of xAI's is sent under its name, its settings beside the type or under it."""
    assert write(tools=[tool]) == ({"tools": [expected], **CITED}, ())


@pytest.mark.parametrize(
    "tool", [{"type": "strange"}, {"type": "x_search", "own": 1}, {"type": "mcp", "server_url": 1}, {"type": ""}]
)
def test_tools_that_xai_does_not_have(tool: dict[str, Any]) -> None:
    """They are reported, and the gateway's own are not."""
    assert write(tools=[tool, {"type": "openrouter:datetime"}]) == ({}, (f"tools.{tool['type']}",))


@pytest.mark.parametrize(
    ("body", "expected", "lost"),
    [
        ({"tool_choice": "auto"}, {"mode": "TOOL_MODE_AUTO"}, ()),
        ({"tool_choice": "none"}, {"mode": "TOOL_MODE_NONE"}, ()),
        ({"tool_choice": "required"}, {"mode": "TOOL_MODE_REQUIRED"}, ()),
        ({"tool_choice": {"type": "function", "function": {"name": "look"}}}, {"function_name": "look"}, ()),
        ({"function_call": {"name": "look"}}, {"function_name": "look"}, ()),
        ({"function_call": "none"}, {"mode": "TOOL_MODE_NONE"}, ()),
        ({"tool_choice": "auto", "function_call": "none"}, {"mode": "TOOL_MODE_AUTO"}, ()),
        ({"tool_choice": {"type": "allowed_tools"}}, None, ("tool_choice",)),
    ],
)
def test_the_choice(body: dict[str, Any], expected: dict[str, Any] | None, lost: tuple[str, ...]) -> None:
    """The choice among tools; one that xAI has no word for is reported."""
    assert write(**body) == ({} if expected is None else {"tool_choice": expected}, lost)
