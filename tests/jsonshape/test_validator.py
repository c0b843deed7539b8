# SPDX-License-Identifier: Apache-2.0
"""Messages from gRPC held to the rules of JSON."""

from typing import Any

import pytest

from support.shapes import contract, enum, extra, field, message, oneof
from trunkline_server.jsonshape import Codec

SHAPES = contract(
    enum("Mood", GOOD={}, BAD={}),
    message(
        "All",
        field("optional string model", required=True),
        field("string name", required=True, limits={"max_length": 3, "pattern": "[a-zé]+"}),
        field("repeated Part parts", required=True, limits={"max_items": 2}),
        field("optional double d", limits={"max": 2}),
        field("optional double free"),
        field("int32 zero", limits={"min": 1}),
        field("optional Mood mood"),
        field("repeated Mood moods"),
        field("map<string, double> map", limits={"key_pattern": "[0-9]+", "max_items": 1}),
        field("optional string raw", raw_json=[2]),
        field("map<string, string> raws", raw_json=[4]),
        field("repeated string raw_list", raw_json=[1]),
        field("string type", constant="all", required=True),
        field("optional int64 cost", json_key="price", decimal={"scale": 6}, limits={"min": 0}),
        field("optional All inner"),
    ),
    message(
        "Part",
        oneof(
            "kind",
            field("string text", tags=["text"], limits={"max_length": 3}),
            field("Link link", tags=["link", "href"]),
            field("Open open", tags=["open"], inline=True),
            field("Fixed fixed", tags=["fixed"], inline=True),
            field("string rest", unknown_tags=2, raw_json=[2]),
            discriminator="type",
            nested=True,
        ),
        extra(),
        unknown="kept",
    ),
    message("Link", field("string url", required=True), field("optional string received", keeps_tag=True)),
    message("Fixed", field("string type", constant="fixed", required=True)),
    message("Open", field("optional double a"), extra(), unknown="kept"),
    message("Choice", oneof("choice", field("string mode", limits={"pattern": "auto"}), field("Link link"), untagged=True), unknown=""),
)  # fmt: skip
CODEC = Codec.compile([kind.DESCRIPTOR for kind in SHAPES.values()])
GOOD = {"model": "m", "name": "é", "parts": [{"text": "a"}]}


