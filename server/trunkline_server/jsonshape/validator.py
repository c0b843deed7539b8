# SPDX-License-Identifier: Apache-2.0
"""Writes the functions that hold a message from gRPC to what the decoder demands of JSON.

`validate(m, path, faults)` checks required fields, limits, finite numbers, known enum numbers, constants, unions and the catch-all, and brings the
message into the form the decoder would have made: raw JSON text is parsed and written again, a catch-all key that names a typed field moves into it,
a constant and an enum's zero are cleared. After a fault the message is worthless.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from trunkline_server.jsonshape import checks
from trunkline_server.jsonshape.members import join_kinds
from trunkline_server.jsonshape.options import Unknown
from trunkline_server.jsonshape.plan import Kind, Shape
from trunkline_server.jsonshape.source import Source, attribute, function_name, mangled, set_literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from trunkline_server.jsonshape.plan import Layout, Member, MessagePlan, Slot, Union, Variant

_WIDE = 8
"""From so many fields on a message is asked once which of them are set, instead of once for each: most requests set few."""


def write_validator(plan: MessagePlan, plans: Mapping[str, MessagePlan]) -> str:
    """Write the validator of one message as Python source."""
    return _ValidatorWriter(plan, plans).write()


class _ValidatorWriter:
    def __init__(self, plan: MessagePlan, plans: Mapping[str, MessagePlan]) -> None:
        self.plan = plan
        self.plans = plans
        self.source = Source()
        self.line = self.source.line
        self.block = self.source.block
        # The variable with the fields that are set, where a message was asked for all of them; and the fields looked up there.
        self._given = ""
        self._keyed: dict[str, Member] = {}

    def write(self) -> str:
        plan = self.plan
        for member in plan.all_members():
            self._constants(member)
        for layout in plan.layouts:
            self.line(f"{function_name('FIELDS', plan.name, layout.variant_name)} = {_key_places(layout)!r}")
            with self._function(layout.variant_name):
                self._layout(layout)
        if plan.union:
            with self._function():
                self._deep()
                self._union(plan.union)
        elif plan.bare:
            with self._function():
                self._field(plan.members[0], ("m", plan.members[0].name), "path")
        for name, member in self._keyed.items():
            self.line(f"{name} = field_of({member.owner!r}, {member.name!r})")
        return self.source.text()

    def _function(self, variant: str = "") -> AbstractContextManager[None]:
        return self.block(f"def {function_name('validate', self.plan.name, variant)}(m, path, faults):")

    def _local(self, member: Member) -> str:
        return mangled(member.owner)

    def _key(self, member: Member) -> str:
        """The name of the field's descriptor, which is then bound."""
        name = f"FIELD__{self._local(member)}__{member.name}"
        self._keyed[name] = member
        return name

    def _constants(self, member: Member) -> None:
        checks.bind_patterns(self.source, self._local(member), member)
        if member.value.enum is not None:
            self.line(f"ENUM__{self._local(member)}__{member.name} = frozenset({sorted(member.value.enum.strings)!r})")
        if member.value.kind is Kind.RAW:
            self.line(f"KINDS__{self._local(member)}__{member.name} = {set_literal(member.value.raw_kinds)}")

    def _fault(self, path: str, expected: str, value: str = "") -> None:
        """Record a fault; without a `value` it does not say what came."""
        if value:
            self.line(f"add_fault(faults, {path}, {expected!r}, {value})")
        else:
            self.line(f"add_silent_fault(faults, {path}, {expected!r})")

    def _deep(self) -> None:
        """A message that can hold itself could be nested beyond what JSON may be."""
        if self.plan.recursive:
            with self.block("if path_depth(path) >= MAX_DEPTH:"):
                self._fault("path", "nested less deep")
                self.line("return")

    # -- unions

    def _union(self, union: Union) -> None:
        self.line(f"chosen = m.WhichOneof({union.name!r})")
        word = "if"
        for variant in union.variants:
            with self.block(f"{word} chosen == {variant.member.name!r}:"):
                if union.discriminator:
                    self.line(f"{function_name('validate', self.plan.name, variant.member.name)}(m, path, faults)")
                else:
                    self._value(variant.member, ("m", variant.member.name), "path")
            word = "elif"
        if union.unknown is not None:
            with self.block(f"{word} chosen == {union.unknown.member.name!r}:"):
                self._unknown_variant(union, union.unknown)
        with self.block("else:"):
            if union.discriminator:
                self.line(f"add_missing(faults, path, {union.discriminator!r})")
            else:
                self._fault("path", join_kinds(self.plan.accepts))

    def _unknown_variant(self, union: Union, variant: Variant) -> None:
        tags = [tag for known in union.variants for tag in known.tags]
        if variant.unknown_tags is not Unknown.KEPT:
            self._fault("path", "one of " + ", ".join(f'"{tag}"' for tag in tags))
            return
        name = variant.member.name
        self.line(
            f"m.{name} = clean_unknown(m, m.{name}, {union.discriminator!r}, {set_literal(tags)}, REFUSED, path, faults)"
        )

    def _kept_tag(self, variant: Variant) -> None:
        if not variant.keeps_tag:
            return
        target = f"m.{variant.member.name}"
        with self.block(f"if {target}.HasField({variant.keeps_tag!r}):"):
            with self.block(f"if {target}.{variant.keeps_tag} not in {set_literal(variant.tags)}:"):
                expected = "one of " + ", ".join(f'"{tag}"' for tag in variant.tags)
                self._fault(
                    f"(path, {self.plan.layouts[0].discriminator!r})", expected, f"{target}.{variant.keeps_tag}"
                )
            with self.block(f"elif {target}.{variant.keeps_tag} == {variant.tags[0]!r}:"):
                self.line(f"{target}.ClearField({variant.keeps_tag!r})")

    # -- one JSON object

    def _layout(self, layout: Layout) -> None:
        if layout.variant is None:
            self._deep()
        for holder in layout.unused:
            with self.block(f"if {attribute(holder)}:"):
                self._fault("path", f"free of {'.'.join(holder)}: unknown keys have another place here")
        if layout.catch_all:
            name = function_name("FIELDS", self.plan.name, layout.variant_name)
            decode = function_name("decode", self.plan.name, layout.variant_name)
            known = function_name("KNOWN", self.plan.name, layout.variant_name)
            with self.block(f"if {attribute(layout.catch_all)}:"):
                self.line(
                    f"clean_catch_all(m, {attribute(layout.catch_all)}, {known}, {name}, {decode}, REFUSED, path, faults)"
                )
        if layout.variant is not None:
            self._kept_tag(layout.variant)
        chosen = layout.variant.member if layout.variant else None
        if chosen and not (layout.variant and layout.variant.inline):
            self._value(chosen, ("m", chosen.name), f"(path, {chosen.key!r})")
        slots = [slot for slot in layout.slots if slot.member is not chosen and self._looked_at(slot.member)]
        slots += layout.tag_constants
        for place, holder in enumerate(dict.fromkeys(slot.holder for slot in slots)):
            name = f"m{place + 1}" if holder else "m"
            if holder:
                self.line(f"{name} = {attribute(holder)}")
            self._fields([slot for slot in slots if slot.holder == holder], name)

    def _fields(self, slots: Sequence[Slot], name: str) -> None:
        """Write the checks of the fields of one message, which is in the variable `name`."""
        self._given = f"given_{name}" if len(slots) >= _WIDE else ""
        self.line(f"{self._given} = dict({name}.ListFields())" if self._given else f"has_{name} = {name}.HasField")
        for slot in slots:
            self._field(slot.member, (name, slot.member.name), f"(path, {slot.member.key!r})")
        self._given = ""

    # -- one field

    def _field(self, member: Member, place: tuple[str, str], path: str) -> None:
        if member.shape is not Shape.SINGLE:
            self._container(member, place, path)
            return
        holder, name = place
        if not self._looked_at(member):
            return
        needed = self._needed(member)
        if member.presence:
            given = f"if {self._key(member)} in {self._given}:" if self._given else f"if has_{holder}({name!r}):"
        else:
            always = member.rule.required and not needed and not member.rule.constant
            given = "" if always else f"if {holder}.{name}:"
        with self.block(given) if given else nullcontext():
            self._value(member, place, path)
        if needed:
            with self.block("else:"):
                self.line(f"add_missing(faults, path, {member.key!r})")

    def _needed(self, member: Member) -> bool:
        """Whether it is a fault that the field is not set. Without presence only text can be told from nothing, as far as it is not empty."""
        textual = member.shape is Shape.SINGLE and member.value.kind in (Kind.STRING, Kind.RAW, Kind.ENUM)
        tells = member.presence or textual or member.shape is not Shape.SINGLE
        return member.rule.required and tells and not member.rule.constant

    def _looked_at(self, member: Member) -> bool:
        """Whether a field is of any interest to the validator."""
        if self._needed(member) or self._checked(member):
            return True
        limits = member.rule.limits
        keyed = member.shape is Shape.MAP and bool(checks.key_test("", member, "k"))
        return member.shape is not Shape.SINGLE and (keyed or bool(checks.items_test(limits, "items")))

    def _checked(self, member: Member) -> bool:
        """Whether there is anything to check in a value that protobuf has not checked already."""
        value, limits = member.value, member.rule.limits
        if value.kind is Kind.STRING:
            return bool(member.rule.constant or checks.bounds_test("", member, "v"))
        if value.kind in (Kind.INT, Kind.DECIMAL):
            return checks.integer_range(value, limits) != (value.low, value.high)
        return value.kind is not Kind.BOOL

    def _value(self, member: Member, place: tuple[str, str], path: str) -> None:
        """Write the check of a single field that is set."""
        if not self._checked(member):
            return
        target, holder, name = ".".join(place), *place
        if member.value.kind is Kind.MESSAGE:
            self.line(f"{function_name('validate', member.value.message)}({target}, {path}, faults)")
            return
        self.line(f"v = {target}")
        if member.rule.constant:
            with self.block(f"if v == {member.rule.constant!r}:"):
                self.line(f"{holder}.ClearField({name!r})")
            with self.block("else:"):
                self._fault(path, checks.expected_value(member), "v")
        elif member.value.kind is Kind.RAW:
            self.line(f"y = clean_raw(v, KINDS__{self._local(member)}__{member.name}, {path}, faults)")
            with self.block("if y is None:"):
                self.line(f"{holder}.ClearField({name!r})")
            with self.block("elif y != v:"):
                self.line(f"{target} = y")
        elif member.value.kind is Kind.ENUM:
            with self.block("if v == 0:"):
                self.line(f"{holder}.ClearField({name!r})")
                if member.rule.required:
                    self.line(f"add_missing(faults, path, {member.key!r})")
            with self.block(f"elif v not in ENUM__{self._local(member)}__{member.name}:"):
                self._fault(path, checks.expected_value(member), "v")
        else:
            self._bounds(member, path, "v")

    def _bounds(self, member: Member, path: str, name: str) -> None:
        with self.block(f"if not ({checks.bounds_test(self._local(member), member, name)}):"):
            shown = f"units_number({name}, {member.value.scale})" if member.value.kind is Kind.DECIMAL else name
            self._fault(path, checks.expected_value(member), shown)

    def _container(self, member: Member, place: tuple[str, str], path: str) -> None:
        size = checks.items_test(member.rule.limits, "items")
        keyed = member.shape is Shape.MAP and checks.key_test("", member, "k")
        if not self._looked_at(member):
            return
        if self._given:
            given = f"if {self._key(member)} in {self._given}:"
        else:
            self.line(f"items = {'.'.join(place)}")
            given = "if items:"
        with self.block(given):
            if self._given:
                self.line(f"items = {self._given}[{self._key(member)}]")
            if size:
                with self.block(f"if not ({size}):"):
                    self._fault(
                        path,
                        checks.expected_items(member),
                        "list(items)" if member.shape is Shape.REPEATED else "dict(items)",
                    )
            if keyed or self._checked(member):
                self._each(member, path)
        if member.rule.required:
            with self.block("else:"):
                self.line(f"add_missing(faults, path, {member.key!r})")

    def _each(self, member: Member, path: str) -> None:
        """Write the check of each item or pair. Keys are sorted, since a map changes while it is cleaned and has no order of its own."""
        if path != "path":
            self.line(f"p = {path}")
        inner = "p" if path != "path" else "path"
        repeated = member.shape is Shape.REPEATED
        with self.block("for k, v in enumerate(items):" if repeated else "for k in sorted(items):"):
            if not repeated:
                self._pair_key(member, f"({inner}, k)")
            if not self._checked(member):
                return
            if not repeated:
                self.line("v = items[k]")
            self._item(member, f"({inner}, k)", repeated=repeated)

    def _pair_key(self, member: Member, path: str) -> None:
        if test := checks.key_test(self._local(member), member, "k"):
            with self.block(f"if not ({test}):"):
                self._fault(path, checks.expected_key(member), "k")

    def _item(self, member: Member, path: str, *, repeated: bool) -> None:
        match member.value.kind:
            case Kind.MESSAGE:
                self.line(f"{function_name('validate', member.value.message)}(v, {path}, faults)")
            case Kind.ENUM:
                with self.block(f"if v not in ENUM__{self._local(member)}__{member.name}:"):
                    self._fault(path, checks.expected_value(member), "v")
            case Kind.RAW:
                self.line(f"y = clean_raw(v, KINDS__{self._local(member)}__{member.name}, {path}, faults)")
                with self.block("if y is None:"):
                    if repeated:
                        self._fault(path, checks.expected_value(member))
                    else:
                        self.line("del items[k]")
                with self.block("elif y != v:"):
                    self.line("items[k] = y")
            case _:
                self._bounds(member, path, "v")


def _key_places(layout: Layout) -> dict[str, tuple[str, ...]]:
    """Map each key of an object to the field it is read into."""
    return {key: (*slot.holder, slot.member.name) for slot in layout.slots for key in slot.member.keys}
