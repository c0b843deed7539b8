# SPDX-License-Identifier: Apache-2.0
"""A sample of each field of a request: the request without it, and the same with it."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Body: TypeAlias = dict[str, Any]

CACHED: Final = {"type": "ephemeral"}
LOOK: Final = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {}}, "strict": True},
}
OLD: Final = {"name": "old", "parameters": {"type": "object", "properties": {}}}
TOOLS: Final = {"tools": [LOOK]}
SCHEMA: Final = {"name": "place", "schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
FORM: Final = {"response_format": {"type": "json_schema", "json_schema": SCHEMA}}

VALUES: Final[Mapping[str, Any]] = {
    "models": ["acme/two"],
    "provider": {"order": ["acme"]},
    "plugins": [{"id": "web", "enabled": False}],
    "route": "fallback",
    "user": "ann",
    "session_id": "s-1",
    "trace": {"trace_id": "t-1"},
    "metadata": {"team": "blue"},
    "stream_options": {"include_obfuscation": False},
    "max_completion_tokens": 321,
    "max_tokens": 321,
    "temperature": 0.7,
    "top_p": 0.8,
    "top_k": 40,
    "min_p": 0.1,
    "top_a": 0.2,
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
    "repetition_penalty": 1.1,
    "logit_bias": {"50256": -100.0},
    "logprobs": True,
    "top_logprobs": 3,
    "n": 2,
    "seed": 7,
    "stop": ["END"],
    "tools": [LOOK],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "max_tool_calls": 3,
    "stop_server_tools_when": [{"type": "step_count_is", "step_count": 2}],
    "functions": [OLD],
    "function_call": {"name": "old"},
    "response_format": FORM["response_format"],
    "structured_outputs": True,
    "reasoning": {"effort": "high"},
    "reasoning_effort": "high",
    "include_reasoning": True,
    "verbosity": "low",
    "modalities": ["text", "image"],
    "audio": {"voice": "alloy", "format": "wav"},
    "image_config": {"aspect_ratio": "16:9"},
    "prediction": {"type": "content", "content": "a cat"},
    "cache_control": CACHED,
    "prompt_cache_key": "p-1",
    "prompt_cache_options": {"mode": "explicit"},
    "service_tier": "priority",
    "web_search_options": {"search_context_size": "low"},
    "transforms": ["middle-out"],
    "usage": {"include": True},
    "store": False,
    "safety_identifier": "h-1",
    "debug": {"echo_upstream_body": True},
}
"""A value for each field of a request that not every request has."""

COMPANIONS: Final[Mapping[str, Body]] = {
    "tool_choice": TOOLS,
    "parallel_tool_calls": TOOLS,
    "function_call": {"functions": [OLD]},
    "top_logprobs": {"logprobs": True},
    "structured_outputs": FORM,
    "audio": {"modalities": ["text", "audio"]},
    "image_config": {"modalities": ["text", "image"]},
}
"""What a field stands beside, since alone it means nothing."""

ALWAYS: Final = frozenset({"messages", "model", "stream"})
"""Fields whose place every request has, or that the gateway decides."""

_USER: Final[Body] = {"role": "user", "content": [{"type": "text", "text": "hello"}]}
_TURN: Final[Body] = {"role": "assistant", "content": "hm"}
_CALLING: Final[Body] = {
    "role": "assistant",
    "content": "hm",
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
}
_PNG: Final = "data:image/png;base64,AAAA"


def _turn(**keys: Any) -> tuple[Body, Body]:
    """A conversation with a past turn of the model, and the same with more in it."""
    return {"messages": [_USER, _TURN, _USER]}, {"messages": [_USER, {**_TURN, **keys}, _USER]}


def _part(**keys: Any) -> tuple[Body, Body]:
    """A message of one part, and the same with more in the part."""
    part = {"type": "text", "text": "hello"}
    return {"messages": [{**_USER, "content": [part]}]}, {"messages": [{**_USER, "content": [{**part, **keys}]}]}


def _tool(**keys: Any) -> tuple[Body, Body]:
    return {"messages": [_USER], "tools": [LOOK]}, {"messages": [_USER], "tools": [{**LOOK, **keys}]}


INNER: Final[Mapping[str, tuple[Body, Body]]] = {
    "messages.name": ({"messages": [_USER]}, {"messages": [{**_USER, "name": "ann"}]}),
    "messages.refusal": _turn(refusal="I will not."),
    "messages.reasoning": _turn(reasoning="Let me see."),
    "messages.tool_calls": (
        {"messages": [_USER, _TURN, _USER], **TOOLS},
        {"messages": [_USER, _CALLING, {"role": "tool", "tool_call_id": "c1", "content": "a cat"}, _USER], **TOOLS},
    ),
    "messages.images": _turn(images=[{"type": "image_url", "image_url": {"url": _PNG}}]),
    "messages.annotations": _turn(
        annotations=[{"type": "url_citation", "url_citation": {"url": "https://example.com"}}]
    ),
    "messages.model": _turn(model="acme/other"),
    "messages.content.cache_control": _part(cache_control=CACHED),
    "messages.content.prompt_cache_breakpoint": _part(prompt_cache_breakpoint={"mode": "explicit"}),
    "tools.cache_control": _tool(cache_control=CACHED),
}
"""Fields inside of others: the request without and with each."""


def sample(path: str) -> tuple[Body, Body]:
    """The request without a field, and with it."""
    if path in INNER:
        return INNER[path]
    without = {"messages": [_USER], **COMPANIONS.get(path, {})}
    return without, {**without, path: VALUES[path]}
