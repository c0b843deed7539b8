# SPDX-License-Identifier: Apache-2.0
"""The places in a provider's addresses."""

from typing import Any

import pytest

from trunkline_server.catalog.load import build_catalog
from trunkline_server.catalog.places import fill, find_place_faults, find_values, make_wire, unfilled
from trunkline_server.catalog.rows import ProviderRow

AZURE: dict[str, Any] = {
    "slug": "azure",
    "base_url": "https://{resource}.openai.azure.com/openai",
    "wire": {"path": "/{stage}/{model}/chat?api-version=1"},
    "value_variables": {"resource": "AZURE_RESOURCE"},
}


def make_row(**keys: Any) -> ProviderRow:
    """A row for Azure with more in it."""
    return ProviderRow.model_validate({**AZURE, **keys})


@pytest.mark.parametrize(
    ("template", "filled"),
    [("{a}-{b}", "1-{b}"), ("{a}{a}", "11"), ("a", "a"), ("{ a }", "{ a }"), ("{{a}}", "{1}")],
)
def test_filling(template: str, filled: str) -> None:
    """Values stand in their places; a place without one stays."""
    assert fill(template, {"a": "1"}) == filled


@pytest.mark.parametrize(
    ("values", "environment", "found"),
    [
        ({}, {"AZURE_RESOURCE": "mine"}, {"resource": "mine"}),
        ({"resource": "written"}, {"AZURE_RESOURCE": "mine"}, {"resource": "written"}),
        ({}, {}, {}),
        ({}, {"AZURE_RESOURCE": ""}, {}),
        ({}, {"AZURE_RESOURCE": "evil.test/x"}, {}),
        ({}, {"AZURE_RESOURCE": "a@evil.test"}, {}),
        ({}, {"AZURE_RESOURCE": "evil.test:1"}, {}),
    ],
)
def test_values_of_the_environment(values: dict[str, str], environment: dict[str, str], found: dict[str, str]) -> None:
    """What is written wins; what would lead to another host counts as not set."""
    assert find_values(make_row(values=values), environment).values == found


@pytest.mark.parametrize("value", ["", "a/b", "a@b", "a:b", "a b", "a?b", "a#b", "-a", "a{b}"])
def test_values_that_are_no_part_of_an_address(value: str) -> None:
    """A value cannot bring another host, path or user."""
    with pytest.raises(ValueError, match="part of an address"):
        make_row(values={"resource": value})


@pytest.mark.parametrize(
    ("values", "empty"),
    [({}, ("resource", "stage")), ({"resource": "r"}, ("stage",)), ({"resource": "r", "stage": "s"}, ())],
)
def test_empty_places(values: dict[str, str], empty: tuple[str, ...]) -> None:
    """A provider whose address has an empty place cannot be reached; the model's place is each request's own."""
    assert unfilled(make_row(values=values)) == empty


def test_faults() -> None:
    """A place for which the row names neither a value nor a variable is a fault, and so is a model in the base URL."""
    assert [key for key, _ in find_place_faults(AZURE)] == ["wire"]
    assert [key for key, _ in find_place_faults({"base_url": "https://{model}.x"})] == ["base_url"]
    assert list(find_place_faults({**AZURE, "values": {"stage": "s"}})) == []
    assert list(find_place_faults({"base_url": 5, "wire": "x", "values": 7})) == []


def test_the_provider() -> None:
    """The provider of a row has its values in its addresses, and its region."""
    row = make_row(values={"resource": "mine", "stage": "s", "region": "eu-west-1"}, auth="azure")
    provider = build_catalog([row], []).providers["azure"]
    assert (provider.base_url, provider.auth, provider.region) == (
        "https://mine.openai.azure.com/openai",
        "azure",
        "eu-west-1",
    )
    assert provider.wire == make_wire(row)
    assert provider.wire is not None
    assert (provider.wire.path, provider.wire.stream_path) == ("/s/{model}/chat?api-version=1",) * 2


def test_no_wire() -> None:
    """Most providers speak their dialect as it is."""
    assert make_wire(ProviderRow(slug="acme")) is None
