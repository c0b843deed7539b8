# SPDX-License-Identifier: Apache-2.0
"""Which models a request names: slugs with their variants, aliases of a family's latest model, and the router models.

`~author/family-latest` is the newest model of the author whose name begins with the family and that somebody may serve. `openrouter/free` is every model with a free endpoint.
`openrouter/auto` ranks the models that can do what the request needs by the price of the request at their cheapest endpoint, and takes the one at the share
of that ranking which the request's weight gives: `TIER_SHARES` of `find_tier`. Price stands for quality: nothing else of it is known without asking models.
A conversation that is pinned to an endpoint stays with its model. The simulator's models are chosen only where there are no others, and so are those whose prices are unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType
from typing import Final

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.plugin_pb2 import AutoRouterPlugin
from trunkline_server.catalog.entry import Catalog, EndpointKey, Model
from trunkline_server.catalog.query import brief_slug, check_variant, find_model, split_variant
from trunkline_server.core.errors import FieldFault, GatewayError, Unavailability
from trunkline_server.routing.candidates import FREE, is_free
from trunkline_server.routing.needs import Needs
from trunkline_server.routing.patterns import make_matcher

AUTO: Final = "openrouter/auto"
FREE_ROUTER: Final = "openrouter/free"
ROUTER_MODELS: Final = frozenset({AUTO, FREE_ROUTER})
"""Names of models that stand for a choice among others."""
MOST_ROUTED_MODELS: Final = 5
"""How many models a router model stands for: the one chosen, and the next best as fallbacks."""
TIER_SHARES: Final[Mapping[str, float]] = MappingProxyType(
    {"low": 0.0, "medium": 0.35, "high": 0.65, "xhigh": 0.85, "max": 1.0}
)
"""How far up the ranking by price a tier reaches: 0 is the cheapest model, 1 the dearest."""

_LATEST: Final = "-latest"
_SIMULATOR: Final = "simulator"
_LONG_PROMPT_TOKENS: Final = 20_000
_SHORT_PROMPT_TOKENS: Final = 500
_HARD: Final = frozenset({"high", "xhigh", "max"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A model to try. `variant` is the word after its colon (None: none), `strategy` the word of `openrouter_metadata` for how it was found."""

    model: Model
    variant: str | None
    strategy: str


Offers = Callable[[Model, str | None], Sequence[float]]
"""The expected prices of a model's endpoints that may serve the request with that variant, 1e-12 USD, infinite where they are
unknown; none where nobody may.
"""


def requested_slugs(request: ChatCompletionRequest, catalog: Catalog) -> tuple[str, ...]:
    """The names that the request gives, in its order; the default model's where it gives none. Raises GatewayError INVALID_REQUEST where there is none either."""
    named = [request.model] if request.HasField("model") else []
    if request.models:
        named = list(dict.fromkeys([*named, *request.models]))
    if not named and catalog.default_model is not None:
        named.append(catalog.default_model)
    if not named:
        message = "the name of a model is required; GET /v1/models lists them"
        raise GatewayError(
            ErrorReason.ERROR_REASON_INVALID_REQUEST,
            f"model: {message}.",
            faults=[FieldFault(field="model", description=message)],
        )
    return tuple(named)


def find_wanted(
    slug: str,
    request: ChatCompletionRequest,
    catalog: Catalog,
    needs: Needs,
    offers: Offers,
    pin: EndpointKey | None = None,
    auto_models: Callable[[], Sequence[Model]] | None = None,
) -> list[Wanted]:
    """The models that a name stands for, the best first, never empty. `pin` is the endpoint that the conversation is at (None: none), `auto_models` gives what
    `find_auto_models` does, for requests with several names of the auto router (None: it is asked here).

    Raises GatewayError, see `find_model`, or NO_ENDPOINTS for a router model without a model.
    """
    model = catalog.models.get(slug)
    if model is not None:
        return [Wanted(model=model, variant=None, strategy="direct")]
    name, variant = split_variant(catalog, slug)
    if name not in catalog.models:
        kept = None if pin is None else pin[0]
        routes = name in ROUTER_MODELS or (name.startswith("~") and name.endswith(_LATEST))
        if routes:
            check_variant(catalog, name, variant, brief_slug(slug))
        if name == AUTO:
            models = find_auto_models(request, catalog) if auto_models is None else auto_models()
            return _route_auto(slug, variant, request, models, needs, offers, kept)
        if name == FREE_ROUTER:
            free = [model for model in catalog.models.values() if any(map(is_free, model.endpoints))]
            return _ranked(slug, free, "free", offers, 0.0, FREE, kept)
        if routes:
            return [Wanted(model=_find_latest(name, variant, catalog, offers), variant=variant, strategy="latest")]
    strategy = "direct" if name in catalog.models else "alias"
    return [Wanted(model=find_model(catalog, slug), variant=variant, strategy=strategy)]


