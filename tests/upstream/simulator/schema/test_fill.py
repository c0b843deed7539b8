# SPDX-License-Identifier: Apache-2.0
"""Values for schemas, judged by the jsonschema package."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.schemas import FORMAT_NAMES, PATTERNS, find_faults, schemas
from support.simulator import finish
from trunkline_server.upstream.simulator.dice import Dice
from trunkline_server.upstream.simulator.refused import RefusedError
from trunkline_server.upstream.simulator.schema import Steps, fill_schema

TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "value": {"type": "integer"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["value", "children"],
            "additionalProperties": False,
        }
    },
}
LIST = {
    "type": "object",
    "properties": {"value": {"type": "string"}, "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
    "required": ["value", "next"],
}
FORMULA = {
    "anyOf": [
        {
            "type": "object",
            "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}},
            "required": ["left", "right"],
        },
        {"type": "array", "items": {"$ref": "#"}, "minItems": 2},
        {"type": "number"},
    ]
}
ENDLESS = {"type": "object", "properties": {"a": {"$ref": "#/$defs/endless"}}, "required": ["a"]}
VALID = {
    "tree": TREE,
    "list": LIST,
    "formula": FORMULA,
    "pydantic optional": {
        "anyOf": [{"type": "integer", "minimum": 4, "maximum": 4}, {"type": "null"}],
        "default": None,
        "title": "N",
    },
    "reference with description": {
        "properties": {"a": {"$ref": "#/$defs/x", "description": "y"}},
        "required": ["a"],
        "$defs": {"x": {"const": 3}},
    },
    "reference with bounds": {"$ref": "#/$defs/x", "minimum": 90, "$defs": {"x": {"type": "integer", "maximum": 95}}},
    "two references": {
        "$ref": "#/$defs/x",
        "$defs": {"x": {"$ref": "#/$defs/y", "maxLength": 9}, "y": {"type": "string", "minLength": 9}},
    },
    "reference into a property": {
        "properties": {"a": {"type": "boolean"}, "b": {"$ref": "#/properties/a"}},
        "required": ["b"],
    },
    "reference with escapes": {"$ref": "#/$defs/a~1b%20c", "$defs": {"a/b c": {"const": 1}}},
    "definitions": {"$ref": "#/definitions/x", "definitions": {"x": {"type": "null"}}},
    "choice of required": {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
        "additionalProperties": False,
    },
    "choice beside bounds": {"type": "string", "minLength": 3, "anyOf": [{"maxLength": 2}, {"pattern": "^[ab]+$"}]},
    "choice inside choice": {
        "anyOf": [{"type": "string"}],
        "$ref": "#/$defs/x",
        "$defs": {"x": {"anyOf": [{"const": 1}, {"const": "k"}]}},
    },
    "a branch that cannot be": {
        "anyOf": [{"$ref": "#/$defs/endless"}, False, {"enum": ["only"]}],
        "$defs": {"endless": ENDLESS},
    },
    "closed object, open branch": {
        "properties": {"a": {"const": 1}},
        "additionalProperties": False,
        "anyOf": [{"properties": {"a": True, "b": {"const": 2}}}],
    },
    "enum beside type": {"type": "integer", "enum": ["a", 2, 3.5, True]},
    "enum beside pattern": {"enum": ["A1", "b", "B22"], "pattern": "^[A-Z][0-9]{2}$"},
    "required, not described": {
        "type": "object",
        "required": ["x"],
        "additionalProperties": {"type": "integer", "maximum": -3},
    },
    "map": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "boolean"}}},
    "tuple": {"type": "array", "prefixItems": [{"const": 1}, {"const": 2}], "items": False, "minItems": 2},
    "tuple cut": {"type": "array", "prefixItems": [{"const": 1}, {"const": 2}], "maxItems": 1},
    "set": {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "uniqueItems": True},
    "set of numbers": {
        "type": "array",
        "items": {"type": "integer", "minimum": 0, "maximum": 9},
        "minItems": 8,
        "uniqueItems": True,
    },
    "types": {"type": "array", "items": {"type": ["integer", "null", "object"]}, "minItems": 6},
    "nothing said": {},
    "everything": True,
    "tight number": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1e-9},
    "tight integer": {"type": "integer", "exclusiveMinimum": 1.5, "maximum": 2.2},
    "large integer": {"type": "integer", "minimum": 1e30},
    "cents": {"type": "number", "multipleOf": 0.01, "minimum": 5, "maximum": 6},
    "email, long": {"type": "string", "format": "email", "minLength": 60},
    "uri, long": {"type": "string", "format": "uri", "minLength": 300},
    "hostname, long": {"type": "string", "format": "hostname", "minLength": 100},
    "format and pattern": {"type": "string", "format": "date", "pattern": "^20"},
    "pattern, long": {"type": "string", "pattern": "needle", "minLength": 20, "maxLength": 22},
    "long text": {"type": "string", "minLength": 5000, "maxLength": 5000},
    "empty text": {"type": "string", "maxLength": 0},
    "annotations": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:x",
        "$comment": "c",
        "examples": [1],
        "type": "null",
    },
}
IMPOSSIBLE = {
    "nothing": False,
    "endless": {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
    "endless array": {"type": "array", "items": {"$ref": "#"}, "minItems": 1},
    "a loop of references": {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
    "reversed numbers": {"type": "integer", "minimum": 3, "maximum": 2},
    "no integer between": {"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2},
    "reversed lengths": {"type": "string", "minLength": 3, "maxLength": 2},
    "pattern and length": {"type": "string", "pattern": "^a{5}$", "maxLength": 4},
    "an anchor in the middle": {"type": "string", "pattern": "a^b"},
    "types that exclude each other": {"type": "string", "anyOf": [{"type": "integer"}, {"type": "array"}]},
    "required, forbidden": {"type": "object", "required": ["x"], "additionalProperties": False},
    "too few different items": {"type": "array", "items": {"type": "boolean"}, "minItems": 3, "uniqueItems": True},
    "tuple too short": {"type": "array", "prefixItems": [{"const": 1}], "items": False, "minItems": 2},
    "enum of the wrong type": {"type": "string", "enum": [1, 2]},
    "a multiple that is none": {"type": "integer", "multipleOf": 0.5, "exclusiveMinimum": 1, "exclusiveMaximum": 2},
}
COSTLY = {
    "many items": {"type": "array", "items": True, "minItems": 10**9},
    "long text": {"type": "string", "minLength": 10**9},
    "wide recursion": {
        "anyOf": [
            {"type": "array", "items": {"$ref": "#"}, "minItems": 2000},
            {"type": "array", "items": {"type": "string", "minLength": 5000}, "minItems": 2000},
        ]
    },
    "backtracking": {"type": "string", "enum": ["a" * 20_000 + "!"], "pattern": "^((a+)+)+$"},
}


def fill(schema: Any, seed: int = 0) -> Any:
    """A value for a strict schema."""
    return finish(fill_schema(schema, "schema", Dice(b"%d" % seed), Steps(), strict=True))


@pytest.mark.parametrize("name", VALID)
def test_values_fit_their_schema(name: str) -> None:
    """Thirty draws all fit."""
    assert [fault for seed in range(30) for fault in find_faults(VALID[name], fill(VALID[name], seed))] == []


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_formats_are_kept(name: str) -> None:
    """A text of each format passes the format's check."""
    schema = {"type": "string", "format": name}
    assert [fault for seed in range(20) for fault in find_faults(schema, fill(schema, seed))] == []


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_are_kept(pattern: str) -> None:
    """A text for each pattern matches it."""
    schema = {"type": "string", "pattern": pattern}
    assert [fault for seed in range(20) for fault in find_faults(schema, fill(schema, seed))] == []


