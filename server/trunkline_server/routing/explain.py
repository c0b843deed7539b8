# SPDX-License-Identifier: Apache-2.0
"""A plan in words: for `RouteService.ExplainRoute`, and as the `openrouter_metadata` of an answer. One sentence for each rule, in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.route_service_pb2 import PlannedEndpoint, RejectedEndpoint, RoutePlan
from trunkline.v1.router_metadata_pb2 import PipelineStage, RouterAttempt, RouterMetadata
from trunkline_server.catalog.entry import Endpoint, EndpointKey
from trunkline_server.core.errors import error_body
from trunkline_server.routing.candidates import Ask, Exclusion, read_ask
from trunkline_server.routing.health import Standing
from trunkline_server.routing.order import is_too_small, make_slowness_test, sorting
from trunkline_server.routing.plan import Plan
from trunkline_server.routing.price import assumed_answer, expected_prices_pusd

EXCLUSION_SENTENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "allowed_models": "This gateway does not serve the model to anybody.",
        "allowed_providers": "`only`, `ignore` or `order` without fallbacks leaves it out.",
        "data_policy:training": 'Its provider may train on prompts, and `data_collection` is "deny".',
        "data_policy:zdr": "Its provider may keep prompts, and `zdr` is true.",
        "data_policy:distillable": "Its answers may not be used to train others, and `enforce_distillable_text` is true.",
        "quantization": "Its precision is not among `quantizations`.",
        "max_price": "It is dearer than `max_price`, or its price is unknown.",
        "require_parameters": "It does not know a parameter that the request sets.",
        "free": "It costs, or its price is unknown, and `:free` was asked for.",
        "service_tier": "It sells another service tier than the one asked for, or one that was not asked for.",
        "input_modalities": "The model does not read a kind of content that the request sends.",
        "output_modalities": "The model does not write a kind of content that the request asks for.",
        "context_length": "The prompt and the answer asked for do not fit its context.",
        "max_tokens": "It does not write as many tokens as the request asks for.",
    }
)
"""What each word of `excluded_by` means."""

_OUT_OF_SERVICE: Final[Mapping[Standing, str]] = MappingProxyType(
    {
        Standing.COOLING: "Its provider asked for a pause or refuses the gateway's key, so it comes last.",
        Standing.OUT: "It is ejected after failures in a row, so it comes last.",
    }
)
_IN_SERVICE: Final[Mapping[Standing, str]] = MappingProxyType(
    {
        Standing.DUE: "It was ejected after failures and is due for a call that shows whether it is back.",
        Standing.UNSTABLE: "Many of its calls failed just now, so stable ones come first.",
    }
)
_ROUTED: Final = frozenset({"auto", "free"})
"""Strategies that stand for several models; to serve another one of them than the first is no fallback of the caller's."""
_MOST_COST_PUSD: Final = 2**63 - 1


def explain_plan(plan: Plan, request: ChatCompletionRequest, pin: EndpointKey | None = None) -> RoutePlan:
    """The plan as the contract has it. `pin` is the endpoint that the conversation was at when it was made (None: none)."""
    variants = {wanted.model.slug: wanted.variant for wanted in plan.wanted}
    costs = expected_prices_pusd(plan.endpoints, plan.needs)
    plain = read_ask(request.provider, plan.needs)
    by_model: dict[str, list[Endpoint]] = {}
    for endpoint in plan.endpoints:
        by_model.setdefault(endpoint.model, []).append(endpoint)
    planned = []
    for endpoint, cost_pusd in zip(plan.endpoints, costs, strict=True):
        ask = plain.of_variant(variants.get(endpoint.model))
        reason = _reason(endpoint, by_model[endpoint.model], plan, ask, pin)
        known_pusd = min(cost_pusd, _MOST_COST_PUSD) if endpoint.prices_pusd else None
        planned.append(_planned(endpoint, plan, known_pusd, reason))
    return RoutePlan(
        requested_models=plan.requested_models,
        strategy=plan.strategy,
        summary=summarize(plan),
        endpoints=planned,
        rejected=[_rejected(exclusion) for exclusion in plan.exclusions],
        estimated_prompt_tokens=plan.needs.prompt_tokens,
        assumed_completion_tokens=assumed_answer(plan.needs),
        error=None if plan.error is None else error_body(plan.error),
    )


