# SPDX-License-Identifier: Apache-2.0
"""Usage in Converse's words.

`inputTokens` are those that were neither read from the cache nor written into it; the contract's prompt tokens are all three (AWS's page on prompt caching). How much
was written for five minutes and how much for an hour, which have prices of their own, is kept under `cache_creation`, in Anthropic's words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from trunkline.v1.usage_pb2 import Usage

_MOST_TOKENS: Final = 2**40
_READ: Final = frozenset(
    {"inputTokens", "outputTokens", "totalTokens", "cacheReadInputTokens", "cacheWriteInputTokens", "cacheDetails"}
    # The same numbers by the names that they had in the preview of caching; some regions still send both.
    | {"cacheReadInputTokenCount", "cacheWriteInputTokenCount", "serverToolUsage"}
)
_TTLS: Final = {"5m": "ephemeral_5m_input_tokens", "1h": "ephemeral_1h_input_tokens"}


def read_usage(said: Mapping[str, Any]) -> Usage | None:
    """The usage of an answer; None where a count is missing or not to be believed, so that the engine estimates."""
    plain, output = _count(said.get("inputTokens")), _count(said.get("outputTokens"))
    read, written = _count(said.get("cacheReadInputTokens") or 0), _count(said.get("cacheWriteInputTokens") or 0)
    if plain is None or output is None or read is None or written is None:
        return None
    prompt = plain + read + written
    usage = Usage(prompt_tokens=prompt, completion_tokens=output, total_tokens=prompt + output)
    if read or written or said.get("cacheReadInputTokens") is not None:
        usage.prompt_tokens_details.cached_tokens = read
        usage.prompt_tokens_details.cache_write_tokens = written
    creation = _creation(said.get("cacheDetails"))
    if creation:
        usage.prompt_tokens_details.extra["cache_creation"] = orjson.dumps(creation).decode()
    for name, value in said.items():
        if name not in _READ and value is not None:
            usage.extra[name] = orjson.dumps(value).decode()
    return usage


def _creation(details: object) -> dict[str, int]:
    known = [detail for detail in details if type(detail) is dict] if type(details) is list else []
    found = ((_TTLS.get(str(detail.get("ttl"))), _count(detail.get("inputTokens"))) for detail in known)
    return {name: tokens for name, tokens in found if name is not None and tokens}


def _count(value: object) -> int | None:
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= _MOST_TOKENS else None