@pytest.mark.parametrize(
    ("value", "faults"),
    [
        ({}, []),
        ({"model": ""}, []),
        ({"model": None}, ["model: must be present, got nothing"]),
        ({"name": ""}, ["name: must be present, got nothing"]),
        ({"name": "abcd"}, ['name: must be a string of at most 3 characters matching [a-zé]+, got the string "abcd"']),
        ({"parts": []}, ["parts: must be present, got nothing"]),
        ({"parts": [{"text": "a"}] * 3}, ["parts: must be an array of at most 2 items, got an array of 3"]),
        ({"parts": [{"text": "abcd"}]}, ['parts[0].text: must be a string of at most 3 characters, got the string "abcd"']),
        ({"parts": [{}]}, ["parts[0].type: must be present, got nothing"]),
        ({"parts": [{"link": {}}]}, ["parts[0].link.url: must be present, got nothing"]),
        ({"parts": [{"link": {"url": "u", "received": "href"}}]}, []),
        ({"parts": [{"link": {"url": "u", "received": "x"}}]}, ['parts[0].type: must be one of "link", "href", got the string "x"']),
        ({"parts": [{"rest": "{}"}]}, ['parts[0]: must be one of "text", "link", "href", "open", "fixed"']),
        ({"parts": [{"open": {"a": float("inf")}}]}, ["parts[0].a: must be a number, got the number inf"]),
        ({"parts": [{"open": {"extra": {"k": "1"}}}]}, ["parts[0]: must be free of open.extra: unknown keys have another place here"]),
        ({"parts": [{"fixed": {"type": "fixed"}}]}, []),
        ({"parts": [{"fixed": {"type": "x"}}]}, ['parts[0].type: must be "fixed", got the string "x"']),
        ({"d": 2.5}, ["d: must be a number up to 2, got the number 2.5"]),
        ({"d": float("nan"), "free": float("-inf")}, ["d: must be a number up to 2, got the number nan", "free: must be a number, got the number -inf"]),
        ({"zero": 0}, []),
        ({"zero": -1}, ["zero: must be an integer from 1, got the number -1"]),
        ({"mood": 77}, ['mood: must be one of "good", "bad", got the number 77']),
        ({"moods": [1, 0]}, ['moods[1]: must be one of "good", "bad", got the number 0']),
        ({"map": {"a": 1, "b": 2}}, [
            "map: must be an object of at most 1 pair, got an object",
            'map.a: must be under a key matching [0-9]+, got the string "a"',
            'map.b: must be under a key matching [0-9]+, got the string "b"',
        ]),
        ({"map": {"1": float("nan")}}, ['map["1"]: must be a number, got the number nan']),
        ({"raw": "[]"}, ["raw: must be an object as JSON text, got an array of 0"]),
        ({"raws": {"a": "1"}}, ["raws.a: must be a string as JSON text, got the number 1"]),
        ({"raw_list": ["1", "null"]}, ["raw_list[1]: must be a string, an object, an array, a number or a boolean"]),
        ({"type": "all"}, []),
        ({"type": "x"}, ['type: must be "all", got the string "x"']),
        ({"cost": -1}, ["price: must be a decimal number from 0, got the number -1e-06"]),
        ({"inner": {**GOOD, "d": 3}}, ["inner.d: must be a number up to 2, got the number 3.0"]),
    ],
)  # fmt: skip
def test_faults_of_a_message(value: dict[str, Any], faults: list[str]) -> None:
    """The validator finds what the decoder would, under the JSON paths."""
    given = {key: item for key, item in {**GOOD, **value}.items() if item is not None}
    assert [str(fault) for fault in CODEC.validate(SHAPES["All"](**given))] == faults


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"raw": ' {"b":1 , "a":1.0}'}, {"raw": '{"b":1,"a":1.0}'}),
        ({"raw": "null", "raws": {"a": "null", "b": ' "x"'}}, {"raws": {"b": '"x"'}}),
        ({"raw_list": [" 1"]}, {"raw_list": ["1"]}),
        ({"type": "all", "mood": 0}, {}),
        ({"parts": [{"link": {"url": "u", "received": "link"}}]}, {"parts": [{"link": {"url": "u"}}]}),
        ({"parts": [{"text": "a", "extra": {"k": " [ ]"}}]}, {"parts": [{"text": "a", "extra": {"k": "[]"}}]}),
    ],
)
def test_a_valid_message_is_brought_into_normal_form(value: dict[str, Any], expected: dict[str, Any]) -> None:
    """Raw text is written again, null and enum zero count as unset, constants and the first tag are cleared."""
    given = SHAPES["All"](**{**GOOD, **value})
    assert CODEC.validate(given) == []
    assert given == SHAPES["All"](**{**GOOD, **expected})


@pytest.mark.parametrize(
    ("value", "paths"),
    [({"mode": "auto"}, []), ({"mode": "x"}, [""]), ({}, [""]), ({"link": {"url": "u"}}, []), ({"link": {}}, ["url"])],
)
def test_untagged_unions(value: dict[str, Any], paths: list[str]) -> None:
    """An untagged union must have a variant, whose own rules hold."""
    assert [fault.path for fault in CODEC.validate(SHAPES["Choice"](**value))] == paths


def test_messages_nested_beyond_what_json_may_be_are_refused() -> None:
    """Forty levels are the bound on both wires, also without any JSON text."""
    inner = SHAPES["All"](**GOOD)
    for _ in range(45):
        inner = SHAPES["All"](**GOOD, inner=inner)
    assert [fault.expected for fault in CODEC.validate(inner)] == ["nested less deep"]
