# SPDX-License-Identifier: Apache-2.0
"""How a request's reasoning, limit and sampling become Anthropic's, whose rules bind the three together.

A budget of thinking must be at least 1,024 and below max_tokens. Beside thinking there is no temperature but 1, no top_k, no top_p below 0.95, and no forced
tool (platform.claude.com/docs/en/build-with-claude/thinking and /extended-thinking, November 2026). Models with budgets refuse to think where the turn that
they go on with, over its tools' results, does not begin with thinking of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from trunkline_server.catalog.entry import Endpoint
from trunkline_server.dialects.anthropic.families import Family
from trunkline_server.dialects.anthropic.report import Report
from trunkline_server.dialects.reasoning import DEFAULT_EFFORT, Reasoning, budget_for, effort_for_budget, wanted

DEFAULT_MAX_TOKENS: Final = 8192
"""The limit of an answer where neither the request nor the endpoint's row names one: Anthropic demands it. Every model still offered gives as many."""
LEAST_BUDGET: Final = 1024
MOST_BUDGET: Final = 128_000
UNTHOUGHT: Final = "switched off: the turn under way was begun without the provider's thinking"

_LEAST_TOP_P: Final = 0.95
_NEAREST: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"minimal": ("low",), "xhigh": ("max", "high"), "max": ("xhigh", "high")}
)
_ON: Final = frozenset({"enabled", "adaptive"})
_THOUGHTS: Final = frozenset({"thinking", "redacted_thinking"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a request may do at an endpoint.

    The answer's limit, whether the caller set it, whether a tool is forced, and whether the turn that the answer goes on with has begun without thinking.
    """

    max_tokens: int
    is_given: bool
    forces_tool: bool
    goes_on_unthought: bool = False


def read_limit(body: Mapping[str, Any], endpoint: Endpoint) -> tuple[int, bool]:
    """The answer's limit, and whether the caller named it. A limit that nobody named leaves room for the budget that was."""
    given = body.get("max_completion_tokens") or body.get("max_tokens")
    if given is not None:
        return int(given), True
    if endpoint.max_completion_tokens is not None:
        return endpoint.max_completion_tokens, False
    budget = (wanted(body) or Reasoning()).max_tokens or 0
    return DEFAULT_MAX_TOKENS + min(budget, MOST_BUDGET), False


def render_thinking(body: Mapping[str, Any], family: Family, limits: Limits, report: Report) -> dict[str, Any]:
    """What the request holds of `thinking` and `output_config`; members that say nothing are left out."""
    reasoning = wanted(body)
    out: dict[str, Any] = {}
    if reasoning is not None:
        if reasoning.summary is not None:
            report.drop("reasoning.summary")
        if reasoning.is_off:
            _switch_off(out, family, report)
        elif reasoning.is_on and family.thinking == "none":
            report.drop("reasoning")
        elif reasoning.is_on and family.thinking == "budget":
            _set_budget(out, reasoning, limits, report)
        elif reasoning.is_on:
            _set_effort(out, body, family, limits, report)
    verbosity = body.get("verbosity")
    if verbosity is not None:
        if family.efforts and "output_config" not in out:
            out["output_config"] = {"effort": _known_effort(verbosity, family, "verbosity", report)}
        else:
            report.drop("verbosity")
    return out


def render_sampling(
    body: Mapping[str, Any], family: Family, thinking: object, supported: frozenset[str], report: Report
) -> dict[str, Any]:
    """What the request holds of temperature, top_p and top_k. `supported` are the parameters of the endpoint's row; empty where it lists none."""
    asked = {name: body[name] for name in ("temperature", "top_p", "top_k") if body.get(name) is not None}
    if asked.get("top_k") == 0:
        del asked["top_k"]  # switches it off, as leaving it out does
    for name in list(asked):
        if not family.samples or (supported and name not in supported):
            del asked[name]
            report.drop(name)
    thinks = isinstance(thinking, dict) and thinking.get("type") in _ON
    temperature, top_p = asked.get("temperature"), asked.get("top_p")
    if temperature is not None and temperature > 1:
        asked["temperature"] = 1.0
        report.change("temperature", "clamped to 1")
    if thinks and temperature is not None:
        del asked["temperature"]
        if temperature < 1:
            report.drop("temperature")
    if thinks and asked.pop("top_k", None) is not None:
        report.drop("top_k")
    if top_p is not None and "temperature" in asked and family.one_sample:
        del asked["top_p"]
        report.drop("top_p")
    elif top_p is not None and thinks and top_p < _LEAST_TOP_P:
        asked["top_p"] = _LEAST_TOP_P
        report.change("top_p", "raised to 0.95")
    return asked


def think_first(turns: list[dict[str, Any]]) -> None:
    """Puts the thinking of each turn before its texts: a model with a budget never said them in another order."""
    for turn in turns:
        blocks = turn["content"]
        first = next((place for place, block in enumerate(blocks) if block["type"] != "text"), 0)
        if turn["role"] == "assistant" and first and blocks[first]["type"] in _THOUGHTS:
            last = next((place for place in range(first, len(blocks)) if blocks[place]["type"] not in _THOUGHTS), None)
            turn["content"] = [*blocks[first:last], *blocks[:first], *([] if last is None else blocks[last:])]


def goes_on_unthought(turns: list[dict[str, Any]]) -> bool:
    """Whether the answer goes on with a turn that was begun without thinking: behind results of its tools, or a beginning that the caller wrote.

    Such a turn was written by another model, or its thinking was lost. One step of it that was thought is enough: Anthropic's own later steps may do without.
    """
    if turns and turns[-1]["role"] == "assistant":
        return not _is_thought(turns[-1])
    steps: list[dict[str, Any]] = []
    for turn in reversed(turns):
        if turn["role"] == "assistant":
            steps.append(turn)
        elif turn["content"][0]["type"] != "tool_result":
            break
    return bool(steps) and not any(map(_is_thought, steps))


def _is_thought(turn: Mapping[str, Any]) -> bool:
    return turn["content"][0]["type"] in _THOUGHTS


def _switch_off(out: dict[str, Any], family: Family, report: Report) -> None:
    if family.off is not None and family.thinking != "none":
        out["thinking"] = {"type": family.off}
    elif family.off is None:
        out["output_config"] = {"effort": family.efforts[0]}
        report.change("reasoning", f"cannot be switched off: sent as effort {family.efforts[0]}")


def _set_budget(out: dict[str, Any], reasoning: Reasoning, limits: Limits, report: Report) -> None:
    if limits.forces_tool:
        report.change("reasoning", "switched off beside a forced tool")
        return
    if limits.goes_on_unthought:
        report.change("reasoning", UNTHOUGHT)
        return
    if limits.max_tokens <= LEAST_BUDGET:
        report.change("reasoning", f"switched off: max_tokens leaves no room for {LEAST_BUDGET} tokens")
        return
    budget = min(budget_for(reasoning, limits.max_tokens, LEAST_BUDGET, MOST_BUDGET), limits.max_tokens - 1)
    if reasoning.max_tokens is not None and budget != reasoning.max_tokens:
        report.change("reasoning.max_tokens", f"clamped to {budget}")
    out["thinking"] = {"type": "enabled", "budget_tokens": budget}


def _set_effort(out: dict[str, Any], body: Mapping[str, Any], family: Family, limits: Limits, report: Report) -> None:
    reasoning = wanted(body) or Reasoning()
    if limits.forces_tool:
        report.change("reasoning", "left to the model beside a forced tool")
    else:
        # Newer models leave the text of their thinking out unless it is asked for.
        said = (body.get("reasoning") or {}).get("display")
        display = "omitted" if reasoning.exclude or said == "omitted" else "summarized"
        out["thinking"] = {"type": "adaptive", "display": display}
    effort = reasoning.effort
    if effort is None and reasoning.max_tokens is not None:
        effort = effort_for_budget(reasoning.max_tokens, limits.max_tokens)
        report.change("reasoning.max_tokens", f"sent as effort {_nearest(effort, family)}")
    if effort is not None:
        out["output_config"] = {"effort": _known_effort(effort, family, "reasoning.effort", report)}


def _known_effort(effort: str, family: Family, path: str, report: Report) -> str:
    known = _nearest(effort, family)
    if known != effort:
        report.change(path, f"sent as {known}")
    return known


def _nearest(effort: str, family: Family) -> str:
    """The effort of the family that is nearest to one."""
    return next((word for word in (effort, *_NEAREST.get(effort, ())) if word in family.efforts), DEFAULT_EFFORT)
