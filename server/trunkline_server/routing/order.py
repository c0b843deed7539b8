# SPDX-License-Identifier: Apache-2.0
"""In which order the candidates of one model are tried: those that `order` names, then the rest in catalog order."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.v1.provider_preferences_pb2 import ProviderPreferences
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.routing.candidates import names_endpoint


def order_candidates(candidates: Sequence[Endpoint], preferences: ProviderPreferences) -> list[Endpoint]:
    """The candidates in the order to try them. Without fallbacks, only those that `order` names, or the first where it names none."""
    named: list[Endpoint] = []
    for slug in preferences.order:
        named.extend(endpoint for endpoint in candidates if names_endpoint(slug, endpoint) and endpoint not in named)
    if preferences.HasField("allow_fallbacks") and not preferences.allow_fallbacks:
        return named if preferences.order else list(candidates[:1])
    return named + [endpoint for endpoint in candidates if endpoint not in named]
