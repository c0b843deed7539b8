# SPDX-License-Identifier: Apache-2.0
"""How a message looks as a Python dict: the JSON shape that its options declare (`trunkline.jsonshape.v1`), read once per message type.

Only the part that building a request needs. The gateway checks limits and required fields; this client does not repeat that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor, OneofDescriptor

from trunkline.jsonshape.v1 import options_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldShape:
    """One field: its descriptor, its declared options, and the key that it stands under in a dict."""

    field: FieldDescriptor
    options: options_pb2.FieldShape
    key: str

    @property
    def map_value(self) -> FieldDescriptor | None:
        """The field of a map's values; None where the field is no map."""
        entry = self.field.message_type
        return entry.fields_by_name["value"] if entry is not None and entry.GetOptions().map_entry else None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnionShape:
    """A oneof whose variant a dict chooses by its type or by the tag under `discriminator`.

    `variants` are all of them, `tagged` those that a tag chooses; `unknown` takes the JSON text of an object with another tag (None: such an object
    is a fault).
    """

    untagged: bool
    nested: bool
    discriminator: str
    variants: tuple[FieldShape, ...]
    tagged: Mapping[str, FieldShape]
    unknown: FieldShape | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageShape:
    """One message.

    `members` are the fields by key, aliases included. `flattened` are message fields whose members stand in the same dict. `shorthand` is the field
    that a bare value sets, `catch_all` the map of unknown keys, `kept_tag` the field that keeps a tag which is not the first of its variant.
    """

    members: Mapping[str, FieldShape]
    union: UnionShape | None
    flattened: tuple[FieldShape, ...]
    shorthand: FieldShape | None
    catch_all: FieldShape | None
    kept_tag: FieldShape | None


@cache
def shape_of(message: Descriptor) -> MessageShape:
    """The declared shape of a message type."""
    union = next((oneof for oneof in message.oneofs if oneof.GetOptions().HasExtension(options_pb2.oneof)), None)
    in_union = set() if union is None else {field.name for field in union.fields}
    fields = [_field_shape(field) for field in message.fields]
    plain = [field for field in fields if field.field.name not in in_union and not _stands_apart(field.options)]
    return MessageShape(
        members={key: field for field in plain for key in (field.key, *field.options.aliases)},
        union=None if union is None else _union_shape(union),
        flattened=tuple(field for field in fields if field.options.flatten),
        shorthand=next((field for field in fields if field.options.shorthand), None),
        catch_all=next((field for field in fields if field.options.catch_all), None),
        kept_tag=next((field for field in fields if field.options.keeps_tag), None),
    )


def _stands_apart(options: options_pb2.FieldShape) -> bool:
    """Tell whether a field has no key of its own."""
    return options.catch_all or options.flatten or options.keeps_tag or options.not_in_json


def _field_shape(field: FieldDescriptor) -> FieldShape:
    options = field.GetOptions().Extensions[options_pb2.field]
    return FieldShape(field=field, options=options, key=options.under or options.json_key or field.name)


def _union_shape(oneof: OneofDescriptor) -> UnionShape:
    options = oneof.GetOptions().Extensions[options_pb2.oneof]
    variants = tuple(_field_shape(field) for field in oneof.fields)
    unknown = (variant for variant in variants if variant.options.unknown_tags == options_pb2.UNKNOWN_TAGS_KEPT)
    return UnionShape(
        untagged=options.untagged,
        nested=options.nested,
        discriminator=options.discriminator,
        variants=variants,
        tagged={tag: variant for variant in variants for tag in variant.options.tags},
        unknown=next(unknown, None),
    )
