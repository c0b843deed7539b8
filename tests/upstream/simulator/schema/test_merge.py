# SPDX-License-Identifier: Apache-2.0
"""Two schemas into one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.schemas import schemas
from trunkline_server.upstream.simulator.schema.match import Matcher
from trunkline_server.upstream.simulator.schema.merge import merge_nodes
from trunkline_server.upstream.simulator.schema.steps import Steps


@pytest.mark.parametrize(
    ("one", "other", "merged"),
    [
        (True, {"type": "null"}, {"type": "null"}),
        ({"type": "null"}, True, {"type": "null"}),
        (False, {"type": "null"}, False),
        ({}, False, False),
        ({"title": "x"}, {"type": "null"}, {"type": "null"}),
        ({"type": "null", "title": "x"}, {"title": "y"}, {"type": "null", "title": "x"}),
        ({"minimum": 1, "maximum": 5}, {"minimum": 2, "maximum": 9}, {"minimum": 2, "maximum": 5}),
        ({"minLength": 1}, {"maxLength": 5}, {"minLength": 1, "maxLength": 5}),
        ({"required": ["a"]}, {"required": ["b", "a"]}, {"required": ["a", "b"]}),
        ({"type": "integer"}, {"type": ["number", "null"]}, {"type": ["integer"]}),
        ({"type": "number"}, {"type": "integer"}, {"type": ["integer"]}),
        ({"type": "string"}, {"type": "null"}, False),
        ({"enum": [1, 2, "a"]}, {"enum": ["a", 2.0]}, {"enum": [2, "a"]}),
        ({"enum": [1]}, {"enum": [2]}, False),
        ({"items": {"minimum": 1}}, {"items": {"maximum": 2}}, {"items": {"minimum": 1, "maximum": 2}}),
        (
            {"prefixItems": [{"minimum": 1}, True]},
            {"prefixItems": [{"maximum": 2}]},
            {"prefixItems": [{"minimum": 1, "maximum": 2}, True]},
        ),
        ({"uniqueItems": False}, {"uniqueItems": True}, {"uniqueItems": True}),
        (
            {"anyOf": [{"minimum": 1}, {"minimum": 2}]},
            {"anyOf": [{"maximum": 3}]},
            {"anyOf": [{"minimum": 1, "maximum": 3}, {"minimum": 2, "maximum": 3}]},
        ),
        ({"$ref": "#/a"}, {"$ref": "#/b"}, {"$ref": "#/a", "anyOf": [{"$ref": "#/b"}]}),
        (
            {"properties": {"a": True}, "additionalProperties": False},
            {"properties": {"b": True}},
            {"properties": {"a": True, "b": False}, "additionalProperties": False},
        ),
        (
            {"properties": {"a": {"minimum": 1}}},
            {"properties": {"a": {"maximum": 2}}},
            {"properties": {"a": {"minimum": 1, "maximum": 2}}},
        ),
    ],
)
def test_demands_are_joined(one: Any, other: Any, merged: Any) -> None:
    """Each keyword has its own way of holding twice."""
    assert merge_nodes(one, other, Steps()) == merged


@given(
    one=schemas(),
    other=schemas(),
    value=st.integers(-3, 3) | st.none() | st.dictionaries(st.sampled_from(["id", "name"]), st.integers(0, 3)),
)
def test_what_fits_both_fits_the_merged(one: Any, other: Any, value: Any) -> None:
    """Merging never refuses a value that both schemas take."""
    root = {"$defs": {**one.get("$defs", {}), **other.get("$defs", {})}}
    both = [Matcher(root, Steps()).fits(node, value) for node in (one, other)]
    assert Matcher(root, Steps()).fits(merge_nodes(one, other, Steps()), value) or not all(both)
