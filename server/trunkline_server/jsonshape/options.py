# SPDX-License-Identifier: Apache-2.0
"""The shape options of a descriptor, read once into plain values.

The vocabulary is proto/trunkline/jsonshape/v1/options.proto; nothing else in the codec touches the extensions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from trunkline.jsonshape.v1 import options_pb2

if TYPE_CHECKING:
    from google.protobuf.descriptor import (
        Descriptor,
        EnumDescriptor,
        EnumValueDescriptor,
        FieldDescriptor,
        OneofDescriptor,
    )

_WORD_START: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Unknown(Enum):
    """What happens to undeclared keys, or to undeclared tags of a union."""

    UNSTATED = 0
    KEPT = 1
    REFUSED = 2
    KEPT_FROM_UPSTREAM = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of a field; None and "" mean that there is none. Lengths are Unicode code points."""

    min: float | None = None
    max: float | None = None
    min_exclusive: bool = False
    min_length: int | None = None
    max_length: int | None = None
    min_items: int | None = None
    max_items: int | None = None
    max_key_length: int | None = None
    pattern: str = ""
    key_pattern: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRule:
    """Shape of one field. `decimal_scale` is None for a field that is no decimal; `raw_kinds` is None for one that is not raw JSON text."""

    required: bool
    emit_null: bool
    aliases: tuple[str, ...]
    shorthand: bool
    one_or_many: bool
    raw_kinds: frozenset[str] | None
    int64_as_number: bool
    decimal_scale: int | None
    decimal_as_string: bool
    json_key: str
    constant: str
    catch_all: bool
    flatten: bool
    redact: bool
    limits: Limits
    tags: tuple[str, ...]
    unknown_tags: Unknown
    keeps_tag: bool
    not_in_json: bool
    under: str
    inline: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OneofRule:
    """Shape of one oneof. One that is neither untagged nor has a discriminator is no union: its fields are ordinary, at most one of them set."""

    untagged: bool
    discriminator: str
    nested: bool

    @property
    def is_union(self) -> bool:
        """Whether the oneof decides how its message looks."""
        return self.untagged or bool(self.discriminator)


RAW_KINDS = ("object", "array", "string", "number", "boolean")
"""Names of the JSON types that raw JSON text can be held to, in the order of JsonKind from JSON_KIND_OBJECT on."""


def message_rule(descriptor: Descriptor) -> Unknown:
    """Say what a message does with undeclared keys."""
    shape = descriptor.GetOptions().Extensions[options_pb2.message]
    return (Unknown.UNSTATED, Unknown.KEPT, Unknown.REFUSED)[shape.unknown_keys]


def field_rule(descriptor: FieldDescriptor) -> FieldRule:
    """Read the shape of a field, with the rules of its file that bear on it."""
    shape = descriptor.GetOptions().Extensions[options_pb2.field]
    return FieldRule(
        required=shape.required,
        emit_null=shape.emit_null,
        aliases=tuple(shape.aliases),
        shorthand=shape.shorthand,
        one_or_many=shape.one_or_many,
        raw_kinds=_raw_kinds(list(shape.raw_json)),
        int64_as_number=shape.int64_as_number or _file_shape(descriptor).int64_as_number,
        decimal_scale=shape.decimal.scale if shape.HasField("decimal") else None,
        decimal_as_string=shape.decimal.as_string,
        json_key=shape.json_key,
        constant=shape.constant,
        catch_all=shape.catch_all,
        flatten=shape.flatten,
        redact=shape.redact,
        limits=_limits(shape.limits),
        tags=tuple(shape.tags),
        unknown_tags=(Unknown.UNSTATED, Unknown.KEPT, Unknown.KEPT_FROM_UPSTREAM)[shape.unknown_tags],
        keeps_tag=shape.keeps_tag,
        not_in_json=shape.not_in_json,
        under=shape.under,
        inline=shape.inline,
    )


def oneof_rule(descriptor: OneofDescriptor) -> OneofRule:
    """Read the shape of a oneof."""
    shape = descriptor.GetOptions().Extensions[options_pb2.oneof]
    return OneofRule(untagged=shape.untagged, discriminator=shape.discriminator, nested=shape.nested)


def enum_strings(descriptor: EnumDescriptor) -> dict[int, tuple[str, ...]]:
    """Map the numbers of an enum, zero left out, to their JSON strings: first the one that is written, then those that are also read."""
    prefix = _screaming_snake(descriptor.name) + "_"
    return {value.number: _value_strings(value, prefix) for value in descriptor.values if value.number != 0}


def _value_strings(value: EnumValueDescriptor, prefix: str) -> tuple[str, ...]:
    shape = value.GetOptions().Extensions[options_pb2.value]
    return (shape.json or value.name.removeprefix(prefix).lower(), *shape.aliases)


def _file_shape(descriptor: FieldDescriptor) -> options_pb2.FileShape:
    message = descriptor.containing_type
    return message.file.GetOptions().Extensions[options_pb2.file] if message is not None else options_pb2.FileShape()


def _raw_kinds(kinds: list[int]) -> frozenset[str] | None:
    """Name the JSON types allowed; JSON_KIND_UNSPECIFIED (0) and JSON_KIND_ANY (1) allow all."""
    if not kinds:
        return None
    if any(kind < 2 for kind in kinds):
        return frozenset(RAW_KINDS)
    return frozenset(RAW_KINDS[kind - 2] for kind in kinds)


def _limits(shape: options_pb2.Limits) -> Limits:
    """Read the bounds that are set; the others keep what the dataclass says."""
    return Limits(**{field.name: value for field, value in shape.ListFields()})


def _screaming_snake(name: str) -> str:
    """FinishReason -> FINISH_REASON, as buf's ENUM_VALUE_PREFIX rule derives it (HTTPCode -> HTTP_CODE)."""
    return _WORD_START.sub("_", name).upper()
