# SPDX-License-Identifier: Apache-2.0
"""What Google's models differ in on this wire: how they are told to think, and what may stand together in a request.

Google's wire has no field that tells; the model's name is all there is. The rows follow the tables of supported levels and budgets on
docs.cloud.google.com/gemini-enterprise-agent-platform/models/thinking (August 2026) and ai.google.dev/gemini-api/docs/thinking.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_THREE_LEVELS: Final = ("low", "medium", "high")
_FOUR_LEVELS: Final = ("minimal", *_THREE_LEVELS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Models that take the same requests.

    `levels` are the values of thinkingLevel from the least to the most; `budget` is the least and the most of thinkingBudget. With neither, a model does not
    think, and answers 400 to a thinkingConfig. `can_stop_thinking` says that a budget of 0 is taken.

    `is_current` is generation 3 and later: function calls are refused without their signatures, function responses hold media, and JSON of a schema may be
    asked for beside tools.
    """

    levels: tuple[str, ...] = ()
    budget: tuple[int, int] | None = None
    can_stop_thinking: bool = False
    is_current: bool = False

    @property
    def thinks(self) -> bool:
        """Whether its models take a thinkingConfig."""
        return bool(self.levels) or self.budget is not None


_NOT_THINKING: Final = Family()
_NEWEST: Final = Family(levels=_THREE_LEVELS, is_current=True)
_WITH_MINIMAL: Final = Family(levels=_FOUR_LEVELS, is_current=True)

_ROWS: Final = (
    (re.compile(r"gemini-(1|2\.0)|gemini-2\.5-flash-image|gemma-?[1-3]|learnlm"), _NOT_THINKING),
    (re.compile(r"gemini-2\.5-pro"), Family(budget=(128, 32_768))),
    (re.compile(r"gemini-2\.5-flash-lite"), Family(budget=(512, 24_576), can_stop_thinking=True)),
    (re.compile(r"gemini-2\.5|gemini-robotics-er-1"), Family(budget=(1, 24_576), can_stop_thinking=True)),
    (re.compile(r"gemini-3-pro-image"), Family(levels=("high",), is_current=True)),
    (re.compile(r"gemini-3-pro"), Family(levels=("low", "high"), is_current=True)),
    (re.compile(r"gemini-3-flash|gemini-3\.[1-5]-flash|gemini-3\.6-flash"), _WITH_MINIMAL),
)
"""Asked in this order, each at any place in the name. A name of none of them is taken for a newer model."""


def family_of(model: str) -> Family:
    """The family of a model, by the name that the provider knows it by."""
    name = model.lower()
    return next((family for pattern, family in _ROWS if pattern.search(name)), _NEWEST)
