# SPDX-License-Identifier: Apache-2.0
"""How hard a model is to reason, between the three ways of saying it: an effort, a budget of tokens, a level.

The shares are those of OpenRouter's guide to reasoning tokens (August 2026): an effort means a share of the answer's limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from trunkline_server.dialects.raw import opened

ANTHROPIC_FORMAT: Final = "anthropic-claude-v1"
GEMINI_FORMAT: Final = "google-gemini-v1"
OPENAI_FORMAT: Final = "openai-responses-v1"
UNKNOWN_FORMAT: Final = "unknown"
"""The words of a reasoning detail's `format`, each naming who can read the detail; "unknown" is open text that bears no proof."""

OFF: Final = "none"
"""The effort that switches reasoning off."""
DEFAULT_EFFORT: Final = "medium"
"""What `enabled: true` alone means, and an effort that nobody knows."""

# In percent: no sum of money and no budget goes through a float.
_SHARES: Final[Mapping[str, int]] = MappingProxyType(
    {"max": 95, "xhigh": 95, "high": 80, "medium": 50, "low": 20, "minimal": 10, OFF: 0}
)
_FROM_BUDGET: Final = ((15, "minimal"), (35, "low"), (65, "medium"), (87, "high"))
"""Up to which share of the answer's limit, in percent, a budget is the effort: the middles between the shares."""
_LEVELS: Final[Mapping[str, str]] = MappingProxyType(
    {"max": "high", "xhigh": "high", "high": "high", "medium": "medium", "low": "low", "minimal": "minimal"}
)
_LEAST_LEVEL: Final = "minimal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning:
    """What a request says of reasoning. None means that it does not say.

    `exclude` leaves the reasoning out of the answer, which the engine does; a provider that can spare the bytes may be told.
    """

    effort: str | None = None
    max_tokens: int | None = None
    enabled: bool | None = None
    exclude: bool = False
    summary: str | None = None

    @property
    def is_off(self) -> bool:
        """Whether the model is not to reason. `enabled: false` wins over what says how much it should."""
        return self.enabled is False or self.effort == OFF or self.max_tokens == 0

    @property
    def is_on(self) -> bool:
        """Whether the model is to reason, as the request says itself; neither on nor off is the model's own default."""
        return not self.is_off and (self.enabled is True or self.effort is not None or self.max_tokens is not None)

    @property
    def effort_or_default(self) -> str:
        """The effort to name where one must be named."""
        return self.effort or DEFAULT_EFFORT


def wanted(body: Mapping[str, Any]) -> Reasoning | None:
    """What a request in the form of openai_chat says, by `reasoning` and its shorthand `reasoning_effort`; None where it says nothing. Takes nothing out."""
    said = body.get("reasoning") or {}
    effort = said.get("effort")
    if effort is None:
        effort = body.get("reasoning_effort")
    reasoning = Reasoning(
        effort=effort,
        max_tokens=said.get("max_tokens"),
        enabled=said.get("enabled"),
        exclude=bool(said.get("exclude")),
        summary=said.get("summary"),
    )
    return None if reasoning == _NOTHING_SAID else reasoning


def budget_for(reasoning: Reasoning, max_tokens: int, least: int, most: int) -> int:
    """The budget in tokens, within `least` and `most`; `max_tokens` is the answer's limit. 0 where reasoning is off.

    It may reach `max_tokens`: a provider that wants more room than the budget has to be given it.
    """
    if reasoning.is_off:
        return 0
    budget = reasoning.max_tokens
    if budget is None:
        budget = max_tokens * _SHARES.get(reasoning.effort_or_default, _SHARES[DEFAULT_EFFORT]) // 100
    return min(max(budget, least), most)


def effort_for_budget(budget: int, max_tokens: int) -> str:
    """The effort whose share of the answer's limit is nearest to a budget."""
    if budget <= 0:
        return OFF
    share = 100 * budget // max(max_tokens, 1)
    return next((effort for up_to, effort in _FROM_BUDGET if share <= up_to), "xhigh")


def gemini_level(effort: str) -> str:
    """The thinking level of Gemini 3 for an effort. Those models cannot be switched off, so "none" is the least level."""
    return _LEAST_LEVEL if effort == OFF else _LEVELS.get(effort, DEFAULT_EFFORT)


def own_details(
    message: Mapping[str, Any], formats: AbstractSet[str], *, unmarked: bool = False
) -> tuple[list[dict[str, Any]], bool]:
    """The reasoning details of a past turn that a provider can read, in order, and whether there are others.

    Its own are those with one of the `formats`, also where their type is unknown; `unmarked` says whether those without a format are, too.
    """
    details = join_pieces(opened(item) for item in message.get("reasoning_details") or ())
    own = [item for item in details if item.get("format") in formats or (unmarked and item.get("format") is None)]
    return own, len(own) < len(details)


def join_pieces(details: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The details of a past turn, each whole, in order. A caller may send them back as they were streamed, one entry a piece.

    Pieces belong together as in the answers that the engine adds up: text or summary of one place, up to the signature, which proves the text before it and
    ends it. A piece without a place belongs to the one right before it, if to any. What is opaque stands alone. Details are opened JSON.
    """
    whole: list[dict[str, Any]] = []
    places: dict[tuple[str, int | None], dict[str, Any]] = {}
    texts: dict[int, list[str]] = {}
    for detail in details:
        kind, place = detail.get("type"), detail.get("index")
        key = _TEXT_KEYS.get(str(kind))
        known = places.get((str(kind), place)) if type(place) is int else (whole[-1] if whole else None)
        if key is None or known is None or not _takes(known, detail, key):
            whole.append({**detail})
            places[str(kind), place if type(place) is int else None] = whole[-1]
            texts[id(whole[-1])] = [detail.get(key) or ""] if key is not None else []
            continue
        texts[id(known)].append(detail.get(key) or "")
        known.update({name: value for name, value in detail.items() if value is not None and name != key})
    for detail in whole:
        if len(texts[id(detail)]) > 1:
            detail[_TEXT_KEYS[detail["type"]]] = "".join(texts[id(detail)])
    return whole


def _takes(known: Mapping[str, Any], piece: Mapping[str, Any], key: str) -> bool:
    """Whether a piece goes on where a detail ends: of the same kind, place and maker, as far as both say, and not behind a signature."""
    if known.get("type") != piece.get("type") or known.get("index") != piece.get("index"):
        return False
    if any(known.get(name) and piece.get(name) and known[name] != piece[name] for name in ("id", "format")):
        return False
    signature = known.get("signature")
    return not signature or (not piece.get(key) and piece.get("signature") in (None, "", signature))


_TEXT_KEYS: Final[Mapping[str, str]] = MappingProxyType({"reasoning.text": "text", "reasoning.summary": "summary"})
"""The kinds of details that are streamed in pieces, each with the key that holds its text."""
_NOTHING_SAID: Final = Reasoning()
