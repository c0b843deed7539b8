# SPDX-License-Identifier: Apache-2.0
"""The rows of data files and settings: prices, slugs, strictness."""

from datetime import UTC, date, datetime

import pytest
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from trunkline_server.catalog.rows import (
    PARAMETER_KEYS,
    PRICE_KEYS,
    EndpointRow,
    ModelRow,
    PriceRow,
    ProviderRow,
    read_day,
    read_price,
)

ENDPOINT = {"provider": "p", "upstream_model": "m"}
MODEL = {"slug": "acme/a"}


@pytest.mark.parametrize(
    ("written", "price_pusd"),
    [
        ("0", 0),
        ("0.0000025", 2_500_000),
        ("1e-12", 1),
        ("-0", 0),
        (0.0000025, 2_500_000),
        (0.15e-6, 150_000),
        (2, 2_000_000_000_000),
    ],
)
def test_a_price_is_exact(written: object, price_pusd: int) -> None:
    """A decimal of USD becomes whole 1e-12 USD, from a string or from a number as it was written."""
    assert read_price(written) == price_pusd


@pytest.mark.parametrize(
    "written", ["", "free", "1e-13", "-1", "NaN", "Infinity", "1e300", True, None, [], "1e999999999"]
)
def test_no_price(written: object) -> None:
    """What is no exact amount of money is refused."""
    with pytest.raises(PydanticCustomError):
        read_price(written)


@pytest.mark.parametrize("slug", ["acme/a", "~acme/a-latest", "Acme.ai/Large_2:free", "a/b@2024"])
def test_a_model_slug(slug: str) -> None:
    """A slug is author, stroke, name."""
    assert ModelRow.model_validate({"slug": slug}).slug == slug


@pytest.mark.parametrize("slug", ["", "gpt-4o", "acme/", "/a", "acme/a/b", "acme/a?b", "acme/a b", "acme/a\n"])
def test_no_model_slug(slug: str) -> None:
    """A slug that a request could not name, or that a path could not hold, is refused."""
    with pytest.raises(ValidationError, match="must be written `author/name`"):
        ModelRow.model_validate({"slug": slug})


@pytest.mark.parametrize(
    "row",
    [
        {"slug": "OpenAI", "base_url": "https://x.example"},
        {"slug": "p", "takes_extensions": "yes"},
        {"slug": "p", "timeouts": {"idle_s": "60"}},
        {"slug": "p", "timeouts": {"idle_s": 0}},
        {"slug": "p", "timeouts": {"idle_s": float("inf")}},
        {"slug": "p", "transport": "carrier pigeon"},
        {"slug": "p", "colour": "blue"},
        {"slug": "p", "name": " "},
    ],
)
def test_a_provider_row_is_strict(row: dict[str, object]) -> None:
    """Types are not converted, and unknown keys are refused."""
    with pytest.raises(ValidationError):
        ProviderRow.model_validate(row)


@pytest.mark.parametrize(
    "extra",
    [
        {"prices": {"promt": "1"}},
        {"context_length": 0},
        {"context_length": 1.5},
        {"tag": "Has Spaces"},
        {"supported_parameters": ["tools", ""]},
    ],
)
def test_an_endpoint_row_is_strict(extra: dict[str, object]) -> None:
    """Prices have the contract's keys; counts are whole and above 0."""
    with pytest.raises(ValidationError):
        EndpointRow.model_validate({**ENDPOINT, **extra})


@pytest.mark.parametrize("extra", [{"default_parameters": {"max_tokens": 5}}, {"takes_query": 1}, {"created_s": -1}])
def test_a_model_row_is_strict(extra: dict[str, object]) -> None:
    """Preferred parameters have the contract's keys."""
    with pytest.raises(ValidationError):
        ModelRow.model_validate({**MODEL, **extra})


def test_the_keys_are_those_of_the_contract() -> None:
    """Prices and preferred parameters are named as in trunkline.v1.Pricing and DefaultParameters."""
    assert {"prompt", "completion", "request", "web_search"} <= set(PRICE_KEYS)
    assert "discount" not in PRICE_KEYS
    assert {"temperature", "top_p"} <= set(PARAMETER_KEYS)


@pytest.mark.parametrize("written", ["2026-11-22", date(2026, 11, 22)])
def test_a_day(written: object) -> None:
    """A date of TOML, or its text."""
    assert read_day(written) == date(2026, 11, 22)


@pytest.mark.parametrize("written", ["today", "2026-13-01", "", 20261122, datetime(2026, 11, 22, tzinfo=UTC), None])
def test_no_day(written: object) -> None:
    """What is no day is refused."""
    with pytest.raises(PydanticCustomError):
        read_day(written)


@pytest.mark.parametrize("missing", ["names", "prices", "source", "date"])
def test_a_price_row_is_whole(missing: str) -> None:
    """A row of a price list says what it is about, and where it comes from."""
    row = {"names": ["m"], "context_length": 1, "prices": {}, "source": "s", "date": "2026-11-22"}
    assert PriceRow.model_validate(row).names == ("m",)
    with pytest.raises(ValidationError, match=missing):
        PriceRow.model_validate({key: value for key, value in row.items() if key != missing})
