# SPDX-License-Identifier: Apache-2.0
"""JSON objects, unions and shorthands into messages."""

from typing import Any

import pytest

from support.shapes import contract, enum, extra, field, message, oneof
from trunkline_server.jsonshape import Codec, ShapeFaults

SHAPES = contract(
    enum("Mood", GOOD={}, BAD={"json": "awful", "aliases": ["poor"]}),
    message("Strict", field("string a", required=True), field("optional int32 b", aliases=["bee", "c"]), field("optional Mood mood")),
    message("Open", field("optional string a"), field("optional Open inner"), extra(), unknown="kept"),
    message("Text", field("string text", required=True, shorthand=True), field("optional bool bold")),
    message("Doc", field("repeated Text content", one_or_many=True), field("repeated string stop", one_or_many=True), field("optional Text title")),
    message(
        "Part",
        oneof(
            "kind",
            field("string text", tags=["text"], shorthand=True),
            field("Link link", tags=["link", "href"]),
            field("Strict special", tags=["special"], under="params"),
            field("Empty nothing", tags=["nothing"]),
            field("Open open", tags=["open"], inline=True),
            field("string unknown", unknown_tags=1, raw_json=[2]),
            discriminator="type",
            nested=True,
        ),
        field("optional int32 index"),
        extra(),
        unknown="kept",
    ),
    message("Link", field("string url", required=True), field("optional string received", keeps_tag=True)),
    message("Empty"),
    message("Turn", oneof("turn", field("Says user", tags=["user"]), field("Answers model", tags=["model"]), discriminator="role"), unknown="kept"),
    message("Says", field("optional string text"), extra(), unknown="kept"),
    message("Answers", field("string role", constant="model", required=True), field("optional string text")),
    message("Choice", oneof("choice", field("string mode"), field("double share"), field("Strict named"), field("Many many"), field("bool on"), untagged=True), unknown=""),
    message("Many", field("repeated string items", shorthand=True), unknown=""),
    message("Outer", field("Inner inner", flatten=True), field("optional string x")),
    message("Inner", field("optional int32 y"), field("string z", required=True)),
    message("Const", field("string object", constant="thing"), field("string type", constant="t", required=True)),
    message("Free", oneof("one", field("string p"), field("int32 q"))),
    message("Upstream", oneof("kind", field("string a", tags=["a"]), field("string rest", unknown_tags=2, raw_json=[2]), discriminator="type", nested=True)),
    message("Parts", field("repeated Part parts"), field("map<string, Strict> named")),
)  # fmt: skip
CODEC = Codec.compile([kind.DESCRIPTOR for kind in SHAPES.values()])


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("Strict", {"a": "x"}, {"a": "x"}),
        ("Strict", {"a": "x", "b": 5, "mood": "good"}, {"a": "x", "b": 5, "mood": 1}),
        ("Strict", {"a": "x", "b": None, "mood": None}, {"a": "x"}),
        ("Strict", {"a": "x", "bee": 5, "mood": "poor"}, {"a": "x", "b": 5, "mood": 2}),
        ("Strict", {"a": "x", "b": None, "c": 5, "mood": "awful"}, {"a": "x", "b": 5, "mood": 2}),
        ("Strict", {"a": "x", "b": 5, "bee": 5}, {"a": "x", "b": 5}),
        ("Open", {}, {}),
        ("Open", {"a": "x", "k": [1, {"b": 1, "a": 2}], "n": None}, {"a": "x", "extra": {"k": '[1,{"b":1,"a":2}]'}}),
        ("Open", {"inner": {}}, {"inner": {}}),
        ("Open", {"inner": {"a": None}}, {"inner": {}}),
        ("Text", "hi", {"text": "hi"}),
        ("Doc", {"content": "hi", "stop": "x"}, {"content": [{"text": "hi"}], "stop": ["x"]}),
        ("Doc", {"content": "", "stop": ["x"]}, {"content": [{"text": ""}], "stop": ["x"]}),
        ("Doc", {"content": [], "stop": []}, {}),
        ("Doc", {"content": ["a", {"text": "b", "bold": True}]}, {"content": [{"text": "a"}, {"text": "b", "bold": True}]}),
        ("Doc", {"title": "hi"}, {"title": {"text": "hi"}}),
        ("Part", "hi", {"text": "hi"}),
        ("Part", {"type": "text", "text": ""}, {"text": ""}),
        ("Part", {"type": "text", "text": "a", "index": 1, "k": True}, {"text": "a", "index": 1, "extra": {"k": "true"}}),
        ("Part", {"type": "link", "link": {"url": "u"}}, {"link": {"url": "u"}}),
        ("Part", {"type": "href", "link": {"url": "u"}}, {"link": {"url": "u", "received": "href"}}),
        ("Part", {"type": "special", "params": {"a": "x"}}, {"special": {"a": "x"}}),
        ("Part", {"type": "nothing"}, {"nothing": {}}),
        ("Part", {"type": "nothing", "nothing": {}}, {"nothing": {}}),
        ("Part", {"type": "open", "a": "x", "k": 1}, {"open": {"a": "x"}, "extra": {"k": "1"}}),
        ("Part", {"type": "new", "index": 1, "z": {"y": 1}}, {"unknown": '{"type":"new","index":1,"z":{"y":1}}'}),
        ("Turn", {"role": "user", "text": "x", "k": 1}, {"user": {"text": "x", "extra": {"k": "1"}}}),
        ("Turn", {"role": "model"}, {"model": {}}),
        ("Answers", {"role": "model", "text": "x"}, {"text": "x"}),
        ("Choice", "auto", {"mode": "auto"}),
        ("Choice", 5, {"share": 5}),
        ("Choice", True, {"on": True}),
        ("Choice", {"a": "x"}, {"named": {"a": "x"}}),
        ("Choice", ["a", "b"], {"many": {"items": ["a", "b"]}}),
        ("Choice", [], {"many": {}}),
        ("Outer", {"x": "a", "y": 1}, {"x": "a", "inner": {"y": 1}}),
        ("Outer", {"x": "a"}, {"x": "a"}),
        ("Const", {"type": "t"}, {}),
        ("Const", {"type": "t", "object": "thing"}, {}),
        ("Free", {"p": "x"}, {"p": "x"}),
        ("Parts", {"parts": ["a", {"type": "text", "text": "b"}]}, {"parts": [{"text": "a"}, {"text": "b"}]}),
        ("Parts", {"named": {"k": {"a": "x"}, "n": None}}, {"named": {"k": {"a": "x"}}}),
    ],
)  # fmt: skip
def test_json_becomes_a_message(kind: str, value: Any, expected: dict[str, Any], *, strict: bool) -> None:
    """What is right for callers is right for upstreams, and means the same."""
    assert CODEC.decode(SHAPES[kind], value, strict=strict) == SHAPES[kind](**expected)


