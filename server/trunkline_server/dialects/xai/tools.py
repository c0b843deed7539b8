# SPDX-License-Identifier: Apache-2.0
"""Tools and the choice among them: functions, xAI's search of the web in OpenAI's words, and xAI's own tools by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson
from google.protobuf.json_format import ParseDict, ParseError

from trunkline_server.dialects.gemini.report import Report
from trunkline_server.dialects.raw import opened
from trunkline_server.dialects.xai.stubs import chat_stubs

if TYPE_CHECKING:
    from xai_sdk.proto.v6.chat_pb2 import GetCompletionsRequest, Tool

_FUNCTION: Final = "function"
_SERVER_TOOL: Final = "openrouter:"
_WEB_SEARCH: Final = "web_search"
_FUNCTION_KEYS: Final = frozenset({"name", "description", "parameters", "strict"})
_TOOL_KEYS: Final = frozenset({"type", _FUNCTION})
_SEARCH_KEYS: Final = frozenset({"type", "allowed_domains", "excluded_domains", "user_location", "parameters"})
_PLACE_KEYS: Final = ("country", "city", "region", "timezone")
_CITED: Final = "INCLUDE_OPTION_INLINE_CITATIONS"
_NO_ARGUMENTS: Final = b'{"type":"object","properties":{}}'


def write_tools(body: dict[str, Any], made: GetCompletionsRequest, report: Report) -> None:
    """Writes tools and the choice among them into a request, and takes their fields out of the body."""
    for tool in map(opened, body.pop("tools", ())):
        kind = tool["type"]
        if kind == _FUNCTION:
            report.drop_others("tools", tool, _TOOL_KEYS)
            _add_function(made, tool[_FUNCTION], "tools.function", report)
        elif kind.startswith(_WEB_SEARCH):
            _add_search(made, tool, "tools.web_search", report)
        elif not kind.startswith(_SERVER_TOOL):
            _add_own(made, kind, tool, report)
    for function in body.pop("functions", ()):
        _add_function(made, function, "functions", report)
    options = body.pop("web_search_options", None)
    if options is not None:
        _add_search(made, options, "web_search_options", report)
    _write_choice(body, made, report)


def _add_function(made: GetCompletionsRequest, function: Mapping[str, Any], path: str, report: Report) -> None:
    report.drop_others(path, function, _FUNCTION_KEYS)
    added = made.tools.add().function
    added.name = function["name"]
    added.description = function.get("description", "")
    added.strict = function.get("strict", False)
    schema = orjson.dumps(function["parameters"]) if "parameters" in function else _NO_ARGUMENTS
    added.parameters = schema.decode()


def _add_search(made: GetCompletionsRequest, asked: Mapping[str, Any], path: str, report: Report) -> None:
    """Adds xAI's search of the web, once, and asks for the places of its citations."""
    report.drop_others(path, asked, _SEARCH_KEYS)
    settings = {**asked, **(asked.get("parameters") or {})}
    known = next((tool for tool in made.tools if tool.WhichOneof("tool") == _WEB_SEARCH), None)
    search = (made.tools.add() if known is None else known).web_search
    search.SetInParent()
    search.allowed_domains.extend(settings.get("allowed_domains") or ())
    search.excluded_domains.extend(settings.get("excluded_domains") or ())
    place = settings.get("user_location") or {}
    place = {**place, **(place.get("approximate") or {})}
    for key in _PLACE_KEYS:
        if isinstance(place.get(key), str):
            setattr(search.user_location, key, place[key])
    _ask_for_citations(made)


def _add_own(made: GetCompletionsRequest, kind: str, tool: Mapping[str, Any], report: Report) -> None:
    """Adds one of xAI's own tools, whose settings stand beside its type or under it. One that xAI's package does not know is reported."""
    held = tool.get(kind)
    settings = held if isinstance(held, dict) else {key: item for key, item in tool.items() if key != "type"}
    own: Tool = chat_stubs().Tool()
    try:
        ParseDict({kind: settings}, own)
    except ParseError:
        report.drop(f"tools.{kind}")
        return
    if own.WhichOneof("tool") in {None, _FUNCTION}:
        report.drop(f"tools.{kind}")
        return
    made.tools.append(own)
    _ask_for_citations(made)


def _ask_for_citations(made: GetCompletionsRequest) -> None:
    option = chat_stubs().IncludeOption.Value(_CITED)
    if option not in made.include:
        made.include.append(option)


def _write_choice(body: dict[str, Any], made: GetCompletionsRequest, report: Report) -> None:
    """Writes the choice among tools; `function_call` is the legacy word for it."""
    choice, legacy = body.pop("tool_choice", None), body.pop("function_call", None)
    if choice is None and legacy is not None:
        choice = legacy if isinstance(legacy, str) else {"type": _FUNCTION, _FUNCTION: legacy}
    if choice is None:
        return
    if isinstance(choice, str):
        made.tool_choice.mode = chat_stubs().ToolMode.Value(f"TOOL_MODE_{choice.upper()}")
    elif choice.get("type") == _FUNCTION and _FUNCTION in choice:
        made.tool_choice.function_name = choice[_FUNCTION]["name"]
    else:
        report.drop("tool_choice")
