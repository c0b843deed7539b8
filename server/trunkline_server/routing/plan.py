# SPDX-License-Identifier: Apache-2.0
"""The plan of a call: the endpoints to try, in order, and those left out with their reasons. A pure function of request, catalog, health, time and draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.catalog.entry import Catalog, Endpoint, EndpointKey, Model
from trunkline_server.catalog.query import brief_slug
from trunkline_server.core.errors import GatewayError, Unavailability
from trunkline_server.routing.candidates import (
    ALLOWED_MODELS,
    ALLOWED_PROVIDERS,
    ANYTHING,
    FREE,
    PRIVACY_RULES,
    Ask,
    Deployment,
    Exclusion,
    find_candidates,
    forbids_fallbacks,
    read_ask,
)
from trunkline_server.routing.health import EMPTY_HEALTH, HealthSnapshot, Standing, find_standings
from trunkline_server.routing.models import Wanted, find_auto_models, find_wanted, requested_slugs
from trunkline_server.routing.needs import Needs, read_needs
from trunkline_server.routing.order import Moment, order_candidates, rank_in_service, sorting, sorts_across_models
from trunkline_server.routing.price import comparable_prices_pusd

_NO_STANDINGS: Final[Mapping[EndpointKey, Standing]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a plan depends on beside request and catalog.

    `now_s` is a moment of the monotonic clock; `draw` gives numbers in [0, 1); `pin` is the endpoint that the conversation is at (None: none);
    `deployment` holds for every request.
    """

    health: HealthSnapshot = EMPTY_HEALTH
    now_s: float = 0.0
    draw: Callable[[], float]
    pin: EndpointKey | None = None
    deployment: Deployment = ANYTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The endpoints to try, in order, those left out and why, the names of models that the caller gave, and what the request needs.

    `wanted` are the models of the endpoints, in the order in which they were found. `strategy` says how the first was found, in the words of
    `openrouter_metadata`. `standings` holds the endpoints that do not stand well, `health` what it was read from. `pin` is the endpoint that the conversation
    is at (None: none). `error` is why there is no endpoint to try, None where there is one.
    """

    endpoints: tuple[Endpoint, ...]
    exclusions: tuple[Exclusion, ...]
    requested_models: tuple[str, ...]
    needs: Needs
    strategy: str
    standings: Mapping[EndpointKey, Standing]
    error: GatewayError | None = None
    wanted: tuple[Wanted, ...] = ()
    health: HealthSnapshot = EMPTY_HEALTH
    pin: EndpointKey | None = None


def make_plan(request: ChatCompletionRequest, catalog: Catalog, surroundings: Surroundings) -> Plan:
    """The plan for a request.

    Models are tried in the caller's order: `model`, then `models`. A model that is unknown or that nobody may serve is passed over as long as another one is
    left; where none is, `error` is that of the last model: NO_ENDPOINTS, PRIVACY_RESTRICTED, CONSTRAINT_FILTERED, or what `find_wanted` raises.
    Raises GatewayError INVALID_REQUEST where no model is named.
    """
    slugs = requested_slugs(request, catalog)
    planner = _Planner(request, catalog, surroundings, slugs)
    for slug in slugs:
        planner.add(slug)
    return planner.plan()


class _Planner:
    """A plan while it grows, name by name."""

    __slots__ = (
        "_around", "_ask", "_auto_models", "_catalog", "_error", "_exclusions", "_found", "_is_first", "_needs", "_preferences", "_request",
        "_requested", "_standings", "_strategy",
    )  # fmt: skip

    def __init__(
        self, request: ChatCompletionRequest, catalog: Catalog, surroundings: Surroundings, slugs: tuple[str, ...]
    ) -> None:
        self._request = request
        self._catalog = catalog
        self._around = surroundings
        self._requested = tuple([brief_slug(slug) for slug in slugs])
        self._needs = read_needs(request)
        self._preferences = request.provider
        self._ask = read_ask(request.provider, self._needs, surroundings.deployment)
        self._standings: Mapping[EndpointKey, Standing] = _NO_STANDINGS
        self._found: list[tuple[Wanted, Ask, Sequence[Endpoint]]] = []
        self._exclusions: list[Exclusion] = []
        self._strategy = "direct"
        self._is_first = True
        self._error: GatewayError | None = None
        # What the auto router may choose from, once it was asked for.
        self._auto_models: Sequence[Model] | None = None

    def add(self, slug: str) -> None:
        """The candidates of the models that a name stands for."""
        try:
            found = find_wanted(
                slug, self._request, self._catalog, self._needs, self._offers, self._around.pin, self._find_auto_models
            )
        except GatewayError as error:
            if error.unavailability is not None:
                error.unavailability = replace(error.unavailability, requested_models=self._requested)
            # Without its traceback, whose frames would keep the request until garbage is collected.
            self._error = error.with_traceback(None)
        else:
            for wanted in found:
                self._add_model(slug, wanted)
        self._is_first = False

    def plan(self) -> Plan:
        """The candidates in order, and everything else that was found on the way."""
        endpoints = self._order()
        return Plan(
            endpoints=tuple(endpoints),
            exclusions=self._excluded_for_good(endpoints),
            requested_models=self._requested,
            needs=self._needs,
            strategy=self._strategy,
            standings=self._standings,
            error=None if endpoints else self._error,
            wanted=tuple([wanted for wanted, _, _ in self._found]),
            health=self._around.health,
            pin=self._around.pin,
        )

    def _order(self) -> Sequence[Endpoint]:
        """Models in the order of their names, or all together; endpoints in service before those of any model that are not."""
        found, around, standings = self._found, self._around, self._standings
        moment = Moment(health=around.health, standings=standings, pin=around.pin, draw=around.draw)
        if len(found) == 1:
            _, ask, candidates = found[0]
            return order_candidates(candidates, ask, moment)
        if not found:
            return ()
        _, ask, _ = found[0]
        if sorts_across_models(self._preferences) and sorting(ask) is not None:
            return order_candidates([endpoint for _, _, group in found for endpoint in group], ask, moment)
        ordered = [endpoint for _, ask, group in found for endpoint in order_candidates(group, ask, moment)]
        if standings:
            ordered.sort(key=lambda endpoint: rank_in_service(standings.get(endpoint.key)))
        return ordered

    def _excluded_for_good(self, endpoints: Sequence[Endpoint]) -> tuple[Exclusion, ...]:
        """The exclusions, those for `allow_fallbacks: false` included, without endpoints that one name leaves out and another one asks for."""
        kept = (
            {endpoint.key for endpoint in endpoints} if self._exclusions or forbids_fallbacks(self._preferences) else ()
        )
        if not kept:
            return tuple(self._exclusions)
        for _, _, candidates in self._found:
            self._exclude([Exclusion(endpoint=e, reason=ALLOWED_PROVIDERS) for e in candidates if e.key not in kept])
        return tuple([exclusion for exclusion in self._exclusions if exclusion.endpoint.key not in kept])

    def _add_model(self, slug: str, wanted: Wanted) -> None:
        around, model = self._around, wanted.model
        ask = self._ask.of_variant(wanted.variant)
        if not around.deployment.may_serve(model.slug):
            excluded = [Exclusion(endpoint=endpoint, reason=ALLOWED_MODELS) for endpoint in model.endpoints]
            candidates: Sequence[Endpoint] = ()
        else:
            candidates, excluded = find_candidates(model, ask)
        self._exclude(excluded)
        if not candidates:
            self._error = _no_endpoint(slug, self._requested, excluded)
            return
        if around.health.endpoints:
            self._standings = {**self._standings, **find_standings(candidates, around.health, around.now_s)}
        if self._found:
            # Two names of one model, such as a slug and its variant, are no reason to ask an endpoint twice.
            taken = {(endpoint.key, endpoint.upstream_model) for _, _, before in self._found for endpoint in before}
            candidates = [e for e in candidates if (e.key, e.upstream_model) not in taken]
            if not candidates:
                return
        else:
            self._strategy = wanted.strategy if self._is_first else "fallback"
        self._found.append((wanted, ask, candidates))

    def _find_auto_models(self) -> Sequence[Model]:
        if self._auto_models is None:
            self._auto_models = find_auto_models(self._request, self._catalog)
        return self._auto_models

    def _offers(self, model: Model, variant: str | None) -> Sequence[float]:
        if not self._around.deployment.may_serve(model.slug):
            return ()
        candidates, _ = find_candidates(model, self._ask.of_variant(variant))
        return comparable_prices_pusd(candidates, self._needs)

    def _exclude(self, excluded: Sequence[Exclusion]) -> None:
        if excluded:
            known = {exclusion.endpoint.key for exclusion in self._exclusions}
            self._exclusions.extend(exclusion for exclusion in excluded if exclusion.endpoint.key not in known)


def _no_endpoint(slug: str, requested: tuple[str, ...], excluded: Sequence[Exclusion]) -> GatewayError:
    details = Unavailability(
        requested_models=requested, excluded_by=sorted({exclusion.reason for exclusion in excluded})
    )
    name = brief_slug(slug)
    if not excluded:
        text, reason = f"Nobody offers {name!r} at the moment.", ErrorReason.ERROR_REASON_NO_ENDPOINTS
    elif details.excluded_by == [FREE]:
        base = name.removesuffix(":free")
        text = f"Model not available: `{base}` is not offered for free here."
        reason = ErrorReason.ERROR_REASON_FREE_VARIANT_ENDED
        details = replace(details, fallback_models=[base])
    else:
        rules = ", ".join(details.excluded_by)
        text = (
            f"The request leaves no endpoint of {name!r} ({rules}); POST /v1/route/explain tells why for each of them."
        )
        private = PRIVACY_RULES.issuperset(details.excluded_by)
        reason = (
            ErrorReason.ERROR_REASON_PRIVACY_RESTRICTED if private else ErrorReason.ERROR_REASON_CONSTRAINT_FILTERED
        )
    return GatewayError(reason, text, unavailability=details)
