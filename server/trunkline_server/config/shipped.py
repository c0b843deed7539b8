# SPDX-License-Identifier: Apache-2.0
"""Which of the providers that ship with the gateway are on, and what the environment holds for them.

A provider is on where its key is known: as `api_key` of a row in the settings file, or in one of the environment variables that its row names. Then its shipped
models are on offer. One on this machine needs no key; having no shipped models, it is there as soon as an endpoint of the file names it. One that a
cloud account's own tools find the key for is on where the file has a row for it, or the usual variables of the account are set. Nobody is on whose address lacks a value. A row of the file with the slug of a shipped
provider and another host is another provider: neither the key nor the models of the shipped one are for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pydantic_core import PydanticCustomError

from trunkline_server.catalog.load import Table, list_builtin, list_rows, read_builtin, split_url
from trunkline_server.catalog.merge import merge_providers
from trunkline_server.catalog.places import find_values, unfilled
from trunkline_server.catalog.rows import ProviderRow
from trunkline_server.config.faults import Fault
from trunkline_server.config.settings import ProviderSettings, Settings
from trunkline_server.config.sources import Written
from trunkline_server.config.values import is_loopback_host, read_secret
from trunkline_server.core.secret import Secret

SIMULATOR: Final = "simulator"
_ACCOUNT_AUTHS: Final = frozenset({"aws", "google"})
"""The ways of showing oneself for which keys are found outside of the settings."""
_OF_ACCOUNT: Final = "account_variables"
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_PLACE: Final = re.compile(r"\\\{[^}]*\\\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """What of the shipped rows counts beside those of a file.

    `shelf` are all shipped providers by slug, `tables` the rows of those that count; `found` are the keys that the environment gives, by provider, and `accounts`
    the providers whose account it has; `off` tells of providers that an endpoint names, what they lack.
    """

    shelf: Mapping[str, Table]
    tables: Sequence[Table]
    found: Mapping[str, Secret]
    accounts: AbstractSet[str]
    off: Mapping[str, str]
    faults: Sequence[Fault]


def find_shipped(written: Written, environment: Mapping[str, str]) -> Shipped:
    """What of the shipped rows counts beside the settings as they were written."""
    tree = written.tree
    looked_at = environment if tree.get("environment_keys") is not False else _NOTHING
    own = {slug: row for _, row in list_rows(tree, "providers") if isinstance(slug := row.get("slug"), str)}
    named = _named(tree)
    shelf = {name: _provider_of(name) for name in list_builtin() if name != SIMULATOR}
    known = {name: row for name, row in shelf.items() if not is_foreign(own.get(name, {}).get("base_url"), row)}
    lacks = {name: lack for name, row in known.items() if name not in own and (lack := _lack_of_values(row, looked_at))}
    found: dict[str, Secret] = {}
    faults: list[Fault] = []
    for slug in [*known, *(slug for slug in own if slug not in known)]:
        row = {**known.get(slug, {}), **own.get(slug, {})}
        variable = None if "api_key" in row or slug in lacks else _holder(row, looked_at)
        if variable is not None:
            try:
                found[slug] = read_secret(looked_at[variable])
            except PydanticCustomError as error:
                faults.append(Fault(where=variable, message=error.message()))
    accounts = {name for name, row in known.items() if name not in lacks and _has_variables(row, looked_at)}
    keyed = {slug for slug, row in own.items() if "api_key" in row or _has_account({**known.get(slug, {}), **row})}
    off = {
        name: lacks.get(name) or _wish_for_key(known[name])
        for name in (named & known.keys()) - own.keys() - found.keys()
        if name in lacks or not _needs_no_key(known[name])
    }
    tables = _pick(
        known,
        own.keys(),
        keyed | found.keys() | accounts,
        named - off.keys(),
        simulator=tree.get("simulator") is not False,
    )
    return Shipped(shelf=shelf, tables=tables, found=found, accounts=accounts, off=off, faults=faults)


def complete(settings: Settings, shipped: Shipped, environment: Mapping[str, str]) -> Settings:
    """The settings with what the environment holds: keys and values in the rows that have none, and in a row of its own for each provider that is on by it alone."""
    looked_at = environment if settings.environment_keys else _NOTHING
    shelf, found = shipped.shelf, shipped.found
    named = {row.slug for row in settings.providers}
    rows = []
    added = [slug for slug in (*found, *sorted(shipped.accounts - found.keys())) if slug not in named]
    for row in (*settings.providers, *(ProviderSettings(slug=slug) for slug in added)):
        values = _whole(row, shelf, looked_at).values
        key = row.api_key if row.api_key is not None else found.get(row.slug)
        changes = {name: value for name, value in (("api_key", key), ("values", values)) if value}
        rows.append(row.model_copy(update=changes))
    # A provider that an endpoint names may need no key, and values all the same.
    offered = {endpoint.provider for model in settings.models for endpoint in model.endpoints}
    others = [ProviderSettings(slug=slug) for slug in sorted((offered & shelf.keys()) - named - set(added))]
    valued = [row.model_copy(update={"values": _whole(row, shelf, looked_at).values}) for row in others]
    rows += [row for row in valued if row.values]
    return settings.model_copy(update={"providers": tuple(rows)})


def find_unfilled(settings: Settings, shelf: Mapping[str, Table]) -> Iterator[tuple[int, str]]:
    """The rows of completed settings whose address lacks a value: each one's place among them, and what is wrong. `shelf` are the shipped providers by slug."""
    for index, row in enumerate(settings.providers):
        whole = _whole(row, shelf, _NOTHING)
        for name in unfilled(whole):
            variable = whole.value_variables.get(name)
            wish = f"set {variable}, or write" if variable else "write"
            yield index, f'nothing stands for `{{{name}}}` in the address: {wish} `values = {{ {name} = "..." }}`'


