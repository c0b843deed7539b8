# SPDX-License-Identifier: Apache-2.0
"""First half of the compiler: one field at a time, descriptor and options to a member, with the faults that a field can have by itself."""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING, Final

from google.protobuf.descriptor import FieldDescriptor

from trunkline_server.jsonshape.options import RAW_KINDS, FieldRule, Limits, enum_strings, field_rule
from trunkline_server.jsonshape.plan import EnumStrings, Kind, Member, Shape, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import Descriptor, EnumDescriptor

_RANGES: Final = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SINT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SFIXED32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_FIXED32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SINT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SFIXED64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.TYPE_FIXED64: (0, 2**64 - 1),
}
_PLAIN_KINDS: Final = {
    FieldDescriptor.TYPE_STRING: Kind.STRING,
    FieldDescriptor.TYPE_BOOL: Kind.BOOL,
    FieldDescriptor.TYPE_DOUBLE: Kind.DOUBLE,
}
_NUMBERS: Final = {Kind.INT, Kind.DOUBLE, Kind.DECIMAL}


def is_map(field: FieldDescriptor) -> bool:
    """Whether a field is a protobuf map."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def value_field(field: FieldDescriptor) -> FieldDescriptor:
    """The field that holds one value: that of the pairs for a map, else the field itself."""
    return held_message(field).fields_by_name["value"] if is_map(field) else field


def held_message(field: FieldDescriptor) -> Descriptor:
    """The message type of a field that has one."""
    if field.message_type is None:
        raise TypeError(f"{field.full_name} holds no message")
    return field.message_type


def read_member(field: FieldDescriptor, faults: list[str]) -> Member | None:
    """Make the member of a field that stands in JSON. None, with a fault added, when its type cannot."""
    rule = field_rule(field)
    shape = Shape.MAP if is_map(field) else Shape.REPEATED if field.is_repeated else Shape.SINGLE
    value = _read_value(value_field(field), rule, faults)
    if value is None:
        faults.append(f"{field.full_name}: a field of this type has no JSON form here; mark it not_in_json")
        return None
    oneof = field.containing_oneof
    member = Member(
        name=field.name,
        key=rule.json_key or rule.under or field.name,
        aliases=rule.aliases,
        rule=rule,
        value=value,
        shape=shape,
        presence=field.has_presence,
        oneof=oneof.name if oneof is not None and len(oneof.fields) > 1 else "",
        descriptor=field,
    )
    faults += [f"{field.full_name}: {fault}" for fault in (*_rule_faults(member), *_limit_faults(member, rule.limits))]
    return member


def _read_value(field: FieldDescriptor, rule: FieldRule, faults: list[str]) -> Value | None:
    if rule.raw_kinds is not None:
        return Value(kind=Kind.RAW, raw_kinds=rule.raw_kinds)
    if field.type in _RANGES:
        low, high = _RANGES[field.type]
        if rule.decimal_scale is not None:
            return Value(
                kind=Kind.DECIMAL, low=low, high=high, scale=rule.decimal_scale, as_string=rule.decimal_as_string
            )
        wide = high > 2**32
        return Value(kind=Kind.INT, low=low, high=high, as_string=wide and not rule.int64_as_number)
    if field.enum_type is not None:
        return Value(kind=Kind.ENUM, enum=_read_enum(field.enum_type, faults))
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return Value(kind=Kind.MESSAGE, message=held_message(field).full_name)
    kind = _PLAIN_KINDS.get(field.type)
    return None if kind is None else Value(kind=kind)


def _read_enum(descriptor: EnumDescriptor, faults: list[str]) -> EnumStrings:
    numbers: dict[str, int] = {}
    written: dict[int, str] = {}
    for number, strings in enum_strings(descriptor).items():
        written.setdefault(number, strings[0])
        clashes = [string for string in strings if numbers.setdefault(string, number) != number]
        faults += [f"{descriptor.full_name}: two values are read from {string!r}" for string in clashes]
    return EnumStrings(numbers=numbers, strings=written)


def _rule_faults(member: Member) -> Iterator[str]:
    """Say which options contradict the field's type or each other."""
    rule, kind, single = member.rule, member.value.kind, member.shape is Shape.SINGLE
    text = member.descriptor.type == FieldDescriptor.TYPE_STRING
    if keyword.iskeyword(member.name):
        yield "is a Python keyword: choose another name"
    if rule.emit_null and single and not member.presence:
        yield "emit_null needs presence: make the field optional"
    if (
        member.shape is Shape.MAP
        and held_message(member.descriptor).fields_by_name["key"].type != FieldDescriptor.TYPE_STRING
    ):
        yield "the keys of a map are strings in JSON: use map<string, ...>"
    if rule.one_or_many and member.shape is not Shape.REPEATED:
        yield "one_or_many is for repeated fields"
    if rule.raw_kinds is not None and value_field(member.descriptor).type != FieldDescriptor.TYPE_STRING:
        yield "raw_json is for strings and maps to strings"
    if rule.constant and not (text and single and kind is Kind.STRING):
        yield "constant is for single strings"
    if rule.keeps_tag and not (text and single and member.presence):
        yield "keeps_tag is for optional strings"
    if rule.decimal_scale is not None and kind is not Kind.DECIMAL:
        yield "decimal is for integers"
    if rule.decimal_scale is not None and not 0 <= rule.decimal_scale <= len("1000000000000000000"):
        yield "the scale of a decimal is 0 to 19"
    if rule.flatten and not (kind is Kind.MESSAGE and single and not member.oneof):
        yield "flatten is for single messages outside a oneof"
    if member.oneof and rule.required:
        yield "a field of a oneof cannot be required"
    if rule.flatten and (rule.required or rule.emit_null or rule.aliases or rule.shorthand):
        yield "a flattened field has no key of its own to say more about"


