# SPDX-License-Identifier: Apache-2.0
"""Which endpoints the preferences leave."""

from typing import Any

import pytest

from support.builders import make_endpoint, make_provider, make_request
from trunkline.v1.provider_preferences_pb2 import ProviderPreferences
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.routing.candidates import ALLOWED_PROVIDERS, find_candidates, names_endpoint, sent_parameters

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


OPEN = make_provider("open", trains_on_prompts=False, keeps_prompts=False)
PRECISE = make_endpoint(
    OPEN,
    quantization="bf16",
    distillable=True,
    supported_parameters=frozenset({"seed", "tools"}),
    prices_pusd={"prompt": 2_000_000, "image": 5},
)
CHEAP = make_endpoint("cheap", prices_pusd={"prompt": 1_000_000})


@pytest.mark.parametrize(
    ("preferences", "expected", "word"),
    [
        pytest.param({"data_collection": "DATA_COLLECTION_DENY"}, [PRECISE], "data_policy:training", id="no training"),
        pytest.param({"data_collection": "DATA_COLLECTION_ALLOW"}, [PRECISE, CHEAP], None, id="training allowed"),
        pytest.param({"zdr": True}, [PRECISE], "data_policy:zdr", id="nothing retained"),
        pytest.param({"zdr": False}, [PRECISE, CHEAP], None, id="retention allowed"),
        pytest.param({"enforce_distillable_text": True}, [PRECISE], "data_policy:distillable", id="distillable"),
        pytest.param({"quantizations": ["bf16", "fp8"]}, [PRECISE], "quantization", id="precision"),
        pytest.param({"quantizations": ["unknown"]}, [CHEAP], "quantization", id="unknown precision"),
        pytest.param({"max_price": {"prompt_pusd": 1_000_000_000_000}}, [CHEAP], "max_price", id="a dollar a million"),
        pytest.param({"max_price": {"prompt_pusd": 2_000_000_000_000}}, [PRECISE, CHEAP], None, id="just enough"),
        pytest.param({"max_price": {"image_pusd": 4}}, [CHEAP], "max_price", id="per image"),
        pytest.param({"require_parameters": True}, [PRECISE], "require_parameters", id="parameters"),
        pytest.param({"require_parameters": False}, [PRECISE, CHEAP], None, id="parameters wished for"),
    ],
)
def test_preferences_exclude_by_what_is_known(
    preferences: dict[str, Any], expected: list[Endpoint], word: str | None
) -> None:
    """Privacy, precision, price and parameters filter hard; what is unknown counts against an endpoint."""
    candidates, exclusions = find_candidates([PRECISE, CHEAP], ProviderPreferences(**preferences), {"seed"})
    assert candidates == expected
    assert {exclusion.reason for exclusion in exclusions} == ({word} - {None})


def test_parameters_sent() -> None:
    """Only what an endpoint may lack counts, not what every request has."""
    assert sent_parameters(make_request(seed=1, temperature=0.0, user="u")) == {"seed", "temperature"}
