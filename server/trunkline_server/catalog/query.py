# SPDX-License-Identifier: Apache-2.0
"""Finding the model that a request names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.catalog.entry import Catalog, Model
from trunkline_server.core.errors import FieldFault, GatewayError, Unavailability

ROUTING_VARIANTS: Final = frozenset({"exacto", "floor", "free", "nitro"})
"""Suffixes of a slug that say which of a model's endpoints serve, or in which order, and leave the model as it is (OpenRouterTeam/docs, guides/routing)."""
_LEGACY_VARIANTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "thinking": 'a model reasons where the request says so: `"reasoning": {"enabled": true}`',
        "extended": "every endpoint's whole context is used",
    }
)
"""Suffixes that once named models of their own, and what serves in their place."""
_LONGEST_SLUG: Final = 256
_ONLINE: Final = "online"
_MOST_SUGGESTIONS: Final = 3


def find_model(catalog: Catalog, slug: str) -> Model:
    """The model that a slug of a request names.

    It is the model's own or its canonical one. It may be followed by `:variant`, and by `?query` where the model takes one: the query is then part of each
    endpoint's `upstream_model`.
    Raises GatewayError: MODEL_NOT_FOUND, or for `:online` FEATURE_UNAVAILABLE.
    """
    name, mark, query = slug.partition("?")
    model = _find_by_name(catalog, name, slug)
    if not mark:
        return model
    if not model.takes_query:
        raise _not_found(catalog, brief_slug(slug), f"`{model.slug}` takes no `?query`")
    return replace(
        model,
        endpoints=tuple(
            replace(endpoint, upstream_model=f"{endpoint.upstream_model}?{query}") for endpoint in model.endpoints
        ),
    )


def split_variant(catalog: Catalog, slug: str) -> tuple[str, str | None]:
    """The slug without its variant, and the variant (None: there is none). A slug that the catalog lists with its suffix has none."""
    name = slug.partition("?")[0]
    base, mark, variant = name.rpartition(":")
    if not mark or name in catalog.models or name in catalog.aliases:
        return name, None
    return base, variant


def check_variant(catalog: Catalog, base: str, variant: str | None, wanted: str) -> None:
    """Raises GatewayError for a variant that routing does not know, as `find_model` does. `wanted` is the slug as it may stand in an answer."""
    if variant is None or variant in ROUTING_VARIANTS:
        return
    if variant == _ONLINE:
        message = f"`:{_ONLINE}` asks for the web plugin, which this gateway does not run; `{base}` answers without it."
        raise GatewayError(
            ErrorReason.ERROR_REASON_FEATURE_UNAVAILABLE,
            message,
            faults=[FieldFault(field="model", description=message)],
        )
    instead = f"; {_LEGACY_VARIANTS[variant]}" if variant in _LEGACY_VARIANTS else ""
    raise _not_found(catalog, wanted, f"`{base}` has no variant `{variant}`{instead}")


def brief_slug(slug: str) -> str:
    """A slug as it may stand in an answer: a caller may have sent megabytes."""
    return slug if len(slug) <= _LONGEST_SLUG else slug[: _LONGEST_SLUG - 1] + "…"


def _find_by_name(catalog: Catalog, name: str, wanted: str) -> Model:
    wanted = brief_slug(wanted)
    if len(name) > _LONGEST_SLUG:
        raise _not_found(catalog, wanted, f"no model has a name of {len(name)} characters")
    base, variant = split_variant(catalog, name)
    model = catalog.models.get(base) or catalog.aliases.get(base)
    if model is None:
        raise _not_found(catalog, wanted, f"there is no model `{wanted}`")
    check_variant(catalog, base, variant, wanted)
    return model


def _not_found(catalog: Catalog, wanted: str, message: str) -> GatewayError:
    """The error of an unknown model, with the slugs that come closest."""
    base = split_variant(catalog, wanted)[0]
    if base in catalog.models:
        close = [base]
    else:
        # A slug without its author is the commonest slip.
        close = [slug for slug in catalog.models if slug.partition("/")[2] == base]
        close += get_close_matches(base, list(catalog.models), n=_MOST_SUGGESTIONS, cutoff=0.75)
    hint = f" Did you mean `{close[0]}`?" if close else ""
    return GatewayError(
        ErrorReason.ERROR_REASON_MODEL_NOT_FOUND,
        f"Model not found: {message}.{hint}",
        faults=[FieldFault(field="model", description=message)],
        unavailability=Unavailability(
            requested_models=[wanted], fallback_models=list(dict.fromkeys(close))[:_MOST_SUGGESTIONS]
        ),
    )
