# SPDX-License-Identifier: Apache-2.0
"""Writes the functions that turn messages into objects for orjson.

Two per message. The one for answers writes what a client may rely on: required fields even when empty, nulls, constants. The one for requests writes
what an upstream needs: what is set, and constants that are required. `encode(m)` returns the JSON value, None for a union of which nothing is set.

Raw JSON text goes out as it is, as an orjson.Fragment: decoder and validator let none pass that they have not written themselves.

In the generated code `m` is the message, `d` the object, `v` a field, `x` an item, `y` its JSON; `m1`, `m2` are inline and flattened messages.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby, takewhile
from typing import TYPE_CHECKING, Final

from trunkline_server.jsonshape.plan import Kind, Shape
from trunkline_server.jsonshape.source import Source, attribute, function_name, mangled

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from trunkline_server.jsonshape.plan import Layout, Member, MessagePlan, Slot, Union, Variant

_SCALAR_NS: Final = 33
_CONTAINER_NS: Final = 80
_SPARSE_NS: Final = 700
"""What it costs to ask upb for a field, and the sum from which on listing the set ones is cheaper; measured with protobuf 7.36."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Slots of one message. `table` names the table of writers where the set fields are listed, "" where each field is asked for."""

    holder: tuple[str, ...]
    slots: list[Slot]
    table: str


def write_encoder(plan: MessagePlan, plans: Mapping[str, MessagePlan], *, answer: bool) -> str:
    """Write the encoder of one message as Python source."""
    return _EncoderWriter(plan, plans, answer=answer).write()


