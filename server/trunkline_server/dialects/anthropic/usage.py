# SPDX-License-Identifier: Apache-2.0
"""Usage between Anthropic's words and the contract's.

Anthropic counts what came from the cache and what went into it beside `input_tokens`; the contract's prompt tokens are all three. How much was written for
five minutes and how much for an hour, which have prices of their own, is kept under `cache_creation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from trunkline.v1.usage_pb2 import Usage

_MOST_TOKENS: Final = 2**40
_PUSD: Final = 10**12
_READ: Final = frozenset(
    {
        *("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation"),
        *("server_tool_use", "output_tokens_details", "service_tier"),
    }
)
TIERS: Final = {"standard": "default"}
"""Anthropic's word for the tier that served, where the contract has another."""
_OWN_TIERS: Final = {"default": "standard"}


def read_usage(said: Mapping[str, Any]) -> Usage | None:
    """The usage of an answer; None where a count is missing or not to be believed, so that the engine estimates."""
    output = _count(said.get("output_tokens"))
    counts = [_count(said.get(name) or 0) for name in ("cache_read_input_tokens", "cache_creation_input_tokens")]
    plain, (read, written) = _count(said.get("input_tokens")), counts
    if output is None or plain is None or read is None or written is None:
        return None
    prompt = plain + read + written
    usage = Usage(prompt_tokens=prompt, completion_tokens=output, total_tokens=prompt + output)
    if read or written or said.get("cache_read_input_tokens") is not None:
        usage.prompt_tokens_details.cached_tokens = read
        usage.prompt_tokens_details.cache_write_tokens = written
    creation = said.get("cache_creation")
    if type(creation) is dict and any(creation.values()):
        usage.prompt_tokens_details.extra["cache_creation"] = orjson.dumps(creation).decode()
    details = said.get("output_tokens_details")
    thought = _count(details.get("thinking_tokens")) if type(details) is dict else None
    if thought is not None:
        usage.completion_tokens_details.reasoning_tokens = thought
    _read_tools(said.get("server_tool_use"), usage)
    for name, value in said.items():
        if name not in _READ and value is not None:
            usage.extra[name] = orjson.dumps(value).decode()
    return usage


def write_usage(usage: Usage, service_tier: str = "") -> dict[str, Any]:
    """Usage in Anthropic's words, with `cost` in USD where it is known."""
    read, written = usage.prompt_tokens_details.cached_tokens, usage.prompt_tokens_details.cache_write_tokens
    said: dict[str, Any] = {
        "input_tokens": max(0, usage.prompt_tokens - read - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": usage.completion_tokens,
    }
    creation = usage.prompt_tokens_details.extra.get("cache_creation")
    if creation is not None:
        said["cache_creation"] = orjson.loads(creation)
    if usage.completion_tokens_details.HasField("reasoning_tokens"):
        said["output_tokens_details"] = {"thinking_tokens": usage.completion_tokens_details.reasoning_tokens}
    if usage.HasField("server_tool_use_details"):
        tools = usage.server_tool_use_details
        others = {name: orjson.loads(value) for name, value in tools.extra.items()}
        said["server_tool_use"] = {"web_search_requests": tools.web_search_requests, **others}
    if service_tier:
        said["service_tier"] = _OWN_TIERS.get(service_tier, service_tier)
    if usage.HasField("cost_pusd"):
        said["cost"] = usage.cost_pusd / _PUSD
    for name, value in sorted(usage.extra.items()):
        said.setdefault(name, orjson.loads(value))
    return said


def _read_tools(said: object, usage: Usage) -> None:
    if type(said) is not dict:
        return
    for name, value in said.items():
        count = _count(value)
        if not count:
            continue
        if name == "web_search_requests":
            usage.server_tool_use_details.web_search_requests = count
        else:
            usage.server_tool_use_details.extra[name] = str(count)


def _count(value: object) -> int | None:
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= _MOST_TOKENS else None
