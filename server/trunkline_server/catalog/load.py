# SPDX-License-Identifier: Apache-2.0
"""From rows to the catalog: the checks that need more than one row, and the values that the rows make.

A table is a parsed TOML file with the arrays `providers` and `models`. The checks read tables as they were written, with whatever types they hold, so that
a fault in one row hides none in another; a row's own types are checked by `rows.py`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import resources
from types import MappingProxyType
from urllib.parse import SplitResult, urlsplit

from trunkline_server.catalog.entry import Catalog, Endpoint, Model, Provider, Timeouts
from trunkline_server.catalog.rows import EndpointRow, ModelRow, ProviderRow

Table = Mapping[str, object]
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogFault:
    """A fault between rows: the index of its table, the path in it, and what is wrong."""

    table: int
    path: Path
    message: str


def read_builtin(name: str) -> Table:
    """The rows that ship with the gateway under a name: `data/providers/NAME.toml` and `data/models/NAME.toml` as one table."""
    folder = resources.files("trunkline_server.catalog").joinpath("data")
    texts = [folder.joinpath(kind, f"{name}.toml").read_text(encoding="utf-8") for kind in ("providers", "models")]
    return {key: value for text in texts for key, value in tomllib.loads(text).items()}


def check_tables(tables: Sequence[Table]) -> list[CatalogFault]:
    """All faults between the rows of the tables: slugs taken twice, endpoints of unknown providers, models that nobody offers, addresses."""
    providers = [(index, row) for index, table in enumerate(tables) for row in list_rows(table, "providers")]
    models = [(index, row) for index, table in enumerate(tables) for row in list_rows(table, "models")]
    known = {slug for _, (_, row) in providers if isinstance(slug := row.get("slug"), str)}
    faults = [*_duplicates(providers, "provider"), *_duplicates(models, "model")]
    faults += [fault for table, (path, row) in providers for fault in _check_provider(table, path, row)]
    faults += [fault for table, (path, row) in models for fault in _check_model(table, path, row, known)]
    return faults


def list_rows(table: Table, key: str, path: Path = ()) -> Iterator[tuple[Path, Table]]:
    """The rows of an array of tables with their paths; whatever is not a table is passed over."""
    rows = table.get(key)
    for index, row in enumerate(rows if isinstance(rows, list) else []):
        if isinstance(row, Mapping):
            yield (*path, key, index), row


def split_url(text: object) -> SplitResult | None:
    """The parts of a base URL, or None where it is none: `http` or `https`, a host, no user, query or fragment."""
    try:
        parts = urlsplit(text) if isinstance(text, str) else None
        usable = parts is not None and parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        return None
    if parts is None or not usable or any(character.isspace() for character in parts.geturl()):
        return None
    return None if parts.username or parts.password or parts.query or parts.fragment else parts


def build_catalog(
    providers: Iterable[ProviderRow], models: Iterable[ModelRow], *, default_model: str | None = None
) -> Catalog:
    """The catalog of rows that `check_tables` found no fault in. Raises KeyError where an endpoint's provider is unknown all the same."""
    by_slug = {row.slug: _make_provider(row) for row in providers}
    return Catalog(
        models=MappingProxyType({row.slug: _make_model(row, by_slug) for row in models}),
        providers=MappingProxyType(by_slug),
        default_model=default_model,
    )


def _duplicates(rows: Sequence[tuple[int, tuple[Path, Table]]], what: str) -> Iterator[CatalogFault]:
    seen: set[str] = set()
    for table, (path, row) in rows:
        slug = row.get("slug")
        if not isinstance(slug, str):
            continue
        if slug in seen:
            yield CatalogFault(
                table=table,
                path=(*path, "slug"),
                message=f"another {what} has the slug `{slug}`: choose a different one",
            )
        seen.add(slug)


