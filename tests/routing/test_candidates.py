# SPDX-License-Identifier: Apache-2.0
"""Which endpoints the preferences leave."""

from typing import Any

import pytest

from support.builders import make_endpoint, make_provider
from trunkline.v1.provider_preferences_pb2 import ProviderPreferences
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.routing.candidates import ALLOWED_PROVIDERS, find_candidates, names_endpoint

VERTEX = make_provider("google-vertex", name="Google Vertex")
EAST, WEST = (
    make_endpoint(VERTEX, tag="google-vertex/us-east5"),
    make_endpoint(VERTEX, tag="google-vertex/europe-west1"),
)
ACME, ZETA = make_endpoint("acme"), make_endpoint("zeta")
ALL = [EAST, ACME, WEST, ZETA]


@pytest.mark.parametrize(
    ("slug", "expected"),
    [
        pytest.param("google-vertex", [EAST, WEST], id="a base slug means all variants"),
        pytest.param("google-vertex/us-east5", [EAST], id="a tag means one endpoint"),
        pytest.param("Google Vertex", [EAST, WEST], id="the provider's name"),
        pytest.param("ACME", [ACME], id="case does not matter"),
        pytest.param("google", [], id="a part of a slug means nothing"),
        pytest.param("google-vertex/us", [], id="a part of a tag means nothing"),
        pytest.param("google-vertex/", [], id="a stroke at the end means nothing"),
        pytest.param("", [], id="nothing means nothing"),
    ],
)
def test_a_slug_names_endpoints(slug: str, expected: list[Endpoint]) -> None:
    """A slug of a preference means a provider, a variant or one endpoint."""
    assert [endpoint for endpoint in ALL if names_endpoint(slug, endpoint)] == expected


@pytest.mark.parametrize(
    ("preferences", "expected"),
    [
        pytest.param({}, ALL, id="none"),
        pytest.param({"only": ["zeta", "acme"]}, [ACME, ZETA], id="only keeps the catalog's order"),
        pytest.param({"ignore": ["acme", "google-vertex"]}, [ZETA], id="ignore"),
        pytest.param({"only": ["google-vertex"], "ignore": ["google-vertex/us-east5"]}, [WEST], id="both"),
        pytest.param({"only": ["acme"], "ignore": ["acme"]}, [], id="contradiction"),
        pytest.param({"only": ["nobody"]}, [], id="unknown provider"),
        pytest.param({"ignore": ["nobody"]}, ALL, id="ignoring nobody"),
        pytest.param({"order": ["zeta"]}, ALL, id="order excludes nobody here"),
    ],
)
def test_preferences_filter(preferences: dict[str, Any], expected: list[Endpoint]) -> None:
    """`only` and `ignore` filter hard; each endpoint is either a candidate or excluded with its reason."""
    candidates, exclusions = find_candidates(ALL, ProviderPreferences(**preferences))
    assert candidates == expected
    assert [exclusion.endpoint for exclusion in exclusions] == [
        endpoint for endpoint in ALL if endpoint not in expected
    ]
    assert {exclusion.reason for exclusion in exclusions} <= {ALLOWED_PROVIDERS}
