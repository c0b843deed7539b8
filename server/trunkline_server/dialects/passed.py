# SPDX-License-Identifier: Apache-2.0
"""Headers of callers that go to the provider: switches of a provider's API that no field of a request has."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

PASSED_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {"anthropic-beta": "anthropic-beta", "x-anthropic-beta": "anthropic-beta"}
)
"""A caller's header to the provider's. The first is what Anthropic's own SDK sends, the second OpenRouter's word for it."""

_TAKERS: Final[Mapping[str, frozenset[str]]] = MappingProxyType({"anthropic-beta": frozenset({"anthropic"})})
"""Which dialects have a header."""


def add_passed(headers: Mapping[str, str], passed: Mapping[str, str], dialect: str) -> Mapping[str, str]:
    """A request's headers with those of the caller that its dialect has; lists are joined, each item once."""
    added = {name: value for name, value in passed.items() if dialect in _TAKERS.get(name, ())}
    if not added:
        return headers
    return {**headers, **{name: _join(headers.get(name, ""), value) for name, value in added.items()}}


def _join(own: str, passed: str) -> str:
    items = (item.strip() for text in (own, passed) for item in text.split(","))
    return ",".join(dict.fromkeys(item for item in items if item))
