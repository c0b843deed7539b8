# SPDX-License-Identifier: Apache-2.0
"""Usage as providers report it, and which of it is believed.

Money follows from these numbers. A count that is negative, broken or a string casts doubt on the rest, so the whole report counts as missing and the
engine estimates; a broken detail is only left out.
"""

from __future__ import annotations

from typing import Any, Final

_DETAILS: Final = ("prompt_tokens_details", "completion_tokens_details")
_CACHED: Final = ("prompt_cache_hit_tokens", "cached_tokens")
"""Where DeepSeek and Moonshot count what was read from a cache, beside `prompt_tokens`, where their reports have no details of it."""
_MOST_TOKENS: Final = 2**40


def read_usage(value: object) -> dict[str, Any] | None:
    """The report with what is missing filled in; None where it is empty or not to be believed. The value given is used up."""
    if type(value) is not dict:
        return None
    prompt, completion = _count(value.get("prompt_tokens")), _count(value.get("completion_tokens"))
    if prompt is None or completion is None:
        return None
    total = _count(value.get("total_tokens"))
    usage = {**value, "prompt_tokens": prompt, "completion_tokens": completion}
    usage["total_tokens"] = total if total is not None and total >= max(prompt, completion) else prompt + completion
    for name in _DETAILS:
        if type(details := usage.get(name)) is dict:
            usage[name] = {key: item for key, item in details.items() if not _is_broken_count(key, item)}
    _add_cached(usage)
    if not _is_price(usage.get("cost", 0)):
        del usage["cost"]
    return usage


def _add_cached(usage: dict[str, Any]) -> None:
    """Tells tokens that were read from a cache, and that only a provider's own key counts, where OpenAI counts them: they have a price of their own."""
    details = usage.get(_DETAILS[0])
    if type(details) is dict and details.get("cached_tokens") is not None:
        return
    for key in _CACHED:
        cached = _count(usage.get(key))
        if cached is not None and cached <= usage["prompt_tokens"]:
            usage[_DETAILS[0]] = {**(details if type(details) is dict else {}), "cached_tokens": cached}
            return


def _count(value: object) -> int | None:
    """A number of tokens, which some servers write as 12.0; None for anything else."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= _MOST_TOKENS else None


def _is_broken_count(key: str, item: object) -> bool:
    return key.endswith("_tokens") and item is not None and _count(item) is None


def _is_price(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and value >= 0)
