# SPDX-License-Identifier: Apache-2.0
"""Second half of the compiler: messages, unions and layouts, for everything that can be reached from a few root messages.

All faults of a contract are found together, at start, and raised as one CompileError: a contract that the codec accepts has exactly one reading.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from trunkline_server.jsonshape.members import held_message, is_map, join_kinds, read_member, value_accepts, value_field
from trunkline_server.jsonshape.options import Unknown, field_rule, message_rule, oneof_rule
from trunkline_server.jsonshape.plan import Kind, Layout, Member, MessagePlan, Shape, Slot, Union, Variant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from google.protobuf.descriptor import Descriptor, FieldDescriptor

_CATCH_ALL_NAME: Final = "extra"
_CATCH_ALL_NUMBER: Final = 1000
_TYPE_STRING: Final = 9


class CompileError(Exception):
    """The options of a contract contradict each other. `faults` lists every contradiction, each with the element's full name."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """What one message says by itself, before others are known."""

    descriptor: Descriptor
    members: tuple[Member, ...]
    union: Union | None
    catch_all: str
    unknown: Unknown

    @property
    def shorthand(self) -> Member | None:
        variants = [variant.member for variant in self.union.variants] if self.union else []
        return next((member for member in (*self.members, *variants) if member.rule.shorthand), None)

    @property
    def bare(self) -> bool:
        """A message whose one field is a repeated shorthand is that array, and never an object."""
        only = self.members[0] if len(self.members) == 1 and not self.union and not self.catch_all else None
        return only is not None and only.rule.shorthand and only.shape is Shape.REPEATED


def compile_messages(roots: Iterable[Descriptor]) -> dict[str, MessagePlan]:
    """Plan the root messages and all that they hold, by full name. Raises CompileError."""
    return _Compiler().run(roots)


