# SPDX-License-Identifier: Apache-2.0
"""Raw JSON text from gRPC."""

from typing import Any

import pytest

from support.shapes import contract, extra, field, message, oneof
from trunkline_server.jsonshape import Codec
from trunkline_server.jsonshape.faults import Faults, Path
from trunkline_server.jsonshape.rawjson import clean_raw, kind_of

SHAPES = contract(
    message(
        "Doc",
        field("optional int32 size"),
        field("repeated string tags"),
        field("optional Doc inner"),
        field("optional Link link"),
        extra(),
        unknown="kept",
    ),
    message("Link", field("optional string url", required=True)),
    message(
        "Item",
        oneof(
            "kind",
            field("string text", tags=["text"]),
            field("string unknown", unknown_tags=1, raw_json=[2]),
            discriminator="type",
            nested=True,
        ),
        field("optional string id"),
        *(field(f"optional int32 n{n}") for n in range(9)),
        extra(),
        unknown="kept",
    ),
)
CODEC = Codec.compile([kind.DESCRIPTOR for kind in SHAPES.values()])
NESTED_39: Path = None
for _ in range(39):
    NESTED_39 = (NESTED_39, 0)


@pytest.mark.parametrize(
    ("value", "kind"),
    [({}, "object"), ([], "array"), ("", "string"), (1, "number"), (1.5, "number"), (True, "boolean"), (None, "")],
)
def test_kinds(value: object, kind: str) -> None:
    """Every JSON value has a type; null has none of those that can be asked for."""
    assert kind_of(value) == kind


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (' {"b": 1, "a": 1e5} ', '{"b":1,"a":100000.0}'),
        ('{"a":1,"a":2}', '{"a":2}'),
        ("9007199254740993", "9007199254740993"),
        ("null", None),
        (r'"\u00e9"', '"é"'),
    ],
)
def test_raw_text_is_written_again(text: str, clean: str | None) -> None:
    """Well-formed text comes out as orjson writes it; null counts as absent."""
    faults: Faults = []
    assert clean_raw(text, {"object", "number", "string"}, (None, "x"), faults) == clean
    assert faults == []


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("{", None, "JSON text"),
        ("1e999", None, "JSON text"),
        (r'"\ud800"', None, "JSON text"),
        ("18446744073709551616", None, "64 bits"),
        ("[]", None, "an object as JSON text"),
        ("[[]]", NESTED_39, "nested at most 40 deep"),
    ],
)
def test_raw_text_that_breaks_a_rule_is_a_fault(text: str, path: Path, expected: str) -> None:
    """Text is held to the rules of a body, its nesting together with the nesting around it."""
    faults: Faults = []
    assert clean_raw(text, {"object"}, path, faults) == text
    assert [expected in fault.expected for fault in faults] == [True]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"extra": {"size": "5"}}, {"size": 5}),
        ({"extra": {"size": "5.0", "other": " [1] "}}, {"size": 5, "extra": {"other": "[1]"}}),
        ({"extra": {"tags": '["a"]', "x": "null"}}, {"tags": ["a"]}),
        ({"extra": {"inner": '{"size":1,"y":2}'}}, {"inner": {"size": 1, "extra": {"y": "2"}}}),
    ],
)
def test_a_catch_all_key_that_names_a_field_moves_into_it(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """So a parameter can become typed without breaking clients that already send it."""
    doc = SHAPES["Doc"](**given)
    assert CODEC.validate(doc) == []
    assert doc == SHAPES["Doc"](**expected)


@pytest.mark.parametrize(
    ("kind", "given", "path"),
    [
        ("Doc", {"size": 1, "extra": {"size": "5"}}, "size"),
        ("Doc", {"extra": {"size": '"x"'}}, "size"),
        ("Doc", {"extra": {"tags": "[1]"}}, "tags[0]"),
        ("Doc", {"extra": {"x": "{"}}, "x"),
        ("Doc", {"extra": {"link": "{}"}}, "link.url"),
        ("Doc", {"extra": {"api_key": '"s"'}}, "api_key"),
        ("Doc", {"inner": {"extra": {"base_url": '"s"'}}}, "inner.base_url"),
        ("Item", {"text": "a", "extra": {"type": '"text"'}}, "type"),
        ("Item", {"text": "a", "extra": {"text": '"b"'}}, "text"),
        ("Item", {"unknown": '{"type":"text"}'}, "type"),
        ("Item", {"unknown": "{}"}, "type"),
        ("Item", {"unknown": '{"type":5}'}, "type"),
        ("Item", {"unknown": "[]"}, ""),
        ("Item", {"unknown": "{"}, ""),
        ("Item", {"unknown": '{"type":"new"}', "id": "x"}, ""),
        ("Item", {"unknown": '{"type":"new","api_key":"x"}'}, "api_key"),
    ],
)
def test_text_in_the_wrong_place_is_a_fault(kind: str, given: dict[str, Any], path: str) -> None:
    """Both set, refused keys, and unknown variants that are none."""
    assert [fault.path for fault in CODEC.validate(SHAPES[kind](**given))] == [path]


def test_several_keys_move_at_once() -> None:
    """Each key of the catch-all finds its field, however many fields lie between."""
    item = SHAPES["Item"](text="a", extra={"n8": "8", "id": '"i"', "n0": "0"})
    assert CODEC.validate(item) == []
    assert item == SHAPES["Item"](text="a", id="i", n0=0, n8=8)


def test_an_unknown_variant_is_written_again() -> None:
    """The JSON text of an unknown variant comes out as orjson writes it."""
    item = SHAPES["Item"](unknown=' {"type": "new", "b": [1, 2]} ')
    assert CODEC.validate(item) == []
    assert item == SHAPES["Item"](unknown='{"type":"new","b":[1,2]}')
