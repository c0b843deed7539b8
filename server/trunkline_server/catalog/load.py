# SPDX-License-Identifier: Apache-2.0
"""From rows to the catalog: the checks that need more than one row, and the values that the rows make.

A table is a parsed TOML file with the arrays `providers` and `models`. The checks read tables as they were written, with whatever types they hold, so that
a fault in one row hides none in another; a row's own types are checked by `rows.py`. A later table may have rows of the same slug as an earlier one:
`merge.py` puts them over those.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import resources
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Final
from urllib.parse import SplitResult, urlsplit

from trunkline_server.catalog.entry import Catalog, Endpoint, Model, Provider, Timeouts
from trunkline_server.catalog.merge import tag_of
from trunkline_server.catalog.places import REGION, fill, find_place_faults, make_wire
from trunkline_server.catalog.prices import NO_LIST, PriceBook
from trunkline_server.catalog.rows import EndpointRow, ModelRow, PriceRow, ProviderRow

Table = Mapping[str, object]
Path = tuple[str | int, ...]
_ORIGIN: Final = ("source", "date")
_KINDS: Final = ("providers", "models")
_ENDING: Final = ".toml"
_NOTHING_OFF: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogFault:
    """A fault between rows: the index of its table, the path in it, and what is wrong."""

    table: int
    path: Path
    message: str


def list_builtin() -> list[str]:
    """The names of what ships with the gateway, sorted: each is the slug of the provider in `data/providers/NAME.toml`."""
    files = (entry.name for entry in _folder("providers").iterdir())
    return sorted(name.removesuffix(_ENDING) for name in files if name.endswith(_ENDING))


def read_builtin(name: str, *, models: bool = True) -> Table:
    """The rows that ship with the gateway under a name: those of `data/providers/NAME.toml`, and of `data/models/NAME.toml` where there are some and they are wanted.

    Raises ValueError for a row that does not say where it comes from and from when.
    """
    files = [_folder(kind).joinpath(f"{name}{_ENDING}") for kind in _KINDS[: 2 if models else 1]]
    texts = [file.read_text(encoding="utf-8") for file in files if file.is_file()]
    table: Table = {key: value for text in texts for key, value in tomllib.loads(text).items()}
    for kind in _KINDS:
        for _, row in list_rows(table, kind):
            if not all(row.get(key) for key in _ORIGIN):
                raise ValueError(f"{kind}/{name}{_ENDING}: {row.get('slug')} lacks its source or its date")
    return table


def _folder(kind: str) -> Traversable:
    return resources.files("trunkline_server.catalog").joinpath("data", kind)


def check_tables(tables: Sequence[Table], off: Mapping[str, str] = _NOTHING_OFF) -> list[CatalogFault]:
    """All faults between the rows of the tables: slugs taken twice in one of them, endpoints of unknown providers, models that nobody offers, addresses.

    `off` are providers that there would be, by slug, each with what they lack.
    """
    faults: list[CatalogFault] = []
    providers: dict[str, Table] = {}
    offered: set[str] = set()
    for index, table in enumerate(tables):
        rows = list(list_rows(table, "providers"))
        models = list(list_rows(table, "models"))
        faults += [*_duplicates(index, rows, "provider"), *_duplicates(index, models, "model")]
        faults += [fault for path, row in rows for fault in _check_provider(index, path, row, providers)]
        providers.update({slug: row for _, row in rows if isinstance(slug := row.get("slug"), str)})
        faults += [fault for path, row in models for fault in _check_model(index, path, row, providers, offered, off)]
        offered.update(slug for _, row in models if row.get("endpoints") and isinstance(slug := row.get("slug"), str))
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


def _refuse_nothing(_provider: Provider) -> frozenset[str]:
    return frozenset()


def build_catalog(
    providers: Iterable[ProviderRow],
    models: Iterable[ModelRow],
    *,
    default_model: str | None = None,
    refused: Callable[[Provider], frozenset[str]] = _refuse_nothing,
) -> Catalog:
    """The catalog of rows that `check_tables` found no fault in. Raises KeyError where an endpoint's provider is unknown all the same.

    `refused` tells the fields of a request that a provider would not get: catalog and routing do not know the dialects.
    """
    rows = {row.slug: row for row in providers}
    maker = _ModelMaker(rows, refused)
    return Catalog(
        models=MappingProxyType({row.slug: maker.make(row) for row in models}),
        providers=MappingProxyType(dict(maker.providers)),
        default_model=default_model,
    )


def _duplicates(table: int, rows: Sequence[tuple[Path, Table]], what: str) -> Iterator[CatalogFault]:
    seen: set[str] = set()
    for path, row in rows:
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


def _check_provider(table: int, path: Path, own: Table, earlier: Mapping[str, Table]) -> Iterator[CatalogFault]:
    row = {**earlier.get(str(own.get("slug")), {}), **own}
    base_url = row.get("base_url")
    if row.get("transport", "http") != "simulator":
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
    for key, message in find_place_faults(row):
        yield CatalogFault(table=table, path=(*path, key) if key in own else path, message=message)
    wanted = own.get("price_list")
    if isinstance(wanted, str) and wanted not in (known := [NO_LIST, *PriceBook().names]):
        message = f"there is no such price list, but: {', '.join(known)}"
        yield CatalogFault(table=table, path=(*path, "price_list"), message=message)


def _check_model(
    table: int, path: Path, row: Table, known: Mapping[str, Table], offered: set[str], off: Mapping[str, str]
) -> Iterator[CatalogFault]:
    if not row.get("endpoints") and row.get("slug") not in offered:
        yield CatalogFault(
            table=table, path=path, message="nobody offers this model: add a table [[models.endpoints]] below it"
        )
    tags: set[str] = set()
    for endpoint_path, endpoint in list_rows(row, "endpoints", path):
        provider = endpoint.get("provider")
        if isinstance(provider, str) and provider in off and provider not in known:
            yield CatalogFault(
                table=table, path=(*endpoint_path, "provider"), message=f"`{provider}` is not on: {off[provider]}"
            )
        elif isinstance(provider, str) and provider not in known:
            close = get_close_matches(provider, sorted(known), n=1)
            hint = f"did you mean `{close[0]}`?" if close else "add a table [[providers]] with this slug"
            yield CatalogFault(
                table=table, path=(*endpoint_path, "provider"), message=f"no provider has the slug `{provider}`: {hint}"
            )
        yield from _check_endpoint(table, endpoint_path, endpoint, tags)


def _check_endpoint(table: int, path: Path, endpoint: Table, tags: set[str]) -> Iterator[CatalogFault]:
    """The faults of an endpoint beside the others of its model, whose tags are `tags`; its own is added."""
    provider = endpoint.get("provider")
    tag = endpoint.get("tag", provider)
    place = (*path, "tag") if "tag" in endpoint else path
    if isinstance(tag, str) and tag in tags:
        message = f"another endpoint of the model has the tag `{tag}`: give one of them a `tag` of its own"
        yield CatalogFault(table=table, path=place, message=message)
    elif "service_tier" in endpoint and isinstance(tag, str) and tag == provider:
        message = (
            f"an endpoint of a service tier needs a `tag` of its own, such as `{provider}/{endpoint['service_tier']}`"
        )
        yield CatalogFault(table=table, path=place, message=message)
    if isinstance(tag, str):
        tags.add(tag)
    if endpoint.get("prices_above") and "prices" not in endpoint:
        message = "`prices_above` stand beside `prices`, which are missing"
        yield CatalogFault(table=table, path=(*path, "prices_above"), message=message)


def _make_provider(row: ProviderRow) -> Provider:
    return Provider(
        slug=row.slug,
        name=row.name or row.slug,
        dialect=row.dialect,
        transport=row.transport,
        base_url=fill(row.base_url, row.values).rstrip("/") if row.base_url is not None else None,
        takes_extensions=row.takes_extensions,
        renames=MappingProxyType(dict(row.renames)),
        refuses=frozenset(row.refuses),
        takes_developer_role=row.takes_developer_role,
        takes_images_in_results=row.takes_images_in_results,
        tool_types=frozenset(row.tool_types),
        tool_ids=row.tool_ids,
        forms=None if row.forms is None else frozenset(row.forms),
        wire=make_wire(row),
        auth=row.auth,
        auth_header=row.auth_header,
        region=row.values.get(REGION),
        trains_on_prompts=row.trains_on_prompts,
        keeps_prompts=row.keeps_prompts,
        timeouts=Timeouts(**row.timeouts.model_dump()),
        privacy_policy_url=row.privacy_policy_url,
        terms_of_service_url=row.terms_of_service_url,
        status_page_url=row.status_page_url,
        headquarters=row.headquarters,
        datacenters=row.datacenters,
    )


class _ModelMaker:
    """Makes models of their rows, with the prices of the lists where a row names none."""

    def __init__(self, rows: Mapping[str, ProviderRow], refused: Callable[[Provider], frozenset[str]]) -> None:
        self._rows = rows
        self._book = PriceBook()
        self.providers = {slug: _make_provider(row) for slug, row in rows.items()}
        self._refused = {slug: refused(provider) for slug, provider in self.providers.items()}

    def make(self, row: ModelRow) -> Model:
        endpoints = tuple(self._make_endpoint(endpoint, row) for endpoint in row.endpoints)
        lengths = [endpoint.context_length for endpoint in endpoints if endpoint.context_length is not None]
        return Model(
            slug=row.slug,
            canonical_slug=row.canonical_slug or row.slug,
            name=row.name or row.slug,
            description=row.description,
            created_s=row.created_s,
            context_length=row.context_length or max(lengths, default=None),
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
            endpoints=endpoints,
        )

    def _make_endpoint(self, row: EndpointRow, model: ModelRow) -> Endpoint:
        listed = self._book.find(self._rows[row.provider], row)
        priced: EndpointRow | PriceRow = listed if listed is not None and row.prices is None else row
        above = sorted(priced.prices_above, key=lambda step: step.tokens)
        return Endpoint(
            model=model.slug,
            provider=self.providers[row.provider],
            upstream_model=row.upstream_model,
            tag=tag_of(row),
            prices_pusd=MappingProxyType(dict(priced.prices or {})),
            prices_above=tuple((step.tokens, MappingProxyType(dict(step.prices))) for step in above),
            price_source=f"{priced.source}, {priced.date}" if isinstance(priced, PriceRow) else None,
            context_length=row.context_length or model.context_length or (listed.context_length if listed else None),
            max_completion_tokens=row.max_completion_tokens,
            max_prompt_tokens=row.max_prompt_tokens,
            quantization=row.quantization,
            supported_parameters=frozenset(row.supported_parameters),
            supports_implicit_caching=row.supports_implicit_caching,
            distillable=row.distillable,
            service_tier=row.service_tier,
            exacto=row.exacto,
            takes_prefill=row.takes_prefill,
            cache_marks=row.cache_marks,
            refused_parameters=self._refused[row.provider],
            most_concurrent=row.most_concurrent,
        )
