# SPDX-License-Identifier: Apache-2.0
"""In which order candidates are tried."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.builders import make_endpoint, make_provider
from trunkline.v1.provider_preferences_pb2 import ProviderPreferences
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.routing.order import order_candidates

VERTEX = make_provider("vertex")
A, B, EAST, WEST = (
    make_endpoint("a"),
    make_endpoint("b"),
    make_endpoint(VERTEX, tag="vertex/east"),
    make_endpoint(VERTEX, tag="vertex/west"),
)
ALL = [A, EAST, B, WEST]


@pytest.mark.parametrize(
    ("preferences", "expected"),
    [
        pytest.param({}, ALL, id="catalog order"),
        pytest.param({"allow_fallbacks": True}, ALL, id="fallbacks are the default"),
        pytest.param({"allow_fallbacks": False}, [A], id="the first alone"),
        pytest.param({"order": ["b"]}, [B, A, EAST, WEST], id="named first"),
        pytest.param({"order": ["b", "a"]}, [B, A, EAST, WEST], id="in the order named"),
        pytest.param({"order": ["vertex"]}, [EAST, WEST, A, B], id="a base slug names all its variants"),
        pytest.param({"order": ["vertex/west", "vertex"]}, [WEST, EAST, A, B], id="a variant before its base"),
        pytest.param({"order": ["b", "b"]}, [B, A, EAST, WEST], id="named twice, tried once"),
        pytest.param({"order": ["nobody"]}, ALL, id="unknown slugs are passed over"),
        pytest.param({"order": ["nobody", "b"], "allow_fallbacks": False}, [B], id="named alone"),
        pytest.param({"order": ["nobody"], "allow_fallbacks": False}, [], id="nobody is left"),
    ],
)
def test_candidates_are_ordered(preferences: dict[str, Any], expected: list[Endpoint]) -> None:
    """Those that `order` names come first, the rest follow in catalog order unless fallbacks are off."""
    assert order_candidates(ALL, ProviderPreferences(**preferences)) == expected


@given(
    candidates=st.permutations(ALL),
    order=st.lists(st.sampled_from(["a", "b", "vertex", "vertex/east", "nobody"]), max_size=4),
)
def test_ordering_loses_nobody(candidates: list[Endpoint], order: list[str]) -> None:
    """With fallbacks every candidate is tried once, whatever `order` says."""
    ordered = order_candidates(candidates, ProviderPreferences(order=order))
    assert sorted(endpoint.tag for endpoint in ordered) == sorted(endpoint.tag for endpoint in ALL)


def test_nobody_is_ordered() -> None:
    """Without candidates there is nothing to try."""
    assert order_candidates([], ProviderPreferences(order=["a"], allow_fallbacks=False)) == []
