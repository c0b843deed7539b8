# SPDX-License-Identifier: Apache-2.0
"""Bounds as expressions and as words."""

import pytest

from support.shapes import Field, contract, enum, field, message
from trunkline_server.jsonshape import checks
from trunkline_server.jsonshape.members import read_member
from trunkline_server.jsonshape.plan import Member


def member_of(item: Field) -> Member:
    """The member of a field `s`."""
    shapes = contract(message("M", item), enum("E", RED={}, BLUE={"json": "b"}))
    member = read_member(shapes["M"].DESCRIPTOR.fields_by_name["s"], [])
    assert member is not None
    return member


@pytest.mark.parametrize(
    ("item", "test", "words"),
    [
        (field("string s"), "", "a string"),
        (field("string s", limits={"min_length": 1}), "len(v) >= 1", "a string of at least 1 character"),
        (field("string s", limits={"max_length": 5}), "len(v) <= 5", "a string of at most 5 characters"),
        (
            field("string s", limits={"min_length": 1, "max_length": 5}),
            "1 <= len(v) <= 5",
            "a string of 1 to 5 characters",
        ),
        (field("string s", limits={"pattern": "a+"}), "MATCHES__p__s(v)", "a string matching a+"),
        (field("string s", constant="x"), "", '"x"'),
        (field("bool s"), "", "true or false"),
        (field("int32 s"), "-2147483648 <= v <= 2147483647", "an integer from -2147483648 to 2147483647"),
        (field("uint64 s", limits={"max": 20}), "0 <= v <= 20", "an integer up to 20"),
        (field("int32 s", limits={"min": 0, "max": 20}), "0 <= v <= 20", "an integer from 0 to 20"),
        (field("int32 s", limits={"min": 0.5, "max": 2.5}), "1 <= v <= 2", "an integer from 0.5 to 2.5"),
        (field("int32 s", limits={"min": 0, "min_exclusive": True}), "1 <= v <= 2147483647", "an integer above 0"),
        (field("double s"), "-INFINITY < v < INFINITY", "a number"),
        (field("double s", limits={"min": -2, "max": 2}), "-2.0 <= v <= 2.0", "a number from -2 to 2"),
        (
            field("double s", limits={"min": 0, "max": 1, "min_exclusive": True}),
            "0.0 < v <= 1.0",
            "a number above 0 up to 1",
        ),
        (
            field("int64 s", decimal={"scale": 2}, limits={"min": 0, "max": 1.5}),
            "0 <= v <= 150",
            "a decimal number from 0 to 1.5",
        ),
        (field("optional E s"), "", 'one of "red", "b"'),
        (field("string s", raw_json=[2, 4]), "", "a string or an object"),
        (field("M s"), "", "an object"),
    ],
)
def test_the_bounds_of_a_value(item: Field, test: str, words: str) -> None:
    """One value has one test and one description, for decoder and validator alike."""
    member = member_of(item)
    assert checks.bounds_test("p", member, "v") == test
    assert checks.expected_value(member) == words


@pytest.mark.parametrize(
    ("item", "items", "items_words", "key", "key_words"),
    [
        (field("repeated string s"), "", "an array", "", "under a key"),
        (
            field("repeated string s", limits={"max_items": 4}),
            "len(v) <= 4",
            "an array of at most 4 items",
            "",
            "under a key",
        ),
        (
            field(
                "map<string, string> s",
                limits={"min_items": 1, "max_items": 2, "max_key_length": 3, "key_pattern": "a"},
            ),
            "1 <= len(v) <= 2",
            "an object of 1 to 2 pairs",
            "len(v) <= 3 and KEY_MATCHES__p__s(v)",
            "under a key of at most 3 characters matching a",
        ),
    ],
)
def test_the_bounds_of_a_container(item: Field, items: str, items_words: str, key: str, key_words: str) -> None:
    """Containers have a size, maps have bounds on their keys."""
    member = member_of(item)
    assert (checks.items_test(member.rule.limits, "v"), checks.expected_items(member)) == (items, items_words)
    assert (checks.key_test("p", member, "v"), checks.expected_key(member)) == (key, key_words)


def test_type_tests() -> None:
    """A test for several JSON types joins theirs."""
    assert checks.type_test(frozenset({"string", "array"}), "v") == "type(v) is str or type(v) is list"
