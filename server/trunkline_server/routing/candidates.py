# SPDX-License-Identifier: Apache-2.0
"""Which endpoints may serve a request at all, and why the others may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.provider_preferences_pb2 import DataCollection, ProviderPreferences
from trunkline_server.catalog.entry import Endpoint

ALLOWED_PROVIDERS: Final = "allowed_providers"
"""The word of `availability.excluded_by` for `only`, `ignore` and an `order` without fallbacks."""

_TRAINING: Final = "data_policy:training"
_KEEPING: Final = "data_policy:zdr"
PRIVACY_RULES: Final = frozenset({_TRAINING, _KEEPING})
"""The words of those rules that keep a caller's prompts from providers."""

_MILLION: Final = 1_000_000
_PRICE_UNITS: Final[Mapping[str, int]] = MappingProxyType(
    {"prompt": _MILLION, "completion": _MILLION, "request": 1, "image": 1, "audio": 1}
)
"""The fields of `max_price` without unit, and for how many units of an endpoint's price each stands."""

# The vocabulary of `supported_parameters` (OpenRouter's OpenAPI file, schema Parameter, August 2026).
_PARAMETERS: Final = frozenset(
    [
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "top_a",
        "frequency_penalty",
        "presence_penalty",
        "repetition_penalty",
        "max_tokens",
        "max_completion_tokens",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "prediction",
        "seed",
        "response_format",
        "structured_outputs",
        "stop",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "include_reasoning",
        "reasoning",
        "reasoning_effort",
        "web_search_options",
        "verbosity",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """An endpoint that may not serve, and the word of `availability.excluded_by` for the reason."""

    endpoint: Endpoint
    reason: str


def find_candidates(
    endpoints: Sequence[Endpoint], preferences: ProviderPreferences, sent: AbstractSet[str] = frozenset()
) -> tuple[list[Endpoint], list[Exclusion]]:
    """The endpoints that the preferences leave, in the order given, and those they exclude. `sent` are the parameters that the request sets."""
    candidates: list[Endpoint] = []
    exclusions: list[Exclusion] = []
    for endpoint in endpoints:
        reason = _exclude(endpoint, preferences, sent)
        if reason is None:
            candidates.append(endpoint)
        else:
            exclusions.append(Exclusion(endpoint=endpoint, reason=reason))
    return candidates, exclusions


def sent_parameters(request: ChatCompletionRequest) -> AbstractSet[str]:
    """The parameters that a request sets, of those an endpoint may support or not."""
    return {field.name for field, _ in request.ListFields()} & _PARAMETERS


def names_endpoint(slug: str, endpoint: Endpoint) -> bool:
    """Whether a slug of a preference means the endpoint: its tag, its provider, or a prefix of its tag up to a stroke. Case does not matter."""
    wanted, tag = slug.lower(), endpoint.tag.lower()
    return wanted in (tag, endpoint.provider.slug.lower(), endpoint.provider.name.lower()) or tag.startswith(
        wanted + "/"
    )


def _is_not_allowed(endpoint: Endpoint, preferences: ProviderPreferences, _sent: AbstractSet[str]) -> bool:
    if preferences.only and not any(names_endpoint(slug, endpoint) for slug in preferences.only):
        return True
    return any(names_endpoint(slug, endpoint) for slug in preferences.ignore)


def _may_train(endpoint: Endpoint, preferences: ProviderPreferences, _sent: AbstractSet[str]) -> bool:
    return preferences.data_collection == DataCollection.DATA_COLLECTION_DENY and endpoint.provider.trains_on_prompts


def _may_keep(endpoint: Endpoint, preferences: ProviderPreferences, _sent: AbstractSet[str]) -> bool:
    return preferences.zdr and endpoint.provider.keeps_prompts


def _is_not_distillable(endpoint: Endpoint, preferences: ProviderPreferences, _sent: AbstractSet[str]) -> bool:
    return preferences.enforce_distillable_text and not endpoint.distillable


def _is_of_other_precision(endpoint: Endpoint, preferences: ProviderPreferences, _sent: AbstractSet[str]) -> bool:
    return bool(preferences.quantizations) and (endpoint.quantization or "unknown") not in preferences.quantizations


def _is_too_dear(endpoint: Endpoint, preferences: ProviderPreferences, _sent: AbstractSet[str]) -> bool:
    dearest = preferences.max_price
    for field, unit in _PRICE_UNITS.items():
        key = f"{field}_pusd"
        if dearest.HasField(key) and endpoint.prices_pusd.get(field, 0) * unit > getattr(dearest, key):  # type: ignore[arg-type] # the fields of MaxPrice
            return True
    return False


def _lacks_parameters(endpoint: Endpoint, preferences: ProviderPreferences, sent: AbstractSet[str]) -> bool:
    return preferences.require_parameters and not sent <= endpoint.supported_parameters


_RULES: Final = (
    (ALLOWED_PROVIDERS, _is_not_allowed),
    (_TRAINING, _may_train),
    (_KEEPING, _may_keep),
    ("data_policy:distillable", _is_not_distillable),
    ("quantization", _is_of_other_precision),
    ("max_price", _is_too_dear),
    ("require_parameters", _lacks_parameters),
)
"""The word of `availability.excluded_by`, and the rule that excludes. The first that holds is told."""


def _exclude(endpoint: Endpoint, preferences: ProviderPreferences, sent: AbstractSet[str]) -> str | None:
    return next((word for word, excludes in _RULES if excludes(endpoint, preferences, sent)), None)
