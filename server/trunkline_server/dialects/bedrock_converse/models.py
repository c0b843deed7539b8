# SPDX-License-Identifier: Apache-2.0
"""What the makers of Bedrock's models differ in on this wire: how their models are told to think and to sample, outside Converse's own fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from trunkline_server.catalog.entry import Endpoint
from trunkline_server.dialects.anthropic.families import family_of
from trunkline_server.dialects.anthropic.report import Report
from trunkline_server.dialects.anthropic.thinking import Limits, read_limit, render_sampling, render_thinking
from trunkline_server.dialects.reasoning import effort_for_budget, wanted

_ASSUMED_ANSWER: Final = 16_000
"""The limit of an answer, in tokens, that a budget of reasoning is a share of where nobody names one."""
_EFFORTS: Final[Mapping[str, str]] = MappingProxyType(
    {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class More:
    """What a request holds beside its turns: `fields` are the maker's own, `sampling` temperature and top_p as they may be sent, `max_tokens` the answer's limit
    (None: the model's own), `thinks` whether the model was told to.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    sampling: dict[str, Any] = field(default_factory=dict)
    max_tokens: int | None = None
    thinks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What the rest of a request says of thinking: whether a tool is forced, and whether the turn under way is one that may be thought on."""

    forces_tool: bool = False
    may_think: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Models that take the same additional fields. `top_k` is where they take it, a path of keys; empty: nowhere. `think` says an effort in their words."""

    top_k: tuple[str, ...] = ()
    think: Callable[[str], Mapping[str, Any]] | None = None
    is_claude: bool = False


def _nova(effort: str) -> Mapping[str, Any]:
    return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": effort}}


def _open_ai(effort: str) -> Mapping[str, Any]:
    return {"reasoning_effort": effort}


CLAUDE: Final = Maker(top_k=("top_k",), is_claude=True)
NOVA: Final = Maker(top_k=("inferenceConfig", "topK"), think=_nova)
OPEN_AI: Final = Maker(think=_open_ai)
OTHERS: Final = Maker()
_ROWS: Final = (
    (re.compile(r"anthropic\.|claude"), CLAUDE),
    (re.compile(r"amazon\.nova-[2-9]"), NOVA),
    (re.compile(r"amazon\.nova"), Maker(top_k=NOVA.top_k)),
    (re.compile(r"openai\."), OPEN_AI),
    (re.compile(r"mistral\.|cohere\."), Maker(top_k=("top_k",))),
)
"""Asked in this order, each at any place in the id: a profile's id has a region before it. An ARN of the account's own tells nothing."""


def maker_of(model: str) -> Maker:
    """The maker of a model, by its id."""
    name = model.lower()
    return next((maker for pattern, maker in _ROWS if pattern.search(name)), OTHERS)


def render_more(body: Mapping[str, Any], endpoint: Endpoint, maker: Maker, report: Report, bounds: Bounds) -> More:
    """What the request says of thinking, sampling and the answer's limit."""
    if maker.is_claude:
        return _render_claude(body, endpoint, report, bounds)
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    fields: dict[str, Any] = {}
    if body.get("top_k"):
        _set_top_k(fields, body["top_k"], maker, report)
    thinks = _render_effort(fields, body, maker, limit or endpoint.max_completion_tokens or _ASSUMED_ANSWER, report)
    if body.get("verbosity") is not None:
        report.drop("verbosity")
    sampling = {name: body[name] for name in ("temperature", "top_p") if body.get(name) is not None}
    if sampling.get("temperature", 0) > 1:
        sampling["temperature"] = 1.0
        report.change("temperature", "clamped to 1")
    return More(fields=fields, sampling=sampling, max_tokens=limit, thinks=thinks)


def _render_claude(body: Mapping[str, Any], endpoint: Endpoint, report: Report, bounds: Bounds) -> More:
    family = family_of(endpoint.upstream_model)
    limit, is_given = read_limit(body, endpoint)
    limits = Limits(max_tokens=limit, is_given=is_given, forces_tool=bounds.forces_tool)
    fields = render_thinking(body, family, limits, report)
    if not bounds.may_think and fields.get("thinking", {}).get("type") == "enabled":
        del fields["thinking"]
        report.change("reasoning", "switched off: the provider did not think in the turn under way")
    sampling = render_sampling(body, family, fields.get("thinking"), endpoint.supported_parameters, report)
    top_k = sampling.pop("top_k", None)
    if top_k is not None:
        fields["top_k"] = top_k
    thinks = fields.get("thinking", {}).get("type") in ("enabled", "adaptive")
    # Without a limit Bedrock takes the model's own, which thinking has to fit into.
    return More(fields=fields, sampling=sampling, max_tokens=limit if is_given or thinks else None, thinks=thinks)


def _set_top_k(fields: dict[str, Any], top_k: int, maker: Maker, report: Report) -> None:
    if not maker.top_k:
        report.drop("top_k")
        return
    *tables, name = maker.top_k
    for table in tables:
        fields = fields.setdefault(table, {})
    fields[name] = top_k


def _render_effort(fields: dict[str, Any], body: Mapping[str, Any], maker: Maker, limit: int, report: Report) -> bool:
    """Says how hard to reason in the maker's words; whether the model is to reason."""
    reasoning = wanted(body)
    if reasoning is None:
        return False
    if reasoning.summary is not None:
        report.drop("reasoning.summary")
    if not reasoning.is_on:
        return False
    if maker.think is None:
        report.drop("reasoning")
        return False
    effort = reasoning.effort_or_default
    if reasoning.effort is None and reasoning.max_tokens:
        effort = effort_for_budget(reasoning.max_tokens, limit)
        report.change("reasoning.max_tokens", f'sent as the effort "{_EFFORTS.get(effort, effort)}"')
    known = _EFFORTS.get(effort, "medium")
    if known != effort and reasoning.effort is not None:
        report.change("reasoning.effort", f"sent as {known}")
    fields.update(maker.think(known))
    return True
