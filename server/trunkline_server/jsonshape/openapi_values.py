# SPDX-License-Identifier: Apache-2.0
"""JSON Schemas of single values: what a caller may send, and what an answer holds.

The two differ. A caller may write what the strict decoder reads: null for an optional key, aliases, a decimal as number or string, and is held to limits.
An answer has the one form that the encoder writes, and its limits are not the contract's but the provider's, so none are stated.
"""

from __future__ import annotations

import math
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from google.protobuf.descriptor import FieldDescriptor

from trunkline_server.jsonshape import checks
from trunkline_server.jsonshape.members import value_field
from trunkline_server.jsonshape.options import RAW_KINDS
from trunkline_server.jsonshape.plan import Kind, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from trunkline_server.jsonshape.plan import Member

Schema: TypeAlias = dict[str, Any]
"""A JSON Schema of draft 2020-12, the one that OpenAPI 3.1 uses."""

_INTEGER_TEXT: Final = "^-?[0-9]{1,20}$"
_UNSIGNED_DECIMAL_TEXT: Final = r"([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?$"
_PLAIN_DECIMAL_TEXT: Final = r"^-?[0-9]+(\.[0-9]+)?$"
_FORMATS: Final = {
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_SINT32: "int32",
    FieldDescriptor.TYPE_SFIXED32: "int32",
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_SINT64: "int64",
    FieldDescriptor.TYPE_SFIXED64: "int64",
}


class Role(Enum):
    """Who writes the JSON: a caller or the gateway."""

    REQUEST = "request"
    ANSWER = "answer"


def value_schema(member: Member, role: Role, refer: Callable[[str], Schema]) -> Schema:
    """The schema of one value of a member: the field itself, an item or a map's value. `refer` makes the reference to a message."""
    value, limits, request = member.value, member.rule.limits, role is Role.REQUEST
    if member.rule.constant:
        return {"type": "string", "const": member.rule.constant}
    match value.kind:
        case Kind.STRING:
            return {"type": "string", **(_text_bounds(member) if request else {})}
        case Kind.BOOL:
            return {"type": "boolean"}
        case Kind.INT:
            return _integer(member, role)
        case Kind.DOUBLE:
            return {
                "type": "number",
                **(_number_bounds(limits.min, limits.max, limits.min_exclusive) if request else {}),
            }
        case Kind.DECIMAL:
            return _decimal(member, role)
        case Kind.ENUM:
            assert value.enum is not None  # noqa: S101 - an ENUM value has one
            strings = value.enum.numbers if request else value.enum.strings.values()
            return {"type": "string", "enum": list(dict.fromkeys(strings))}
        case Kind.RAW:
            kinds = [kind for kind in RAW_KINDS if kind in value.raw_kinds]
            return {"type": kinds[0] if len(kinds) == 1 else kinds}
        case Kind.MESSAGE:
            return refer(value.message)


def container_schema(member: Member, item: Schema, bare: list[Schema], role: Role) -> Schema:
    """The schema of a repeated field or map with values of the schema `item`. `bare` are the forms in which one item may stand without the array."""
    limits, request = member.rule.limits, role is Role.REQUEST
    # An empty container counts as absent for a caller, so only a required one must hold something.
    least = max(1, limits.min_items or 0) if member.rule.required else limits.min_items or 0
    sizes = (
        {"Items": (least, limits.max_items)}
        if member.shape is Shape.REPEATED
        else {"Properties": (least, limits.max_items)}
    )
    bounds: Schema = {}
    for suffix, (low, high) in sizes.items():
        if request and low and (member.rule.required or low > 1):
            bounds[f"min{suffix}"] = low
        if request and high is not None:
            bounds[f"max{suffix}"] = high
    if member.shape is Shape.MAP:
        keys = _bounds(None, limits.max_key_length, "Length") | (
            {"pattern": _anchored(limits.key_pattern)} if limits.key_pattern else {}
        )
        named: Schema = {"propertyNames": {"type": "string", **keys}} if keys and request else {}
        return {"type": "object", "additionalProperties": nullable(item) if request else item, **named, **bounds}
    array: Schema = {"type": "array", "items": item, **bounds}
    return one_of_several([*bare, array]) if bare else array


