# SPDX-License-Identifier: Apache-2.0
"""JSON Schemas of whole messages, from the plans that the codec is compiled from.

A message gives one schema and, where it is a tagged union, one more for each variant. What callers may send and what answers hold are two schemas where
they differ; the second then has a name of its own (`...Answer`).
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from trunkline_server.jsonshape.openapi_values import (
    Role,
    Schema,
    container_schema,
    nullable,
    one_of_several,
    value_schema,
)
from trunkline_server.jsonshape.options import Unknown
from trunkline_server.jsonshape.plan import Kind, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from trunkline_server.jsonshape.plan import Layout, Member, MessagePlan, Union

PREFIX: Final = "#/components/schemas/"
OPEN_KEY: Final = "OpenKey"
"""The schema of keys that the contract does not know, where they are kept."""


class MessageSchemas:
    """The schemas of all messages that requests and answers hold, by their names in the document."""

    def __init__(
        self,
        plans: Mapping[str, MessagePlan],
        comments: Mapping[str, str],
        refused: AbstractSet[str],
        roots: Mapping[Role, Iterable[str]],
    ) -> None:
        self._plans = plans
        self._comments = comments
        self._refused = refused
        self._reached = {role: self._closure(names) for role, names in roots.items()}
        self._differing = self._find_differing()

    def refer(self, message: str, role: Role) -> Schema:
        """The reference to a message of a full name."""
        return {"$ref": PREFIX + self._name(message, role)}

    def all(self) -> dict[str, Schema]:
        """Every schema by its name, in the order of names. Raises ValueError where two messages would have one name."""
        found: dict[str, Schema] = {}
        if self._refused:
            found[OPEN_KEY] = {
                "description": "A key that the contract does not know: kept, and sent on where the provider speaks the same language.",
                "type": "string",
                "not": {"enum": sorted(self._refused)},
            }
        owners: dict[str, tuple[str, str]] = {}
        for role, messages in self._reached.items():
            for message in sorted(messages):
                for suffix, schema in self._write(message, role).items():
                    name = self._name(message, role) + suffix
                    if owners.setdefault(name, (message, suffix)) != (message, suffix):
                        raise ValueError(f"{owners[name][0]} and {message} would both give a schema called {name}")
                    found[name] = schema
        return dict(sorted(found.items()))

    def without(self, message: str, keys: Iterable[str]) -> Schema:
        """The schema of a caller's object without some of its keys, which stand elsewhere in the request."""
        whole = self._write(message, Role.REQUEST)[""]
        left = {key: schema for key, schema in whole["properties"].items() if key not in keys}
        return {**whole, "properties": left, "required": [key for key in whole.get("required", ()) if key in left]}

    def _name(self, message: str, role: Role) -> str:
        own = role is Role.ANSWER and message in self._differing
        return message.rpartition(".")[2] + ("Answer" if own else "")

    def _write(self, message: str, role: Role) -> dict[str, Schema]:
        writer = MessageWriter(
            self._plans,
            self._comments,
            role,
            refer=lambda other, suffix="": {"$ref": PREFIX + self._name(other, role) + suffix},
            refuses=bool(self._refused),
        )
        return writer.write(message)

    def _closure(self, names: Iterable[str]) -> set[str]:
        found: set[str] = set()
        waiting = set(names)
        while waiting:
            found |= waiting
            waiting = {held for name in waiting for held in self._plans[name].refers} - found
        return found

    def _find_differing(self) -> set[str]:
        """The messages that stand in both and look different, by themselves or by what they hold."""
        shared = set.intersection(*self._reached.values()) if len(self._reached) > 1 else set[str]()
        differing: set[str] = set()
        for message in shared:
            forms = [
                MessageWriter(
                    self._plans,
                    {},
                    role,
                    refer=lambda other, suffix="": {"$ref": other + suffix},
                    refuses=bool(self._refused),
                ).write(message)
                for role in Role
            ]
            if forms[0] != forms[1]:
                differing.add(message)
        while more := {name for name in shared - differing if differing.intersection(self._plans[name].refers)}:
            differing |= more
        return differing


