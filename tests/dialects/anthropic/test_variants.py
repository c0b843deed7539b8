# SPDX-License-Identifier: Apache-2.0
"""Schemas without variants at their top."""

from typing import Any

import pytest

from trunkline_server.dialects.anthropic.variants import flatten

TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
A = {"type": "object", "properties": {"kind": {"const": "a"}, "x": TEXT}, "required": ["kind", "x"]}
B = {"type": "object", "properties": {"kind": {"const": "b"}, "y": NUMBER}, "required": ["kind"]}
EITHER = {"kind": {"anyOf": [{"const": "a"}, {"const": "b"}]}, "x": TEXT, "y": NUMBER}

SCHEMAS: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("a choice", {"oneOf": [A, B]}, EITHER, ["kind"]),
    (
        "all together",
        {"allOf": [A, {"properties": {"z": TEXT}, "required": ["z"]}]},
        {**A["properties"], "z": TEXT},
        ["kind", "x", "z"],
    ),
    (
        "needs alone",
        {"properties": {"a": TEXT, "b": TEXT}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {"a": TEXT, "b": TEXT},
        [],
    ),
    (
        "its own needs stay",
        {"properties": {"a": TEXT}, "required": ["a"], "oneOf": [B]},
        {"a": TEXT, **B["properties"]},
        ["a", "kind"],
    ),
    ("one inside another", {"allOf": [{"anyOf": [A, B]}]}, EITHER, ["kind"]),
    (
        "references",
        {"anyOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}], "$defs": {"A": A, "B": B}},
        EITHER,
        ["kind"],
    ),
    (
        "a circle",
        {"anyOf": [{"$ref": "#/$defs/C"}], "$defs": {"C": {"anyOf": [{"$ref": "#/$defs/C"}, A]}}},
        A["properties"],
        [],
    ),
    ("references to nowhere", {"anyOf": [{"$ref": "#/$defs/C"}, {"$ref": "https://a.example"}, True]}, {}, []),
    ("no branches", {"allOf": [], "properties": {"a": TEXT}}, {"a": TEXT}, []),
]


@pytest.mark.parametrize(("what", "schema", "properties", "required"), SCHEMAS, ids=[row[0] for row in SCHEMAS])
def test_flatten(what: str, schema: dict[str, Any], properties: dict[str, Any], required: list[str]) -> None:
    """The members of all branches stand together; of a choice only what every branch needs is needed."""
    flat = flatten(schema)
    assert (flat["properties"], flat.get("required", [])) == (properties, required)
    assert not flat.keys() & {"anyOf", "oneOf", "allOf"}


def test_references_that_multiply() -> None:
    """Each is followed once, however often it stands there, and a chain without end is cut."""
    twice = {f"D{place}": {"anyOf": [{"$ref": f"#/$defs/D{place + 1}"}] * 2} for place in range(5000)}
    assert flatten({"anyOf": [{"$ref": "#/$defs/D0"}], "$defs": twice})["properties"] == {}


def test_what_is_lost_is_said() -> None:
    """The model reads which members belong together."""
    assert flatten({"description": "Look.", "anyOf": [{"required": ["a"]}, A]})["description"] == (
        'Look.\n\nanyOf: [{"required":["a"]},{"type":"object","properties":["kind","x"],"required":["kind","x"]}]'
    )


@pytest.mark.parametrize(
    "schema", [{}, A, {"type": "object", "properties": {"a": {"anyOf": [TEXT, NUMBER]}}}, {"anyOf": "?"}]
)
def test_without_variants(schema: dict[str, Any]) -> None:
    """Anything else stays as it is."""
    assert flatten(schema) is schema
