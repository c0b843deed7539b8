# SPDX-License-Identifier: Apache-2.0
"""Which endpoints of a model may serve a request at all, and why the others may not.

A rule is made once for a request, by `read_ask`, and what it needs of a model once for each of its models: it looks at what the request says and gives the
test for endpoints, or None where the request says nothing to it. So an endpoint meets only the rules that matter. What the deployment demands of every request is the same rules with the deployment's preferences, before the
request's own: a request narrows, it never widens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from trunkline.v1.provider_preferences_pb2 import DataCollection, ProviderPreferences
from trunkline_server.catalog.entry import Endpoint, Model
from trunkline_server.routing.needs import Needs
from trunkline_server.routing.patterns import make_matcher

ALLOWED_PROVIDERS: Final = "allowed_providers"
"""The word of `availability.excluded_by` for `only`, `ignore` and an `order` without fallbacks."""
ALLOWED_MODELS: Final = "allowed_models"
"""The word for models that the deployment does not serve."""
REQUIRE_PARAMETERS: Final = "require_parameters"
"""The word for endpoints that lack a parameter which is sent, where all must know it, or where others of the model do."""
FREE: Final = "free"
"""The word for endpoints that cost, where only free ones were asked for."""
SERVICE_TIER: Final = "service_tier"
"""The word for endpoints of a service tier that was not asked for, or not of the one that was."""

_TRAINING: Final = "data_policy:training"
_KEEPING: Final = "data_policy:zdr"
PRIVACY_RULES: Final = frozenset({_TRAINING, _KEEPING})
"""The words of those rules that keep a caller's prompts from providers."""

_MILLION: Final = 1_000_000
_PRICE_UNITS: Final[Mapping[str, int]] = MappingProxyType(
    {"prompt": _MILLION, "completion": _MILLION, "request": 1, "image": 1, "audio": 1}
)
"""The fields of `max_price` without unit, and for how many units of an endpoint's price each stands."""
_REASONING: Final = frozenset({"reasoning", "reasoning_effort"})
SOFT_PARAMETERS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "tools": frozenset({"tools"}),
        "response_format": frozenset({"response_format"}),
        "reasoning": _REASONING,
        "reasoning_effort": _REASONING,
        "verbosity": frozenset({"verbosity"}),
    }
)
"""Parameters for which, when they are sent, an endpoint that knows one of these is preferred to one of the same model that knows none."""

