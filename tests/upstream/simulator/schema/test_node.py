# SPDX-License-Identifier: Apache-2.0
"""Questions to a single node."""

from typing import Any

import pytest

from trunkline_server.upstream.simulator.schema.node import assertions, json_equal, type_fits, types_of


@pytest.mark.parametrize(
    ("node", "types"),
    [
        ({"type": "null"}, ("null",)),
        ({"type": ["null", "object"]}, ("null", "object")),
        ({"required": ["a"]}, ("object",)),
        ({"minItems": 1}, ("array",)),
        ({"format": "date"}, ("string",)),
        ({"maximum": 1}, ("number",)),
        ({"title": "x"}, ()),
    ],
)
def test_types_are_stated_or_spoken_of(node: dict[str, Any], types: tuple[str, ...]) -> None:
    """Without `type`, the other keywords tell what is meant."""
    assert types_of(node) == types


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ({}, {"object"}),
        ([], {"array"}),
        ("", {"string"}),
        (1, {"number", "integer"}),
        (1.0, {"number", "integer"}),
        (1.5, {"number"}),
        (True, {"boolean"}),
        (None, {"null"}),
    ],
)
def test_values_have_json_types(value: Any, names: set[str]) -> None:
    """Each value is of its types and no others."""
    every = ("object", "array", "string", "number", "integer", "boolean", "null")
    assert {name for name in every if type_fits(name, value)} == names


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        ([1, [True]], [1.0, [True]], True),
        ([1, [True]], [1, [1]], False),
        ([1], [1, 2], False),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"b": 1}, False),
        ("1", 1, False),
        (None, False, False),
    ],
)
def test_equality_is_that_of_json(one: Any, other: Any, equal: bool) -> None:
    """Numbers are equal by value, booleans are no numbers."""
    assert json_equal(one, other) is equal


def test_assertions_leave_out_annotations_and_definitions() -> None:
    """Only what limits values is left, without what was taken out by name."""
    assert assertions({"title": "x", "$defs": {}, "type": "null", "$ref": "#"}, "$ref") == {"type": "null"}