def _check_provider(table: int, path: Path, row: Table) -> Iterator[CatalogFault]:
    base_url = row.get("base_url")
    if row.get("transport", "http") == "http":
        if base_url is None:
            yield CatalogFault(
                table=table, path=path, message="`base_url` is missing: where does the provider's API begin?"
            )
        elif isinstance(base_url, str) and split_url(base_url) is None:
            message = 'must be a URL such as "https://api.example.com/v1", without user, query or fragment'
            yield CatalogFault(table=table, path=(*path, "base_url"), message=message)
    elif row.get("transport") == "simulator" and base_url is not None:
        yield CatalogFault(
            table=table, path=(*path, "base_url"), message="the simulator is part of the gateway and has no address"
        )


def _check_model(table: int, path: Path, row: Table, known: set[str]) -> Iterator[CatalogFault]:
    endpoints = list(list_rows(row, "endpoints", path))
    if not row.get("endpoints"):
        yield CatalogFault(
            table=table, path=path, message="nobody offers this model: add a table [[models.endpoints]] below it"
        )
    tags: set[str] = set()
    for endpoint_path, endpoint in endpoints:
        provider = endpoint.get("provider")
        if isinstance(provider, str) and provider not in known:
            close = get_close_matches(provider, sorted(known), n=1)
            hint = f"did you mean `{close[0]}`?" if close else "add a table [[providers]] with this slug"
            yield CatalogFault(
                table=table, path=(*endpoint_path, "provider"), message=f"no provider has the slug `{provider}`: {hint}"
            )
        tag = endpoint.get("tag", provider)
        if isinstance(tag, str) and tag in tags:
            message = f"another endpoint of the model has the tag `{tag}`: give one of them a `tag` of its own"
            yield CatalogFault(
                table=table, path=(*endpoint_path, "tag") if "tag" in endpoint else endpoint_path, message=message
            )
        if isinstance(tag, str):
            tags.add(tag)


def _make_provider(row: ProviderRow) -> Provider:
    return Provider(
        slug=row.slug,
        name=row.name or row.slug,
        dialect=row.dialect,
        transport=row.transport,
        base_url=row.base_url.rstrip("/") if row.base_url is not None else None,
        takes_extensions=row.takes_extensions,
        trains_on_prompts=row.trains_on_prompts,
        keeps_prompts=row.keeps_prompts,
        timeouts=Timeouts(**row.timeouts.model_dump()),
        privacy_policy_url=row.privacy_policy_url,
        terms_of_service_url=row.terms_of_service_url,
        status_page_url=row.status_page_url,
        headquarters=row.headquarters,
        datacenters=row.datacenters,
    )


def _make_model(row: ModelRow, providers: Mapping[str, Provider]) -> Model:
    return Model(
        slug=row.slug,
        canonical_slug=row.canonical_slug or row.slug,
        name=row.name or row.slug,
        description=row.description,
        created_s=row.created_s,
        context_length=row.context_length,
        input_modalities=row.input_modalities,
        output_modalities=row.output_modalities,
        tokenizer=row.tokenizer,
        instruct_type=row.instruct_type,
        hugging_face_id=row.hugging_face_id,
        knowledge_cutoff=row.knowledge_cutoff,
        expiration_date=row.expiration_date,
        is_moderated=row.is_moderated,
        supported_voices=row.supported_voices,
        default_parameters=MappingProxyType(dict(row.default_parameters)),
        takes_query=row.takes_query,
        endpoints=tuple(_make_endpoint(endpoint, row, providers) for endpoint in row.endpoints),
    )


def _make_endpoint(row: EndpointRow, model: ModelRow, providers: Mapping[str, Provider]) -> Endpoint:
    return Endpoint(
        model=model.slug,
        provider=providers[row.provider],
        upstream_model=row.upstream_model,
        tag=row.tag or row.provider,
        prices_pusd=MappingProxyType(dict(row.prices)),
        context_length=row.context_length or model.context_length,
        max_completion_tokens=row.max_completion_tokens,
        max_prompt_tokens=row.max_prompt_tokens,
        quantization=row.quantization,
        supported_parameters=frozenset(row.supported_parameters),
        supports_implicit_caching=row.supports_implicit_caching,
        distillable=row.distillable,
    )
