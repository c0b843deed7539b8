# SPDX-License-Identifier: Apache-2.0
"""What the compiler makes of descriptors: one plan per message, which the three writers turn into code.

Words used here and in the writers:

- a *value* is one JSON value of a field: the field itself, an item of a repeated field or a value of a map;
- a *member* is a field with its JSON key;
- a *union* is a oneof that decides how its message looks, a *variant* one of its fields;
- a *layout* is one JSON object: its *slots* are the keys that may stand in it, each with the place of its field. A message has one layout, or one per
  variant when it is a tagged union, since the variant's keys stand beside its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor

    from trunkline_server.jsonshape.options import FieldRule, Unknown


class Kind(Enum):
    """The Python and protobuf type behind one JSON value."""

    STRING = "string"
    BOOL = "bool"
    INT = "int"
    DOUBLE = "double"
    DECIMAL = "decimal"
    ENUM = "enum"
    RAW = "raw"
    MESSAGE = "message"


class Shape(Enum):
    """How many values a field holds."""

    SINGLE = "single"
    REPEATED = "repeated"
    MAP = "map"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumStrings:
    """An enum in JSON: every string that is read, and the one written for each number."""

    numbers: dict[str, int]
    strings: dict[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One JSON value. `low` and `high` bound INT and DECIMAL; `as_string` holds for their JSON form; `message` is a full name."""

    kind: Kind
    low: int = 0
    high: int = 0
    as_string: bool = False
    scale: int = 0
    raw_kinds: frozenset[str] = frozenset()
    enum: EnumStrings | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A field in JSON. `presence` says whether protobuf can tell unset from zero; `oneof` names a plain oneof it shares with others."""

    name: str
    key: str
    aliases: tuple[str, ...]
    rule: FieldRule
    value: Value
    shape: Shape
    presence: bool
    oneof: str
    descriptor: FieldDescriptor

    @property
    def owner(self) -> str:
        """The full name of the message that declares the field."""
        return self.descriptor.full_name.rpartition(".")[0]

    @property
    def keys(self) -> tuple[str, ...]:
        """Every JSON key read as this field."""
        return (self.key, *self.aliases)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One field of a union.

    `tags` is empty in an untagged union and for the variant that takes unknown tags. `inline` says that the keys of its message stand beside the
    discriminator. `keeps_tag` may name a field of the message that keeps the tag received.
    """

    member: Member
    tags: tuple[str, ...]
    unknown_tags: Unknown
    inline: bool
    keeps_tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Union:
    """A oneof that decides how its message looks. `discriminator` is empty when the JSON type of the value decides."""

    name: str
    discriminator: str
    variants: tuple[Variant, ...]
    unknown: Variant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One key of a JSON object. `holder` names the message fields on the way from the object's message to the field."""

    member: Member
    holder: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One JSON object. `catch_all` is the holder and name of the map for unknown keys, None when they are refused.

    `tag_constants` are constants of the variant that the discriminator writes and reads in their place. `foreign` are the keys of other variants of a nested union, which never go to the catch-all. `unused` are the catch-all maps of flattened and inline
    messages whose place another map takes: nothing may be put there.
    """

    message: str
    variant: Variant | None
    discriminator: str
    slots: tuple[Slot, ...]
    tag_constants: tuple[Slot, ...]
    catch_all: tuple[str, ...] | None
    unused: tuple[tuple[str, ...], ...]
    foreign: frozenset[str]

    @property
    def variant_name(self) -> str:
        """The name of the variant's field, empty when there is none."""
        return self.variant.member.name if self.variant else ""

    @property
    def known(self) -> frozenset[str]:
        """Every key that may stand here."""
        keys = {key for slot in self.slots for key in slot.member.keys}
        return frozenset(keys | ({self.discriminator} if self.discriminator else set()))


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePlan:
    """A message in JSON: an object with one layout, a tagged union with one per variant, or an untagged union or bare array with none.

    `members` are its own, those of unions left out. `shorthand` is the member that a bare value stands for. `accepts` are the JSON types that the
    message can be read from. `catch_all` is the name of its map for unknown keys. `bare` says that the message is nothing but an array. `refers` are
    the messages that it holds; `recursive` says that one of its own type can be among them, however deep inside.
    """

    descriptor: Descriptor
    members: tuple[Member, ...]
    union: Union | None
    layouts: tuple[Layout, ...]
    shorthand: Member | None
    accepts: frozenset[str]
    catch_all: str
    bare: bool
    refers: tuple[str, ...]
    recursive: bool

    @property
    def name(self) -> str:
        """The full name."""
        return self.descriptor.full_name

    def all_members(self) -> list[Member]:
        """Every member that code for this message touches: its own, variants, and those of inline and flattened messages; each field once."""
        slots = [slot.member for layout in self.layouts for slot in (*layout.slots, *layout.tag_constants)]
        variants = [variant.member for variant in self.union.variants] if self.union else []
        unique: dict[str, Member] = {}
        for member in (*slots, *self.members, *variants):
            unique.setdefault(member.descriptor.full_name, member)
        return list(unique.values())