def nullable(schema: Schema) -> Schema:
    """The schema, or null."""
    kind = schema.get("type")
    if kind is not None and "const" not in schema:
        kinds = kind if isinstance(kind, list) else [kind]
        more = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
        return {**schema, "type": [*kinds, "null"], **more}
    if set(schema) == {"anyOf"}:
        return {"anyOf": [*schema["anyOf"], {"type": "null"}]}
    return {"anyOf": [schema, {"type": "null"}]}


def one_of_several(schemas: Iterable[Schema]) -> Schema:
    """Any of some schemas; the schema itself where there is one."""
    found = list(schemas)
    return found[0] if len(found) == 1 else {"anyOf": found}


def parameter_schema(member: Member, role: Role, refer: Callable[[str], Schema]) -> Schema:
    """The schema of a path or query parameter: text that stands for a value of the member, so there is no null."""
    item = value_schema(member, role, refer)
    if member.shape is Shape.REPEATED:
        return {"type": "array", "items": item}
    if item.get("type") == "string" and member.rule.required and "minLength" not in item:
        return {**item, "minLength": 1}
    return item


def _text_bounds(member: Member) -> Schema:
    limits = member.rule.limits
    low = limits.min_length
    if member.rule.required and not member.presence and member.shape is Shape.SINGLE:
        low = max(1, low or 0)  # protobuf cannot tell an empty text from none
    pattern = {"pattern": _anchored(limits.pattern)} if limits.pattern else {}
    return _bounds(low, limits.max_length, "Length") | pattern


def _integer(member: Member, role: Role) -> Schema:
    value = member.value
    form = _FORMATS.get(value_field(member.descriptor).type)
    named: Schema = {"format": form} if form else {}
    if role is Role.ANSWER:
        return (
            {"type": "string", "pattern": _INTEGER_TEXT, **named} if value.as_string else {"type": "integer", **named}
        )
    low, high = checks.integer_range(value, member.rule.limits)
    number: Schema = {"type": "integer", **named, "minimum": low, "maximum": high}
    return {"anyOf": [number, {"type": "string", "pattern": _INTEGER_TEXT}]} if value.as_string else number


def _decimal(member: Member, role: Role) -> Schema:
    if role is Role.ANSWER:
        return {"type": "string", "pattern": _PLAIN_DECIMAL_TEXT} if member.value.as_string else {"type": "number"}
    value, limits = member.value, member.rule.limits
    low, high = checks.integer_range(value, limits)
    bounds = _number_bounds(
        _decimal_number(low, value.scale) if limits.min is None else limits.min,
        _decimal_number(high, value.scale),
        limits.min_exclusive,
    )
    sign = "[+-]?" if low < 0 else "[+]?"
    number = {"type": "number", **bounds}
    return {"anyOf": [number, {"type": "string", "pattern": f"^{sign}{_UNSIGNED_DECIMAL_TEXT}"}]}


def _decimal_number(units: int, scale: int) -> float:
    """The integer of 10**-scale as a number whose shortest text is not farther from 0: what the decoder reads is within the bounds."""
    number, exact = units / 10**scale, abs(Decimal(units).scaleb(-scale))
    return math.nextafter(number, 0.0) if abs(Decimal(repr(number))) > exact else number


def _number_bounds(low: float | None, high: float | None, low_exclusive: bool) -> Schema:
    bounds: Schema = {}
    if low is not None:
        bounds["exclusiveMinimum" if low_exclusive else "minimum"] = _plain(low)
    if high is not None:
        bounds["maximum"] = _plain(high)
    return bounds


def _bounds(low: int | None, high: int | None, suffix: str) -> Schema:
    return {f"{end}{suffix}": bound for end, bound in (("min", low), ("max", high)) if bound}


def _plain(number: float) -> float:
    return int(number) if float(number).is_integer() else number


def _anchored(pattern: str) -> str:
    """The contract's patterns hold for the whole text, those of JSON Schema for any part of it."""
    return f"^(?:{pattern.removeprefix('^').removesuffix('$')})$"
