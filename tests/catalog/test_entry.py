# SPDX-License-Identifier: Apache-2.0
"""The values of the catalog."""

from trunkline_server.catalog.entry import Endpoint, Model, Provider


def test_the_author_is_the_part_before_the_stroke() -> None:
    """A slug is written author/name."""
    assert Model(slug="acme/large:free", canonical_slug="acme/large", name="Large").author == "acme"


def test_an_endpoint_is_free_unless_it_says_otherwise() -> None:
    """Without prices nothing is charged."""
    endpoint = Endpoint(model="acme/a", provider=Provider(slug="p", name="P"), upstream_model="a", tag="p")
    assert dict(endpoint.prices_pusd) == {}
