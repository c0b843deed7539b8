# SPDX-License-Identifier: Apache-2.0
"""Small contracts for tests of the codec, written in a few lines and built without protoc.

    shapes = contract(message("Part", field("optional string text", shorthand=True), unknown="refused"))
    shapes["Part"]  # the message class

Keyword arguments of `field` are those of FieldShape, of `oneof` those of OneofShape; field numbers count up unless given.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from trunkline.jsonshape.v1 import options_pb2

if TYPE_CHECKING:
    from google.protobuf.message import Message

_PACKAGE = "shapes"
_DECLARATION = re.compile(r"(?:(optional|repeated) )?(?:map<(\w+), ?)?([\w.]+)>? (\w+)")
_SCALARS = ("string", "bool", "int32", "int64", "uint32", "uint64", "double", "float", "bytes")
_UNKNOWN = {
    "": options_pb2.UNKNOWN_KEYS_UNSPECIFIED,
    "kept": options_pb2.UNKNOWN_KEYS_KEPT,
    "refused": options_pb2.UNKNOWN_KEYS_REFUSED,
}


@dataclass(frozen=True, slots=True)
class Field:
    """A field as declared, such as "repeated string names"."""

    declaration: str
    number: int
    shape: options_pb2.FieldShape


@dataclass(frozen=True, slots=True)
class Oneof:
    """A oneof and its fields."""

    name: str
    fields: tuple[Field, ...]
    shape: options_pb2.OneofShape


@dataclass(frozen=True, slots=True)
class MessageType:
    """A message and what stands in it."""

    name: str
    items: tuple[Field | Oneof, ...]
    unknown: str


@dataclass(frozen=True, slots=True)
class EnumType:
    """An enum: value name without prefix -> its shape."""

    name: str
    values: dict[str, options_pb2.EnumValueShape]


def field(declaration: str, *, number: int = 0, **shape: Any) -> Field:
    """Declare a field."""
    return Field(declaration, number, options_pb2.FieldShape(**shape))


def extra() -> Field:
    """Declare the catch-all."""
    return field("map<string, string> extra", number=1000, catch_all=True)


def oneof(name: str, *fields: Field, **shape: Any) -> Oneof:
    """Declare a oneof."""
    return Oneof(name, fields, options_pb2.OneofShape(**shape))


def message(name: str, *items: Field | Oneof, unknown: str = "refused") -> MessageType:
    """Declare a message; `unknown` is "kept", "refused" or "" for not stated."""
    return MessageType(name, items, unknown)


def enum(name: str, **values: dict[str, Any]) -> EnumType:
    """Declare an enum; the zero value comes by itself."""
    return EnumType(name, {value: options_pb2.EnumValueShape(**shape) for value, shape in values.items()})


def contract(*types: MessageType | EnumType, int64_as_number: bool = True) -> dict[str, type[Message]]:
    """Build the messages, by their short names, in a descriptor pool of their own."""
    file = descriptor_pb2.FileDescriptorProto(name="shapes.proto", package=_PACKAGE, syntax="proto3")
    file.options.Extensions[options_pb2.file].int64_as_number = int64_as_number
    enums = {item.name for item in types if isinstance(item, EnumType)}
    for item in types:
        if isinstance(item, EnumType):
            _add_enum(file, item)
        else:
            _add_message(file, item, enums)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    names = [item.name for item in types if isinstance(item, MessageType)]
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in names}


def _add_enum(file: descriptor_pb2.FileDescriptorProto, item: EnumType) -> None:
    made = file.enum_type.add(name=item.name)
    prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", item.name).upper()
    made.value.add(name=f"{prefix}_UNSPECIFIED", number=0)
    for number, (name, shape) in enumerate(item.values.items(), start=1):
        value = made.value.add(name=f"{prefix}_{name}", number=number)
        value.options.Extensions[options_pb2.value].CopyFrom(shape)


def _add_message(file: descriptor_pb2.FileDescriptorProto, item: MessageType, enums: set[str]) -> None:
    made = file.message_type.add(name=item.name)
    made.options.Extensions[options_pb2.message].unknown_keys = _UNKNOWN[item.unknown]
    for part in item.items:
        if isinstance(part, Oneof):
            made.oneof_decl.add(name=part.name).options.Extensions[options_pb2.oneof].CopyFrom(part.shape)
            for inner in part.fields:
                _add_field(made, inner, enums).oneof_index = len(made.oneof_decl) - 1
        else:
            _add_field(made, part, enums)
    for made_field in made.field:  # the oneofs that stand for `optional` come last
        if made_field.proto3_optional:
            made_field.oneof_index = len(made.oneof_decl)
            made.oneof_decl.add(name=f"_{made_field.name}")


def _add_field(
    made: descriptor_pb2.DescriptorProto, item: Field, enums: set[str]
) -> descriptor_pb2.FieldDescriptorProto:
    match = _DECLARATION.fullmatch(item.declaration)
    if match is None:
        raise ValueError(f"not a field declaration: {item.declaration!r}")
    label, key_type, type_name, name = match.groups()
    added = made.field.add(name=name, number=item.number or 1 + sum(f.number < 1000 for f in made.field))
    repeated = label == "repeated" or bool(key_type)
    added.label = added.LABEL_REPEATED if repeated else added.LABEL_OPTIONAL
    added.proto3_optional = label == "optional"
    if key_type:
        entry = made.nested_type.add(name="".join(word.capitalize() for word in name.split("_")) + "Entry")
        entry.options.map_entry = True
        _set_type(entry.field.add(name="key", number=1, label=added.LABEL_OPTIONAL), key_type, enums)
        _set_type(entry.field.add(name="value", number=2, label=added.LABEL_OPTIONAL), type_name, enums)
        added.type, added.type_name = added.TYPE_MESSAGE, f".{_PACKAGE}.{made.name}.{entry.name}"
    else:
        _set_type(added, type_name, enums)
    added.options.Extensions[options_pb2.field].CopyFrom(item.shape)
    return added


def _set_type(made: descriptor_pb2.FieldDescriptorProto, type_name: str, enums: set[str]) -> None:
    if type_name in _SCALARS:
        made.type = descriptor_pb2.FieldDescriptorProto.Type.Value(f"TYPE_{type_name.upper()}")
        return
    made.type = made.TYPE_ENUM if type_name in enums else made.TYPE_MESSAGE
    made.type_name = f".{_PACKAGE}.{type_name}"
