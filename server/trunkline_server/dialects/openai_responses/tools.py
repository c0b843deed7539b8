# SPDX-License-Identifier: Apache-2.0
"""Tools and the choice among them between openai_chat's JSON and this language's, where the settings of a function stand beside its type.

A function whose `strict` nobody set is sent with false: chat completions are not strict by themselves, Responses are, and would make optional arguments
required (OpenAI's guide to function calling, April 2026).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from trunkline_server.dialects import anthropic_names
from trunkline_server.dialects.raw import opened

_NESTED: Final = frozenset({"function", "custom"})
"""Types whose settings openai_chat puts under the type's name."""
_FUNCTION_KEYS: Final = frozenset({"type", "function"})
_SERVER_TOOL: Final = "openrouter:"
_ALLOWED: Final = "allowed_tools"
_DOMAINS: Final = "allowed_domains"
_WEB_SEARCH: Final = "web_search"
_NOT_OPENAIS: Final = ("parameters", "engine", "excluded_domains", "max_results", "max_total_results", "max_uses", "max_characters", "mode", "blocked_domains", "allowed_callers", "defer_loading")  # fmt: skip
"""Settings of a web search that OpenAI's tool does not have."""
_NO_ARGUMENTS: Final = {"type": "object", "properties": {}}


def render_tools(tools: Iterable[Any], *, extensions: bool) -> tuple[list[dict[str, Any]], list[str]]:
    """The tools, and the paths of what was left out. `extensions` says that the provider takes OpenRouter's own tools and settings."""
    rendered: list[dict[str, Any]] = []
    dropped: list[str] = []
    for tool in map(opened, tools):
        kind = str(tool.get("type"))
        others = anthropic_names.tool_name(kind)
        if others is not None and not extensions:
            if others != _WEB_SEARCH:
                dropped.append(f"tools.{kind}")
                continue
            kind = tool["type"] = _WEB_SEARCH
            tool.pop("name", None)
        if kind.startswith(_SERVER_TOOL) and not extensions:
            continue  # the gateway runs it
        if tool.pop("cache_control", None) is not None:
            dropped.append("tools.cache_control")
        if kind == "function":
            dropped += (f"tools.{key}" for key in tool if key not in _FUNCTION_KEYS)
            rendered.append(render_function(tool["function"]))
        elif kind.startswith(_WEB_SEARCH) and not extensions:
            dropped += (f"tools.{key}" for key in _NOT_OPENAIS if tool.pop(key, None) is not None)
            rendered.append(_with_filters(tool))
        else:
            rendered.append(_flat(tool))
    return rendered, dropped


def render_function(function: Mapping[str, Any]) -> dict[str, Any]:
    """A function as a tool."""
    return {
        "type": "function",
        **{key: item for key, item in function.items() if key not in {"parameters", "strict"}},
        "parameters": function.get("parameters", _NO_ARGUMENTS),
        "strict": function.get("strict", False),
    }


def render_search(options: Mapping[str, Any]) -> dict[str, Any]:
    """The web search of chat completions, which is a parameter there, as the tool that it is here."""
    made = {"type": _WEB_SEARCH, **options}
    place = made.get("user_location")
    if isinstance(place, dict) and "approximate" in place:
        made["user_location"] = {"type": "approximate", **place["approximate"]}
    return made


def render_choice(choice: Any) -> Any:
    """The choice among tools."""
    if not isinstance(choice, dict):
        return choice
    if choice.get("type") == _ALLOWED:
        allowed = opened(choice.get(_ALLOWED))
        allowed = allowed if isinstance(allowed, dict) else {}
        tools = allowed.get("tools")
        flat = [_flat(tool) if isinstance(tool, dict) else tool for tool in tools] if isinstance(tools, list) else []
        return {"type": _ALLOWED, **allowed, "tools": flat}
    return _flat(choice)


def parse_tools(tools: Iterable[Any]) -> list[Any]:
    """The tools in openai_chat's JSON. What is no object is left to whoever checks the request."""
    return [_nested(tool) for tool in tools]


def parse_choice(choice: Any) -> Any:
    """The choice among tools in openai_chat's JSON."""
    if not isinstance(choice, dict):
        return choice
    if choice.get("type") == _ALLOWED and _ALLOWED not in choice:
        allowed = {key: item for key, item in choice.items() if key != "type"}
        if isinstance(allowed.get("tools"), list):
            allowed["tools"] = [_nested(tool) for tool in allowed["tools"]]
        return {"type": _ALLOWED, _ALLOWED: allowed}
    return _nested(choice)


def _flat(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool, or its name, with what stands under the name of its type beside the type."""
    kind = tool.get("type")
    held = opened(tool.get(kind)) if isinstance(kind, str) and kind in _NESTED else None
    if not isinstance(held, dict):
        return tool
    flat = {"type": kind, **held}
    grammar = flat.get("format")
    if isinstance(grammar, dict) and isinstance(grammar.get("grammar"), dict):
        flat["format"] = {"type": grammar.get("type"), **grammar["grammar"]}
    return flat


def _nested(tool: Any) -> Any:
    kind = tool.get("type") if isinstance(tool, dict) else None
    if not isinstance(kind, str) or kind not in _NESTED or kind in tool:
        return tool
    held = {key: item for key, item in tool.items() if key not in {"type", "cache_control"}}
    grammar = held.get("format")
    if isinstance(grammar, dict) and grammar.get("type") == "grammar" and "grammar" not in grammar:
        rest = {key: item for key, item in grammar.items() if key != "type"}
        held["format"] = {"type": "grammar", "grammar": rest}
    nested = {"type": kind, kind: held}
    if tool.get("cache_control") is not None:
        nested["cache_control"] = tool["cache_control"]
    return nested


def _with_filters(tool: dict[str, Any]) -> dict[str, Any]:
    """A web search whose domains stand where OpenAI wants them."""
    domains = tool.pop(_DOMAINS, None)
    if domains:
        filters = opened(tool.get("filters")) or {}
        tool["filters"] = {_DOMAINS: domains, **filters}
    return tool