def _limit_faults(member: Member, limits: Limits) -> Iterator[str]:
    """Say which limits mean nothing for the field's type."""
    kind = member.value.kind
    if (limits.min is not None or limits.max is not None) and kind not in _NUMBERS:
        yield "min and max are for numbers"
    if limits.min_exclusive and limits.min is None:
        yield "min_exclusive needs min"
    if (limits.min_length is not None or limits.max_length is not None or limits.pattern) and kind is not Kind.STRING:
        yield "min_length, max_length and pattern are for strings"
    if (limits.min_items is not None or limits.max_items is not None) and member.shape is Shape.SINGLE:
        yield "min_items and max_items are for repeated fields and maps"
    if (limits.max_key_length is not None or limits.key_pattern) and member.shape is not Shape.MAP:
        yield "max_key_length and key_pattern are for maps"
    for pattern in (limits.pattern, limits.key_pattern):
        try:
            re.compile(pattern)
        except re.error as error:
            yield f"pattern {pattern!r}: {error}"


def value_accepts(value: Value) -> frozenset[str] | None:
    """Name the JSON types that one value is read from, in the words of RAW_KINDS. None for a message, which is asked itself."""
    match value.kind:
        case Kind.STRING | Kind.ENUM:
            return frozenset({"string"})
        case Kind.BOOL:
            return frozenset({"boolean"})
        case Kind.INT if not value.as_string:
            return frozenset({"number"})
        case Kind.DOUBLE:
            return frozenset({"number"})
        case Kind.INT | Kind.DECIMAL:
            return frozenset({"number", "string"})
        case Kind.RAW:
            return value.raw_kinds
        case _:
            return None


def join_kinds(kinds: frozenset[str]) -> str:
    """Write JSON types for a reader: "a string or an object"."""
    words = [f"an {kind}" if kind[0] in "ao" else f"a {kind}" for kind in ("string", *RAW_KINDS) if kind in kinds]
    words = list(dict.fromkeys(words))
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else "nothing"
