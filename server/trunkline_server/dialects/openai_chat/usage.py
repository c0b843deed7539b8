# SPDX-License-Identifier: Apache-2.0
"""Usage as providers report it, and which of it is believed.

Money follows from these numbers. A count that is negative, broken or a string casts doubt on the rest, so the whole report counts as missing and the
engine estimates; a broken detail is only left out.
"""

from __future__ import annotations

from typing import Any, Final

_DETAILS: Final = ("prompt_tokens_details", "completion_tokens_details")
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
    if not _is_price(usage.get("cost", 0)):
        del usage["cost"]
    return usage


def _count(value: object) -> int | None:
    """A number of tokens, which some servers write as 12.0; None for anything else."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= _MOST_TOKENS else None


def _is_broken_count(key: str, item: object) -> bool:
    return key.endswith("_tokens") and item is not None and _count(item) is None


def _is_price(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and value >= 0)