@settings(max_examples=250)
@given(schema=schemas(), seed=st.integers(0, 2**32))
def test_any_schema_of_the_subset_is_filled(schema: Any, seed: int) -> None:
    """Whatever the schema, its value fits."""
    assert find_faults(schema, fill(schema, seed)) == []


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_schemas_without_a_value_are_refused(name: str) -> None:
    """Where nothing fits, the refusal names the schema."""
    with pytest.raises(RefusedError) as caught:
        fill(IMPOSSIBLE[name])
    assert (caught.value.status, caught.value.param) == (400, "schema")


@pytest.mark.parametrize("name", COSTLY)
def test_costly_schemas_are_refused(name: str) -> None:
    """The work is bounded, whatever the schema demands."""
    with pytest.raises(RefusedError, match="too much work"):
        fill(COSTLY[name])


def test_chains_that_are_too_deep_are_refused() -> None:
    """A value that must nest deeper than the bound is not made."""
    chain: Any = {"type": "null"}
    for _ in range(80):
        chain = {"type": "object", "properties": {"a": chain}, "required": ["a"]}
    with pytest.raises(RefusedError, match="nested more than 60"):
        fill(chain)


def test_the_same_dice_give_the_same_value() -> None:
    """A value follows from schema and dice."""
    assert fill(TREE, 7) == fill(TREE, 7) != fill(TREE, 8)


def test_a_branch_that_is_the_choice_itself_is_passed_over() -> None:
    """A reference that leads back to itself without a step into the value ends all the same. (The referee would not.)"""
    assert fill({"anyOf": [{"$ref": "#"}, {"const": 1}]}) == 1


def test_properties_come_in_the_order_of_the_schema() -> None:
    """Objects list their properties as the schema does, and then what is only required."""
    schema = {"properties": {"b": True, "a": True}, "required": ["z", "a", "b"]}
    assert list(fill(schema)) == ["b", "a", "z"]
