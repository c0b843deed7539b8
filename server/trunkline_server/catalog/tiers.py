# SPDX-License-Identifier: Apache-2.0
"""Service tiers: the words that callers and providers use for them, and which of a provider's endpoints sells which."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

STANDARD: Final = "default"
"""OpenAI's word for the tier that everybody gets who asks for none."""
TIERS: Final[Mapping[str, str]] = MappingProxyType({"priority": "priority", "fast": "priority", "flex": "flex"})
"""The words of `service_tier` that mean a tier with a price of its own, each with the word that providers know."""

# Groq says "on_demand" for the standard tier. "auto" is no answer, and what "scale" costs stands in a contract.
_SERVED: Final[Mapping[str, str]] = MappingProxyType(
    {**TIERS, STANDARD: STANDARD, "standard": STANDARD, "on_demand": STANDARD}
)


def served_tier(word: str) -> str | None:
    """The tier that a provider's word for what it served means: STANDARD or one of TIERS; None where it tells of no price."""
    return _SERVED.get(word)
