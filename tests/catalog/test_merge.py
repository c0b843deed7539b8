# SPDX-License-Identifier: Apache-2.0
"""The settings file's rows over the shipped ones."""

from typing import Any

import pytest

from trunkline_server.catalog.merge import merge_models, merge_providers, tag_of, unite_models
from trunkline_server.catalog.rows import EndpointRow, ModelRow, ProviderRow

SHIPPED = ProviderRow.model_validate(
    {
        "slug": "acme",
        "name": "Acme",
        "base_url": "https://api.acme.example/v1",
        "timeouts": {"idle_s": 5.0, "connect_s": 2.0},
        "source": "https://acme.example/docs",
        "date": "2026-11-22",
    }
)
PROMPT = {"prompt": "0.000001"}


def endpoint(provider: str = "acme", **keys: Any) -> dict[str, Any]:
    """An endpoint as it is written."""
    return {"provider": provider, "upstream_model": "one", **keys}


def model(slug: str, *endpoints: dict[str, Any], **keys: Any) -> ModelRow:
    """A model's row."""
    return ModelRow.model_validate({"slug": slug, "endpoints": list(endpoints), **keys})


@pytest.mark.parametrize(
    ("own", "changed"),
    [
        ({}, {}),
        ({"name": "Mine"}, {"name": "Mine"}),
        ({"takes_extensions": False}, {}),
        ({"base_url": "https://eu.acme.example/v1"}, {"base_url": "https://eu.acme.example/v1"}),
    ],
)
def test_a_provider_of_the_file_wins_key_by_key(own: dict[str, Any], changed: dict[str, Any]) -> None:
    """What the file writes is so, also where it writes a default; the rest is as shipped."""
    (merged,) = merge_providers([ProviderRow.model_validate({"slug": "acme", **own})], [SHIPPED])
    assert merged == SHIPPED.model_copy(update=changed)


def test_tables_inside_a_row_are_merged_too() -> None:
    """One changed timeout leaves the others as shipped."""
    (merged,) = merge_providers([ProviderRow.model_validate({"slug": "acme", "timeouts": {"idle_s": 60.0}})], [SHIPPED])
    assert (merged.timeouts.idle_s, merged.timeouts.connect_s) == (60.0, 2.0)


def test_the_file_comes_first() -> None:
    """Its rows in its order, then the shipped ones that it does not name."""
    others = [ProviderRow.model_validate({"slug": slug, "base_url": "https://x.example"}) for slug in ("b", "c")]
    merged = merge_providers([others[1], ProviderRow(slug="acme")], [SHIPPED, others[0]])
    assert [row.slug for row in merged] == ["c", "acme", "b"]


def test_endpoints_are_merged_by_tag() -> None:
    """An endpoint with a shipped one's tag is that one; others come with it; the shipped rest follows."""
    shipped = model(
        "a/b", endpoint(prices=PROMPT, distillable=True), endpoint(tag="acme/2", quantization="fp8"), name="B"
    )
    own = model("a/b", endpoint(tag="acme/3"), endpoint(exacto=True), context_length=9)
    (merged,) = merge_models([own], [shipped], {"acme"})
    assert [tag_of(row) for row in merged.endpoints] == ["acme/3", "acme", "acme/2"]
    assert (merged.name, merged.context_length) == ("B", 9)
    changed = merged.endpoints[1]
    assert (changed.exacto, changed.distillable, changed.prices) == (True, True, {"prompt": 1_000_000})


def test_a_shipped_model_waits_for_its_provider() -> None:
    """Endpoints of providers that there are not are left out, and so is a model that has no others."""
    shipped = [model("a/b", endpoint(), endpoint("zeta")), model("a/c", endpoint("zeta"))]
    merged = merge_models([], shipped, {"acme"})
    assert [(row.slug, [tag_of(place) for place in row.endpoints]) for row in merged] == [("a/b", ["acme"])]


def test_the_tag_of_an_endpoint() -> None:
    """Its own, else its provider's slug."""
    rows = [EndpointRow.model_validate(endpoint(**keys)) for keys in ({}, {"tag": "acme/eu"})]
    assert [tag_of(row) for row in rows] == ["acme", "acme/eu"]


def test_shipped_models_are_united() -> None:
    """One slug is one model: the first row's words count, the endpoints of all follow one another, and each tag stands once."""
    first = model("a/one", endpoint(), name="One")
    second = model("a/one", endpoint("other"), endpoint(upstream_model="late"), name="Uno", description="A model.")
    third = model("a/two", endpoint("other"))
    one, two = unite_models([first, second, third])
    assert (one.slug, one.name, one.description, two) == ("a/one", "One", "A model.", third)
    assert [(row.provider, row.upstream_model) for row in one.endpoints] == [("acme", "one"), ("other", "one")]
