# SPDX-License-Identifier: Apache-2.0
"""Fields as members, and what is wrong with a field by itself."""

from typing import Any

import pytest

from support.shapes import EnumType, Field, MessageType, contract, enum, field, message, oneof
from trunkline_server.jsonshape.members import join_kinds, read_member
from trunkline_server.jsonshape.plan import Kind, Shape


def faults_of(item: Field | Any, *others: MessageType | EnumType) -> list[str]:
    """The faults of the one field of a message, without its name."""
    faults: list[str] = []
    descriptor = contract(message("M", item), *others)["M"].DESCRIPTOR
    for one in descriptor.fields:
        read_member(one, faults)
    return [fault.split(": ", 1)[1] for fault in faults]


@pytest.mark.parametrize(
    ("item", "fault"),
    [
        (field("float f"), "no JSON form"),
        (field("bytes b"), "no JSON form"),
        (field("string class"), "Python keyword"),
        (field("string s", emit_null=True), "emit_null needs presence"),
        (field("map<int32, string> m"), "the keys of a map are strings"),
        (field("string s", one_or_many=True), "one_or_many is for repeated fields"),
        (field("int32 n", raw_json=[1]), "raw_json is for strings"),
        (field("int32 n", constant="x"), "constant is for single strings"),
        (field("string s", keeps_tag=True), "keeps_tag is for optional strings"),
        (field("double d", decimal={"scale": 2}), "decimal is for integers"),
        (field("int64 d", decimal={"scale": 20}), "scale of a decimal"),
        (field("string s", flatten=True), "flatten is for single messages"),
        (oneof("o", field("string a", required=True), field("string b")), "a field of a oneof cannot be required"),
        (field("string s", limits={"min": 1}), "min and max are for numbers"),
        (field("int32 n", limits={"min_exclusive": True}), "min_exclusive needs min"),
        (field("int32 n", limits={"max_length": 1}), "min_length, max_length and pattern are for strings"),
        (field("string s", limits={"max_items": 1}), "min_items and max_items are for repeated"),
        (field("repeated string s", limits={"key_pattern": "a"}), "max_key_length and key_pattern are for maps"),
        (field("string s", limits={"pattern": "("}), "pattern '('"),
    ],
)
def test_options_that_contradict_the_type_are_faults(item: Any, fault: str) -> None:
    """Every option says for which fields it is."""
    assert [fault in one for one in faults_of(item)] == [True]


def test_one_string_for_two_enum_values_is_a_fault() -> None:
    """A JSON string must name one value."""
    assert faults_of(field("optional E e"), enum("E", A={"json": "x"}, B={"aliases": ["x"]})) == [
        "two values are read from 'x'"
    ]


@pytest.mark.parametrize(
    ("item", "kind", "shape", "presence"),
    [
        (field("string s"), Kind.STRING, Shape.SINGLE, False),
        (field("optional bool s"), Kind.BOOL, Shape.SINGLE, True),
        (field("repeated double s"), Kind.DOUBLE, Shape.REPEATED, False),
        (field("map<string, uint32> s"), Kind.INT, Shape.MAP, False),
        (field("map<string, string> s", raw_json=[1]), Kind.RAW, Shape.MAP, False),
        (field("int64 s", decimal={"scale": 3}), Kind.DECIMAL, Shape.SINGLE, False),
        (field("M s"), Kind.MESSAGE, Shape.SINGLE, True),
    ],
)
def test_the_kind_and_shape_of_a_field(item: Field, kind: Kind, shape: Shape, *, presence: bool) -> None:
    """Type, label and options give one kind of value and how many of them."""
    member = read_member(contract(message("M", item))["M"].DESCRIPTOR.fields_by_name["s"], [])
    assert member is not None
    assert (member.value.kind, member.shape, member.presence, member.owner) == (kind, shape, presence, "shapes.M")


@pytest.mark.parametrize(
    ("kinds", "text"),
    [
        ({"object"}, "an object"),
        ({"string", "object"}, "a string or an object"),
        ({"string", "number", "array"}, "a string, an array or a number"),
        (set(), "nothing"),
    ],
)
def test_kinds_as_words(kinds: set[str], text: str) -> None:
    """JSON types are joined as a sentence would."""
    assert join_kinds(frozenset(kinds)) == text