class _EncoderWriter:
    def __init__(self, plan: MessagePlan, plans: Mapping[str, MessagePlan], *, answer: bool) -> None:
        self.plan = plan
        self.plans = plans
        self.answer = answer
        self.source = Source()
        self.line = self.source.line
        self.block = self.source.block

    def write(self) -> str:
        plan = self.plan
        for member in plan.all_members():
            if member.value.enum is not None:
                self.line(
                    f"STRINGS__{self._local(member)}__{member.name} = {dict(sorted(member.value.enum.strings.items()))!r}"
                )
        for layout in plan.layouts:
            for group in self._groups(layout):
                if group.table:
                    self._writers(layout, group)
            with self._function("encode", layout.variant_name):
                self._layout(layout)
        if plan.union:
            self._union(plan.union)
        elif plan.bare:
            with self._function("encode"):
                self.line(f"v = m.{plan.members[0].name}")
                self.line(f"return {self._list(plan.members[0])}")
        if plan.shorthand and plan.shorthand.shape is Shape.SINGLE:
            self.line(f"{function_name('BARE', plan.name)} = field_of({plan.name!r}, {plan.shorthand.name!r})")
            with self._function("bare"):
                self._bare_scalar(plan.shorthand)
        return self.source.text()

    def _function(self, prefix: str, variant: str = "") -> AbstractContextManager[None]:
        return self.block(f"def {function_name(prefix, self.plan.name, variant)}(m):")

    def _local(self, member: Member) -> str:
        return mangled(member.owner)

    # -- unions and shorthands

    def _union(self, union: Union) -> None:
        encoders = {variant.member.name: self._variant_encoder(union, variant) for variant in union.variants}
        if union.unknown is not None:
            encoders[union.unknown.member.name] = f"lambda m: Fragment(m.{union.unknown.member.name})"
        table = function_name("VARIANTS", self.plan.name)
        with self.block(f"{table} = {{"):
            self.line("None: lambda m: None,")
            for name, encoder in encoders.items():
                self.line(f"{name!r}: {encoder},")
        self.line("}")
        with self._function("encode"):
            self.line(f"return {table}[m.WhichOneof({union.name!r})](m)")

    def _variant_encoder(self, union: Union, variant: Variant) -> str:
        if union.discriminator:
            return function_name("encode", self.plan.name, variant.member.name)
        return f"lambda m: {self._value(variant.member, f'm.{variant.member.name}')}"

    def _bare_scalar(self, member: Member) -> None:
        """Write the shorthand of a message that has nothing else in it; None for every other."""
        message = member.value.kind is Kind.MESSAGE
        if message and self.plans[member.value.message].shorthand is None:
            self.line("return None")
            return
        self.line("fields = m.ListFields()")
        with self.block(f"if len(fields) == 1 and fields[0][0] is {function_name('BARE', self.plan.name)}:"):
            value = "fields[0][1]"
            self.line(
                f"return {function_name('bare', member.value.message)}({value})"
                if message
                else f"return {self._value(member, value)}"
            )
        if not member.presence:
            with self.block("if not fields:"):
                self.line(f"return {self._zero(member)}")
        self.line("return None")

    # -- one JSON object

    def _layout(self, layout: Layout) -> None:
        head = [f"{layout.discriminator!r}: {self._tag(layout.variant)}"] if layout.variant else []
        head += [f"{slot.member.key!r}: {self._certain(slot)}" for slot in self._certain_slots(layout)]
        self.line(f"d = {{{', '.join(head)}}}")
        if layout.variant and not layout.variant.inline:
            self._nested_variant(layout.variant.member)
        groups = self._groups(layout)
        for place, group in enumerate(groups):
            holder = f"m{place + 1}" if group.holder else "m"
            if group.holder:
                self.line(f"{holder} = {attribute(group.holder)}")
            if group.table:
                self._by_set_fields(group.table, holder)
                continue
            self.line(f"has_{holder} = {holder}.HasField")
            for slot in group.slots:
                self._slot(slot, holder)
        if layout.catch_all and not any(group.table and layout.catch_all[:-1] == group.holder for group in groups):
            self.line(f"v = {attribute(layout.catch_all)}")
            with self.block("if v:"):
                self._unknown_keys()
        self.line("return d")

    def _certain_slots(self, layout: Layout) -> list[Slot]:
        """The slots at the beginning that are always written, by one expression each."""
        return list(takewhile(self._certain, layout.slots))

    def _groups(self, layout: Layout) -> list[_Group]:
        """The slots not yet written, by the message that they stand in, each with the way it is written."""
        chosen = layout.variant.member if layout.variant else None
        slots = [slot for slot in layout.slots[len(self._certain_slots(layout)) :] if slot.member is not chosen]
        groups = []
        for holder, members in groupby(slots, key=lambda slot: slot.holder):
            held = list(members)
            table = "__".join((function_name("WRITERS", self.plan.name, layout.variant_name), *holder))
            kept = layout.catch_all is not None and layout.catch_all[:-1] == holder
            groups.append(_Group(holder=holder, slots=held, table=table if self._is_sparse(held, kept=kept) else ""))
        holders = [group.holder for group in groups]
        return groups if len(holders) == len(set(holders)) else [replace(group, table="") for group in groups]

    def _unknown_keys(self) -> None:
        allowed = "" if self.answer else " if k not in REFUSED"
        self.line(f"d.update((k, Fragment(v[k])) for k in sorted(v){allowed})")

    def _tag(self, variant: Variant) -> str:
        first = repr(variant.tags[0])
        return f"m.{variant.member.name}.{variant.keeps_tag} or {first}" if variant.keeps_tag else first

    def _certain(self, slot: Slot) -> str:
        """Write the value of a slot that is always there and always the same expression; empty for any other."""
        member = slot.member
        if slot.holder or not member.rule.required or member.shape is not Shape.SINGLE:
            return ""
        if member.rule.constant:
            return repr(member.rule.constant)
        if member.presence or member.value.kind in (Kind.RAW, Kind.ENUM, Kind.MESSAGE):
            return ""
        return self._value(member, f"m.{member.name}")

    # -- sparse objects

    def _is_sparse(self, slots: list[Slot], *, kept: bool) -> bool:
        """Whether it is cheaper to list the fields that are set, some 150 ns and 150 more for each, than to ask for each field in turn.

        Only where nothing is written for a field that is not set, and where the order of numbers is that of declaration.
        """
        members = [slot.member for slot in slots]
        numbers = [member.descriptor.number for member in members]
        if numbers != sorted(numbers) or any(self._written_unset(member) for member in members):
            return False
        containers = sum(member.shape is not Shape.SINGLE for member in members) + kept
        return _SCALAR_NS * len(members) + _CONTAINER_NS * containers > _SPARSE_NS

    def _written_unset(self, member: Member) -> bool:
        rule = member.rule
        without_presence = member.shape is Shape.SINGLE and not member.presence
        return bool(
            rule.constant or (self.answer and (rule.required or rule.emit_null)) or (rule.required and without_presence)
        )

    def _by_set_fields(self, table: str, holder: str) -> None:
        with self.block(f"for field, v in {holder}.ListFields():"):
            self.line(f"write = {table}[field]")
            with self.block("if type(write) is str:"):
                self.line("d[write] = v")
            with self.block("else:"):
                self.line("write(v, d)")

    def _writers(self, layout: Layout, group: _Group) -> None:
        """Write what happens to each field: its JSON key where the value is written as it is, else a function; other fields are passed over."""
        entries: dict[str, str] = {}
        for slot in group.slots:
            member = slot.member
            if member.shape is Shape.SINGLE and self._value(member, "v") == "v":
                entries[member.name] = repr(member.key)
                continue
            entries[member.name] = name = f"{group.table.replace('WRITERS', 'write', 1)}__{member.name}"
            with self.block(f"def {name}(v, d):"):
                self._set_value(member)
        if layout.catch_all and layout.catch_all[:-1] == group.holder:
            entries[layout.catch_all[-1]] = name = (
                f"{group.table.replace('WRITERS', 'write', 1)}__{layout.catch_all[-1]}"
            )
            with self.block(f"def {name}(v, d):"):
                self._unknown_keys()
        with self.block(f"{group.table} = by_descriptor({group.slots[0].member.owner!r}, {{"):
            for name, how in entries.items():
                self.line(f"{name!r}: {how},")
        self.line("})")

    def _set_value(self, member: Member) -> None:
        target = f"d[{member.key!r}]"
        if member.shape is not Shape.SINGLE:
            self._filled(member, target)
        elif member.value.kind is Kind.ENUM or (
            member.value.kind is Kind.MESSAGE and self.plans[member.value.message].union
        ):
            self.line(f"y = {self._value(member, 'v')}")
            with self.block("if y is not None:"):
                self.line(f"{target} = y")
        else:
            self.line(f"{target} = {self._value(member, 'v')}")

    # -- one field

    def _slot(self, slot: Slot, holder: str) -> None:
        member, place = slot.member, f"{holder}.{slot.member.name}"
        target = f"d[{member.key!r}]"
        always = member.rule.required and self.answer
        if member.rule.constant:
            if self.answer or member.rule.required:
                self.line(f"{target} = {member.rule.constant!r}")
        elif member.shape is not Shape.SINGLE:
            self._container(member, place, target)
        elif member.value.kind is Kind.ENUM:
            self._enum(member, place, target)
        elif member.value.kind is Kind.MESSAGE:
            self._message(member, holder, place, target)
        elif member.presence and not (always and not member.rule.emit_null):
            with self.block(f"if has_{holder}({member.name!r}):"):
                self.line(f"{target} = {self._value(member, place)}")
            self._null(member, target)
        elif member.rule.required:
            self._required_scalar(member, place, target)
        else:
            self.line(f"v = {place}")
            with self.block("if v:"):
                self.line(f"{target} = {self._value(member, 'v')}")

    def _required_scalar(self, member: Member, place: str, target: str) -> None:
        if member.value.kind is not Kind.RAW:
            self.line(f"{target} = {self._value(member, place)}")
            return
        self.line(f"v = {place}")
        self.line(f"{target} = {self._value(member, 'v')} if v else {self._zero(member)}")

    def _nested_variant(self, member: Member) -> None:
        """Write the variant of a nested union under its key; a message with nothing in it needs none."""
        place, target = f"m.{member.name}", f"d[{member.key!r}]"
        if member.value.kind is not Kind.MESSAGE:
            self.line(f"{target} = {self._value(member, place)}")
            return
        self.line(f"v = {self._value(member, place)}")
        with self.block("if v:"):
            self.line(f"{target} = v")

    def _enum(self, member: Member, place: str, target: str) -> None:
        self.line(f"v = {self._value(member, place)}")
        with self.block("if v is not None:"):
            self.line(f"{target} = v")
        self._null(member, target)

    def _null(self, member: Member, target: str) -> None:
        if member.rule.emit_null and self.answer:
            with self.block("else:"):
                self.line(f"{target} = None")

    def _message(self, member: Member, holder: str, place: str, target: str) -> None:
        always = member.rule.required and self.answer and not member.rule.emit_null
        maybe_nothing = self.plans[member.value.message].union is not None
        if always:
            self._set_message(member, place, target, maybe_nothing=maybe_nothing)
            return
        with self.block(f"if has_{holder}({member.name!r}):"):
            self._set_message(member, place, target, maybe_nothing=maybe_nothing)
        self._null(member, target)

    def _set_message(self, member: Member, place: str, target: str, *, maybe_nothing: bool) -> None:
        if not maybe_nothing:
            self.line(f"{target} = {self._value(member, place)}")
            return
        self.line(f"v = {self._value(member, place)}")
        with self.block("if v is not None:"):
            self.line(f"{target} = v")

    def _container(self, member: Member, place: str, target: str) -> None:
        always = member.rule.required and self.answer and not member.rule.emit_null
        self.line(f"v = {place}")
        written = self._list(member) if member.shape is Shape.REPEATED else self._pairs(member)
        if always and not member.rule.one_or_many:
            self.line(f"{target} = {written}")
            return
        with self.block("if v:"):
            self._filled(member, target)
        if always:
            with self.block("else:"):
                self.line(f"{target} = []")
        self._null(member, target)

    def _filled(self, member: Member, target: str) -> None:
        """Write a container `v` that is not empty."""
        written = self._list(member) if member.shape is Shape.REPEATED else self._pairs(member)
        if member.rule.one_or_many and member.value.kind is Kind.MESSAGE:
            self.line(f"y = {function_name('bare', member.value.message)}(v[0]) if len(v) == 1 else None")
            self.line(f"{target} = y if y is not None else {written}")
        else:
            self.line(f"{target} = {written}")

    def _list(self, member: Member) -> str:
        """Write a list of all items. Iterating over a slice takes half the time of iterating over the field."""
        item = self._value(member, "x")
        if member.value.kind is Kind.MESSAGE and self.plans[member.value.message].union is not None:
            return f"[y for x in v[:] if (y := {item}) is not None]"
        if member.value.kind is Kind.ENUM:
            return f"[y for x in v[:] if (y := {item}) is not None]"
        if item == "x":
            return "v[:]"
        return f"[{item.replace('(x)', '(v[0])')}] if len(v) == 1 else [{item} for x in v[:]]"

    def _pairs(self, member: Member) -> str:
        return f"{{k: {self._value(member, 'v[k]')} for k in sorted(v)}}"

    # -- one value

    def _value(self, member: Member, place: str) -> str:
        value = member.value
        match value.kind:
            case Kind.MESSAGE:
                return f"{function_name('encode', value.message)}({place})"
            case Kind.ENUM:
                return f"STRINGS__{self._local(member)}__{member.name}.get({place})"
            case Kind.RAW:
                return f"Fragment({place})"
            case Kind.DECIMAL:
                return f"{'units_text' if value.as_string else 'units_number'}({place}, {value.scale})"
            case Kind.INT if value.as_string:
                return f"str({place})"
            case _:
                return place

    def _zero(self, member: Member) -> str:
        """Write the JSON of a scalar without presence that is zero."""
        value = member.value
        match value.kind:
            case Kind.RAW:
                kinds = value.raw_kinds
                return "{}" if "object" in kinds else "[]" if "array" in kinds else "''" if "string" in kinds else "0"
            case Kind.STRING:
                return "''"
            case Kind.BOOL:
                return "False"
            case Kind.INT | Kind.DECIMAL if value.as_string:
                return "'0'"
            case _:
                return "0"
