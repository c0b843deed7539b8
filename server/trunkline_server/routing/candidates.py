# SPDX-License-Identifier: Apache-2.0
"""Which endpoints may serve a request at all, and why the others may not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from trunkline.v1.provider_preferences_pb2 import ProviderPreferences
from trunkline_server.catalog.entry import Endpoint

ALLOWED_PROVIDERS: Final = "allowed_providers"
"""The word of `availability.excluded_by` for `only`, `ignore` and an `order` without fallbacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """An endpoint that may not serve, and the word of `availability.excluded_by` for the reason."""

    endpoint: Endpoint
    reason: str


def find_candidates(
    endpoints: Sequence[Endpoint], preferences: ProviderPreferences
) -> tuple[list[Endpoint], list[Exclusion]]:
    """The endpoints that the preferences leave, in the order given, and those they exclude."""
    candidates: list[Endpoint] = []
    exclusions: list[Exclusion] = []
    for endpoint in endpoints:
        reason = _exclude(endpoint, preferences)
        if reason is None:
            candidates.append(endpoint)
        else:
            exclusions.append(Exclusion(endpoint=endpoint, reason=reason))
    return candidates, exclusions


def names_endpoint(slug: str, endpoint: Endpoint) -> bool:
    """Whether a slug of a preference means the endpoint: its tag, its provider, or a prefix of its tag up to a stroke. Case does not matter."""
    wanted, tag = slug.lower(), endpoint.tag.lower()
    return wanted in (tag, endpoint.provider.slug.lower(), endpoint.provider.name.lower()) or tag.startswith(
        wanted + "/"
    )


def _exclude(endpoint: Endpoint, preferences: ProviderPreferences) -> str | None:
    if preferences.only and not any(names_endpoint(slug, endpoint) for slug in preferences.only):
        return ALLOWED_PROVIDERS
    if any(names_endpoint(slug, endpoint) for slug in preferences.ignore):
        return ALLOWED_PROVIDERS
    return None