def find_tier(request: ChatCompletionRequest, needs: Needs) -> str:
    """How heavy a request is, as a word of TIER_SHARES: low for a short plain prompt, high for a long one or one that thinks hard, medium for all else."""
    effort = request.reasoning.effort or request.reasoning_effort
    if effort in _HARD or needs.prompt_tokens > _LONG_PROMPT_TOKENS:
        return "high"
    plain = not needs.reads and not needs.parameters & {"tools", "response_format", "reasoning", "reasoning_effort"}
    return "low" if plain and needs.prompt_tokens <= _SHORT_PROMPT_TOKENS else "medium"


def find_auto_models(request: ChatCompletionRequest, catalog: Catalog) -> Sequence[Model]:
    """The models among which the request's settings let the auto router choose. Each is held against each of their patterns: to be asked once for a request."""
    settings = _auto_settings(request)
    is_allowed, is_refused = make_matcher(settings.allowed_models), make_matcher(settings.excluded_models)
    return [
        model
        for model in catalog.models.values()
        if model.slug not in ROUTER_MODELS
        and (not settings.allowed_models or is_allowed(model.slug))
        and not is_refused(model.slug)
    ]


def _route_auto(
    slug: str,
    variant: str | None,
    request: ChatCompletionRequest,
    models: Sequence[Model],
    needs: Needs,
    offers: Offers,
    kept: str | None,
) -> list[Wanted]:
    settings = _auto_settings(request)
    if settings.pin_model:
        kept = _last_writer(request) or kept
    return _ranked(slug, models, "auto", offers, _auto_share(settings, request, needs), variant, kept)


def _auto_settings(request: ChatCompletionRequest) -> AutoRouterPlugin:
    for plugin in request.plugins:
        kind = plugin.WhichOneof("plugin")
        if kind in ("auto_router", "auto_beta_router") and (plugin.enabled or not plugin.HasField("enabled")):
            found: AutoRouterPlugin = getattr(plugin, kind)
            return found
    return AutoRouterPlugin()


def _auto_share(settings: AutoRouterPlugin, request: ChatCompletionRequest, needs: Needs) -> float:
    if settings.cost_tier in TIER_SHARES:
        return TIER_SHARES[settings.cost_tier]
    if settings.HasField("cost_quality_tradeoff"):
        return 1.0 - settings.cost_quality_tradeoff / 10
    return TIER_SHARES[find_tier(request, needs)]


def _last_writer(request: ChatCompletionRequest) -> str | None:
    """The model that the last turn of an assistant names as its writer."""
    for message in reversed(request.messages):
        if message.WhichOneof("message") == "assistant":
            return message.assistant.model or None
    return None


def _ranked(
    slug: str,
    models: Sequence[Model],
    strategy: str,
    offers: Offers,
    share: float,
    variant: str | None,
    kept: str | None,
) -> list[Wanted]:
    """The models that somebody may serve: `kept` where it is one of them, the one at the share of their ranking by price, then that one's neighbours, the cheaper
    of two first.
    """
    priced = [(min(prices), model) for model in models if (prices := offers(model, variant))]
    priced = [offer for offer in priced if not _is_simulated(offer[1])] or priced
    priced = [offer for offer in priced if isfinite(offer[0])] or priced
    if not priced:
        raise GatewayError(
            ErrorReason.ERROR_REASON_NO_ENDPOINTS,
            f"`{brief_slug(slug)}` finds no model here that may serve this request.",
            unavailability=Unavailability(requested_models=[brief_slug(slug)]),
        )
    ranking = [model for _, model in sorted(priced, key=lambda pair: pair[0])]
    middle = round(share * (len(ranking) - 1))
    nearest = sorted(range(len(ranking)), key=lambda place: (ranking[place].slug != kept, abs(place - middle), place))
    return [Wanted(model=ranking[place], variant=variant, strategy=strategy) for place in nearest[:MOST_ROUTED_MODELS]]


def _is_simulated(model: Model) -> bool:
    return all(endpoint.provider.transport == _SIMULATOR for endpoint in model.endpoints)


def _find_latest(name: str, variant: str | None, catalog: Catalog, offers: Offers) -> Model:
    """The newest model of a family that somebody may serve, else the newest; of two from one second the one listed first.

    Raises what `find_model` does where there is none.
    """
    stem = name.removeprefix("~").removesuffix(_LATEST)
    family = [
        model
        for model in catalog.models.values()
        if ":" not in model.slug and (model.slug == stem or model.slug.startswith((f"{stem}-", f"{stem}.")))
    ]
    if not family:
        return find_model(catalog, name)
    family.sort(key=lambda model: -model.created_s)
    return next((model for model in family if offers(model, variant)), family[0])
