# SPDX-License-Identifier: Apache-2.0
"""Options read from descriptors."""

from support.shapes import contract, enum, extra, field, message, oneof
from trunkline_server.jsonshape.options import (
    FieldRule,
    Limits,
    Unknown,
    enum_strings,
    field_rule,
    message_rule,
    oneof_rule,
)

SHAPES = contract(
    enum("HTTPStatusKind", OK={}, NOT_FOUND={"json": "missing", "aliases": ["not-found", "404"]}),
    message("Plain", field("int64 n"), field("optional HTTPStatusKind kind"), unknown=""),
    message(
        "Rich",
        field(
            "repeated string names",
            required=True,
            aliases=["a", "b"],
            one_or_many=True,
            limits={"max_items": 3, "max_length": 5},
        ),
        field("string raw", raw_json=[2, 3]),
        field("string any", raw_json=[1]),
        field(
            "int64 money",
            json_key="price",
            decimal={"scale": 12, "as_string": True},
            limits={"min": 0, "min_exclusive": True},
        ),
        oneof(
            "choice",
            field("string x", tags=["x1", "x2"]),
            field("string y", unknown_tags=2),
            discriminator="type",
            nested=True,
        ),
        oneof("free", field("bool p"), field("bool q")),
        extra(),
        unknown="kept",
    ),
)


def rule(message_name: str, field_name: str) -> FieldRule:
    """The rule of one field of the contract above."""
    return field_rule(SHAPES[message_name].DESCRIPTOR.fields_by_name[field_name])


def test_message_rules() -> None:
    """A message keeps or refuses unknown keys, or does not say."""
    assert [message_rule(SHAPES[name].DESCRIPTOR) for name in ("Plain", "Rich")] == [Unknown.UNSTATED, Unknown.KEPT]


def test_a_field_without_options_has_the_empty_rule() -> None:
    """Nothing is required, limited or renamed; the file's rule on 64-bit integers holds."""
    plain = rule("Plain", "n")
    assert (plain.required, plain.aliases, plain.raw_kinds, plain.decimal_scale, plain.limits) == (
        False,
        (),
        None,
        None,
        Limits(),
    )
    assert plain.int64_as_number


def test_the_options_of_a_field() -> None:
    """Lists become tuples, kinds become names, unset bounds None."""
    names = rule("Rich", "names")
    assert (names.required, names.one_or_many, names.aliases) == (True, True, ("a", "b"))
    assert names.limits == Limits(max_items=3, max_length=5)
    assert rule("Rich", "raw").raw_kinds == {"object", "array"}
    assert rule("Rich", "any").raw_kinds == {"object", "array", "string", "number", "boolean"}
    money = rule("Rich", "money")
    assert (money.json_key, money.decimal_scale, money.decimal_as_string) == ("price", 12, True)
    assert money.limits == Limits(min=0.0, min_exclusive=True)
    assert (rule("Rich", "x").tags, rule("Rich", "y").unknown_tags) == (("x1", "x2"), Unknown.KEPT_FROM_UPSTREAM)
    assert rule("Rich", "extra").catch_all


def test_oneof_rules() -> None:
    """A oneof without options is no union."""
    choice, free = SHAPES["Rich"].DESCRIPTOR.oneofs[:2]
    assert oneof_rule(choice).discriminator == "type"
    assert (oneof_rule(choice).nested, oneof_rule(choice).is_union) == (True, True)
    assert not oneof_rule(free).is_union


def test_enum_strings_default_to_the_name_without_prefix() -> None:
    """The prefix is the enum's name in capitals, as buf derives it; zero has no string."""
    kind = SHAPES["Plain"].DESCRIPTOR.fields_by_name["kind"].enum_type
    assert kind is not None
    assert enum_strings(kind) == {1: ("ok",), 2: ("missing", "not-found", "404")}
