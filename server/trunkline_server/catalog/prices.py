# SPDX-License-Identifier: Apache-2.0
"""The shipped price lists: what providers charge for which model, and how long its context may be.

A list belongs to an API, not to a provider's slug: it is found by the host of the base URL, so that a proxy or a region under a well-known slug is never priced
as what it is not. Whoever knows better names the list (`price_list`). Within a list only names that its source knows are found (docs/decisions/0008).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Final
from urllib.parse import urlsplit

from trunkline_server.catalog.rows import EndpointRow, PriceRow, ProviderRow

NO_LIST: Final = "none"
"""The word of `price_list` for no list at all."""
_DAYS: Final = (
    (re.compile(r"(?<=-)\d{8}$"), "YYYYMMDD"),
    (re.compile(r"(?<=-)\d{4}-\d{2}-\d{2}$"), "YYYY-MM-DD"),
)

PriceKey = tuple[str, str | None]
"""A model's name at its provider, and the service tier (None: the standard one)."""


class PriceBook:
    """The lists, each read when it is first needed."""

    def __init__(self) -> None:
        rows = tomllib.loads(_read("price_lists.toml"))["price_lists"]
        self._by_host = {host: row["name"] for row in rows for host in row["hosts"]}
        self._lists: dict[str, Mapping[PriceKey, PriceRow]] = {}
        self.names: Sequence[str] = [row["name"] for row in rows]

    def find(self, provider: ProviderRow, endpoint: EndpointRow) -> PriceRow | None:
        """What an endpoint costs by the list that holds for its provider; None where no list does, or where the list does not have it.

        Raises FileNotFoundError where the provider names a list that there is not.
        """
        name = self.list_of(provider)
        if name is None:
            return None
        if name not in self._lists:
            self._lists[name] = read_prices(name)
        rows, wanted = self._lists[name], endpoint.upstream_model
        spellings = [wanted, *(day.sub(form, wanted) for day, form in _DAYS)]
        return next((row for text in spellings if (row := rows.get((text, endpoint.service_tier)))), None)

    def list_of(self, provider: ProviderRow) -> str | None:
        """The name of the list that holds for a provider; None: no list does."""
        if provider.price_list is not None:
            return None if provider.price_list == NO_LIST else provider.price_list
        return self._by_host.get(urlsplit(provider.base_url or "").hostname or "")


def read_prices(name: str) -> Mapping[PriceKey, PriceRow]:
    """The rows of a list by name and tier. Raises ValueError for a row that is none, or without source and date; FileNotFoundError where there is no such list."""
    rows = [PriceRow.model_validate(row) for row in tomllib.loads(_read("prices", f"{name}.toml")).get("prices", [])]
    return {(text, row.service_tier): row for row in rows for text in row.names}


def _read(*path: str) -> str:
    return resources.files("trunkline_server.catalog").joinpath("data", *path).read_text(encoding="utf-8")