class MessageWriter:
    """Writes the schemas of one message after another, for one role. `refer(message, suffix)` makes the reference to another one, or to its variant."""

    def __init__(
        self,
        plans: Mapping[str, MessagePlan],
        comments: Mapping[str, str],
        role: Role,
        *,
        refer: Callable[..., Schema],
        refuses: bool,
    ) -> None:
        self._plans = plans
        self._comments = comments
        self._role = role
        self._request = role is Role.REQUEST
        self._refer = refer
        self._refuses = refuses

    def write(self, message: str) -> dict[str, Schema]:
        """The schemas of a message by suffix of its name: "" for itself, the variants' names for those of a tagged union."""
        plan = self._plans[message]
        if plan.bare:
            own: dict[str, Schema] = {"": self.field(plan.members[0])}
        elif plan.union and plan.union.discriminator:
            own = self._tagged(plan, plan.union)
        elif plan.union:
            own = {"": one_of_several(self.field(variant.member) for variant in plan.union.variants)}
        else:
            own = {"": self._with_shorthand(plan, self._object(plan.layouts[0]))}
        own[""] = self._described(own[""], message)
        return own

    def field(self, member: Member) -> Schema:
        """The schema of a field that is there, null left out."""
        item = value_schema(member, self._role, self._refer)
        if member.shape is Shape.SINGLE:
            return item
        return container_schema(member, item, self._bare_items(member), self._role)

    # -- whole messages

    def _with_shorthand(self, plan: MessagePlan, whole: Schema) -> Schema:
        """What a caller may write instead of the object. An answer never has it, except where `one_or_many` says so."""
        if plan.shorthand is None or not self._request:
            return whole
        return one_of_several([self.field(plan.shorthand), *(whole["anyOf"] if set(whole) == {"anyOf"} else [whole])])

    def _tagged(self, plan: MessagePlan, union: Union) -> dict[str, Schema]:
        variants: dict[str, Schema] = {}
        mapping: dict[str, str] = {}
        for layout in plan.layouts:
            assert layout.variant is not None  # noqa: S101 - the layouts of a tagged union have one each
            suffix = "".join(word.capitalize() for word in layout.variant_name.split("_"))
            variants[suffix] = self._described(self._object(layout), layout.variant.member.descriptor.full_name)
            mapping.update((tag, self._refer(plan.name, suffix)["$ref"]) for tag in layout.variant.tags)
        known: Schema = {
            "oneOf": [self._refer(plan.name, suffix) for suffix in variants],
            "discriminator": {"propertyName": union.discriminator, "mapping": mapping},
        }
        other = self._unknown_variant(union)
        whole = one_of_several([known, other]) if other else known
        return {"": self._with_shorthand(plan, whole), **variants}

    def _unknown_variant(self, union: Union) -> Schema | None:
        """Objects with a tag that the contract does not know. What a provider said may even lack the tag."""
        unknown = union.unknown
        if unknown is None or (self._request and unknown.unknown_tags is not Unknown.KEPT):
            return None
        tags = [tag for variant in union.variants for tag in variant.tags]
        comment = self._comments.get(unknown.member.descriptor.full_name)
        other: Schema = {"description": comment} if comment else {}
        other |= {"type": "object", "properties": {union.discriminator: {"not": {"enum": tags}}}}
        if self._request:
            other["properties"][union.discriminator]["type"] = "string"
            other["required"] = [union.discriminator]
            if self._refuses:
                other["propertyNames"] = {"$ref": PREFIX + OPEN_KEY}
        return other

    # -- one JSON object

    def _object(self, layout: Layout) -> Schema:
        properties: dict[str, Schema] = {}
        required: list[str] = []
        rules: list[Schema] = []
        variant = layout.variant
        if variant is not None:
            tags = list(variant.tags if self._request or variant.keeps_tag else variant.tags[:1])
            properties[layout.discriminator] = {
                "type": "string",
                **({"enum": tags} if len(tags) > 1 else {"const": tags[0]}),
            }
            required.append(layout.discriminator)
        for slot in layout.slots:
            member = slot.member
            chosen = variant is not None and member is variant.member
            must = self._variant_required(member) if chosen else self._always(member)
            if must and self._request and member.aliases:
                rules.append({"anyOf": [{"required": [key]} for key in member.keys]})
            elif must:
                required.append(member.key)
            properties.update(self._properties(member, must=must))
        if self._request:
            rules += _alone_rules(
                [slot.member for slot in layout.slots if not (variant and slot.member is variant.member)]
            )
        made: Schema = {"type": "object", "properties": properties}
        if required:
            made["required"] = required
        if rules:
            made["allOf"] = rules
        return made | self._unknown_keys(layout)

    def _unknown_keys(self, layout: Layout) -> Schema:
        if layout.catch_all is None:
            return {"additionalProperties": False}
        names: list[Schema] = []
        if self._request and self._refuses:
            names.append({"$ref": PREFIX + OPEN_KEY})
        if self._request and layout.foreign:
            names.append({"not": {"enum": sorted(layout.foreign)}})
        narrowed = {"propertyNames": names[0] if len(names) == 1 else {"allOf": names}} if names else {}
        return {"additionalProperties": True, **narrowed}

    def _properties(self, member: Member, *, must: bool) -> Iterator[tuple[str, Schema]]:
        schema = self.field(member)
        null = not must if self._request else member.rule.emit_null
        schema = self._described(nullable(schema) if null else schema, member.descriptor.full_name)
        yield member.key, schema
        if self._request:
            for alias in member.aliases:
                yield alias, {**schema, "description": f"Another name of `{member.key}`."}

    def _always(self, member: Member) -> bool:
        """Whether a caller must send the key, or every answer has it."""
        rule = member.rule
        if self._request:
            return rule.required
        if rule.constant or rule.emit_null:
            return True
        if not rule.required or (member.value.kind is Kind.ENUM and member.shape is Shape.SINGLE):
            return False
        message = member.value.kind is Kind.MESSAGE and member.shape is Shape.SINGLE
        return not (message and self._plans[member.value.message].union)

    def _variant_required(self, member: Member) -> bool:
        """Whether a nested variant's key must be there: a message that may be empty needs none."""
        if member.value.kind is not Kind.MESSAGE or member.shape is not Shape.SINGLE:
            return True
        plan = self._plans[member.value.message]
        return bool(plan.union) or plan.bare or any(self._always(inner) for inner in plan.members)

    def _bare_items(self, member: Member) -> list[Schema]:
        """The forms in which one item stands without its array. Answers have the shorthand of a message alone."""
        if not member.rule.one_or_many:
            return []
        if member.value.kind is not Kind.MESSAGE:
            return [value_schema(member, self._role, self._refer)] if self._request else []
        return list(self._scalars(member.value.message))

    def _scalars(self, message: str) -> Iterator[Schema]:
        plan = self._plans[message]
        untagged = (
            [variant.member for variant in plan.union.variants] if plan.union and not plan.union.discriminator else []
        )
        for member in (*untagged, *([plan.shorthand] if plan.shorthand else [])):
            if member.shape is not Shape.SINGLE:
                continue
            if member.value.kind is Kind.MESSAGE:
                yield from self._scalars(member.value.message)
            else:
                yield value_schema(member, self._role, self._refer)

    def _described(self, schema: Schema, name: str) -> Schema:
        comment = self._comments.get(name)
        return {"description": comment, **schema} if comment else schema


def _alone_rules(members: list[Member]) -> list[Schema]:
    """At most one field of a plain oneof may be set: no two of them together, nulls aside."""
    groups: dict[str, list[str]] = {}
    for member in members:
        if member.oneof:
            groups.setdefault(member.oneof, []).append(member.key)
    return [
        {"not": {"required": list(pair), "properties": {key: {"not": {"type": "null"}} for key in pair}}}
        for keys in groups.values()
        for pair in itertools.combinations(keys, 2)
    ]
