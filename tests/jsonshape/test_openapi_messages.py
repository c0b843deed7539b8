# SPDX-License-Identifier: Apache-2.0
"""Schemas of whole messages: what each takes and refuses, beside what the codec takes, refuses and writes."""

from typing import Any

import hypothesis
import orjson
import pytest
from google.protobuf.message import Message
from hypothesis import strategies as st

from support import strategies
from support.openapi import document, faults, rpc
from support.shapes import contract, enum, extra, field, message, oneof
from trunkline_server.jsonshape import Codec, ShapeFaults, compile_messages
from trunkline_server.jsonshape.openapi_messages import MessageSchemas
from trunkline_server.jsonshape.openapi_values import Role

SHAPES = contract(
    enum("Mood", GOOD={}, BAD={"json": "awful", "aliases": ["bad"]}),
    message(
        "Thing",
        field("string id", required=True),
        field("string kind", constant="k"),
        field("optional string note", aliases=["remark"]),
        field("optional Mood mood", emit_null=True),
        field("repeated Part content", required=True, one_or_many=True),
        field("repeated Part parts"),
        field("map<string, int64> counts"),
        field("optional Choice choice"),
        field("optional int64 cost", json_key="price", decimal={"scale": 6}),
        oneof("either", field("string left"), field("string right")),
        field("Flat flat", flatten=True),
        field("optional Many many"),
        field("optional Plain plain"),
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
        extra(),
        unknown="kept",
    ),
    message("Link", field("string url", required=True), field("optional string received", keeps_tag=True)),
    message("Empty", field("optional bool e")),
    message("Open", field("optional string a")),
    message("Flat", field("optional bool f", required=True)),
    message("Choice", oneof("choice", field("string mode"), field("Plain plain"), untagged=True), unknown=""),
    message("Many", field("repeated string items", shorthand=True), unknown=""),
    message("Plain", field("optional string p")),
    message("Failure"),
)  # fmt: skip
ROOTS = [kind.DESCRIPTOR for kind in SHAPES.values()]
CODEC = Codec.compile(ROOTS, refused=frozenset({"api_key"}))
DOCUMENT = document(SHAPES, Do=rpc("Thing", "Thing", post="/v1/things", body="*"))
LEAST = {"id": "1", "content": "hi"}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"kind": "k", "note": None, "mood": "bad", "other": {"deep": [None]}},
        {"remark": "x", "price": "0.5", "counts": {"a": 1, "b": None}, "f": True, "many": ["x"]},
        {"content": [{"type": "text", "text": "hi"}, "hi", {"type": "nothing"}, {"type": "nothing", "nothing": {"e": True}}]},
        {"content": [{"type": "href", "link": {"url": "u"}, "index": 1}, {"type": "open", "a": "x", "more": 1}]},
        {"content": [{"type": "new", "anything": 1}]},
        {"choice": "auto", "left": "l", "right": None},
        {"choice": {"p": "x"}, "parts": [], "many": []},
    ],
)  # fmt: skip
def test_what_a_caller_may_send(more: dict[str, Any]) -> None:
    """The schema takes what the decoder takes."""
    CODEC.decode(SHAPES["Thing"], LEAST | more)
    assert faults(DOCUMENT, "Thing", LEAST | more) == []


@pytest.mark.parametrize(
    "more",
    [
        {"id": ""},
        {"id": None},
        {"content": []},
        {"content": {"type": "text", "text": "hi"}},
        {"kind": "other"},
        {"mood": "gloomy"},
        {"counts": {"a": "1"}},
        {"left": "l", "right": "r"},
        {"price": "cheap"},
        {"api_key": "k"},
        {"content": [{"type": "text"}]},
        {"content": [{"type": "link"}]},
        {"content": [{"type": "link", "link": {"url": "u", "received": "x"}}]},
        {"content": [{"type": "text", "text": "hi", "link": {"url": "u"}}]},
        {"content": [{"type": "new", "api_key": 1}]},
        {"content": [{"anything": 1}]},
        {"content": [None]},
        {"choice": 1},
        {"choice": {"q": "x"}},
        {"plain": {"q": "x"}},
        {"many": {"items": []}},
    ],
)
def test_what_a_caller_may_not_send(more: dict[str, Any]) -> None:
    """The schema refuses what the decoder refuses."""
    with pytest.raises(ShapeFaults):
        CODEC.decode(SHAPES["Thing"], LEAST | more)
    assert faults(DOCUMENT, "Thing", LEAST | more) != []


def test_what_an_answer_must_have() -> None:
    """What is always written is required, what may be null is nullable, and nothing else is."""
    schema = DOCUMENT["components"]["schemas"]["ThingAnswer"]
    assert schema["required"] == ["id", "kind", "mood", "content"]
    assert schema["properties"]["mood"]["type"] == ["string", "null"]
    assert schema["properties"]["note"] == {"type": "string"}
    assert "remark" not in schema["properties"]
    assert schema["additionalProperties"] is True
    assert "propertyNames" not in schema


def test_a_tag_that_is_kept_may_be_any_of_its_variants() -> None:
    """An answer has the first tag of a variant, or any where a field keeps the one received."""
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["PartAnswerLink"]["properties"]["type"] == {"type": "string", "enum": ["link", "href"]}
    assert schemas["PartAnswerText"]["properties"]["type"] == {"type": "string", "const": "text"}


def test_names_tell_callers_and_answers_apart_where_they_differ() -> None:
    """A message that looks the same on both sides has one schema; one that differs inside has two."""
    names = set(DOCUMENT["components"]["schemas"])
    assert {"Thing", "ThingAnswer", "Part", "PartAnswer", "PartLink", "PartAnswerLink", "Many"} <= names
    assert {"OpenKey", "Failure"} <= names
    assert "FailureAnswer" not in names


def test_unknown_variants_of_an_upstream_stand_in_answers_alone() -> None:
    """A tag that only a provider may make up is refused from callers."""
    shapes = contract(
        message(
            "Part",
            oneof(
                "kind",
                field("Failure known", tags=["known"]),
                field("string unknown", unknown_tags=2, raw_json=[2]),
                discriminator="type",
            ),
        ),
        message("Failure"),
    )
    made = document(shapes, Do=rpc("Part", "Part", post="/v1/parts", body="*"))
    assert faults(made, "Part", {"type": "new"}) != []
    assert faults(made, "PartAnswer", {"type": "new", "x": 1}) == []


def test_two_messages_of_one_name_are_refused() -> None:
    """Two schemas of one name would hide each other."""
    shapes = contract(
        message("Part", oneof("kind", field("Other text", tags=["text"]), discriminator="type")),
        message("PartText", field("optional Part part")),
        message("Other"),
    )
    plans = compile_messages([shapes["PartText"].DESCRIPTOR])
    with pytest.raises(ValueError, match="PartText"):
        MessageSchemas(plans, {}, frozenset(), {Role.REQUEST: ["shapes.PartText"]}).all()


THINGS = strategies.messages(CODEC.plans["shapes.Thing"], CODEC.plans, refused=frozenset({"api_key"}))


@hypothesis.given(data=st.data())
@hypothesis.settings(max_examples=50)
def test_what_is_written_is_of_its_schema(data: st.DataObject) -> None:
    """Every message, written as an answer, is what the document says of answers; written as a request, what it says of callers."""
    thing: Message = data.draw(THINGS)
    assert faults(DOCUMENT, "ThingAnswer", orjson.loads(CODEC.dump(thing))) == []
    assert faults(DOCUMENT, "Thing", orjson.loads(CODEC.dump(thing, answer=False))) == []
