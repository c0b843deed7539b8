# SPDX-License-Identifier: Apache-2.0
"""Tools, the choice of one, and the form of the answer."""

from typing import Any

import pytest

from trunkline_server.dialects.anthropic.families import Family
from trunkline_server.dialects.anthropic.report import Report
from trunkline_server.dialects.bedrock_converse.tools import name_past_tools, render_form, render_tools
from trunkline_server.dialects.schemas import ANSWER_TOOL

LOOK = {"type": "function", "function": {"name": "look", "description": "Look.", "parameters": {"properties": {}}}}
SPEC = {
    "toolSpec": {"name": "look", "description": "Look.", "inputSchema": {"json": {"type": "object", "properties": {}}}}
}
PAST = [{"role": "assistant", "content": [{"toolUse": {}}]}]
FORM = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize(
    ("choice", "turns", "rendered", "changed"),
    [
        (None, [], {"tools": [SPEC]}, []),
        ("auto", [], {"tools": [SPEC], "toolChoice": {"auto": {}}}, []),
        ("required", [], {"tools": [SPEC], "toolChoice": {"any": {}}}, []),
        (
            {"type": "function", "function": {"name": "look"}},
            [],
            {"tools": [SPEC], "toolChoice": {"tool": {"name": "look"}}},
            [],
        ),
        ("none", [], None, ["tool_choice"]),
        ("none", PAST, {"tools": [SPEC]}, ["tool_choice"]),
    ],
)
def test_choices(choice: object, turns: list[dict[str, Any]], rendered: object, changed: list[str]) -> None:
    """Converse has three choices; for "none" the tools are left out where past turns allow it."""
    report = Report()
    assert render_tools({"tools": [LOOK], "tool_choice": choice}, turns, Family(), report) == rendered
    assert [path for path, _ in report.changed] == changed


def test_a_model_that_takes_no_forced_tool() -> None:
    """The choice is left to it, and that is reported."""
    report = Report()
    body = {"tools": [LOOK], "tool_choice": "required"}
    assert render_tools(body, [], Family(forces_tools=False), report) == {"tools": [SPEC], "toolChoice": {"auto": {}}}
    assert [path for path, _ in report.changed] == ["tool_choice"]


def test_tools_of_other_kinds() -> None:
    """Functions alone are known; legacy ones too, and the mark of a cached prefix is a tool of its own."""
    report = Report()
    body = {
        "tools": [{"type": "web_search"}, {**LOOK, "cache_control": {"type": "ephemeral"}}],
        "functions": [{"name": "old"}],
        "function_call": {"name": "old"},
        "parallel_tool_calls": False,
    }
    old = {"toolSpec": {"name": "old", "inputSchema": {"json": {"type": "object", "properties": {}}}}}
    assert render_tools(body, [], Family(), report) == {
        "tools": [SPEC, {"cachePoint": {"type": "default"}}, old],
        "toolChoice": {"tool": {"name": "old"}},
    }
    assert report.dropped == ("tools", "parallel_tool_calls")


def test_no_tools() -> None:
    """Without tools there is nothing to choose."""
    report = Report()
    assert render_tools({"tool_choice": "auto"}, [], Family(), report) is None
    assert report.dropped == ("tool_choice",)


@pytest.mark.parametrize(
    ("form", "is_native", "can_force", "keys"),
    [
        (None, True, True, set()),
        ({"type": "text"}, True, True, set()),
        (FORM, True, True, {"outputConfig"}),
        (FORM, False, True, {"toolConfig"}),
        (FORM, False, False, {"system"}),
        ({"type": "json_object"}, True, True, {"system"}),
        ({"type": "grammar"}, True, True, set()),
    ],
)
def test_forms(form: dict[str, Any] | None, is_native: bool, can_force: bool, keys: set[str]) -> None:
    """A form is asked for natively, by a forced tool, or by an instruction."""
    out: dict[str, Any] = {}
    render_form(form, out, Report(), is_native=is_native, can_force=can_force)
    assert out.keys() == keys


def test_the_words_of_a_form() -> None:
    """The schema is a text in Converse's own form; the forced tool has the name that decoders know."""
    native: dict[str, Any] = {}
    forced: dict[str, Any] = {}
    render_form(FORM, native, Report(), is_native=True, can_force=True)
    render_form(FORM, forced, Report(), is_native=False, can_force=True)
    schema = '{"type":"object","properties":{},"additionalProperties":false}'
    definition = {"name": "n", "schema": schema}
    assert native["outputConfig"]["textFormat"] == {"type": "json_schema", "structure": {"jsonSchema": definition}}
    assert forced["toolConfig"]["toolChoice"] == {"tool": {"name": ANSWER_TOOL}}


def use(name: str) -> dict[str, Any]:
    """A past call."""
    return {"toolUse": {"toolUseId": "a", "name": name, "input": {}}}


@pytest.mark.parametrize(
    ("blocks", "config", "names", "changed"),
    [
        ([{"text": "x"}], {}, None, []),
        ([use("a"), use("b"), use("a")], {}, ["a", "b"], ["tools"]),
        ([use("a")], {"toolConfig": {"tools": [SPEC]}}, ["look"], []),
    ],
)
def test_past_calls_without_tools(
    blocks: list[dict[str, Any]], config: dict[str, Any], names: list[str] | None, changed: list[str]
) -> None:
    """Bedrock refuses past calls in a request without tools, so those that were called are named."""
    out: dict[str, Any] = {"messages": [{"role": "assistant", "content": blocks}], **config}
    report = Report()
    name_past_tools(out, report)
    tools = out.get("toolConfig", {}).get("tools")
    assert (tools and [tool["toolSpec"]["name"] for tool in tools]) == names
    assert [path for path, _ in report.changed] == changed


BOUND = {"properties": {"a": {"type": "integer", "minimum": 3}}}


@pytest.mark.parametrize(
    ("parameters", "strict", "sent", "changed"),
    [
        (BOUND, False, {"minimum": 3}, []),
        (BOUND, True, {}, ["tools.function.parameters"]),
        (
            {"anyOf": [BOUND, {"properties": {"b": {"type": "string"}}}]},
            False,
            {"minimum": 3},
            ["tools.function.parameters"],
        ),
    ],
)
def test_schemas_of_arguments(
    parameters: dict[str, Any], strict: bool, sent: dict[str, Any], changed: list[str]
) -> None:
    """Variants at the top are refused, and so is what a strict schema cannot say: both are told otherwise, and that is reported."""
    report = Report()
    function = {"name": "look", "parameters": parameters, "strict": strict}
    body = {"tools": [{"type": "function", "function": function}]}
    config = render_tools(body, [], Family(native_schemas=True), report)
    assert config is not None
    schema = config["tools"][0]["toolSpec"]["inputSchema"]["json"]
    assert {"minimum": 3}.items() & schema["properties"]["a"].items() == sent.items()
    assert "anyOf" not in schema
    assert [path for path, _ in report.changed] == changed
