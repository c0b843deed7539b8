# SPDX-License-Identifier: Apache-2.0
"""Offered tools and tool_choice."""

from typing import Any

import pytest

from trunkline_server.upstream.simulator.refused import RefusedError
from trunkline_server.upstream.simulator.toolbox import read_toolbox

TOOLS = [
    {"type": "function", "function": {"name": "a", "strict": True}},
    {"function": {"name": "b", "parameters": {"type": "null"}}},
]
SERVER_TOOL = {"type": "openrouter:web_search"}


@pytest.mark.parametrize(
    ("keys", "allowed", "forced"),
    [
        ({}, [], []),
        ({"tool_choice": "auto"}, [], []),
        ({"tools": TOOLS}, ["a", "b"], []),
        ({"tools": [*TOOLS, SERVER_TOOL]}, ["a", "b"], []),
        ({"tools": TOOLS, "tool_choice": "none"}, [], []),
        ({"tools": TOOLS, "tool_choice": "required"}, ["a", "b"], ["a", "b"]),
        ({"tools": TOOLS, "tool_choice": "required", "parallel_tool_calls": False}, ["a"], ["a"]),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "b"}}}, ["b"], ["b"]),
        ({"tools": TOOLS, "parallel_tool_calls": False}, ["a"], []),
        ({"tools": TOOLS, "parallel_tool_calls": None}, ["a", "b"], []),
    ],
)
def test_choice_says_what_may_and_must_be_called(keys: dict[str, Any], allowed: list[str], forced: list[str]) -> None:
    """Tools that run on the server are not the model's to call."""
    box = read_toolbox(keys)
    assert [tool.name for tool in box.allowed()] == allowed
    assert [tool.name for tool in box.forced()] == forced


def test_a_tool_without_parameters_takes_an_empty_object() -> None:
    """Parameters and strictness are read where they are given."""
    assert [(tool.parameters, tool.path, tool.strict) for tool in read_toolbox({"tools": TOOLS}).tools] == [
        ({"type": "object"}, "tools[0].function.parameters", True),
        ({"type": "null"}, "tools[1].function.parameters", False),
    ]


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({"tools": {}}, "tools"),
        ({"tools": ["a"]}, "tools[0]"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": [{"type": "function", "function": {"name": "a", "strict": "yes"}}]}, "tools[0].function.strict"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [SERVER_TOOL], "tool_choice": "required"}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": "any"}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": 1}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": {}}, "tool_choice.type"),
        ({"tools": TOOLS, "tool_choice": {"type": "function"}}, "tool_choice.function.name"),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "c"}}}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": {"type": "openrouter:web_search"}}, "tool_choice"),
        ({"parallel_tool_calls": 1}, "parallel_tool_calls"),
    ],
)
def test_wrong_tools_are_refused_by_their_path(keys: dict[str, Any], path: str) -> None:
    """What cannot be read or obeyed is named."""
    with pytest.raises(RefusedError) as caught:
        read_toolbox(keys)
    assert caught.value.param == path
