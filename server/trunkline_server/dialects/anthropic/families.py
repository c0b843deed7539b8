# SPDX-License-Identifier: Apache-2.0
"""What Anthropic's models differ in on this wire: how they are told to think, how not to, and what they refuse.

The wire has no field that tells; the model's name is all there is, in the forms of Anthropic, Bedrock and Google. The rows follow
platform.claude.com/docs: build-with-claude/thinking and /effort, models/opus-5-5/whats-new-opus-5-5, models/sonnet-5-5/migration-guide,
api/migration-2026-10-21, and docs.cloud.google.com on structured outputs ("4.5 and higher"); all read in November 2026.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

Thinking = Literal["none", "budget", "adaptive"]

_THREE: Final = ("low", "medium", "high")
_WITH_MAX: Final = (*_THREE, "max")
_ALL: Final = (*_THREE, "xhigh", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Models that take the same requests.

    `thinking` says how they are told to think: not at all, by `budget_tokens`, or by `adaptive` and an effort. `off` is the type that switches it off, None
    where nothing does. `efforts` are the values of `output_config.effort` from the least to the most. `samples` says that temperature, top_p and top_k are
    taken, `one_sample` that top_p is not taken beside temperature; `forces_tools` that a tool may be demanded; `native_schemas` that `output_config.format` is
    known. `thinks_first` says that a turn with thinking begins with it, and is refused where it does not.
    """

    thinking: Thinking = "budget"
    off: str | None = "disabled"
    efforts: tuple[str, ...] = ()
    samples: bool = True
    one_sample: bool = False
    forces_tools: bool = True
    native_schemas: bool = False
    thinks_first: bool = False


_OTHER_MAKERS: Final = Family()
"""Models of others who took this wire over: what it could do at first."""
_UNTHINKING: Final = Family(thinking="none")
_EARLY: Final = Family(one_sample=True, thinks_first=True)
_BUDGETED: Final = Family(native_schemas=True, one_sample=True, thinks_first=True)
_BUDGETED_EFFORT: Final = Family(native_schemas=True, one_sample=True, efforts=_THREE, thinks_first=True)
_FIRST_ADAPTIVE: Final = Family(thinking="adaptive", efforts=_WITH_MAX, native_schemas=True, one_sample=True)
_ADAPTIVE: Final = Family(thinking="adaptive", efforts=_ALL, samples=False, native_schemas=True)
_ALWAYS_THINKING: Final = Family(thinking="adaptive", efforts=_ALL, samples=False, native_schemas=True, off=None)
_UNFORCED: Final = Family(
    thinking="adaptive", efforts=_ALL, samples=False, native_schemas=True, off=None, forces_tools=False
)
_BETWEEN_TOOLS: Final = Family(
    thinking="adaptive", efforts=_ALL, samples=False, native_schemas=True, off="between_tools", forces_tools=False
)

_ROWS: Final = (
    (re.compile(r"claude-(2|instant|3-(opus|sonnet|haiku|5))"), _UNTHINKING),
    (re.compile(r"claude-(3-7|4-(opus|sonnet)|(opus|sonnet)-4(-[01])?([-@]\d{8}|-v\d|@|$))"), _EARLY),
    (re.compile(r"claude-opus-4-5"), _BUDGETED_EFFORT),
    (re.compile(r"claude-(sonnet|haiku)-4-5"), _BUDGETED),
    (re.compile(r"claude-(opus|sonnet)-4-6"), _FIRST_ADAPTIVE),
    (re.compile(r"claude-sonnet-5-5"), _BETWEEN_TOOLS),
    (re.compile(r"claude-(opus-5-5|(fable|mythos)-5-\d)"), _UNFORCED),
    (re.compile(r"claude-(fable|mythos)"), _ALWAYS_THINKING),
    (re.compile(r"claude"), _ADAPTIVE),
)
"""Asked in this order, each at any place in the name. Names that are no Claude at all belong to others."""


def family_of(model: str) -> Family:
    """The family of a model, by the name that the provider knows it by."""
    name = model.lower().replace(".", "-")
    return next((family for pattern, family in _ROWS if pattern.search(name)), _OTHER_MAKERS)