Test = Callable[[Endpoint], bool]
"""Whether an endpoint is excluded."""
Rule = tuple[str, Test]
"""The word of `availability.excluded_by`, and the test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """An endpoint that may not serve, and the word of `availability.excluded_by` for the reason."""

    endpoint: Endpoint
    reason: str


def _serve_all(_slug: str) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What holds for every request to this gateway.

    Of `preferences` those that filter count, as a request's own do; they are not to be changed afterwards. `models` are patterns of the slugs it may serve, ()
    all. Made once: `filters` says whether there are preferences at all, `may_serve` whether a slug is among `models`.
    """

    preferences: ProviderPreferences = field(default_factory=ProviderPreferences)
    models: tuple[str, ...] = ()
    filters: bool = field(init=False)
    may_serve: Callable[[str], bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "may_serve", make_matcher(self.models) if self.models else _serve_all)
        object.__setattr__(self, "filters", self.preferences.ByteSize() > 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What one request says of the endpoints of one model: preferences, needs, and the word of a variant such as "free" (None: none).

    What the preferences say of any endpoint is read from them once, since a request may name a hundred providers and mean hundreds of models: the `rules` of
    the deployment's and of its own, the `places` of the lower-case names in its `order`, and all names that either's `order` and `only` hold.
    """

    preferences: ProviderPreferences
    needs: Needs
    rules: Sequence[Rule]
    places: Mapping[str, int]
    named: AbstractSet[str]
    variant: str | None = None

    def of_variant(self, variant: str | None) -> Ask:
        """The same with that variant."""
        return self if variant == self.variant else replace(self, variant=variant)


ANYTHING: Final = Deployment()
"""A deployment that demands nothing."""
_NO_PLACES: Final[Mapping[str, int]] = MappingProxyType({})


def read_ask(preferences: ProviderPreferences, needs: Needs, deployment: Deployment = ANYTHING) -> Ask:
    """What a request says, read once for all of its models; without a variant."""
    rules: list[Rule] = []
    # Most requests have no preferences, and most deployments neither.
    if deployment.filters:
        _add_preference_rules(rules, deployment.preferences, needs)
    named = {slug.lower() for slug in (*deployment.preferences.order, *deployment.preferences.only)}
    if not preferences.ByteSize():
        return Ask(preferences=preferences, needs=needs, rules=rules, places=_NO_PLACES, named=named)
    _add_preference_rules(rules, preferences, needs)
    places: dict[str, int] = {}
    for place, slug in enumerate(preferences.order):
        places.setdefault(slug.lower(), place)
    named |= places.keys()
    named.update(slug.lower() for slug in preferences.only)
    return Ask(preferences=preferences, needs=needs, rules=rules, places=places, named=named)


def find_candidates(model: Model, ask: Ask) -> tuple[Sequence[Endpoint], list[Exclusion]]:
    """The endpoints that are left, in catalog order, and those that are excluded; the first rule that excludes an endpoint is the one told."""
    rules = [*ask.rules]
    for word, make in _NEED_RULES:
        test = make(model, ask)
        if test is not None:
            rules.append((word, test))
    candidates: Sequence[Endpoint] = model.endpoints
    exclusions: list[Exclusion] = []
    if rules:
        left: list[Endpoint] = []
        for endpoint in candidates:
            for word, excludes in rules:
                if excludes(endpoint):
                    exclusions.append(Exclusion(endpoint=endpoint, reason=word))
                    break
            else:
                left.append(endpoint)
        candidates = left
    if len(candidates) > 1:
        candidates = _prefer(candidates, ask, exclusions)
    return candidates, exclusions


def tiers_asked_for(ask: Ask) -> AbstractSet[str]:
    """The service tiers that the request asks for, by its tier or by a variant; endpoints of others must be named."""
    return {tier for tier in (ask.needs.tier, _TIERS_OF_VARIANTS.get(ask.variant or "")) if tier}


def forbids_fallbacks(preferences: ProviderPreferences) -> bool:
    """Whether `allow_fallbacks` is false and not only unset."""
    return preferences.HasField("allow_fallbacks") and not preferences.allow_fallbacks


def is_free(endpoint: Endpoint) -> bool:
    """Whether nothing of an endpoint costs. One whose prices are unknown is not free: it costs what its provider says afterwards."""
    return (
        bool(endpoint.prices_pusd)
        and not any(endpoint.prices_pusd.values())
        and not any(any(prices.values()) for _, prices in endpoint.prices_above)
    )


def _prefer(candidates: Sequence[Endpoint], ask: Ask, exclusions: list[Exclusion]) -> Sequence[Endpoint]:
    """Those candidates that know the soft parameters sent, where some do; the tier asked for, where some have it. A model is never removed by it."""
    sent = ask.needs.parameters
    for parameter, known in SOFT_PARAMETERS.items():
        if parameter in sent:
            knowing = [endpoint for endpoint in candidates if not known.isdisjoint(endpoint.supported_parameters)]
            candidates = _narrow(candidates, knowing, REQUIRE_PARAMETERS, exclusions)
    if ask.needs.tier == "flex":
        selling = [endpoint for endpoint in candidates if endpoint.service_tier == "flex"]
        candidates = _narrow(candidates, selling, SERVICE_TIER, exclusions)
    return candidates


def _narrow(
    candidates: Sequence[Endpoint], preferred: Sequence[Endpoint], word: str, exclusions: list[Exclusion]
) -> Sequence[Endpoint]:
    if not preferred or len(preferred) == len(candidates):
        return candidates
    kept = {endpoint.key for endpoint in preferred}
    exclusions.extend(Exclusion(endpoint=endpoint, reason=word) for endpoint in candidates if endpoint.key not in kept)
    return preferred


def _add_preference_rules(rules: list[Rule], preferences: ProviderPreferences, needs: Needs) -> None:
    rules.extend((word, test) for word, make in _PREFERENCE_RULES if (test := make(preferences, needs)))


def _not_allowed(preferences: ProviderPreferences, _needs: Needs) -> Test | None:
    only = frozenset(slug.lower() for slug in preferences.only)
    ignored = frozenset(slug.lower() for slug in preferences.ignore)
    if not only and not ignored:
        return None
    return lambda endpoint: (bool(only) and only.isdisjoint(endpoint.names)) or not ignored.isdisjoint(endpoint.names)


def _not_in_order(preferences: ProviderPreferences, _needs: Needs) -> Test | None:
    if not preferences.order or not forbids_fallbacks(preferences):
        return None
    named = frozenset(slug.lower() for slug in preferences.order)
    return lambda endpoint: named.isdisjoint(endpoint.names)


def _training(preferences: ProviderPreferences, _needs: Needs) -> Test | None:
    if preferences.data_collection != DataCollection.DATA_COLLECTION_DENY:
        return None
    return lambda endpoint: endpoint.provider.trains_on_prompts


def _keeping(preferences: ProviderPreferences, _needs: Needs) -> Test | None:
    return (lambda endpoint: endpoint.provider.keeps_prompts) if preferences.zdr else None


def _not_distillable(preferences: ProviderPreferences, _needs: Needs) -> Test | None:
    return (lambda endpoint: not endpoint.distillable) if preferences.enforce_distillable_text else None


def _other_precision(preferences: ProviderPreferences, _needs: Needs) -> Test | None:
    wanted = frozenset(preferences.quantizations)
    return (lambda endpoint: (endpoint.quantization or "unknown") not in wanted) if wanted else None


def _too_dear(preferences: ProviderPreferences, needs: Needs) -> Test | None:
    if not preferences.HasField("max_price"):
        return None
    dearest = preferences.max_price
    limits = [
        (name, unit, getattr(dearest, f"{name}_pusd"))
        for name, unit in _PRICE_UNITS.items()
        if dearest.HasField(f"{name}_pusd")  # type: ignore[arg-type] # the fields of MaxPrice
    ]

    if not limits:
        return None

    def excludes(endpoint: Endpoint) -> bool:
        # Few endpoints have other prices for long prompts, and only for them the prompt is counted.
        prices = endpoint.prices_for(needs.prompt_tokens) if endpoint.prices_above else endpoint.prices_pusd
        return not prices or any(prices.get(name, 0) * unit > most for name, unit, most in limits)

    return excludes


def _lacks_parameters(preferences: ProviderPreferences, needs: Needs) -> Test | None:
    if not preferences.require_parameters:
        return None
    sent, fields = needs.parameters, needs.fields
    return lambda endpoint: (
        not (sent <= endpoint.supported_parameters and fields.isdisjoint(endpoint.refused_parameters))
    )


def _costs(_model: Model, ask: Ask) -> Test | None:
    return (lambda endpoint: not is_free(endpoint)) if ask.variant == FREE else None


def _cannot_read(model: Model, ask: Ask) -> Test | None:
    if not model.input_modalities or ask.needs.reads.issubset(model.input_modalities):
        return None
    return lambda _endpoint: True


def _cannot_write(model: Model, ask: Ask) -> Test | None:
    if not model.output_modalities or ask.needs.writes.issubset(model.output_modalities):
        return None
    return lambda _endpoint: True


def _too_short(model: Model, ask: Ask) -> Test | None:
    needs = ask.needs
    if (model.least_context_length is None or needs.fits(model.least_context_length)) and (
        model.least_prompt_tokens is None or needs.fits(model.least_prompt_tokens)
    ):
        return None
    prompt, whole = needs.least_prompt_tokens, needs.least_prompt_tokens + (needs.most_tokens or 0)

    def excludes(endpoint: Endpoint) -> bool:
        window, longest = endpoint.context_length, endpoint.max_prompt_tokens
        return (window is not None and whole > window) or (longest is not None and prompt > longest)

    return excludes


def _too_brief(model: Model, ask: Ask) -> Test | None:
    most, least = ask.needs.most_tokens, model.least_completion_tokens
    if most is None or least is None or most <= least:
        return None
    return lambda endpoint: endpoint.max_completion_tokens is not None and most > endpoint.max_completion_tokens


def _other_tier(model: Model, ask: Ask) -> Test | None:
    """Endpoints of a service tier serve only who asks for it: by the tier, by a variant, or by the endpoint's own name."""
    if not model.sells_tiers:
        return None
    asked, named = tiers_asked_for(ask), ask.named
    return lambda endpoint: (
        endpoint.service_tier is not None and endpoint.service_tier not in asked and endpoint.tag.lower() not in named
    )


_TIERS_OF_VARIANTS: Final[Mapping[str, str]] = MappingProxyType({"nitro": "priority", "floor": "flex"})
_PREFERENCE_RULES: Final[tuple[tuple[str, Callable[[ProviderPreferences, Needs], Test | None]], ...]] = (
    (ALLOWED_PROVIDERS, _not_allowed),
    (ALLOWED_PROVIDERS, _not_in_order),
    (_TRAINING, _training),
    (_KEEPING, _keeping),
    ("data_policy:distillable", _not_distillable),
    ("quantization", _other_precision),
    ("max_price", _too_dear),
    (REQUIRE_PARAMETERS, _lacks_parameters),
)
"""The word of `availability.excluded_by`, and what makes the rule of preferences. The words in the order in which they are told."""
_NEED_RULES: Final[tuple[tuple[str, Callable[[Model, Ask], Test | None]], ...]] = (
    (FREE, _costs),
    (SERVICE_TIER, _other_tier),
    ("input_modalities", _cannot_read),
    ("output_modalities", _cannot_write),
    ("context_length", _too_short),
    ("max_tokens", _too_brief),
)
"""The same for what a request needs."""
EXCLUSION_WORDS: Final = tuple(
    dict.fromkeys([ALLOWED_MODELS, *(word for word, _ in _PREFERENCE_RULES), *(word for word, _ in _NEED_RULES)])
)
"""Every word that an exclusion may carry."""
