# SPDX-License-Identifier: Apache-2.0
"""How deep the shallowest value of a schema is."""

from typing import Any

import pytest

from support.simulator import finish
from trunkline_server.upstream.simulator.schema.check import CheckedSchema, check_schema
from trunkline_server.upstream.simulator.schema.heights import INFINITE, Heights
from trunkline_server.upstream.simulator.schema.steps import Steps

SELF = {"$ref": "#"}


def settled(schema: CheckedSchema) -> Heights:
    """The heights, found."""
    heights = Heights(schema, Steps())
    finish(heights.settle())
    return heights


@pytest.mark.parametrize(
    ("schema", "height"),
    [
        (True, 0),
        (False, INFINITE),
        ({}, 0),
        ({"type": "string"}, 0),
        ({"type": "object", "properties": {"a": {}}}, 0),
        ({"type": "object", "properties": {"a": {}}, "required": ["a"]}, 1),
        ({"properties": {"a": {"properties": {"b": {}}, "required": ["b"]}}, "required": ["a"]}, 2),
        ({"type": "object", "required": ["a"], "additionalProperties": False}, INFINITE),
        ({"type": "array", "items": {}}, 0),
        ({"type": "array", "items": {}, "minItems": 1}, 1),
        ({"type": "array", "prefixItems": [{}], "items": False, "minItems": 1}, 1),
        ({"type": "array", "prefixItems": [{}], "items": False, "minItems": 2}, INFINITE),
        ({"type": ["array", "null"], "items": False, "minItems": 2}, 0),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {}}}, 2),
        ({"anyOf": [False, {"anyOf": [{}]}, {"properties": {"a": SELF}, "required": ["a"]}]}, 2),
        (SELF, INFINITE),
        ({"properties": {"a": SELF}, "required": ["a"]}, INFINITE),
        ({"properties": {"a": SELF}}, 0),
        ({"anyOf": [SELF, {"type": "null"}]}, 1),
        ({"enum": [1], "required": ["a"], "properties": {"a": SELF}}, 0),
        ({"const": [[[]]]}, 0),
    ],
)
def test_heights(schema: Any, height: float) -> None:
    """A height counts what a value must hold; a value that never ends has none."""
    checked = check_schema(schema, "s", strict=True, steps=Steps())
    assert settled(checked).of(schema) == height


def test_heights_of_merged_nodes_follow_from_their_parts() -> None:
    """A node that was not in the schema gets its height from the known ones inside it."""
    inner = {"type": "array", "items": True, "minItems": 1}
    checked = check_schema({"anyOf": [inner]}, "s", strict=True, steps=Steps())
    assert settled(checked).of({"properties": {"a": inner}, "required": ["a"]}) == 2