def summarize(plan: Plan) -> str:
    """The plan in one sentence."""
    asked = ", ".join(f"`{slug}`" for slug in plan.requested_models)
    if not plan.endpoints:
        return f"Nobody may serve {asked}; {_count(len(plan.exclusions), 'endpoint')} rejected."
    first = plan.endpoints[0]
    left = len(plan.endpoints) - 1
    return (
        f"{asked}: {first.provider.name} serves `{first.model}` first, {_count(left, 'endpoint')} to fall back on, "
        f"{len(plan.exclusions)} rejected."
    )


def describe_route(
    plan: Plan,
    attempts: Sequence[tuple[Endpoint, int]],
    served: Endpoint | None,
    pipeline: Sequence[PipelineStage] = (),
) -> RouterMetadata:
    """The route that a call took. `attempts` are the endpoints tried with the HTTP status of each; `served` the one that answered, None where none did;
    `pipeline` what happened besides.
    """
    strategy = plan.strategy
    if served is not None and strategy not in _ROUTED and served.model != plan.wanted[0].model.slug:
        strategy = "fallback"
    metadata = RouterMetadata(
        requested=plan.requested_models[0] if plan.requested_models else "",
        strategy=strategy,
        summary=summarize(plan),
        attempt=len(attempts),
        attempts=[
            RouterAttempt(provider=endpoint.provider.name, model=endpoint.model, status=status)
            for endpoint, status in attempts
        ],
        pipeline=pipeline,
    )
    metadata.endpoints.total = len(plan.endpoints) + len(plan.exclusions)
    for endpoint in plan.endpoints:
        metadata.endpoints.available.add(
            provider=endpoint.provider.name,
            model=endpoint.model,
            selected=served is not None and endpoint.key == served.key,
        )
    return metadata


def _planned(endpoint: Endpoint, plan: Plan, cost_pusd: int | None, reason: str) -> PlannedEndpoint:
    return PlannedEndpoint(
        provider=endpoint.provider.slug,
        provider_name=endpoint.provider.name,
        model=endpoint.model,
        tag=endpoint.tag,
        expected_cost_pusd=cost_pusd,
        standing=plan.standings.get(endpoint.key, Standing.WELL).name.lower(),
        reason=reason,
    )


def _reason(endpoint: Endpoint, siblings: Sequence[Endpoint], plan: Plan, ask: Ask, pin: EndpointKey | None) -> str:
    """Why an endpoint stands where it does among those of its model: the strongest of the rules of `routing/order.py` that holds for it."""
    standing = plan.standings.get(endpoint.key, Standing.WELL)
    if standing in _OUT_OF_SERVICE:
        return _OUT_OF_SERVICE[standing]
    if not endpoint.names.isdisjoint(ask.places):
        return "`order` names it."
    if endpoint.key == pin:
        return "The conversation is at it."
    if ask.needs.tier is not None and endpoint.service_tier == ask.needs.tier:
        return "It sells the service tier that the request asks for."
    if is_too_small(endpoint, ask.needs):
        return "The prompt and the answer asked for probably exceed its context, so larger ones come first."
    is_slow = make_slowness_test(ask.preferences, plan.health)
    if is_slow is not None and is_slow(endpoint):
        return "It misses a preferred speed, so faster ones come first."
    if len(siblings) == 1:
        return "No other endpoint of the model is left."
    by = sorting(ask)
    if by is not None:
        return f'Sorted by "{by}".'
    if standing in _IN_SERVICE:
        return _IN_SERVICE[standing]
    drawn = not ask.preferences.order and endpoint is siblings[0]
    return "The draw by 1/price² put it first." if drawn else "A fallback, the cheaper ones first."


def _rejected(exclusion: Exclusion) -> RejectedEndpoint:
    endpoint = exclusion.endpoint
    return RejectedEndpoint(
        provider=endpoint.provider.slug,
        provider_name=endpoint.provider.name,
        model=endpoint.model,
        tag=endpoint.tag,
        excluded_by=exclusion.reason,
        reason=EXCLUSION_SENTENCES[exclusion.reason],
    )


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
