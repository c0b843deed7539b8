# SPDX-License-Identifier: Apache-2.0
"""Reasoning as thinkingConfig: a level or a budget, by the model's family."""

from __future__ import annotations

from typing import Any, Final

from trunkline_server.dialects.gemini.families import Family
from trunkline_server.dialects.gemini.report import Report
from trunkline_server.dialects.reasoning import Reasoning, budget_for, gemini_level, wanted

_FIELDS: Final = ("reasoning", "reasoning_effort", "include_reasoning")
_DYNAMIC: Final = -1
_REASONING_KEYS: Final = frozenset({"effort", "max_tokens", "enabled", "exclude"})


def render_thinking(body: dict[str, Any], family: Family, limit: int, report: Report) -> dict[str, Any]:
    """The thinkingConfig, empty where the request says nothing. `limit` is the answer's limit of tokens. Takes the fields out of the body."""
    reasoning, shown = wanted(body), body.get("include_reasoning")
    given = [name for name in _FIELDS if body.get(name) is not None]
    report.drop_others("reasoning", body.get("reasoning") or {}, _REASONING_KEYS)
    for name in _FIELDS:
        body.pop(name, None)
    if not given:
        return {}
    if not family.thinks:
        if reasoning is None or not reasoning.is_off:
            for name in given:
                report.drop(name)
        return {}
    reasoning = reasoning or Reasoning()
    config: dict[str, Any] = {}
    if not reasoning.is_off:
        config["includeThoughts"] = not reasoning.exclude if shown is None else shown and not reasoning.exclude
    path = "reasoning_effort" if "reasoning_effort" in given else "reasoning"
    if family.levels:
        config |= _as_level(reasoning, family.levels, path, report)
    elif family.budget is not None:
        config |= _as_budget(reasoning, family, limit, path, report)
    return config


def _as_level(reasoning: Reasoning, levels: tuple[str, ...], path: str, report: Report) -> dict[str, Any]:
    """A level of those that the model has. A budget is sent as it is: Google makes a level of it (OpenRouter does the same)."""
    if reasoning.is_off:
        report.change(path, f"not switched off, which the model cannot be: sent as the level {levels[0]}")
        return {"thinkingLevel": levels[0]}
    if reasoning.max_tokens is not None:
        return {"thinkingBudget": reasoning.max_tokens}
    if reasoning.effort is None:
        return {}
    wish = gemini_level(reasoning.effort)
    level = wish if wish in levels else _nearest(wish, levels)
    if level != reasoning.effort:
        report.change(path, f"sent as the level {level}")
    return {"thinkingLevel": level}


def _nearest(wish: str, levels: tuple[str, ...]) -> str:
    """The least level that is no less than the one wished for, else the highest."""
    order = ("minimal", "low", "medium", "high")
    return next((level for level in levels if order.index(level) >= order.index(wish)), levels[-1])


def _as_budget(reasoning: Reasoning, family: Family, limit: int, path: str, report: Report) -> dict[str, Any]:
    least, most = family.budget or (0, 0)
    if reasoning.is_off:
        if family.can_stop_thinking:
            return {"thinkingBudget": 0}
        report.change(path, f"not switched off, which the model cannot be: sent as a budget of {least} tokens")
        return {"thinkingBudget": least}
    if not reasoning.is_on:
        return {}
    if reasoning.effort is None and reasoning.max_tokens is None:
        return {"thinkingBudget": _DYNAMIC}
    budget = budget_for(reasoning, limit, least, most)
    if reasoning.max_tokens is None:
        report.change(path, f"sent as a budget of {budget} tokens")
    elif budget != reasoning.max_tokens:
        report.change(path, f"clamped to {budget}")
    return {"thinkingBudget": budget}
