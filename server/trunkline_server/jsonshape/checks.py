# SPDX-License-Identifier: Apache-2.0
"""The bounds of a value as Python expressions: written into the decoder and into the validator, so that both wires hold the same limits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from trunkline_server.jsonshape.members import join_kinds
from trunkline_server.jsonshape.plan import Kind, Member, Shape

if TYPE_CHECKING:
    from trunkline_server.jsonshape.options import Limits
    from trunkline_server.jsonshape.plan import Value
    from trunkline_server.jsonshape.source import Source

TYPE_TESTS: Final = {
    "string": "type({0}) is str",
    "number": "(type({0}) is int or type({0}) is float)",
    "boolean": "({0} is True or {0} is False)",
    "object": "type({0}) is dict",
    "array": "type({0}) is list",
}
"""JSON type -> the test for it on a parsed value."""


def type_test(kinds: frozenset[str], name: str) -> str:
    """Write the test that a parsed value has one of these JSON types."""
    return " or ".join(test.format(name) for kind, test in TYPE_TESTS.items() if kind in kinds)


def bind_patterns(source: Source, prefix: str, member: Member) -> None:
    """Write the compiled patterns of a member as module constants. Character classes mean ASCII, as in RE2."""
    for pattern, suffix in ((member.rule.limits.pattern, "MATCHES"), (member.rule.limits.key_pattern, "KEY_MATCHES")):
        if pattern:
            source.line(f"{suffix}__{prefix}__{member.name} = re.compile({pattern!r}, re.ASCII).fullmatch")


def bounds_test(prefix: str, member: Member, name: str) -> str:
    """Write the test that a value of the right type is within its bounds; empty when it has none."""
    limits, value = member.rule.limits, member.value
    match value.kind:
        case Kind.STRING:
            tests = [_range_test(limits.min_length, limits.max_length, f"len({name})")]
            if limits.pattern:
                tests.append(f"MATCHES__{prefix}__{member.name}({name})")
            return " and ".join(filter(None, tests))
        case Kind.INT | Kind.DECIMAL:
            low, high = integer_range(value, limits)
            return f"{low} <= {name} <= {high}"
        case Kind.DOUBLE:
            low_text = (
                "-INFINITY <" if limits.min is None else f"{limits.min!r} {'<' if limits.min_exclusive else '<='}"
            )
            high_text = "< INFINITY" if limits.max is None else f"<= {limits.max!r}"
            return f"{low_text} {name} {high_text}"
        case _:
            return ""


def integer_range(value: Value, limits: Limits) -> tuple[int, int]:
    """Say between which integers a value may lie, its type's own range included. A decimal's limits are in JSON units."""
    low, high, unit = value.low, value.high, 10**value.scale
    if limits.min is not None:
        bound = limits.min * unit
        low = max(low, math.floor(bound) + 1 if limits.min_exclusive else math.ceil(bound))
    if limits.max is not None:
        high = min(high, math.floor(limits.max * unit))
    return low, high


def items_test(limits: Limits, name: str) -> str:
    """Write the test that a container has no wrong number of items; empty when any will do."""
    return _range_test(limits.min_items, limits.max_items, f"len({name})")


def key_test(prefix: str, member: Member, name: str) -> str:
    """Write the test that a map's key is within its bounds; empty when it has none."""
    limits = member.rule.limits
    tests = [_range_test(None, limits.max_key_length, f"len({name})")]
    if limits.key_pattern:
        tests.append(f"KEY_MATCHES__{prefix}__{member.name}({name})")
    return " and ".join(filter(None, tests))


def _range_test(low: int | None, high: int | None, size: str) -> str:
    if low is not None and high is not None:
        return f"{low} <= {size} <= {high}"
    return f"{size} >= {low}" if low is not None else f"{size} <= {high}" if high is not None else ""


def expected_value(member: Member) -> str:
    """Say what one value of a member must be, for a reader."""
    limits, value = member.rule.limits, member.value
    match value.kind:
        case Kind.STRING if member.rule.constant:
            return f'"{member.rule.constant}"'
        case Kind.STRING:
            size = _range_text(limits.min_length, limits.max_length, "character")
            pattern = f"matching {limits.pattern}" if limits.pattern else ""
            return " ".join(filter(None, ("a string", f"of {size}" if size else "", pattern)))
        case Kind.BOOL:
            return "true or false"
        case Kind.INT | Kind.DECIMAL:
            return ("an integer" if value.kind is Kind.INT else "a decimal number") + _number_text(member)
        case Kind.DOUBLE:
            return "a number" + _number_text(member)
        case Kind.ENUM:
            assert value.enum is not None  # noqa: S101 - an ENUM value has one
            return "one of " + ", ".join(f'"{string}"' for string in value.enum.strings.values())
        case Kind.RAW:
            return join_kinds(value.raw_kinds)
        case Kind.MESSAGE:
            return "an object"


def expected_items(member: Member) -> str:
    """Say how many items a container must have, for a reader."""
    what = "an array" if member.shape is Shape.REPEATED else "an object"
    size = _range_text(
        member.rule.limits.min_items, member.rule.limits.max_items, "item" if member.shape is Shape.REPEATED else "pair"
    )
    return f"{what} of {size}" if size else what


def expected_key(member: Member) -> str:
    """Say what a map's key must be, for a reader."""
    limits = member.rule.limits
    size = _range_text(None, limits.max_key_length, "character")
    pattern = f"matching {limits.key_pattern}" if limits.key_pattern else ""
    return " ".join(filter(None, ("under a key", f"of {size}" if size else "", pattern)))


def _number_text(member: Member) -> str:
    """Say the stated bounds; where none is stated but the type has some, say those."""
    limits, value = member.rule.limits, member.value
    low, high = limits.min, limits.max
    if value.kind is Kind.INT and low is None and high is None:
        return f" from {value.low} to {value.high}"
    low_text = "" if low is None else f"{'above' if limits.min_exclusive else 'from'} {low:g}"
    high_text = "" if high is None else f"{'up to' if limits.min_exclusive or low is None else 'to'} {high:g}"
    return "".join(f" {text}" for text in (low_text, high_text) if text)


def _range_text(low: int | None, high: int | None, unit: str) -> str:
    units = unit if (high or low) == 1 else f"{unit}s"
    if low is not None and high is not None:
        return f"{low} to {high} {units}"
    return f"at least {low} {units}" if low is not None else f"at most {high} {units}" if high is not None else ""
