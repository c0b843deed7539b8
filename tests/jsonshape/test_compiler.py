# SPDX-License-Identifier: Apache-2.0
"""Contracts that the compiler accepts, and those that it refuses."""

import pytest

from support.shapes import EnumType, MessageType, contract, extra, field, message, oneof
from trunkline_server.jsonshape import CompileError, compile_messages


def compile_faults(*types: MessageType | EnumType) -> list[str]:
    """The faults of a contract whose root is its first message."""
    shapes = contract(*types)
    with pytest.raises(CompileError) as caught:
        compile_messages([next(iter(shapes.values())).DESCRIPTOR])
    return caught.value.faults


A = message("A", field("optional string a"))
TAGGED = {"discriminator": "type", "nested": True}


@pytest.mark.parametrize(
    ("types", "fault"),
    [
        ([message("M", field("A a")), message("A", field("string x"), unknown="")], "shapes.A: appears as JSON"),
        ([message("M", field("string x"), unknown="kept")], "keeps unknown keys but has no catch-all"),
        ([message("M", extra())], "has a catch-all but does not keep unknown keys"),
        ([message("M", field("map<string, string> more", number=1000, catch_all=True), unknown="kept")], "a catch-all is map<string, string> extra = 1000"),
        ([message("M", field("map<string, string> extra", catch_all=True), unknown="kept")], "a catch-all is map<string, string> extra = 1000"),
        ([message("M", field("map<string, int32> extra", number=1000, catch_all=True), unknown="kept")], "a catch-all is map"),
        ([message("M", field("string a"), field("string b", aliases=["a"]))], "the key 'a' stands for two fields"),
        ([message("M", field("string a"), field("string b", json_key="a"))], "the key 'a' stands for two fields"),
        ([message("M", field("string type"), oneof("o", field("string t", tags=["t"]), **TAGGED))], "the key 'type' stands for two fields"),
        ([message("M", oneof("o", field("string a"), field("string b"), untagged=True))], "a and b are both read from a string"),
        ([message("M", oneof("o", field("double a"), field("int32 b"), untagged=True))], "both read from a number"),
        ([message("M", oneof("o", field("A a"), field("B b"), untagged=True)), A, message("B")], "both read from an object"),
        ([message("M", oneof("o", field("string a"), untagged=True), field("string z"))], "it has no room for other fields"),
        ([message("M", oneof("o", field("string a"), untagged=True, discriminator="t"))], "is either untagged or has a discriminator"),
        ([message("M", oneof("o", field("string a"), **TAGGED))], "variants of a tagged union have tags"),
        ([message("M", oneof("o", field("string a", tags=["x"]), untagged=True))], "variants of a tagged union have tags"),
        ([message("M", oneof("o", field("string a", tags=["x"]), field("string b", tags=["x"]), **TAGGED))], "two variants have one tag"),
        ([message("M", oneof("o", field("string a", tags=["x"]), discriminator="type"))], "is inline, so it must be a message"),
        ([message("M", field("string a", tags=["x"]))], "are for variants of a union"),
        ([message("M", field("string a", inline=True))], "are for variants of a union"),
        ([message("M", oneof("o", field("string a", tags=["x"]), field("string u", unknown_tags=1), **TAGGED))], "must be raw JSON text of an object"),
        ([message("M", oneof("o", field("string u", unknown_tags=1, raw_json=[2]), field("string v", unknown_tags=1, raw_json=[2]), **TAGGED))], "more than one variant takes unknown tags"),
        ([message("M", oneof("o", field("string s"), field("string u", unknown_tags=1, raw_json=[2]), untagged=True))], "an untagged union has no unknown tags"),
        ([message("M", oneof("o", field("string a"), untagged=True), oneof("p", field("bool b"), untagged=True))], "has more than one union"),
        ([message("M", oneof("o", field("A a", tags=["a"]), discriminator="type")), message("A", field("string type"))], "must be the constant of its one tag"),
        ([message("M", oneof("o", field("A a", tags=["a"]), discriminator="type")), message("A", oneof("p", field("string s"), untagged=True))], "an inline variant cannot be a union itself"),
        ([message("M", field("string a", shorthand=True), field("string b", shorthand=True))], "more than one shorthand"),
        ([message("M", field("string a", shorthand=True), field("string b", required=True))], "a shorthand leaves other required fields out"),
        ([message("M", field("A a", shorthand=True)), A], "a shorthand cannot be an object"),
        ([message("M", field("repeated A a", one_or_many=True)), A], "one_or_many needs items with a scalar shorthand"),
        ([message("M", field("repeated string a", one_or_many=True, raw_json=[3]))], "one_or_many of items that may be arrays"),
        ([message("M", field("A a", flatten=True)), message("A", oneof("o", field("string s"), untagged=True))], "cannot be flattened"),
        ([message("M", field("M a", flatten=True))], "cannot be flattened"),
        ([message("M", field("A a", flatten=True), field("string a2", json_key="a")), A], "the key 'a' stands for two fields"),
        ([message("M", field("optional string k", keeps_tag=True), field("optional string l", keeps_tag=True))], "keeps the tag in more than one field"),
        ([message("M", field("string s", emit_null=True))], "emit_null needs presence"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_contradiction_is_a_fault(types: list[MessageType], fault: str) -> None:
    """What has no reading, or more than one, is refused when the contract is compiled."""
    assert any(fault in one for one in compile_faults(*types))


def test_all_faults_come_together() -> None:
    """One run lists what is wrong in every message that can be reached, each fault once."""
    faults = compile_faults(
        message("M", field("string s", emit_null=True), field("A a"), field("repeated A b")),
        message("A", field("float f"), unknown=""),
    )
    assert [fault.split(":")[0] for fault in faults] == ["shapes.M.s", "shapes.A.f", "shapes.A"]


def test_a_message_that_cannot_be_reached_is_not_planned() -> None:
    """Only what the roots hold appears as JSON."""
    shapes = contract(message("M", field("M inner")), message("Other", field("float f"), unknown=""))
    assert list(compile_messages([shapes["M"].DESCRIPTOR])) == ["shapes.M"]


def test_unknown_keys_of_an_inline_union_go_to_the_enclosing_message_first() -> None:
    """Where the enclosing message keeps none, the variant's own catch-all takes them."""
    shapes = contract(
        message("Outer", oneof("o", field("V v", tags=["v"]), discriminator="type"), extra(), unknown="kept"),
        message("Bare", oneof("o", field("V v", tags=["v"]), discriminator="type"), unknown="kept"),
        message("V", field("string a"), extra(), unknown="kept"),
    )
    plans = compile_messages([kind.DESCRIPTOR for kind in shapes.values()])
    outer, bare = plans["shapes.Outer"].layouts[0], plans["shapes.Bare"].layouts[0]
    assert (outer.catch_all, outer.unused) == (("extra",), (("v", "extra"),))
    assert (bare.catch_all, bare.unused) == (("v", "extra"), ())


def test_a_field_outside_json_may_have_any_type() -> None:
    """not_in_json leaves a field to gRPC alone."""
    shapes = contract(message("M", field("bytes b", not_in_json=True), field("optional string s")))
    plan = compile_messages([shapes["M"].DESCRIPTOR])["shapes.M"]
    assert [member.name for member in plan.members] == ["s"]
