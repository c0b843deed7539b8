# SPDX-License-Identifier: Apache-2.0
"""Tools as `tools` and `toolConfig`: functions in the open, Google's own tools by their names.

Models before generation 3 take the one or the other, so there functions win. Web search in OpenAI's words is Google's own search, without its settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson

from trunkline_server.dialects.gemini.families import Family
from trunkline_server.dialects.gemini.report import Report

OWN_TOOLS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "google_search": "googleSearch",
        "code_execution": "codeExecution",
        "url_context": "urlContext",
        "google_maps": "googleMaps",
        "file_search": "fileSearch",
        "computer_use": "computerUse",
        "enterprise_web_search": "enterpriseWebSearch",
    }
)
"""The type of a tool that the contract does not know -> Google's tool; its settings stand under the type, as those of a function do."""

SEARCH: Final = "googleSearch"
SHOWN_TOOLS: Final = "includeServerSideToolInvocations"
"""What Google asks for where its own tools stand beside functions. Vertex AI does not know the word: a provider's row may refuse it."""
_AUTO: Final = "AUTO"
_MODES: Final[Mapping[str, str]] = MappingProxyType({"auto": _AUTO, "none": "NONE", "required": "ANY"})
_SEARCH_TYPES: Final = ("web_search",)
_FUNCTION_KEYS: Final = frozenset({"name", "description", "parameters"})
_TOOL_KEYS: Final = frozenset({"type", "function"})


def render_tools(body: dict[str, Any], family: Family, report: Report) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The tools, and the toolConfig, empty where none is due. Takes the fields of tools out of the body."""
    functions: list[dict[str, Any]] = []
    own: dict[str, tuple[str, Any]] = {}
    for tool in body.pop("tools", ()):
        if type(tool) is orjson.Fragment:
            own |= _read_own(orjson.loads(orjson.dumps(tool)), report)
        elif tool["type"] == "function":
            report.drop_others("tools", tool, _TOOL_KEYS)
            functions.append(_declare(tool["function"], "tools.function", report))
        elif tool["type"].startswith(_SEARCH_TYPES):
            report.drop_others("tools.web_search", tool, _TOOL_KEYS)
            own.setdefault(SEARCH, ("tools.web_search", {}))
        else:
            report.drop(f"tools.{tool['type']}")
    functions += [_declare(function, "functions", report) for function in body.pop("functions", ())]
    options = body.pop("web_search_options", None)
    if options is not None:
        report.drop_others("web_search_options", options, frozenset())
        own.setdefault(SEARCH, ("web_search_options", {}))
    if functions and not family.is_current:
        for path, _ in own.values():
            report.drop(path)
        own.clear()
    tools: list[dict[str, Any]] = [{"functionDeclarations": functions}] if functions else []
    tools += [{name: settings} for name, (_, settings) in own.items()]
    return tools, _render_config(body, report, has_functions=bool(functions), has_own=bool(own))


def _declare(function: Mapping[str, Any], path: str, report: Report) -> dict[str, Any]:
    """A function's declaration. The schema is sent as it is, under the key that takes JSON Schema rather than Google's dialect of OpenAPI's."""
    report.drop_others(path, function, _FUNCTION_KEYS)
    declared = {key: function[key] for key in ("name", "description") if key in function}
    if "parameters" in function:
        declared["parametersJsonSchema"] = function["parameters"]
    return declared


def _read_own(tool: Mapping[str, Any], report: Report) -> dict[str, tuple[str, Any]]:
    """One of Google's own tools: its name, with the path of what asked for it and its settings."""
    kind = str(tool.get("type"))
    name, path = OWN_TOOLS.get(kind), f"tools.{kind}"
    if name is None:
        report.drop(path)
        return {}
    report.drop_others(path, tool, {"type", kind})
    return {name: (path, tool.get(kind, {}))}


def _render_config(body: dict[str, Any], report: Report, *, has_functions: bool, has_own: bool) -> dict[str, Any]:
    """The toolConfig. Google refuses a choice without functions, and its own tools beside functions unless it may show what it did with them."""
    choice = _render_choice(body, report)
    config: dict[str, Any] = {}
    if choice and has_functions:
        config["functionCallingConfig"] = choice
    elif choice and choice["mode"] != _AUTO:
        report.drop("tool_choice")
    if has_functions and has_own:
        config[SHOWN_TOOLS] = True
    return config


def _render_choice(body: dict[str, Any], report: Report) -> dict[str, Any]:
    """The functionCallingConfig; empty where the request does not choose. `function_call` is the legacy word."""
    choice = body.pop("tool_choice", None)
    legacy = body.pop("function_call", None)
    if choice is None and legacy is not None:
        choice = legacy if type(legacy) is str else {"type": "function", "function": legacy}
    if choice is None:
        return {}
    if type(choice) is str:
        return {"mode": _MODES[choice]}
    if choice["type"] == "function" and "function" in choice:
        return {"mode": "ANY", "allowedFunctionNames": [choice["function"]["name"]]}
    report.drop("tool_choice")
    return {}
