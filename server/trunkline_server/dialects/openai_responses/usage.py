# SPDX-License-Identifier: Apache-2.0
"""Usage between the contract and this language: the same counts under other names. Input tokens include cached ones here as there."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from trunkline_server.dialects.openai_chat.usage import read_usage

_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "input_tokens": "prompt_tokens",
        "output_tokens": "completion_tokens",
        "input_tokens_details": "prompt_tokens_details",
        "output_tokens_details": "completion_tokens_details",
    }
)
_CHAT_NAMES: Final[Mapping[str, str]] = MappingProxyType({chat: own for own, chat in _NAMES.items()})


def parse_usage(value: object) -> dict[str, Any] | None:
    """A provider's report in openai_chat's JSON; None where it is empty or not to be believed. Names of openai_chat, which some servers use, are taken too."""
    if type(value) is not dict:
        return None
    return read_usage({_NAMES.get(key, key): item for key, item in value.items()})


def render_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Usage in openai_chat's JSON as an answer of this language has it: all counts there, the details too, then what the gateway adds."""
    named = {_CHAT_NAMES.get(key, key): item for key, item in usage.items()}
    read = named.pop("input_tokens_details", None) or {}
    made = named.pop("output_tokens_details", None) or {}
    return {
        "input_tokens": named.pop("input_tokens", 0),
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0, **read},
        "output_tokens": named.pop("output_tokens", 0),
        "output_tokens_details": {"reasoning_tokens": 0, **made},
        "total_tokens": named.pop("total_tokens", 0),
        **named,
    }
