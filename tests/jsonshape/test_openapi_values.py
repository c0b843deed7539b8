# SPDX-License-Identifier: Apache-2.0
"""Schemas of single values, for callers and in answers."""

from typing import Any

import pytest

from support.shapes import contract, enum, field, message
from trunkline_server.jsonshape import Codec, compile_messages
from trunkline_server.jsonshape.openapi_values import Role, container_schema, nullable, parameter_schema, value_schema

SHAPES = contract(
    enum("Mood", GOOD={"aliases": ["fine"]}, BAD={"json": "awful"}),
    message(
        "All",
        field("string text", required=True),
        field("optional string bounded", limits={"min_length": 2, "max_length": 5, "pattern": "^[a-z]+$"}),
        field("string fixed", constant="k"),
        field("bool flag"),
        field("int32 small", limits={"min": 1}),
        field("int64 big"),
        field("uint32 unsigned"),
        field("double share", limits={"min": 0, "min_exclusive": True, "max": 0.5}),
        field("int64 price", decimal={"scale": 6}, limits={"min": 0}),
        field("int64 fee", decimal={"scale": 6, "as_string": True}),
        field("Mood mood"),
        field("string object", raw_json=[2]),
        field("string anything", raw_json=[1]),
        field("Other other"),
        field("repeated string names", required=True, limits={"max_items": 3}),
        field("repeated string stop", one_or_many=True, limits={"min_items": 1}),
        field("map<string, int32> counts", limits={"max_items": 2, "max_key_length": 4, "key_pattern": "[a-z]*"}),
    ),
    message("Other"),
)  # fmt: skip
MEMBERS = {member.name: member for member in compile_messages([SHAPES["All"].DESCRIPTOR])["shapes.All"].members}
UNSIGNED_TEXT = r"([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?$"


def refer(name: str) -> dict[str, Any]:
    """A reference to a message."""
    return {"$ref": name}


@pytest.mark.parametrize(
    ("name", "request_schema", "answer_schema"),
    [
        ("text", {"type": "string", "minLength": 1}, {"type": "string"}),
        ("bounded", {"type": "string", "minLength": 2, "maxLength": 5, "pattern": "^(?:[a-z]+)$"}, {"type": "string"}),
        ("fixed", {"type": "string", "const": "k"}, {"type": "string", "const": "k"}),
        ("flag", {"type": "boolean"}, {"type": "boolean"}),
        ("small", {"type": "integer", "format": "int32", "minimum": 1, "maximum": 2**31 - 1}, {"type": "integer", "format": "int32"}),
        ("unsigned", {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}, {"type": "integer"}),
        ("share", {"type": "number", "exclusiveMinimum": 0, "maximum": 0.5}, {"type": "number"}),
        ("price", {"anyOf": [{"type": "number", "minimum": 0, "maximum": 9223372036854.775}, {"type": "string", "pattern": f"^[+]?{UNSIGNED_TEXT}"}]}, {"type": "number"}),
        ("fee", {"anyOf": [{"type": "number", "minimum": -9223372036854.775, "maximum": 9223372036854.775}, {"type": "string", "pattern": f"^[+-]?{UNSIGNED_TEXT}"}]}, {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}),
        ("mood", {"type": "string", "enum": ["good", "fine", "awful"]}, {"type": "string", "enum": ["good", "awful"]}),
        ("object", {"type": "object"}, {"type": "object"}),
        ("anything", {"type": ["object", "array", "string", "number", "boolean"]}, {"type": ["object", "array", "string", "number", "boolean"]}),
        ("other", {"$ref": "shapes.Other"}, {"$ref": "shapes.Other"}),
    ],
)  # fmt: skip
def test_values(name: str, request_schema: dict[str, Any], answer_schema: dict[str, Any]) -> None:
    """A caller is held to limits and may use every form that is read; an answer has the form that is written."""
    assert value_schema(MEMBERS[name], Role.REQUEST, refer) == request_schema
    assert value_schema(MEMBERS[name], Role.ANSWER, refer) == answer_schema


@pytest.mark.parametrize("name", ["price", "fee"])
@pytest.mark.parametrize("end", ["minimum", "maximum"])
def test_decimals_are_read_up_to_their_bounds(name: str, end: str) -> None:
    """The bounds of a decimal, which a float holds but roughly, are numbers that the decoder takes."""
    number, _ = value_schema(MEMBERS[name], Role.REQUEST, refer)["anyOf"]
    Codec.compile([SHAPES["All"].DESCRIPTOR]).decode(SHAPES["All"], {"text": "x", "names": ["x"], name: number[end]})


def test_wide_integers_as_text() -> None:
    """Where 64-bit integers are strings in JSON, a caller may write either."""
    shapes = contract(message("All", field("int64 big")), int64_as_number=False)
    (member,) = compile_messages([shapes["All"].DESCRIPTOR])["shapes.All"].members
    assert [one["type"] for one in value_schema(member, Role.REQUEST, refer)["anyOf"]] == ["integer", "string"]
    assert value_schema(member, Role.ANSWER, refer)["type"] == "string"


@pytest.mark.parametrize(
    ("name", "bare", "role", "expected"),
    [
        ("names", [], Role.REQUEST, {"type": "array", "items": {}, "minItems": 1, "maxItems": 3}),
        ("names", [], Role.ANSWER, {"type": "array", "items": {}}),
        ("stop", [{"type": "string"}], Role.REQUEST, {"anyOf": [{"type": "string"}, {"type": "array", "items": {}}]}),
        (
            "counts",
            [],
            Role.REQUEST,
            {
                "type": "object",
                "additionalProperties": {"anyOf": [{}, {"type": "null"}]},
                "propertyNames": {"type": "string", "maxLength": 4, "pattern": "^(?:[a-z]*)$"},
                "maxProperties": 2,
            },
        ),
        ("counts", [], Role.ANSWER, {"type": "object", "additionalProperties": {}}),
    ],
)
def test_containers(name: str, bare: list[dict[str, Any]], role: Role, expected: dict[str, Any]) -> None:
    """A caller's required container holds something, since an empty one counts as absent; an answer's may be empty."""
    assert container_schema(MEMBERS[name], {}, bare, role) == expected


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "minLength": 1}, {"type": ["string", "null"], "minLength": 1}),
        ({"type": ["string", "number"]}, {"type": ["string", "number", "null"]}),
        ({"type": "string", "enum": ["a"]}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"type": "string", "const": "a"}, {"anyOf": [{"type": "string", "const": "a"}, {"type": "null"}]}),
        ({"anyOf": [{"type": "string"}]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"$ref": "x"}, {"anyOf": [{"$ref": "x"}, {"type": "null"}]}),
    ],
)
def test_null(schema: dict[str, Any], expected: dict[str, Any]) -> None:
    """Null is added in the shortest way."""
    assert nullable(schema) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("text", {"type": "string", "minLength": 1}),
        ("names", {"type": "array", "items": {"type": "string"}}),
        ("flag", {"type": "boolean"}),
    ],
)
def test_parameters(name: str, expected: dict[str, Any]) -> None:
    """A parameter is never null; a required text is not empty."""
    assert parameter_schema(MEMBERS[name], Role.REQUEST, refer) == expected
