# SPDX-License-Identifier: Apache-2.0
"""What generated code calls: the conversions and checks that are too long, or too rare, to be written out at every field.

`strict_*` serve a caller's JSON, `loose_*` an upstream's. All return None for a value they cannot read.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

import orjson

from trunkline_server.jsonshape.faults import add_fault, add_silent_fault

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from collections.abc import Set as AbstractSet

    from trunkline_server.jsonshape.faults import Faults, Path

_INTEGER_TEXT: Final = re.compile(r"-?[0-9]{1,20}")
_LONGEST_DECIMAL: Final = 64
_LARGEST_EXPONENT: Final = 40
_UNKNOWN_KEY: Final = "absent: the key is unknown"
_FOREIGN_KEY: Final = "absent: the key belongs to another kind of this object"
_REFUSED_KEY: Final = "absent: the key is not allowed"


def strict_int(value: object) -> int | None:
    """Read an integral float (5.0)."""
    return int(value) if type(value) is float and value.is_integer() else None


def strict_int_or_text(value: object) -> int | None:
    """Read an integral float or the digits of an integer."""
    if type(value) is str:
        return int(value) if _INTEGER_TEXT.fullmatch(value) else None
    return strict_int(value)


def loose_int(value: object) -> int | None:
    """Read whatever can be taken for an integer: digits in a string, a float without its fraction."""
    if type(value) is str and _INTEGER_TEXT.fullmatch(value):
        return int(value)
    return int(value) if type(value) is float and math.isfinite(value) else None


def loose_float(value: object) -> float | None:
    """Read a finite number written as a string."""
    if type(value) is str and len(value) <= _LONGEST_DECIMAL:
        try:
            number = float(value)
        except ValueError:
            return None
        return number if math.isfinite(number) else None
    return None


def loose_text(value: object) -> str | None:
    """Read a number as its text."""
    return repr(value) if type(value) is int or type(value) is float else None


def strict_units(value: object, scale: int) -> int | None:
    """Read a decimal number or its string as an integer of 10**-scale, exactly: one with more digits than that is not read."""
    parts = _decimal_parts(value, scale)
    if parts is None:
        return None
    digits, exponent = parts
    if exponent >= 0:
        return digits * _power_of_ten(exponent)
    units, rest = divmod(digits, _power_of_ten(-exponent))
    return units if rest == 0 else None


def loose_units(value: object, scale: int) -> int | None:
    """Read as strict_units does, rounding half to even where there are more digits."""
    parts = _decimal_parts(value, scale)
    if parts is None:
        return None
    digits, exponent = parts
    if exponent >= 0:
        return digits * _power_of_ten(exponent)
    one = _power_of_ten(-exponent)
    units, rest = divmod(digits, one)
    return units + (2 * rest > one or (2 * rest == one and units % 2 == 1))


def _power_of_ten(exponent: int) -> int:
    """Ten to an exponent that is not negative, which the type checker cannot know."""
    power: int = 10**exponent
    return power


def _decimal_parts(value: object, scale: int) -> tuple[int, int] | None:
    """Split a number into its digits and a power of ten, already moved by `scale`. A float counts as its shortest text."""
    if type(value) is int:
        return value, scale
    text = repr(value) if type(value) is float else value
    if type(text) is not str or len(text) > _LONGEST_DECIMAL:
        return None
    try:
        sign, digits, exponent = Decimal(text).as_tuple()
    except InvalidOperation:
        return None
    if not isinstance(exponent, int) or not all(char in "0123456789+-.eE" for char in text):
        return None
    number = int("".join(map(str, digits)))
    power = exponent + scale
    if number == 0:
        return 0, 0
    if abs(power) > _LARGEST_EXPONENT + _LONGEST_DECIMAL:
        return None
    return (-number if sign else number), power


def units_text(units: int, scale: int) -> str:
    """Write an integer of 10**-scale in plain notation, without exponent or trailing zeros."""
    whole, fraction = divmod(abs(units), _power_of_ten(scale))
    decimals = f"{fraction:0{scale}d}".rstrip("0") if scale else ""
    return ("-" if units < 0 else "") + str(whole) + (f".{decimals}" if decimals else "")


def units_number(units: int, scale: int) -> float:
    """Turn an integer of 10**-scale into the nearest JSON number: dividing integers rounds correctly, once. Up to 15 digits it is exact."""
    unit = _power_of_ten(scale)
    return units / unit if units % unit else units // unit


def raw_text(value: object) -> bytes | None:
    """Write a parsed value as JSON text. None for what orjson cannot write: nested beyond its limit, or not JSON at all."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return None


def keep_unknown(
    value: dict[str, Any],
    known: AbstractSet[str],
    foreign: AbstractSet[str],
    refused: AbstractSet[str],
    extra: MutableMapping[str, Any] | None,
    path: Path,
    faults: Faults,
) -> None:
    """Put a caller's undeclared keys into the catch-all, or record a fault for each where there is none; null counts as absent.

    `foreign` keys belong to another variant of the union and go nowhere.
    """
    for key, item in value.items():
        if item is None or key in known:
            continue
        if key in refused:
            add_silent_fault(faults, (path, key), _REFUSED_KEY)
        elif key in foreign:
            add_fault(faults, (path, key), _FOREIGN_KEY, item)
        elif extra is None:
            add_fault(faults, (path, key), _UNKNOWN_KEY, item)
        elif (text := raw_text(item)) is None:
            add_fault(faults, (path, key), "JSON that can be written again", item)
        else:
            extra[key] = text


def keep_unknown_loosely(
    value: dict[str, Any], known: AbstractSet[str], foreign: AbstractSet[str], extra: MutableMapping[str, Any]
) -> None:
    """Put an upstream's undeclared keys into the catch-all."""
    for key, item in value.items():
        if item is not None and key not in known and key not in foreign and (text := raw_text(item)) is not None:
            extra[key] = text


def refuse_keys(value: dict[str, Any], refused: AbstractSet[str], path: Path, faults: Faults) -> None:
    """Record a fault for each key of a table in an object that is kept whole."""
    for key in sorted(refused & value.keys()):
        add_silent_fault(faults, (path, key), _REFUSED_KEY)


def ignore(value: object, target: object) -> None:
    """Write nothing: the field is no part of JSON."""
    del value, target
