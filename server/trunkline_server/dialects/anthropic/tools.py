# SPDX-License-Identifier: Apache-2.0
"""Tools and the choice of one.

Anthropic's own tools, which have dated types, pass as they are; web search in OpenAI's words becomes Anthropic's, and OpenAI's custom tools, whose input is
text, functions with one argument. Anthropic answers 400 to a type that it does not know, so other makers' are left out and reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from trunkline_server.dialects import anthropic_names
from trunkline_server.dialects.anthropic.conversation import CUSTOM_INPUT
from trunkline_server.dialects.anthropic.families import Family
from trunkline_server.dialects.anthropic.form import FITTED, fit_schema
from trunkline_server.dialects.anthropic.parts import Block
from trunkline_server.dialects.anthropic.report import Report
from trunkline_server.dialects.anthropic.variants import FLATTENED, flatten
from trunkline_server.dialects.caching import CONTROL

WEB_SEARCH: Final = "web_search_20250305"
"""The version of Anthropic's web search that every model takes (anthropic-sdk-python 2.12, tool_union_param.py)."""
UNFORCED: Final = "the model takes no forced tool: left to it"
AS_FUNCTION: Final = f"sent as a function with its text as `{CUSTOM_INPUT}`"

_FUNCTION_EXTRAS: Final = ("allowed_callers", "defer_loading", "eager_input_streaming", "input_examples", CONTROL)
_FUNCTION_KEYS: Final = frozenset({"type", "function", *_FUNCTION_EXTRAS})
_CUSTOM: Final = "custom"
_TEXT_SCHEMA: Final[Mapping[str, Any]] = MappingProxyType(
    {"type": "object", "properties": {CUSTOM_INPUT: {"type": "string"}}, "required": [CUSTOM_INPUT]}
)
_GATEWAY: Final = "openrouter:"
_SHORTHANDS: Final = frozenset(
    {"web_search", "web_search_preview", "web_search_preview_2025_03_11", "web_search_2025_08_26"}
)
_MODES: Final[Mapping[str, str]] = MappingProxyType({"auto": "auto", "required": "any", "none": "none"})
_NO_SCHEMA: Final[Mapping[str, Any]] = MappingProxyType({"type": "object", "properties": {}})
_SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {"allowed_domains": "allowed_domains", "excluded_domains": "blocked_domains", "max_uses": "max_uses"}
)


def render_tools(body: Mapping[str, Any], family: Family, report: Report) -> list[Block]:
    """The tools of a request in the form of openai_chat, its legacy functions and its search options among them."""
    tools: list[Block] = []
    for tool in body.get("tools") or ():
        rendered = _render_tool(tool, family, report)
        if rendered is None:
            kind = tool.get("type")
            report.drop("tools" if str(kind).startswith(_GATEWAY) else f"tools.{kind}")
        else:
            tools.append(rendered)
    tools += [_render_function({"function": function}, family, report) for function in body.get("functions") or ()]
    options = body.get("web_search_options")
    if options is not None:
        tools.append(_web_search({"user_location": (options.get("user_location") or {}).get("approximate")}))
        if options.get("search_context_size") is not None:
            report.drop("web_search_options.search_context_size")
    return tools


def render_choice(body: Mapping[str, Any], tools: list[Block], family: Family, report: Report) -> Block | None:
    """The choice of a tool; None where it is left to the provider. Without tools there is nothing to choose."""
    choice, parallel = body.get("tool_choice"), body.get("parallel_tool_calls")
    if choice is None:
        choice = _legacy_choice(body.get("function_call"))
    if not tools:
        for path in ("tool_choice", "function_call", "parallel_tool_calls"):
            if body.get(path) is not None:
                report.drop(path)
        return None
    if choice is None and parallel is None:
        return None
    rendered = _render_choice(choice, tools)
    if rendered["type"] in ("any", "tool") and not family.forces_tools:
        report.change("tool_choice", UNFORCED)
        rendered = {"type": "auto"}
    if parallel is not None and rendered["type"] != "none":
        rendered["disable_parallel_tool_use"] = not parallel
    return rendered


