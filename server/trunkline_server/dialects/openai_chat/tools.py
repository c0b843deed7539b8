# SPDX-License-Identifier: Apache-2.0
"""Tools as a plain server of chat completions gets them: functions, custom tools, and the types that the provider's row names.

Types of other APIs (Anthropic's, OpenAI's Responses) would be refused together with the whole request.
"""

from __future__ import annotations

from typing import Any, Final

from trunkline_server.catalog.entry import Endpoint
from trunkline_server.dialects import anthropic_names
from trunkline_server.dialects.caching import CONTROL
from trunkline_server.dialects.raw import opened

_TYPES: Final = frozenset({"function", "custom"})
_ALLOWED: Final = "allowed_tools"
_OF_TOOLS: Final = ("tool_choice", "parallel_tool_calls")
"""Parameters that OpenAI refuses where there are no tools."""


def make_tools_plain(body: dict[str, Any], endpoint: Endpoint, dropped: list[str]) -> None:
    """Takes out of a request the tools that the provider does not have, and what was said of them. Adds the paths to the list."""
    taken = _TYPES | endpoint.provider.tool_types
    tools = []
    lost: list[object] = []
    for tool in map(opened, body["tools"]):
        kind = str(tool.get("type"))
        if kind not in taken:
            dropped.append(f"tools.{kind}")
            lost.append(tool.get("name"))
            continue
        if endpoint.cache_marks is None and tool.pop(CONTROL, None) is not None:
            dropped.append(f"tools.{CONTROL}")
        dropped += (f"tools.{key}" for key in anthropic_names.TOOL_KEYS if tool.pop(key, None) is not None)
        if type(function := tool.get("function")) is dict:  # where OpenAI's Responses have it
            dropped += (
                f"tools.function.{key}" for key in anthropic_names.TOOL_KEYS if function.pop(key, None) is not None
            )
        tools.append(tool)
    if not tools and body["tools"]:
        del body["tools"]
        dropped += (name for name in _OF_TOOLS if body.pop(name, None) is not None)
        return
    body["tools"] = tools
    choice = body.get("tool_choice")
    if type(choice) is dict and choice.get("type") != _ALLOWED:
        function = opened(choice.get("function"))
        named = function.get("name") if type(function) is dict else None
        if str(choice.get("type")) not in taken or (named is not None and named in lost):
            del body["tool_choice"]
            dropped.append("tool_choice")
