# SPDX-License-Identifier: Apache-2.0
"""The values of the catalog."""

from dataclasses import replace
from typing import Any

import pytest

from support.builders import make_catalog_of, make_endpoint, make_model, make_provider
from trunkline_server.catalog.entry import Endpoint, Model, Provider


def test_the_author_is_the_part_before_the_stroke() -> None:
    """A slug is written author/name."""
    assert Model(slug="acme/large:free", canonical_slug="acme/large", name="Large").author == "acme"


def test_an_endpoint_is_free_unless_it_says_otherwise() -> None:
    """Without prices nothing is charged."""
    endpoint = Endpoint(model="acme/a", provider=Provider(slug="p", name="P"), upstream_model="a", tag="p")
    assert dict(endpoint.prices_pusd) == {}


def test_long_prompts_have_prices_of_their_own() -> None:
    """Beyond a length, all of a call's tokens have the higher prices; at it they do not."""
    endpoint = Endpoint(
        model="acme/a",
        provider=Provider(slug="p", name="P"),
        upstream_model="a",
        tag="p",
        prices_pusd={"prompt": 1},
        prices_above=((10, {"prompt": 2}), (20, {"prompt": 3})),
    )
    assert [endpoint.prices_for(tokens)["prompt"] for tokens in (0, 10, 11, 20, 21)] == [1, 1, 2, 2, 3]
    assert endpoint.main_prices_for(20) == (2, 0, 0, 0)


def test_an_endpoint_s_key() -> None:
    """The model's slug and the endpoint's own, also after a change of something else; it is no part of what is compared or shown."""
    endpoint = make_endpoint("acme", "acme/one", tag="acme/eu")
    renamed = replace(endpoint, upstream_model="other", tag="acme/us")
    assert (endpoint.key, renamed.key) == (("acme/one", "acme/eu"), ("acme/one", "acme/us"))
    assert endpoint == make_endpoint("acme", "acme/one", tag="acme/eu")
    assert "key" not in repr(endpoint)


@pytest.mark.parametrize(
    ("slug", "name", "tag", "names"),
    [
        ("acme", "Acme", "acme", {"acme"}),
        ("acme", "Acme, Inc.", "acme", {"acme", "acme, inc."}),
        ("acme", "Acme", "Acme/EU/Fast", {"acme", "acme/eu", "acme/eu/fast"}),
        ("acme", "Acme", "eu", {"acme", "eu"}),
    ],
)
def test_an_endpoint_s_names(slug: str, name: str, tag: str, names: set[str]) -> None:
    """Tag, prefixes of the tag up to a stroke, and the provider's slug and name, in lower case."""
    assert make_endpoint(make_provider(slug, name=name), tag=tag).names == names


def test_an_endpoint_s_main_prices() -> None:
    """What nearly every price is made of; what has no price costs nothing."""
    assert make_endpoint().main_prices_pusd == (0, 0, 0, 0)
    prices = {"image": 4, "request": 3, "completion": 2, "prompt": 1, "audio": 9}
    assert make_endpoint(prices_pusd=prices).main_prices_pusd == (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("offers", "least"),
    [
        pytest.param([], (None, None, None, False), id="nobody offers it"),
        pytest.param([{}], (None, None, None, False), id="nothing known"),
        pytest.param(
            [{"context_length": 9}, {"context_length": 5, "max_prompt_tokens": 3}, {"max_completion_tokens": 7}],
            (5, 3, 7, False),
            id="of those that are known",
        ),
        pytest.param([{}, {"service_tier": "flex"}], (None, None, None, True), id="a tier"),
    ],
)
def test_the_least_of_a_model(
    offers: list[dict[str, Any]], least: tuple[int | None, int | None, int | None, bool]
) -> None:
    """What fits the least of its endpoints fits all."""
    model = make_model("acme/one", *(make_endpoint(**offer) for offer in offers))
    found = (model.least_context_length, model.least_prompt_tokens, model.least_completion_tokens, model.sells_tiers)
    assert found == least


def test_an_endpoint_knows_that_its_model_sells_tiers() -> None:
    """The standard endpoint of a model with tiers is told apart from that of a model without."""
    with_tiers = make_model("acme/one", make_endpoint(), make_endpoint(tag="acme/flex", service_tier="flex"))
    without = make_model("acme/one", make_endpoint())
    assert [endpoint.beside_tiers for endpoint in with_tiers.endpoints] == [True, True]
    assert [endpoint.beside_tiers for endpoint in without.endpoints] == [False]


def test_the_aliases_of_a_catalog() -> None:
    """Canonical slugs that are no model's slug, each with the first model that has it."""
    first, second = (make_model(slug, canonical_slug="acme/one-2026") for slug in ("acme/one", "acme/one:free"))
    third, fourth = make_model("acme/two"), make_model("acme/two-beta", canonical_slug="acme/two")
    assert make_catalog_of(first, second, third, fourth).aliases == {"acme/one-2026": first}


def test_each_endpoint_knows_what_its_provider_sells_in_other_tiers() -> None:
    """By tags that differ by the tier alone where there are several, and never of another provider."""
    other = make_provider("other")
    model = make_model(
        "acme/one",
        make_endpoint(tag="acme/eu"),
        make_endpoint(tag="acme/us"),
        make_endpoint(tag="acme/us/flex", service_tier="flex"),
        make_endpoint(tag="acme/eu/priority", service_tier="priority"),
        make_endpoint(tag="acme/us/priority", service_tier="priority"),
        make_endpoint(other, tag="other"),
    )
    found = {endpoint.tag: {tier: sold.tag for tier, sold in endpoint.of_tiers.items()} for endpoint in model.endpoints}
    eu, us = (
        {"default": f"acme/{place}", "flex": "acme/us/flex", "priority": f"acme/{place}/priority"}
        for place in ("eu", "us")
    )
    assert found == {
        "acme/eu": eu,
        "acme/us": us,
        "acme/us/flex": us,
        "acme/eu/priority": eu,
        "acme/us/priority": us,
        "other": {"default": "other"},
    }
    assert not make_model("acme/one", make_endpoint(tag="acme")).endpoints[0].of_tiers