class _Compiler:
    def __init__(self) -> None:
        self._faults: list[str] = []
        self._drafts: dict[str, _Draft] = {}

    def run(self, roots: Iterable[Descriptor]) -> dict[str, MessagePlan]:
        waiting = list(roots)
        while waiting:
            descriptor = waiting.pop()
            if descriptor.full_name not in self._drafts:
                draft = self._drafts[descriptor.full_name] = self._draft(descriptor)
                waiting += _held_messages(draft)
        self._check_shorthands()
        plans = {name: self._plan(draft) for name, draft in sorted(self._drafts.items())}
        if self._faults:
            raise CompileError(list(dict.fromkeys(self._faults)))
        return plans

    def _fault(self, name: str, text: str) -> None:
        self._faults.append(f"{name}: {text}")

    # -- one message by itself

    def _draft(self, descriptor: Descriptor) -> _Draft:
        members: dict[str, Member] = {}
        catch_all = ""
        for field in descriptor.fields:
            rule = field_rule(field)
            if rule.catch_all:
                catch_all = self._catch_all(field)
            elif not rule.not_in_json and (member := read_member(field, self._faults)):
                members[field.name] = member
        union = self._union(descriptor, members)
        own = tuple(
            member
            for member in members.values()
            if not (union and member.oneof == union.name) and not _in_union(member, union)
        )
        unknown = message_rule(descriptor)
        draft = _Draft(descriptor=descriptor, members=own, union=union, catch_all=catch_all, unknown=unknown)
        self._check_draft(draft)
        return draft

    def _catch_all(self, field: FieldDescriptor) -> str:
        strings = is_map(field) and all(part.type == _TYPE_STRING for part in held_message(field).fields)
        if not strings or field.name != _CATCH_ALL_NAME or field.number != _CATCH_ALL_NUMBER:
            self._fault(field.full_name, f"a catch-all is map<string, string> {_CATCH_ALL_NAME} = {_CATCH_ALL_NUMBER}")
        return field.name

    def _check_draft(self, draft: _Draft) -> None:
        name = draft.descriptor.full_name
        tagged = draft.union is not None and bool(draft.union.discriminator)
        has_keys = bool(draft.members) or draft.union is None
        if draft.unknown is Unknown.UNSTATED and has_keys and not draft.bare:
            self._fault(name, "appears as JSON, so it must say whether unknown keys are kept or refused")
        if draft.unknown is Unknown.KEPT and has_keys and not draft.catch_all:
            self._fault(name, "keeps unknown keys but has no catch-all")
        if draft.catch_all and draft.unknown is not Unknown.KEPT:
            self._fault(name, "has a catch-all but does not keep unknown keys")
        if draft.union and not tagged and (draft.members or draft.catch_all):
            self._fault(name, "an untagged union is its variant: it has no room for other fields")
        variants = [variant.member for variant in draft.union.variants] if draft.union else []
        if sum(member.rule.shorthand for member in (*draft.members, *variants)) > 1:
            self._fault(name, "has more than one shorthand")
        if sum(member.rule.keeps_tag for member in draft.members) > 1:
            self._fault(name, "keeps the tag in more than one field")

    # -- unions

    def _union(self, descriptor: Descriptor, members: dict[str, Member]) -> Union | None:
        found: list[Union] = []
        for oneof in descriptor.oneofs:
            rule = oneof_rule(oneof)
            if not rule.is_union:
                continue
            if rule.untagged and rule.discriminator:
                self._fault(oneof.full_name, "is either untagged or has a discriminator")
            variants = [
                self._variant(members[field.name], nested=rule.nested)
                for field in oneof.fields
                if field.name in members
            ]
            unknown = [variant for variant in variants if variant.unknown_tags is not Unknown.UNSTATED]
            known = tuple(variant for variant in variants if variant.unknown_tags is Unknown.UNSTATED)
            if len(unknown) > 1:
                self._fault(oneof.full_name, "more than one variant takes unknown tags")
            union = Union(
                name=oneof.name, discriminator=rule.discriminator, variants=known, unknown=next(iter(unknown), None)
            )
            self._check_tags(oneof.full_name, union)
            found.append(union)
        if len(found) > 1:
            self._fault(descriptor.full_name, "has more than one union")
        for member in members.values():
            if not any(_in_union(member, union) for union in found) and (
                member.rule.tags
                or member.rule.unknown_tags is not Unknown.UNSTATED
                or member.rule.under
                or member.rule.inline
            ):
                self._fault(
                    member.descriptor.full_name, "tags, unknown_tags, under and inline are for variants of a union"
                )
        return found[0] if found else None

    def _variant(self, member: Member, *, nested: bool) -> Variant:
        rule, inline = member.rule, not nested or member.rule.inline
        if rule.unknown_tags is not Unknown.UNSTATED:
            if rule.raw_kinds != frozenset({"object"}):
                self._fault(member.descriptor.full_name, "takes unknown tags, so it must be raw JSON text of an object")
            inline = False
        kept = ""
        if member.value.kind is Kind.MESSAGE:
            fields = held_message(member.descriptor).fields
            kept = next((field.name for field in fields if field_rule(field).keeps_tag), "")
        return Variant(member=member, tags=rule.tags, unknown_tags=rule.unknown_tags, inline=inline, keeps_tag=kept)

    def _check_tags(self, name: str, union: Union) -> None:
        tags = [tag for variant in union.variants for tag in variant.tags]
        if len(tags) != len(set(tags)):
            self._fault(name, "two variants have one tag")
        for variant in union.variants:
            field = variant.member.descriptor.full_name
            if bool(variant.tags) != bool(union.discriminator):
                self._fault(field, "variants of a tagged union have tags, and only they")
            if variant.inline and union.discriminator and variant.member.value.kind is not Kind.MESSAGE:
                self._fault(field, "is inline, so it must be a message")
        if union.unknown and not union.discriminator:
            self._fault(name, "an untagged union has no unknown tags")

    # -- messages together

    def _check_shorthands(self) -> None:
        for draft in self._drafts.values():
            for member in (
                *draft.members,
                *(variant.member for variant in (draft.union.variants if draft.union else ())),
            ):
                if member.rule.shorthand and "object" in self._member_accepts(member, frozenset()):
                    self._fault(member.descriptor.full_name, "a shorthand cannot be an object")
                others = [other for other in draft.members if other is not member]
                if member.rule.shorthand and any(other.rule.required and not other.rule.constant for other in others):
                    self._fault(member.descriptor.full_name, "a shorthand leaves other required fields out")
                if member.rule.one_or_many and member.value.kind is Kind.MESSAGE:
                    bare = self._accepts(self._drafts[member.value.message], frozenset()) - {"object"}
                    if not bare or "array" in bare:
                        self._fault(member.descriptor.full_name, "one_or_many needs items with a scalar shorthand")
                elif member.rule.one_or_many and "array" in (value_accepts(member.value) or ()):
                    self._fault(member.descriptor.full_name, "one_or_many of items that may be arrays is ambiguous")

    def _accepts(self, draft: _Draft, seen: frozenset[str]) -> frozenset[str]:
        """Name the JSON types that a message is read from."""
        name = draft.descriptor.full_name
        if name in seen:
            return frozenset()
        seen |= {name}
        if draft.union and not draft.union.discriminator:
            return frozenset().union(*(self._member_accepts(variant.member, seen) for variant in draft.union.variants))
        short = self._member_accepts(draft.shorthand, seen) if draft.shorthand else frozenset[str]()
        return short if draft.bare else short | {"object"}

    def _member_accepts(self, member: Member, seen: frozenset[str]) -> frozenset[str]:
        one = value_accepts(member.value)
        if one is None:
            one = self._accepts(self._drafts[member.value.message], seen)
        match member.shape:
            case Shape.SINGLE:
                return one
            case Shape.REPEATED:
                return one - {"object"} | {"array"} if member.rule.one_or_many else frozenset({"array"})
            case Shape.MAP:
                return frozenset({"object"})

    def _plan(self, draft: _Draft) -> MessagePlan:
        if draft.union and not draft.union.discriminator:
            self._check_ambiguous(draft, draft.union)
        return MessagePlan(
            descriptor=draft.descriptor,
            members=draft.members,
            union=draft.union,
            layouts=tuple(self._layouts(draft)),
            shorthand=draft.shorthand,
            accepts=self._accepts(draft, frozenset()),
            catch_all=draft.catch_all,
            bare=draft.bare,
            refers=tuple(sorted(self._refers(draft))),
            recursive=self._holds_itself(draft),
        )

    def _refers(self, draft: _Draft) -> set[str]:
        return {descriptor.full_name for descriptor in _held_messages(draft)}

    def _holds_itself(self, draft: _Draft) -> bool:
        seen: set[str] = set()
        waiting = self._refers(draft)
        while waiting:
            seen |= waiting
            waiting = {name for held in waiting for name in self._refers(self._drafts[held])} - seen
        return draft.descriptor.full_name in seen

    def _check_ambiguous(self, draft: _Draft, union: Union) -> None:
        seen: dict[str, str] = {}
        for variant in union.variants:
            for kind in sorted(self._member_accepts(variant.member, frozenset())):
                if other := seen.get(kind):
                    self._fault(
                        draft.descriptor.full_name,
                        f"{other} and {variant.member.name} are both read from {join_kinds(frozenset({kind}))}",
                    )
                seen[kind] = variant.member.name

    # -- layouts

    def _layouts(self, draft: _Draft) -> Iterator[Layout]:
        own = list(self._slots(draft, (), ()))
        if draft.union is None:
            if not draft.bare:
                yield self._layout(draft, None, own, [((), draft)])
        elif draft.union.discriminator:
            for variant in draft.union.variants:
                yield self._variant_layout(draft, draft.union, variant, own)

    def _variant_layout(self, draft: _Draft, union: Union, variant: Variant, own: list[Slot]) -> Layout:
        if not variant.inline:
            slots = [Slot(member=variant.member, holder=()), *own]
            return self._layout(draft, variant, slots, [((), draft)])
        inner = self._drafts.get(variant.member.value.message)
        if inner is None:  # a scalar marked inline, which is a fault already
            return self._layout(draft, variant, own, [((), draft)])
        name = variant.member.descriptor.full_name
        if inner.union is not None or inner.bare:
            self._fault(name, "an inline variant cannot be a union itself")
        for member in inner.members:
            if (
                member.key == union.discriminator
                and not member.rule.keeps_tag
                and (member.rule.constant,) != variant.tags
            ):
                self._fault(
                    name,
                    f"its field {member.name} stands under the discriminator, so it must be the constant of its one tag",
                )
        inner_slots = list(self._slots(inner, (variant.member.name,), ()))
        slots = [slot for slot in inner_slots if slot.member.key != union.discriminator]
        layout = self._layout(draft, variant, [*slots, *own], [((), draft), ((variant.member.name,), inner)])
        return replace(layout, tag_constants=tuple(slot for slot in inner_slots if slot not in slots))

    def _slots(self, draft: _Draft, holder: tuple[str, ...], above: tuple[str, ...]) -> Iterator[Slot]:
        """List the slots of a message's own members, those of flattened messages in their place."""
        for member in draft.members:
            if member.rule.keeps_tag:
                continue
            if not member.rule.flatten:
                yield Slot(member=member, holder=holder)
                continue
            inner = self._drafts[member.value.message]
            if inner.union or inner.bare or inner.descriptor.full_name in (*above, draft.descriptor.full_name):
                self._fault(member.descriptor.full_name, "cannot be flattened: it is a union, an array or holds itself")
                continue
            for slot in self._slots(inner, (*holder, member.name), (*above, draft.descriptor.full_name)):
                yield replace(slot, member=_optional(slot.member))

    def _layout(
        self, draft: _Draft, variant: Variant | None, slots: list[Slot], sources: list[tuple[tuple[str, ...], _Draft]]
    ) -> Layout:
        """Put slots together. The unknown keys go to the first source that keeps them: the message itself, then its inline variant."""
        discriminator = draft.union.discriminator if draft.union else ""
        foreign: set[str] = set()
        if draft.union and discriminator:
            foreign = {other.member.key for other in draft.union.variants if not other.inline}
        keys = [key for slot in slots for key in slot.member.keys]
        own_keys = {*keys, discriminator} if discriminator else set(keys)
        name = draft.descriptor.full_name + (f" as {variant.member.name}" if variant else "")
        for key in sorted({key for key in keys if keys.count(key) > 1} | ({discriminator} & set(keys))):
            self._fault(name, f"the key {key!r} stands for two fields")
        maps = [(*holder, source.catch_all) for holder, source in sources if source.catch_all]
        flattened = [
            (*slot.holder, _CATCH_ALL_NAME) for slot in slots if slot.holder and self._keeps(draft, slot.holder)
        ]
        return Layout(
            message=draft.descriptor.full_name,
            variant=variant,
            discriminator=discriminator,
            slots=tuple(slots),
            tag_constants=(),
            catch_all=maps[0] if maps else None,
            unused=tuple(sorted({*maps[1:], *(path for path in flattened if path not in maps)})),
            foreign=frozenset(foreign - own_keys),
        )

    def _keeps(self, draft: _Draft, holder: tuple[str, ...]) -> bool:
        descriptor = draft.descriptor
        for name in holder:
            descriptor = held_message(descriptor.fields_by_name[name])
        return bool(self._drafts[descriptor.full_name].catch_all)


def _in_union(member: Member, union: Union | None) -> bool:
    """Whether a member is a variant; a oneof of one field has no name in Member.oneof."""
    oneof = member.descriptor.containing_oneof
    return union is not None and oneof is not None and oneof.name == union.name


def _optional(member: Member) -> Member:
    """A flattened message may be absent as a whole, so none of its keys is required of a caller."""
    return replace(member, rule=replace(member.rule, required=False)) if member.rule.required else member


def _held_messages(draft: _Draft) -> Iterator[Descriptor]:
    variants = [variant.member for variant in draft.union.variants] if draft.union else []
    for member in (*draft.members, *variants):
        if member.value.kind is Kind.MESSAGE:
            yield held_message(value_field(member.descriptor))