@pytest.mark.parametrize(
    ("kind", "value", "faults"),
    [
        ("Strict", [], ["body: must be an object, got an array of 0"]),
        ("Strict", {}, ["a: must be present, got nothing"]),
        ("Strict", {"a": None}, ["a: must be present, got nothing"]),
        ("Strict", {"a": ""}, ["a: must be present, got nothing"]),
        ("Strict", {"a": "x", "b": 1, "c": 2}, ['c: must be absent beside another "b", got the number 2']),
        ("Strict", {"a": "x", "mood": "sad"}, ['mood: must be one of "good", "awful", got the string "sad"']),
        ("Strict", {"a": "x", "z": 1, "n": None}, ["z: must be absent: the key is unknown, got the number 1"]),
        ("Strict", {"a": 1, "b": "x"}, [
            "a: must be a string, got the number 1",
            'b: must be an integer from -2147483648 to 2147483647, got the string "x"',
        ]),
        ("Open", {"inner": {"api_key": "secret"}}, ["inner.api_key: must be absent: the key is not allowed"]),
        ("Doc", {"content": {"text": "x"}}, ["content: must be a string or an array, got an object"]),
        ("Doc", {"content": [None]}, ["content[0]: must be a string or an object, got null"]),
        ("Doc", {"stop": ["a", None, 1]}, ["stop[1]: must be a string, got null", "stop[2]: must be a string, got the number 1"]),
        ("Part", 5, ["body: must be a string or an object, got the number 5"]),
        ("Part", {}, ["type: must be present, got nothing"]),
        ("Part", {"type": 5}, ["type: must be a string, got the number 5"]),
        ("Part", {"type": "text"}, ["text: must be present, got nothing"]),
        ("Part", {"type": "text", "text": 5}, ["text: must be a string, got the number 5"]),
        ("Part", {"type": "link"}, ["link.url: must be present, got nothing"]),
        ("Part", {"type": "text", "text": "a", "link": {}}, ["link: must be absent: the key belongs to another kind of this object, got an empty object"]),
        ("Part", {"type": "new", "base_url": "x"}, ["base_url: must be absent: the key is not allowed"]),
        ("Turn", {"role": "admin"}, ['role: must be one of "user", "model", got the string "admin"']),
        ("Turn", {"role": ["user"]}, ['role: must be one of "user", "model", got an array of 1']),
        ("Turn", {"role": "model", "k": 1}, ["k: must be absent: the key is unknown, got the number 1"]),
        ("Answers", {"role": "user"}, ['role: must be "model", got the string "user"']),
        ("Choice", None, ["body: must be a string, an object, an array, a number or a boolean, got null"]),
        ("Choice", ["a", 1], ["[1]: must be a string, got the number 1"]),
        ("Const", {}, ["type: must be present, got nothing"]),
        ("Const", {"type": "x", "object": 1}, ['object: must be "thing", got the number 1', 'type: must be "t", got the string "x"']),
        ("Free", {"p": "x", "q": 1}, ["q: must be alone among the fields of one, got the number 1"]),
        ("Upstream", {"type": "b"}, ['type: must be one of "a", got the string "b"']),
        ("Parts", {"parts": {}}, ["parts: must be an array, got an empty object"]),
        ("Parts", {"parts": [{"type": "link", "link": {"url": 1}}], "named": {"a.b": {"a": 1}}}, [
            "parts[0].link.url: must be a string, got the number 1",
            'named["a.b"].a: must be a string, got the number 1',
        ]),
    ],
)  # fmt: skip
def test_a_callers_mistakes_are_faults_with_their_path(kind: str, value: Any, faults: list[str]) -> None:
    """Each fault says where, what was expected and what came."""
    with pytest.raises(ShapeFaults) as caught:
        CODEC.decode(SHAPES[kind], value)
    assert [str(fault) for fault in caught.value.faults] == faults


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("Strict", {}, {}),
        ("Strict", {"a": 5, "b": "7", "mood": "sad", "z": 1}, {"a": "5", "b": 7}),
        ("Strict", {"a": [], "b": {}, "mood": 5}, {}),
        ("Strict", {"a": "x", "b": 1, "c": 2}, {"a": "x", "b": 1}),
        ("Open", {"inner": 5}, {}),
        ("Open", {"api_key": "x"}, {"extra": {"api_key": '"x"'}}),
        ("Doc", {"content": {"text": "x"}, "stop": [None, "a", [], 1]}, {"stop": ["a", "1"]}),
        ("Doc", {"content": [None, "a", 5, {}]}, {"content": [{"text": "a"}, {}]}),
        ("Part", {"text": "hi"}, {"text": "hi"}),
        ("Part", {"params": {"a": "x"}}, {"special": {"a": "x"}}),
        ("Part", {"text": "hi", "k": 1}, {"text": "hi", "extra": {"k": "1"}}),
        ("Part", {"type": "link"}, {"link": {}}),
        ("Part", {"type": "text", "text": "a", "link": {}}, {"text": "a"}),
        ("Part", {"z": 1}, {"unknown": '{"z":1}'}),
        ("Parts", {"parts": [{"type": "text"}, {"type": "text", "text": "b"}, 7], "named": {"x": 5}}, {"parts": [{"text": "b"}]}),
        ("Turn", {"role": "model", "k": 1}, {"model": {}}),
        ("Const", {"object": "other"}, {}),
        ("Free", {"p": "x", "q": 1}, {"q": 1}),
        ("Upstream", {"type": "b"}, {"rest": '{"type":"b"}'}),
        ("Parts", {"parts": 5, "named": []}, {}),
    ],
)  # fmt: skip
def test_an_upstreams_oddities_are_passed_over(kind: str, value: Any, expected: dict[str, Any]) -> None:
    """What can be used is used, what cannot is left out, unknown keys are kept where they may be."""
    assert CODEC.decode(SHAPES[kind], value, strict=False) == SHAPES[kind](**expected)


@pytest.mark.parametrize(
    ("kind", "value"), [("Strict", []), ("Turn", {"role": "x"}), ("Turn", {}), ("Choice", None), ("Part", 5)]
)
def test_what_is_no_such_message_at_all_is_a_fault_from_anyone(kind: str, value: Any) -> None:
    """The loose decoder raises only when there is nothing to read."""
    with pytest.raises(ShapeFaults):
        CODEC.decode(SHAPES[kind], value, strict=False)
