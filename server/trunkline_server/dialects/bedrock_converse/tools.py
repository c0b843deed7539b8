# SPDX-License-Identifier: Apache-2.0
"""Tools, the choice of one, and the form of the answer, as Converse's `toolConfig` and `outputConfig`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from trunkline_server.dialects.anthropic.families import Family
from trunkline_server.dialects.anthropic.form import FITTED, fit_schema
from trunkline_server.dialects.anthropic.report import Report
from trunkline_server.dialects.anthropic.tools import UNFORCED
from trunkline_server.dialects.anthropic.variants import FLATTENED, flatten
from trunkline_server.dialects.bedrock_converse.parts import Block, cache_point
from trunkline_server.dialects.caching import CONTROL
from trunkline_server.dialects.schemas import ANSWER_TOOL, BY_INSTRUCTION, BY_TOOL, forced_tool, instruction

UNFORBIDDEN: Final = "calls cannot be forbidden while past turns have some: left to the model"
WITHHELD: Final = "tools left out"
PAST_ALONE: Final = "those of past calls named, without which the provider refuses the calls"

_FUNCTION_KEYS: Final = frozenset({"type", "function", CONTROL})


def render_tools(body: Mapping[str, Any], turns: list[dict[str, Any]], family: Family, report: Report) -> Block | None:
    """The request's `toolConfig`; None where there are no tools. Only functions are known; a tool of another type is reported."""
    tools: list[Block] = []
    for tool in body.get("tools") or ():
        if tool.get("type") != "function":
            report.drop("tools")
            continue
        tools.append(_render_function(tool["function"], family, report))
        for key in tool.keys() - _FUNCTION_KEYS:
            report.drop(f"tools.{key}")
        if tool.get(CONTROL) is not None:
            tools.append(cache_point(tool[CONTROL]))
    tools += [_render_function(function, family, report) for function in body.get("functions") or ()]
    choice = body.get("tool_choice")
    legacy = body.get("function_call")
    if choice is None and legacy is not None:
        choice = {"type": "function", "function": legacy} if type(legacy) is dict else legacy
    if body.get("parallel_tool_calls") is not None:
        report.drop("parallel_tool_calls")
    if not tools:
        for path in ("tool_choice", "function_call"):
            if body.get(path) is not None:
                report.drop(path)
        return None
    return _choose({"tools": tools}, choice, turns, family, report)


def _choose(config: Block, choice: object, turns: list[dict[str, Any]], family: Family, report: Report) -> Block | None:
    """The configuration with the choice. Converse has no word for "none"."""
    if choice == "none":
        # A past call without its tool in the request is refused.
        if any("toolUse" in block or "toolResult" in block for turn in turns for block in turn["content"]):
            report.change("tool_choice", UNFORBIDDEN)
            return config
        report.change("tool_choice", WITHHELD)
        return None
    function = choice.get("function") if type(choice) is dict else None
    if type(function) is dict:
        wanted: Block = {"tool": {"name": function.get("name")}}
    elif choice == "required" or type(choice) is dict:
        wanted = {"any": {}}
    else:
        return config if choice is None else {**config, "toolChoice": {"auto": {}}}
    if not family.forces_tools:
        report.change("tool_choice", UNFORCED)
        wanted = {"auto": {}}
    return {**config, "toolChoice": wanted}


def _render_function(function: Mapping[str, Any], family: Family, report: Report) -> Block:
    given = {"type": "object", **(function.get("parameters") or {"properties": {}})}
    schema = flatten(given)
    if schema is not given:
        report.change("tools.function.parameters", FLATTENED)
    spec: Block = {"name": function["name"], "inputSchema": {"json": schema}}
    if function.get("description"):
        spec["description"] = function["description"]
    if function.get("strict"):
        if family.native_schemas:
            spec["strict"] = True
            fitted = fit_schema(schema)
            if fitted != schema:
                report.change("tools.function.parameters", FITTED)
            spec["inputSchema"] = {"json": fitted}
        else:
            report.drop("tools.function.strict")
    return {"toolSpec": spec}


def name_past_tools(out: dict[str, Any], report: Report) -> None:
    """Gives a request without tools those that its turns have called: where there are calls, Bedrock demands a `toolConfig`."""
    uses = [block["toolUse"] for turn in out["messages"] for block in turn["content"] if "toolUse" in block]
    if not uses or "toolConfig" in out:
        return
    schema = {"json": {"type": "object", "properties": {}}}
    tools = [
        {"toolSpec": {"name": name, "description": "No longer available.", "inputSchema": schema}}
        for name in dict.fromkeys(use["name"] for use in uses)
    ]
    out["toolConfig"] = {"tools": tools}
    report.change("tools", PAST_ALONE)


def render_form(
    form: Mapping[str, Any] | None, out: dict[str, Any], report: Report, *, is_native: bool, can_force: bool
) -> None:
    """Asks for the form in a request that is rendered otherwise. `can_force` says that neither tools nor thinking stand in the way of a forced tool."""
    kind = None if form is None else form.get("type")
    if form is None or kind == "text":
        return
    schema = form["json_schema"].get("schema") if kind == "json_schema" else None
    if schema and is_native:
        fitted = fit_schema(schema)
        if fitted != schema:
            report.change("response_format", FITTED)
        given = form["json_schema"]
        definition = {key: given[key] for key in ("name", "description") if given.get(key)}
        definition["schema"] = orjson.dumps(fitted).decode()
        text_format = {"type": "json_schema", "structure": {"jsonSchema": definition}}
        out["outputConfig"] = {**out.get("outputConfig", {}), "textFormat": text_format}
    elif kind == "json_schema" and can_force:
        function = forced_tool(form)["function"]
        spec = {
            "name": ANSWER_TOOL,
            "description": function["description"],
            "inputSchema": {"json": {"type": "object", **function["parameters"]}},
        }
        out["toolConfig"] = {"tools": [{"toolSpec": spec}], "toolChoice": {"tool": {"name": ANSWER_TOOL}}}
        report.change("response_format", BY_TOOL)
    elif kind in ("json_schema", "json_object"):
        out.setdefault("system", []).append({"text": instruction(form)})
        report.change("response_format", BY_INSTRUCTION)
    else:
        report.drop("response_format")