def _legacy_choice(choice: object) -> object:
    if type(choice) is dict:
        return {"type": "function", "function": choice}
    return choice


def _render_choice(choice: object, tools: list[Block]) -> Block:
    if type(choice) is not dict:
        return {"type": _MODES.get(str(choice), "auto")}
    function = choice.get("function")
    if type(function) is not dict:
        function = choice.get(_CUSTOM)
    if type(function) is dict:
        return {"type": "tool", "name": function.get("name")}
    # A server tool is chosen by its type and known to Anthropic by its name.
    names = (tool["name"] for tool in tools if tool.get("type") == choice.get("type") and "name" in tool)
    name = next(names, None)
    return {"type": "any"} if name is None else {"type": "tool", "name": name}


def _render_tool(tool: dict[str, Any], family: Family, report: Report) -> Block | None:
    """A tool; None for one that the gateway would have to run, and for other makers'."""
    kind = tool.get("type")
    if kind == "function":
        return _render_function(tool, family, report)
    if kind in _SHORTHANDS:
        return _web_search({**tool, **(tool.get("parameters") or {})}, tool.get(CONTROL))
    if kind == _CUSTOM and type(tool.get(_CUSTOM)) is dict:
        return _render_custom(tool, report)
    # A custom tool with a schema is Anthropic's word for a function.
    is_own = (kind == _CUSTOM and "input_schema" in tool) or anthropic_names.tool_name(str(kind)) is not None
    return tool if is_own else None


def _render_custom(tool: Mapping[str, Any], report: Report) -> Block | None:
    custom = tool[_CUSTOM]
    if type(custom.get("name")) is not str:
        return None
    report.change("tools.custom", AS_FUNCTION)
    block: Block = {"name": custom["name"], "input_schema": {**_TEXT_SCHEMA}}
    described = [text for text in (custom.get("description"), _grammar_of(custom)) if text and type(text) is str]
    if described:
        block["description"] = "\n\n".join(described)
    if tool.get(CONTROL) is not None:
        block[CONTROL] = tool[CONTROL]
    return block


def _grammar_of(custom: Mapping[str, Any]) -> str:
    """What a custom tool says of the form of its input, for the model to read; "" where it may be any text."""
    form = custom.get("format")
    grammar = form.get("grammar", form) if type(form) is dict else None
    if type(grammar) is not dict or not grammar.get("definition"):
        return ""
    return f"The text of `{CUSTOM_INPUT}` follows this grammar ({grammar.get('syntax')}):\n{grammar['definition']}"


def _render_function(tool: Mapping[str, Any], family: Family, report: Report) -> Block:
    function = tool["function"]
    block: Block = {"name": function["name"]}
    if function.get("description") is not None:
        block["description"] = function["description"]
    schema = function.get("parameters")
    block["input_schema"] = {**_NO_SCHEMA} if not schema else _fit({"type": "object", **schema}, report)
    if function.get("strict"):
        if family.native_schemas:
            block["strict"] = True
            fitted = fit_schema(block["input_schema"])
            if fitted != block["input_schema"]:
                report.change("tools.function.parameters", FITTED)
            block["input_schema"] = fitted
        else:
            report.drop("tools.function.strict")
    for key in tool.keys() - _FUNCTION_KEYS:
        report.drop(f"tools.{key}")
    block.update({key: tool[key] for key in _FUNCTION_EXTRAS if tool.get(key) is not None})
    return block


def _fit(schema: dict[str, Any], report: Report) -> dict[str, Any]:
    flat = flatten(schema)
    if flat is not schema:
        report.change("tools.function.parameters", FLATTENED)
    return flat


def _web_search(settings: Mapping[str, Any], control: object = None) -> Block:
    block: Block = {"type": WEB_SEARCH, "name": "web_search"}
    for key, name in _SETTINGS.items():
        if settings.get(key):
            block[name] = settings[key]
    location = settings.get("user_location")
    if location:
        block["user_location"] = {**location, "type": "approximate"}
    if control is not None:
        block[CONTROL] = control
    return block
