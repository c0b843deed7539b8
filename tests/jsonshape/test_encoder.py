# SPDX-License-Identifier: Apache-2.0
"""Messages into JSON, as answers and as requests."""

from typing import Any

import orjson
import pytest

from support.shapes import contract, enum, extra, field, message, oneof
from trunkline_server.jsonshape import Codec

SHAPES = contract(
    enum("Mood", GOOD={}, BAD={"json": "awful"}),
    message(
        "Answer",
        field("string id", required=True),
        field("string object", constant="answer", required=True),
        field("string kind", constant="k"),
        field("optional string note", required=True),
        field("repeated Part parts", required=True),
        field("map<string, int64> counts", required=True),
        field("optional Mood mood", emit_null=True),
        field("optional string mark", emit_null=True),
        field("repeated string names", emit_null=True),
        field("optional Part part", emit_null=True),
        field("optional int64 cost", json_key="price", decimal={"scale": 6}),
        field("optional int64 fee", decimal={"scale": 6, "as_string": True}),
        field("int32 plain"),
        field("repeated Part content", one_or_many=True),
        field("repeated string stop", one_or_many=True),
        field("optional string raw", raw_json=[1]),
        field("optional bytes hidden", not_in_json=True),
        extra(),
        unknown="kept",
    ),
    message(
        "Part",
        oneof(
            "kind",
            field("string text", tags=["text"], shorthand=True),
            field("Link link", tags=["link", "href"]),
            field("Empty nothing", tags=["nothing"]),
            field("Open open", tags=["open"], inline=True),
            field("string unknown", unknown_tags=1, raw_json=[2]),
            discriminator="type",
            nested=True,
        ),
        field("optional int32 index"),
    ),
    message("Link", field("string url"), field("optional string received", keeps_tag=True)),
    message("Empty"),
    message("Open", field("optional string a"), field("Flat flat", flatten=True)),
    message("Flat", field("optional bool f"), field("repeated Mood moods")),
    message("Choice", oneof("choice", field("string mode"), field("Many many"), untagged=True), unknown=""),
    message("Many", field("repeated string items", shorthand=True), unknown=""),
    message("Wide", *(field(f"repeated int64 r{n}") for n in range(9)), field("optional Choice choice"), field("optional Mood mood"), extra(), unknown="kept"),
)  # fmt: skip
CODEC = Codec.compile([kind.DESCRIPTOR for kind in SHAPES.values()])
NULLS = {"mood": None, "mark": None, "names": None, "part": None}
BARE = {"id": "", "object": "answer", "kind": "k", "note": "", "parts": [], "counts": {}, **NULLS}


def encoded(kind: str, value: dict[str, Any], *, answer: bool) -> Any:
    """The JSON of a message, parsed, keys in the order written."""
    return orjson.loads(CODEC.dump(SHAPES[kind](**value), answer=answer))


@pytest.mark.parametrize(
    ("value", "answer", "request_"),
    [
        ({}, {}, {}),
        ({"id": "x", "note": "n"}, {"id": "x", "note": "n"}, {"id": "x", "note": "n"}),
        ({"mood": 2, "mark": ""}, {"mood": "awful", "mark": ""}, {"mood": "awful", "mark": ""}),
        ({"mood": 0}, {}, {}),
        ({"mood": 77}, {}, {}),
        ({"names": ["a"]}, {"names": ["a"]}, {"names": ["a"]}),
        ({"counts": {"b": 1, "a": 2**53 + 1}}, {"counts": {"a": 2**53 + 1, "b": 1}}, {"counts": {"a": 2**53 + 1, "b": 1}}),
        ({"cost": 1_500_000, "fee": 1}, {"price": 1.5, "fee": "0.000001"}, {"price": 1.5, "fee": "0.000001"}),
        ({"cost": 0}, {"price": 0}, {"price": 0}),
        ({"plain": 3}, {"plain": 3}, {"plain": 3}),
        ({"content": [{"text": "a"}]}, {"content": "a"}, {"content": "a"}),
        ({"content": [{"text": ""}]}, {"content": ""}, {"content": ""}),
        ({"content": [{"text": "a", "index": 1}]}, {"content": [{"type": "text", "text": "a", "index": 1}]}, None),
        ({"content": [{"text": "a"}, {"text": "b"}]}, {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, None),
        ({"content": [{"link": {"url": "u"}}]}, {"content": [{"type": "link", "link": {"url": "u"}}]}, None),
        ({"stop": ["a"]}, {"stop": ["a"]}, {"stop": ["a"]}),
        ({"raw": '{"b":1,"a":[]}'}, {"raw": {"b": 1, "a": []}}, None),
        ({"part": {"nothing": {}}}, {"part": {"type": "nothing"}}, None),
        ({"part": {}}, {"part": ...}, {}),
        ({"hidden": b"x"}, {}, {}),
        ({"extra": {"b": "1", "a": "[]"}}, {"a": [], "b": 1}, {"a": [], "b": 1}),
        ({"extra": {"api_key": '"x"'}}, {"api_key": "x"}, {}),
    ],
)  # fmt: skip
def test_answers_and_requests(value: dict[str, Any], answer: dict[str, Any], request_: dict[str, Any] | None) -> None:
    """An answer has required keys, nulls and constants; a request has what is set and the constant that is required."""
    full = {key: item for key, item in {**BARE, **answer}.items() if item is not ...}
    assert encoded("Answer", value, answer=True) == full
    assert encoded("Answer", value, answer=False) == {
        "id": "",
        "object": "answer",
        **(answer if request_ is None else request_),
    }


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("Part", {"text": "a"}, {"type": "text", "text": "a"}),
        ("Part", {"link": {"url": "u", "received": "href"}}, {"type": "href", "link": {"url": "u"}}),
        ("Part", {"link": {}}, {"type": "link"}),
        ("Part", {"open": {"a": "x", "flat": {"f": False, "moods": [1, 0, 2]}}, "index": 0}, {"type": "open", "a": "x", "f": False, "moods": ["good", "awful"], "index": 0}),
        ("Part", {"unknown": '{"z":1,"type":"new"}'}, {"z": 1, "type": "new"}),
        ("Part", {}, None),
        ("Choice", {"mode": "auto"}, "auto"),
        ("Choice", {"many": {"items": ["a"]}}, ["a"]),
        ("Choice", {"many": {}}, []),
        ("Choice", {}, None),
        ("Many", {"items": ["a", "b"]}, ["a", "b"]),
        ("Wide", {}, {}),
        ("Wide", {"r0": [1], "r8": [2, 3], "choice": {"mode": "m"}, "mood": 1, "extra": {"k": "null"}}, {"r0": [1], "r8": [2, 3], "choice": "m", "mood": "good", "k": None}),
        ("Wide", {"choice": {}, "mood": 0}, {}),
    ],
)  # fmt: skip
def test_unions_and_wide_messages(kind: str, value: dict[str, Any], expected: Any) -> None:
    """A union is its variant; a message of many fields, written from those that are set, is no different."""
    assert encoded(kind, value, answer=True) == expected
    assert encoded(kind, value, answer=False) == expected


def test_the_tag_comes_first_and_fields_follow_in_order() -> None:
    """Keys stand in the order of declaration, the tag before them, unknown keys last and sorted."""
    answer = SHAPES["Answer"](
        id="x", plain=1, stop=["s"], extra={"z": "1", "b": "2"}, part={"open": {"a": "x"}, "index": 1}
    )
    assert list(CODEC.encode(answer, answer=False)) == ["id", "object", "part", "plain", "stop", "b", "z"]
    assert list(CODEC.encode(answer)["part"]) == ["type", "a", "index"]
