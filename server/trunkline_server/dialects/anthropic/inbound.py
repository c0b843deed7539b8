# SPDX-License-Identifier: Apache-2.0
"""A client's Messages request as the gateway's own.

It is written in the form of openai_chat, whose words the contract has, and read by the codec, which finds what is wrong; faults are told at the client's own
paths. What the contract has no words for stays under its own key and reaches an Anthropic provider unchanged. Fields of OpenRouter's that its
Messages API takes, too (models, provider, plugins, session_id, ...), mean what they mean in chat completions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.dialects.anthropic.inbound_turns import Turns
from trunkline_server.jsonshape import Codec
from trunkline_server.jsonshape.faults import Fault, ShapeFaults, describe

SCHEMA_NAME: Final = "answer"
"""The name that the contract wants of a schema and Anthropic does not."""

_RENAMED: Final = frozenset(
    {
        *("system", "messages", "max_tokens", "stop_sequences", "thinking", "output_config", "output_format", "tools"),
        *("tool_choice", "metadata", "service_tier", "fallbacks"),
    }
)
_CHOICES: Final[Mapping[str, str]] = MappingProxyType({"auto": "auto", "any": "required", "none": "none"})
_TIERS: Final[Mapping[str, str]] = MappingProxyType({"standard_only": "default"})
_FUNCTION: Final = ("name", "description", "strict")
_TOOL_KEYS: Final = frozenset({"type", "input_schema", *_FUNCTION})
_CLIENT_PATHS: Final = (
    (re.compile(r"^max_completion_tokens"), "max_tokens"),
    (re.compile(r"^stop\b"), "stop_sequences"),
    (re.compile(r"^user$"), "metadata.user_id"),
    (re.compile(r"^reasoning\.max_tokens"), "thinking.budget_tokens"),
    (re.compile(r"^reasoning(\.effort|\.enabled)?$"), "thinking"),
    (re.compile(r"^verbosity$"), "output_config.effort"),
    (re.compile(r"^response_format\.json_schema"), "output_config.format"),
    (re.compile(r"^response_format"), "output_config.format"),
    (re.compile(r"^parallel_tool_calls"), "tool_choice.disable_parallel_tool_use"),
    (re.compile(r"^(tools\[\d+\])\.function\.parameters"), r"\1.input_schema"),
    (re.compile(r"^(tools\[\d+\])\.function"), r"\1"),
)
"""A path of the contract's form to the client's; the first that fits."""


def parse_request(codec: Codec, value: dict[str, Any]) -> ChatCompletionRequest:
    """The request that a client's parsed JSON means, which is used up. Raises ShapeFaults with all that is wrong, at the client's paths."""
    faults = _missing(value)
    turns = Turns()
    body = {name: item for name, item in value.items() if name not in _RENAMED}
    if not faults:
        if value.get("system") is not None:
            turns.add_system(value["system"], "system")
        for index, message in enumerate(value["messages"]):
            turns.add(message, f"messages[{index}]")
        faults += turns.faults
    if faults:
        raise ShapeFaults(faults)
    body["messages"] = turns.messages
    body["max_completion_tokens"] = value["max_tokens"]
    _read_plain(value, body)
    _read_tools(value, body)
    _read_thinking(value, body)
    try:
        return codec.decode(ChatCompletionRequest, body)
    except ShapeFaults as error:
        raise ShapeFaults([_at_client(fault, turns.origins) for fault in error.faults]) from error


def _missing(value: dict[str, Any]) -> list[Fault]:
    """What is missing, without which there is nothing to read, and what no Message could answer."""
    faults = []
    if value.get("max_tokens") is None:
        faults.append(Fault(path="max_tokens", expected="present", got="nothing"))
    if type(value.get("messages")) is not list:
        faults.append(Fault(path="messages", expected="a list", got=describe(value.get("messages"))))
    if value.get("n") not in (None, 1):
        faults.append(Fault(path="n", expected="absent: a Message is one answer", got=describe(value["n"])))
    return faults


def _read_plain(value: dict[str, Any], body: dict[str, Any]) -> None:
    if value.get("stop_sequences") is not None:
        body["stop"] = value["stop_sequences"]
    metadata = value.get("metadata")
    if isinstance(metadata, dict):
        others = {name: item for name, item in metadata.items() if name != "user_id"}
        if metadata.get("user_id") is not None:
            body["user"] = metadata["user_id"]
        if others:
            body["metadata"] = others
    elif metadata is not None:
        body["metadata"] = metadata
    fallbacks = value.get("fallbacks")
    if isinstance(fallbacks, list):
        body.setdefault("models", [item.get("model") if isinstance(item, dict) else item for item in fallbacks])
    elif fallbacks is not None:
        body["fallbacks"] = fallbacks
    tier = value.get("service_tier")
    if tier is not None:
        body["service_tier"] = _TIERS.get(tier, tier) if isinstance(tier, str) else tier


def _read_tools(value: dict[str, Any], body: dict[str, Any]) -> None:
    tools = value.get("tools")
    if tools is not None:
        body["tools"] = [_read_tool(tool) for tool in tools] if isinstance(tools, list) else tools
    choice = value.get("tool_choice")
    if not isinstance(choice, dict):
        if choice is not None:
            body["tool_choice"] = choice
        return
    kind = choice.get("type")
    if kind == "tool":
        body["tool_choice"] = {"type": "function", "function": {"name": choice.get("name")}}
    else:
        body["tool_choice"] = _CHOICES.get(kind, kind) if isinstance(kind, str) else kind
    if choice.get("disable_parallel_tool_use") is not None:
        body["parallel_tool_calls"] = not choice["disable_parallel_tool_use"]


def _read_tool(tool: Any) -> Any:
    """A tool of the client's as a function; a tool of Anthropic's own, which has a type, as it is."""
    if not isinstance(tool, dict) or tool.get("type") not in (None, "custom"):
        return tool
    function = {name: tool[name] for name in _FUNCTION if tool.get(name) is not None}
    function.setdefault("name", None)
    if tool.get("input_schema") is not None:
        function["parameters"] = tool["input_schema"]
    others = {name: item for name, item in tool.items() if name not in _TOOL_KEYS and item is not None}
    return {"type": "function", "function": function, **others}


def _read_thinking(value: dict[str, Any], body: dict[str, Any]) -> None:
    """Thinking, effort and form. An effort goes with adaptive thinking; without, it is how much the model says."""
    config = value.get("output_config")
    config = dict(config) if isinstance(config, dict) else {}
    effort, form = config.pop("effort", None), config.pop("format", None) or value.get("output_format")
    thinking = value.get("thinking")
    reasoning: dict[str, Any] = {}
    if isinstance(thinking, dict):
        kind = thinking.get("type")
        if kind == "enabled":
            reasoning["max_tokens"] = thinking.get("budget_tokens")
        elif kind == "adaptive":
            reasoning["enabled"] = True
            if effort is not None:
                reasoning["effort"], effort = effort, None
        elif kind is not None:
            reasoning["enabled"] = False
        if thinking.get("display") is not None:
            reasoning["display"] = thinking["display"]
    if reasoning:
        body["reasoning"] = reasoning
    if effort is not None:
        body["verbosity"] = effort
    if isinstance(form, dict):
        schema = {"name": SCHEMA_NAME, "schema": form.get("schema"), "strict": True}
        body["response_format"] = {"type": form.get("type"), "json_schema": schema}
    if config:
        body["output_config"] = config


def _at_client(fault: Fault, origins: list[str]) -> Fault:
    """A fault at the client's path."""
    path = fault.path
    found = re.match(r"messages\[(\d+)\]", path)
    if found is not None and int(found[1]) < len(origins):
        path = origins[int(found[1])] + path[found.end() :].replace(".tool_call_id", ".tool_use_id")
    else:
        for pattern, theirs in _CLIENT_PATHS:
            if pattern.search(path):
                path = pattern.sub(theirs, path)
                break
    return Fault(path=path, expected=fault.expected, got=fault.got)
