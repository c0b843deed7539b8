# SPDX-License-Identifier: Apache-2.0
"""The checks that need more than one setting. Pure functions over the settings as they were written, so that a fault in one place hides none in another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from trunkline_server.catalog.load import Table, check_tables, list_builtin, list_rows, split_url
from trunkline_server.config.faults import Fault, suggest
from trunkline_server.config.sources import Written
from trunkline_server.config.values import Listen, is_loopback_host
from trunkline_server.config.ways import check_ways
from trunkline_server.dialects.registry import DIALECT_NAMES


def check_written(
    written: Written, builtin: Sequence[Table], off: Mapping[str, str] = MappingProxyType({})
) -> list[Fault]:
    """All faults between settings. `builtin` are the tables of the catalog's own rows that are served beside the file's, `off` the providers that lack something."""
    tree = written.tree
    found = check_tables([*builtin, tree], off)
    faults = [written.fault_at(fault.path, fault.message) for fault in found if fault.table == len(builtin)]
    return [
        *faults,
        *_check_default_model(written, builtin),
        *_check_dialects(written),
        *_check_plain_http(written),
        *check_ways(written),
        *_check_routing(written, builtin),
        *_check_keys(written),
        *_check_exposure(written),
    ]


def _check_default_model(written: Written, builtin: Sequence[Table]) -> Iterator[Fault]:
    wanted = written.value_at(("default_model",))
    rows = [row for table in [*builtin, written.tree] for _, row in list_rows(table, "models")]
    slugs = [slug for row in rows if isinstance(slug := row.get("slug"), str)]
    if isinstance(wanted, str) and wanted not in slugs:
        yield written.fault_at(("default_model",), f"no model has this slug.{suggest(wanted, slugs)}")


def _check_dialects(written: Written) -> Iterator[Fault]:
    for path, row in list_rows(written.tree, "providers"):
        dialect = row.get("dialect", DIALECT_NAMES[0])
        if isinstance(dialect, str) and dialect not in DIALECT_NAMES:
            message = (
                f"must be one of the dialects there are: {', '.join(DIALECT_NAMES)}.{suggest(dialect, DIALECT_NAMES)}"
            )
            yield written.fault_at((*path, "dialect"), message)


def _check_plain_http(written: Written) -> Iterator[Fault]:
    if written.value_at(("insecure",)) is True:
        return
    for path, row in list_rows(written.tree, "providers"):
        parts = split_url(row.get("base_url"))
        if (
            parts
            and parts.scheme == "http"
            and not is_loopback_host(parts.hostname or "")
            and row.get("allow_plain_http") is not True
        ):
            message = "plain http:// would send keys and prompts unencrypted: use https://, or set `allow_plain_http = true` where the network is trusted"
            yield written.fault_at((*path, "base_url"), message)


def _check_routing(written: Written, builtin: Sequence[Table]) -> Iterator[Fault]:
    """A slug that nobody has is a slip: it would let everybody in, or nobody. That of a shipped provider is none, whether it is on or not."""
    known = set(list_builtin())
    for table in [*builtin, written.tree]:
        for _, provider in list_rows(table, "providers"):
            known.update(str(provider[key]).lower() for key in ("slug", "name") if key in provider)
        for _, model in list_rows(table, "models"):
            for _, endpoint in list_rows(model, "endpoints"):
                parts = str(endpoint.get("tag", endpoint.get("provider"))).lower().split("/")
                known.update("/".join(parts[:end]) for end in range(1, len(parts) + 1))
    for key in ("only", "ignore"):
        slugs = written.value_at(("routing", key))
        for index, slug in enumerate(slugs if isinstance(slugs, list) else []):
            if isinstance(slug, str) and slug.lower() not in known:
                message = f"no provider and no endpoint has this slug.{suggest(slug.lower(), sorted(known))}"
                yield written.fault_at(("routing", key, index), message)


def _check_keys(written: Written) -> Iterator[Fault]:
    for field, what in (("name", "name"), ("sha256", "hash")):
        seen: set[str] = set()
        for path, row in list_rows(written.tree, "keys"):
            value = row.get(field)
            if isinstance(value, str) and value.strip().lower() in seen:
                yield written.fault_at((*path, field), f"another key has this {what}")
            if isinstance(value, str):
                seen.add(value.strip().lower())


def _check_exposure(written: Written) -> Iterator[Fault]:
    """Without keys everybody who can connect can spend the providers' money, so only this machine may connect."""
    if written.value_at(("keys",)) or written.value_at(("insecure",)) is True:
        return
    for path in (("http", "listen"), ("grpc", "listen")):
        listen = _read_listen(written.value_at(path))
        if listen is not None and not listen.is_loopback:
            message = (
                "without keys the gateway serves this machine alone: add a key (`trunkline keys new`), listen on 127.0.0.1, "
                "or say `--insecure` (`insecure = true`) where everybody who can connect may use it"
            )
            yield written.fault_at(path, message)


def _read_listen(value: object) -> Listen | None:
    try:
        return Listen.read(value) if isinstance(value, str) else None
    except ValueError:
        return None
