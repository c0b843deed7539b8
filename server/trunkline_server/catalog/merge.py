# SPDX-License-Identifier: Apache-2.0
"""The rows of the settings file over those that ship with the gateway.

Where both have a provider or a model by one slug, they are one: the keys that the file writes win, key by key down to the tables inside. A model's endpoints are one
where they have the same tag. The file's come first, in its order. A shipped endpoint without its provider is left out, and a shipped model without endpoints with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

from trunkline_server.catalog.rows import EndpointRow, ModelRow, ProviderRow, Row

_AnyRow = TypeVar("_AnyRow", bound=Row)


def merge_providers(own: Sequence[ProviderRow], shipped: Sequence[ProviderRow]) -> list[ProviderRow]:
    """All providers: the file's `own`, then the shipped ones that the file does not name."""
    by_slug = {row.slug: row for row in shipped}
    merged = [_over(row, by_slug.pop(row.slug, None)) for row in own]
    return [*merged, *by_slug.values()]


def merge_models(own: Sequence[ModelRow], shipped: Sequence[ModelRow], providers: Collection[str]) -> list[ModelRow]:
    """All models: the file's `own`, then the shipped ones that the file does not name. `providers` are the slugs of all providers that there are."""
    by_slug = {row.slug: _only_with(row, providers) for row in shipped}
    merged = [_merge_model(row, by_slug.pop(row.slug, None)) for row in own]
    return [*merged, *(row for row in by_slug.values() if row.endpoints)]


def unite_models(rows: Iterable[ModelRow]) -> list[ModelRow]:
    """Shipped models, each slug once: what the first row of a slug says counts, and the endpoints of the later ones follow its own."""
    by_slug: dict[str, ModelRow] = {}
    for row in rows:
        by_slug[row.slug] = _merge_model(by_slug[row.slug], row) if row.slug in by_slug else row
    return list(by_slug.values())


def tag_of(row: EndpointRow) -> str:
    """The endpoint's tag: its own, else its provider's slug."""
    return row.tag or row.provider


def _merge_model(own: ModelRow, shipped: ModelRow | None) -> ModelRow:
    if shipped is None:
        return own
    by_tag = {tag_of(row): row for row in shipped.endpoints}
    endpoints = [_over(row, by_tag.pop(tag_of(row), None)) for row in own.endpoints]
    return _over(own, shipped).model_copy(update={"endpoints": (*endpoints, *by_tag.values())})


def _only_with(row: ModelRow, providers: Collection[str]) -> ModelRow:
    kept = tuple(endpoint for endpoint in row.endpoints if endpoint.provider in providers)
    return row.model_copy(update={"endpoints": kept})


def _over(own: _AnyRow, shipped: Row | None) -> _AnyRow:
    """The row of the file, with what it leaves unset taken from the shipped one."""
    if shipped is None:
        return own
    taken: dict[str, object] = {}
    for key in shipped.model_fields_set:
        theirs, ours = getattr(shipped, key), getattr(own, key)
        if key not in own.model_fields_set:
            taken[key] = theirs
        elif isinstance(theirs, Row) and isinstance(ours, Row):
            taken[key] = _over(ours, theirs)
    return own.model_copy(update=taken)
