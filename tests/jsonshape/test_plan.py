# SPDX-License-Identifier: Apache-2.0
"""Plans and what they say about themselves."""

from support.shapes import contract, field, message, oneof
from trunkline_server.jsonshape import compile_messages

SHAPES = contract(
    message(
        "Part",
        oneof(
            "kind",
            field("string text", tags=["text"], shorthand=True),
            field("Link link", tags=["link"], under="target"),
            discriminator="type",
            nested=True,
        ),
        field("optional string id", aliases=["ident"]),
    ),
    message("Link", field("string url"), field("optional Part label")),
    message("Parts", field("repeated Part items", shorthand=True), unknown=""),
)
PLANS = compile_messages([kind.DESCRIPTOR for kind in SHAPES.values()])


def test_a_tagged_union_has_one_layout_for_each_variant() -> None:
    """Each layout knows its own keys, and the foreign ones of other variants."""
    layouts = {layout.variant_name: layout for layout in PLANS["shapes.Part"].layouts}
    assert layouts["text"].known == {"type", "text", "id", "ident"}
    assert layouts["text"].foreign == {"target"}
    assert layouts["link"].known == {"type", "target", "id", "ident"}
    assert layouts["link"].foreign == {"text"}


def test_a_plan_knows_what_it_can_be_read_from_and_what_it_holds() -> None:
    """Shorthands widen what is accepted; a message that is nothing but an array is no object."""
    assert PLANS["shapes.Part"].accepts == {"string", "object"}
    assert PLANS["shapes.Parts"].accepts == {"array"}
    assert PLANS["shapes.Parts"].bare
    assert PLANS["shapes.Part"].refers == ("shapes.Link",)
    assert PLANS["shapes.Link"].recursive
    assert not PLANS["shapes.Parts"].recursive


def test_all_members_are_listed_once() -> None:
    """A member that stands in several layouts is one member."""
    assert [member.name for member in PLANS["shapes.Part"].all_members()] == ["text", "id", "link"]