def pick_tables(settings: Settings) -> list[Table]:
    """The tables of shipped rows that completed settings have beside their own."""
    own = {row.slug: row for row in settings.providers}
    named = {endpoint.provider for model in settings.models for endpoint in model.endpoints}
    # Only the rows that can count are read: there are many.
    wanted = [name for name in list_builtin() if name != SIMULATOR and (name in own or name in named)]
    shelf = {name: _provider_of(name) for name in wanted}
    known = {name: row for name, row in shelf.items() if name not in own or not is_foreign(own[name].base_url, row)}
    keyed = {
        slug
        for slug, row in own.items()
        if row.api_key is not None
        or row.auth in _ACCOUNT_AUTHS
        or ("auth" not in row.model_fields_set and _has_account(known.get(slug, {})))
    }
    return _pick(known, own.keys(), keyed, named, simulator=settings.simulator)


def describe_keys(settings: Settings, environment: Mapping[str, str]) -> list[str]:
    """Each provider that has a key, with the variable that holds it: "openai (OPENAI_API_KEY)", or "acme (api_key)" where only the file knows. One that has an
    account in the environment has its variables: "amazon-bedrock (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)".
    """
    told = []
    known = frozenset(list_builtin())
    for row in settings.providers:
        if row.api_key is not None:
            variables = [*row.key_variables, *(_variables(_provider_of(row.slug)) if row.slug in known else ())]
            holder = next((name for name in variables if _same(environment.get(name), row.api_key)), "api_key")
            told.append(f"{row.slug} ({holder})")
        elif row.slug in known and _has_variables(shipped := _provider_of(row.slug), environment):
            told.append(f"{row.slug} ({', '.join(_variables(shipped, _OF_ACCOUNT))})")
    return told


def is_foreign(base_url: object, shipped: Table) -> bool:
    """Tell whether a file's base URL is at another host than the shipped row's, whose places `{name}` stand for any word."""
    parts, theirs = split_url(base_url), shipped.get("base_url")
    if parts is None or not isinstance(theirs, str):
        return False
    form = _PLACE.sub("[^/]+", re.escape(theirs.partition("://")[2].partition("/")[0]))
    return re.fullmatch(form, parts.netloc) is None


def _pick(
    known: Mapping[str, Table],
    own: AbstractSet[str],
    keyed: AbstractSet[str],
    named: AbstractSet[str],
    *,
    simulator: bool,
) -> list[Table]:
    """The tables of the shipped providers that are on: with models where there is a key, else alone."""
    tables = [read_builtin(SIMULATOR)] if simulator else []
    for name, row in known.items():
        if name in keyed:
            tables.append(read_builtin(name))
        elif name in own or name in named:
            tables.append({"providers": [row]})
    return tables


def _provider_of(name: str) -> Table:
    return next(row for _, row in list_rows(read_builtin(name, models=False), "providers"))


def _named(tree: Table) -> set[str]:
    """The providers that the endpoints of a file name."""
    return {
        slug
        for path, model in list_rows(tree, "models")
        for _, endpoint in list_rows(model, "endpoints", path)
        if isinstance(slug := endpoint.get("provider"), str)
    }


def _whole(row: ProviderSettings, shelf: Mapping[str, Table], environment: Mapping[str, str]) -> ProviderRow:
    """The row over the shipped one of its slug, with the values that variables hold."""
    shipped = shelf.get(row.slug, {})
    if not shipped or is_foreign(row.base_url, shipped):
        return find_values(row, environment)
    base = ProviderRow.model_validate(shipped)
    whole = merge_providers([row], [base])[0]
    return find_values(whole.model_copy(update={"values": {**base.values, **row.values}}), environment)


def _needs_no_key(row: Table) -> bool:
    """It is on this machine, or its keys are found outside of the settings."""
    parts = split_url(row.get("base_url"))
    return _has_account(row) or (parts is not None and is_loopback_host(parts.hostname or ""))


def _has_account(row: Table) -> bool:
    return row.get("auth") in _ACCOUNT_AUTHS


def _lack_of_values(row: Table, environment: Mapping[str, str]) -> str:
    """What is missing in a shipped provider's address, "" for nothing."""
    if "{" not in str(row.get("base_url")):
        return ""
    provider = find_values(ProviderRow.model_validate(row), environment)
    names = unfilled(provider)
    variables = [variable for name in names if (variable := provider.value_variables.get(name))]
    written = ", ".join(f'{name} = "..."' for name in names)
    wish = f"set {' and '.join(variables)}, or write" if variables else "write"
    return (
        f'{wish} a table [[providers]] with `slug = "{provider.slug}"` and `values = {{ {written} }}`' if names else ""
    )


def _wish_for_key(row: Table) -> str:
    variables = " or ".join(_variables(row))
    wish = f"set {variables}, or write" if variables else "write"
    return f'{wish} a table [[providers]] with `slug = "{row.get("slug")}"` and its `api_key`'


def _has_variables(row: Table, environment: Mapping[str, str]) -> bool:
    """Tell whether the environment has the row's account: all of its variables are set."""
    variables = _variables(row, _OF_ACCOUNT)
    return bool(variables) and all(environment.get(name, "").strip() for name in variables)


def _variables(row: Table, key: str = "key_variables") -> list[str]:
    written = row.get(key)
    return [name for name in written if isinstance(name, str)] if isinstance(written, list | tuple) else []


def _holder(row: Table, environment: Mapping[str, str]) -> str | None:
    """The first of a row's variables that is set; an empty one counts as not set."""
    return next((name for name in _variables(row) if environment.get(name, "").strip()), None)


def _same(text: str | None, secret: Secret) -> bool:
    return text is not None and Secret(text.strip()) == secret
