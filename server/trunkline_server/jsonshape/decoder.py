# SPDX-License-Identifier: Apache-2.0
"""Writes the functions that read parsed JSON into messages.

Two of them per message. The strict one serves callers: `decode(value, m, path, faults)` records every fault and goes on, so that several are found at
once; after a fault the message is worthless. The loose one serves upstreams: `decode(value, m)` takes what it can use and passes over the rest. Both
return whether `value` was such a message at all; where the loose one says no, it has set nothing that matters and its caller takes the place back.

In the generated code `value` is the JSON value and `m` the message to fill; `get` reads a key of `value` into `v`; `k` and `x` are a key and an item
inside `v`, `s` is a message field, `y` a converted value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trunkline_server.jsonshape import checks
from trunkline_server.jsonshape.fields import FieldWriter
from trunkline_server.jsonshape.members import join_kinds
from trunkline_server.jsonshape.options import Unknown
from trunkline_server.jsonshape.plan import Kind, Shape
from trunkline_server.jsonshape.source import attribute, function_name, set_literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trunkline_server.jsonshape.plan import Layout, Member, MessagePlan, Slot, Union, Variant

_EXIT_EVERY: Final = 4
"""After so many keys the decoder asks whether all keys of the object have been seen: most objects use few of the keys they may."""


def write_decoder(plan: MessagePlan, plans: Mapping[str, MessagePlan], *, strict: bool) -> str:
    """Write the decoder of one message as Python source."""
    return _DecoderWriter(plan, plans, strict=strict).write()


class _DecoderWriter(FieldWriter):
    def write(self) -> str:
        plan = self.plan
        for member in plan.all_members():
            self._constants(member)
        for layout in plan.layouts:
            self.line(f"{self._known(layout)} = {set_literal(layout.known)}")
        if plan.bare:
            self._bare()
        elif plan.union and plan.union.discriminator:
            self._tagged(plan.union)
        elif plan.union:
            self._untagged(plan.union)
        else:
            self._object(plan.layouts[0])
        return self.source.text()

    def _head(self, variant: str = "") -> str:
        name = function_name("decode", self.plan.name, variant)
        return f"def {name}(value, m, path, faults):" if self.strict else f"def {name}(value, m):"

    def _known(self, layout: Layout) -> str:
        return function_name("KNOWN", self.plan.name, layout.variant_name)

    # -- whole messages

    def _object(self, layout: Layout) -> None:
        with self.block(self._head()):
            self._not_an_object()
            self._layout(layout)

    def _not_an_object(self) -> None:
        """Write what happens to a value that is no object: the shorthand, or a fault."""
        short = self.plan.shorthand
        with self.block("if type(value) is not dict:"):
            if short is not None:
                with self.block(f"if {checks.type_test(self.plan.accepts - {'object'}, 'value')}:"):
                    self._field(short, "path", attribute((short.name,)), fail=self._not_taken)
                    self.line("return True")
            self._refuse("path", join_kinds(self.plan.accepts), "value")

    def _bare(self) -> None:
        member = self.plan.members[0]
        with self.block(self._head()):
            with self.block("if type(value) is not list:"):
                self._refuse("path", checks.expected_items(member), "value")
            self._field(member, "path", attribute((member.name,)))
            self.line("return True")

    def _untagged(self, union: Union) -> None:
        with self.block(self._head()):
            word = "if"
            for variant in union.variants:
                member = variant.member
                with self.block(f"{word} {checks.type_test(self._accepts(member), 'value')}:"):
                    self._field(member, "path", attribute((member.name,)), fail=self._not_taken)
                    self.line("return True")
                word = "elif"
            self._refuse("path", join_kinds(self.plan.accepts), "value")

    def _tagged(self, union: Union) -> None:
        for layout in self.plan.layouts:
            assert layout.variant is not None  # noqa: S101 - the layouts of a tagged union have one each
            with self.block(self._head(layout.variant.member.name)):
                self._layout(layout)
        tags = [
            (tag, function_name("decode", self.plan.name, variant.member.name))
            for variant in union.variants
            for tag in variant.tags
        ]
        with self.block(f"{function_name('TAGS', self.plan.name)} = {{"):
            for tag, name in tags:
                self.line(f"{tag!r}: {name},")
        self.line("}")
        with self.block(self._head()):
            self._not_an_object()
            self.line(f"tag = value.get({union.discriminator!r})")
            self.line(f"variant = {function_name('TAGS', self.plan.name)}.get(tag) if type(tag) is str else None")
            with self.block("if variant is not None:"):
                self.line("return variant(value, m, path, faults)" if self.strict else "return variant(value, m)")
            self._unknown_tag(union, [tag for tag, _ in tags])

    def _unknown_tag(self, union: Union, tags: list[str]) -> None:
        here = f"(path, {union.discriminator!r})"
        expected = "one of " + ", ".join(f'"{tag}"' for tag in tags)
        keeps = union.unknown is not None and (not self.strict or union.unknown.unknown_tags is Unknown.KEPT)
        if self.strict:
            with self.block("if tag is None:"):
                self.line(f"add_missing(faults, path, {union.discriminator!r})")
                self.line("return False")
            if not keeps:
                self._refuse(here, expected, "tag")
                return
            with self.block("if type(tag) is not str:"):
                self._refuse(here, "a string", "tag")
            self.line("refuse_keys(value, REFUSED, path, faults)")
        else:
            self._untold_tag(union)
        if not keeps or union.unknown is None:
            self.line("return False")
            return
        self.line("x = raw_text(value)")
        with self.block("if x is None:"):
            self._refuse("path", "JSON that can be written again", "value")
        self.line(f"m.{union.unknown.member.name} = x")
        self.line("return True")

    def _untold_tag(self, union: Union) -> None:
        """An upstream may leave the tag out where the variant's own key tells it."""
        keys = [variant.member.key for variant in union.variants if not variant.inline]
        for variant in union.variants:
            key = variant.member.key
            if not variant.inline and keys.count(key) == 1:
                with self.block(f"if tag is None and value.get({key!r}) is not None:"):
                    self.line(f"return {function_name('decode', self.plan.name, variant.member.name)}(value, m)")

    # -- one JSON object

    def _layout(self, layout: Layout) -> None:
        variant = layout.variant
        self.line("get = value.get")
        counted = self._reads_unknown(layout)
        if counted:
            self.line(f"n = 1 if {layout.discriminator!r} in value else 0" if variant else "n = 0")
        if variant is not None:
            self._choose(layout, variant, counted=counted)
        slots = [slot for slot in layout.slots if variant is None or slot.member is not variant.member]
        holders: dict[tuple[str, ...], str] = {(): "m"}
        for place, slot in enumerate(slots):
            if slot.holder not in holders:
                holders[slot.holder] = f"m{len(holders)}"
                self.line(f"{holders[slot.holder]} = {attribute(slot.holder)}")
            if (
                counted
                and place
                and place % _EXIT_EVERY == 0
                and not any(later.member.rule.required for later in slots[place:])
            ):
                with self.block("if n == len(value):"):
                    self.line("return True")
            self._slot(slot, holders[slot.holder], counted=counted)
        self._unknown_keys(layout)
        self.line("return True")

    def _reads_unknown(self, layout: Layout) -> bool:
        """Whether undeclared keys matter: the loose decoder passes over those that nobody keeps."""
        return self.strict or layout.catch_all is not None

    def _choose(self, layout: Layout, variant: Variant, *, counted: bool) -> None:
        """Write how a tagged union takes its variant, before anything else is set."""
        member = variant.member
        if variant.inline:
            if not self._sets_something(member.value.message):
                self.line(f"{attribute((member.name,))}.SetInParent()")
        else:
            self._nested_variant(member, counted=counted)
        if variant.keeps_tag:
            with self.block(f"if (x := get({layout.discriminator!r})) is not None and x != {variant.tags[0]!r}:"):
                self.line(f"{attribute((member.name, variant.keeps_tag))} = x")

    def _nested_variant(self, member: Member, *, counted: bool) -> None:
        self._get(member)
        path = f"(path, {member.key!r})"
        empty = member.value.kind is Kind.MESSAGE
        with self.block("if v is None:"):
            if empty:
                self.line("v = {}")
            else:
                self.line(f"add_missing(faults, path, {member.key!r})" if self.strict else "return False")
        with self.block("else:"):
            if counted:
                self.line("n += 1")
            if not empty:
                self._field(member, path, f"m.{member.name}", name="v", fail=self._not_taken)
        if empty:
            self._field(member, path, f"m.{member.name}", name="v", fail=self._not_taken)

    def _get(self, member: Member) -> None:
        """Read a key, then its aliases. `v` is null for an absent key."""
        self.line(f"v = get({member.key!r})")
        for alias in member.aliases:
            with self.block("if v is None:"):
                self.line(f"v = get({alias!r})")
            if self.strict:
                with self.block(f"elif get({alias!r}, v) not in (None, v):"):
                    self._fault(f"(path, {alias!r})", f'absent beside another "{member.key}"', f"get({alias!r})")

    def _slot(self, slot: Slot, holder: str, *, counted: bool) -> None:
        member = slot.member
        path = f"(path, {member.key!r})"
        if member.rule.constant and not self.strict:
            return
        self._get(member)
        with self.block(f"if {self._given(member)}:"):
            if counted:
                self.line("n += 1")
            if self.strict and member.oneof:
                with self.block(f"if {holder}.WhichOneof({member.oneof!r}) is not None:"):
                    self._fault(path, f"alone among the fields of {member.oneof}", "v")
            self._field(member, path, f"{holder}.{member.name}", name="v")
        if member.rule.required and self.strict:
            with self.block("else:"):
                self.line(f"add_missing(faults, path, {member.key!r})")

    def _given(self, member: Member) -> str:
        """Write the test that a key came. An empty array or object counts as absent, and so does a required "" that protobuf cannot tell from it."""
        if self.strict and member.shape is not Shape.SINGLE:
            return f"v is not None and v != {'[]' if member.shape is Shape.REPEATED else '{}'}"
        if self.strict and member.rule.required and not member.presence and member.value.kind is Kind.STRING:
            return "v is not None and v != ''"
        return "v is not None"

    def _unknown_keys(self, layout: Layout) -> None:
        extra = attribute(layout.catch_all) if layout.catch_all else "None"
        if not self._reads_unknown(layout):
            return
        known, foreign = self._known(layout), set_literal(layout.foreign)
        with self.block(f"if n != len(value) and not {known}.issuperset(value):"):
            if self.strict:
                self.line(f"keep_unknown(value, {known}, {foreign}, REFUSED, {extra}, path, faults)")
            else:
                self.line(f"keep_unknown_loosely(value, {known}, {foreign}, {extra})")
