# SPDX-License-Identifier: Apache-2.0
"""The shipped price lists, and when they hold."""

import datetime as dt
import tomllib

import pytest

from support.source_tree import SERVER
from trunkline_server.catalog.prices import NO_LIST, PriceBook, read_prices
from trunkline_server.catalog.rows import EndpointRow, PriceRow, ProviderRow

DATA = SERVER / "catalog" / "data"
NAMES = PriceBook().names
OPENAI = {"slug": "mine", "base_url": "https://api.openai.com/v1"}


def find(provider: dict[str, object], **endpoint: object) -> PriceRow | None:
    """What the lists say of an endpoint."""
    row = EndpointRow.model_validate({"provider": "mine", "upstream_model": "gpt-4o", **endpoint})
    return PriceBook().find(ProviderRow.model_validate(provider), row)


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({}, "openai"),
        ({"slug": "anthropic"}, "openai"),
        ({"slug": "openai", "base_url": "https://openai.proxy.example/v1"}, None),
        ({"slug": "openai", "base_url": "http://127.0.0.1:1/v1"}, None),
        ({"slug": "openai", "base_url": "https://eu.api.openai.com/v1"}, None),
        ({"base_url": "https://openai.proxy.example/v1", "price_list": "openai"}, "openai"),
        ({"price_list": "mistral"}, "mistral"),
        ({"price_list": NO_LIST}, None),
        ({"base_url": None, "transport": "simulator"}, None),
    ],
)
def test_a_list_holds_for_an_api(keys: dict[str, object], found: str | None) -> None:
    """The host of the base URL says whose prices hold, whatever the slug; naming a list says it better."""
    provider = ProviderRow.model_validate({**OPENAI, **keys})
    assert PriceBook().list_of(provider) == found


@pytest.mark.parametrize(
    ("upstream_model", "same_as"),
    [
        ("gpt-4o", "gpt-4o"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-6-sol-2026-10-31", "gpt-6-sol"),
        ("gpt-4o-2031-01-01", None),
        ("gpt-4o-something", None),
        ("my-finetune", None),
        ("YYYYMMDD", None),
    ],
)
def test_only_known_names_are_found(upstream_model: str, same_as: str | None) -> None:
    """A name is found as the list's source knows it, with the day of a snapshot where that means the same model; nothing is guessed."""
    found = find(OPENAI, upstream_model=upstream_model)
    assert (found.names[0] if found else None) == same_as


def test_a_service_tier_has_its_own_prices() -> None:
    """An endpoint of a tier never gets the standard prices."""
    standard, flex = (
        find(OPENAI, upstream_model="gpt-6-sol"),
        find(OPENAI, upstream_model="gpt-6-sol", service_tier="flex"),
    )
    assert standard is not None
    assert flex is not None
    assert 0 < flex.prices["prompt"] < standard.prices["prompt"]
    assert find(OPENAI, service_tier="priority", upstream_model="gpt-3.5-turbo") is None


def test_long_prompts_have_their_prices() -> None:
    """Where a provider charges more for long prompts, the row says from where and how much."""
    row = find(OPENAI, upstream_model="gpt-6-sol")
    assert row is not None
    (step,) = row.prices_above
    assert step.prices["prompt"] > row.prices["prompt"]


@pytest.mark.parametrize("name", NAMES)
def test_every_list_is_sound(name: str) -> None:
    """Each row is one, says where it comes from and from when, has both main prices, and no name stands twice."""
    rows = tomllib.loads((DATA / "prices" / f"{name}.toml").read_text("utf-8"))["prices"]
    read = read_prices(name)
    assert len(read) == sum(len(row["names"]) for row in rows) > 0
    assert all(row.source.startswith("genai-prices ") and row.date > dt.date(2026, 1, 1) for row in read.values())
    assert all({"prompt", "completion"} <= row.prices.keys() for row in read.values())


def test_there_is_a_list_for_every_name() -> None:
    """data/price_lists.toml names the files there are, each with source and date."""
    rows = tomllib.loads((DATA / "price_lists.toml").read_text("utf-8"))["price_lists"]
    assert sorted(NAMES) == sorted(path.stem for path in (DATA / "prices").glob("*.toml"))
    assert [row["name"] for row in rows if not row.get("source") or not row.get("date")] == []


def test_there_is_no_other_list() -> None:
    """A provider that names a list which there is not has no prices by accident."""
    with pytest.raises(FileNotFoundError):
        find({**OPENAI, "price_list": "nobody"})
