# SPDX-License-Identifier: Apache-2.0
"""The tools that a request offers, and which of them it wants called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trunkline_server.upstream.simulator.body import (
    Json,
    check_schema_size,
    flag_at,
    json_path,
    json_size,
    list_at,
    object_at,
    read_object,
    required_text,
    wrong,
)
from trunkline_server.upstream.simulator.limits import MAX_NAME, MAX_TOOLS, MAX_TOOLS_TEXT, too_many
from trunkline_server.upstream.simulator.refused import RefusedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function that may be called; its parameters' schema stands at `path` of the request."""

    name: str
    parameters: Json
    path: str
    strict: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolBox:
    """What is offered and wanted. `choice` is none, auto or required; `named` the one tool that must be called (None: any)."""

    tools: Sequence[Tool] = ()
    choice: str = "auto"
    named: str | None = None
    parallel: bool = True

    def forced(self) -> Sequence[Tool]:
        """The tools that any model must call now; none where it may answer otherwise."""
        return self.allowed() if self.choice == "required" else ()

    def allowed(self) -> Sequence[Tool]:
        """The tools that may be called now: all, the named one, or the first where calls must not be parallel."""
        if self.choice == "none":
            return ()
        tools = [tool for tool in self.tools if self.named in (None, tool.name)]
        return tools if self.parallel else tools[:1]


def read_toolbox(source: Mapping[str, Json]) -> ToolBox:
    """The request's `tools`, `tool_choice` and `parallel_tool_calls`. Tools that are no functions are left alone: a server runs those."""
    stated = list_at(source, "tools", "") or ()
    if len(stated) > MAX_TOOLS:
        raise too_many("tools", MAX_TOOLS, "tools")
    if json_size(stated, "tools") > MAX_TOOLS_TEXT:
        raise too_many("tools", MAX_TOOLS_TEXT, "bytes of JSON")
    tools = [
        _read_tool(item, json_path("tools", position))
        for position, item in enumerate(stated)
        if read_object(item, json_path("tools", position)).get("type", "function") == "function"
    ]
    choice, named = _read_choice(source.get("tool_choice"))
    if choice == "required" and not any(named in (None, tool.name) for tool in tools):
        missing = "a tool is" if named is None else f"the tool {named!r} is"
        raise RefusedError(f"tool_choice: {missing} demanded and not offered in tools.", param="tool_choice")
    parallel = flag_at(source, "parallel_tool_calls", "")
    return ToolBox(tools=tuple(tools), choice=choice, named=named, parallel=parallel is not False)


def _read_tool(source: Mapping[str, Json], path: str) -> Tool:
    function = object_at(source, "function", path)
    where = json_path(path, "function")
    if function is None:
        raise RefusedError(f"{where}: an object with the function is missing.", param=where)
    parameters, strict = function.get("parameters"), flag_at(function, "strict", where)
    name = required_text(function, "name", where)
    if len(name) > MAX_NAME:
        raise too_many(json_path(where, "name"), MAX_NAME, "characters")
    check_schema_size(parameters, json_path(where, "parameters"))
    return Tool(
        name=name,
        parameters=parameters or {"type": "object"},
        path=json_path(where, "parameters"),
        strict=bool(strict),
    )


def _read_choice(stated: Json) -> tuple[str, str | None]:
    if stated is None:
        return "auto", None
    if isinstance(stated, str) and stated in ("none", "auto", "required"):
        return stated, None
    if not isinstance(stated, dict):
        raise wrong("tool_choice", "none, auto, required or an object that names a tool", stated)
    kind = required_text(stated, "type", "tool_choice")
    if kind != "function":
        return "required", kind
    function = object_at(stated, "function", "tool_choice") or {}
    return "required", required_text(function, "name", "tool_choice.function")
