# SPDX-License-Identifier: Apache-2.0
"""Structured answers from providers without a field for them."""

from trunkline_server.dialects.schemas import ANSWER_TOOL, forced_tool, instruction, is_answer_tool

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
BY_SCHEMA = {"type": "json_schema", "json_schema": {"name": "place", "description": "A place.", "schema": SCHEMA}}
ANY_OBJECT = {"type": "json_object"}


def test_forced_tool() -> None:
    """The tool has the schema, what it is for, and a name that a decoder knows."""
    function = forced_tool(BY_SCHEMA)["function"]
    assert function["parameters"] == SCHEMA
    assert function["description"].endswith("A place.")
    assert function["name"] == ANSWER_TOOL
    assert is_answer_tool(function["name"])
    assert not is_answer_tool("place")


def test_forced_tool_of_any_object() -> None:
    """Without a schema the tool takes any object."""
    assert forced_tool(ANY_OBJECT)["function"]["parameters"] == {"type": "object"}


def test_instruction() -> None:
    """The instruction holds the schema where there is one, and asks for JSON alone."""
    assert '{"type":"object","properties":{"city":{"type":"string"}}}' in instruction(BY_SCHEMA)
    assert "A place." in instruction(BY_SCHEMA)
    assert "nothing else" in instruction(ANY_OBJECT)
