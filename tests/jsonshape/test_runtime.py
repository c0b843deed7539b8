# SPDX-License-Identifier: Apache-2.0
"""Conversions that generated code calls."""

import pytest

from trunkline_server.jsonshape import runtime


@pytest.mark.parametrize(
    ("value", "strict", "strict_or_text", "loose"),
    [
        (5.0, 5, 5, 5),
        (5.5, None, None, 5),
        ("5", None, 5, 5),
        ("-5", None, -5, -5),
        ("5.0", None, None, None),
        ("٣", None, None, None),
        ("9" * 30, None, None, None),
        (True, None, None, None),
        (None, None, None, None),
        ([5], None, None, None),
        (float("inf"), None, None, None),
        (1e300, int(1e300), int(1e300), int(1e300)),
    ],
)
def test_integers(value: object, strict: int | None, strict_or_text: int | None, loose: int | None) -> None:
    """A caller's integer may be an integral float; an upstream's may be nearly anything."""
    assert runtime.strict_int(value) == strict
    assert runtime.strict_int_or_text(value) == strict_or_text
    assert runtime.loose_int(value) == loose


@pytest.mark.parametrize(
    ("value", "number", "text"),
    [
        ("1.5", 1.5, None),
        ("nan", None, None),
        ("1e999", None, None),
        ("x", None, None),
        (7, None, "7"),
        (True, None, None),
    ],
)
def test_loose_numbers_and_text(value: object, number: float | None, text: str | None) -> None:
    """An upstream may write numbers as strings and strings as numbers."""
    assert runtime.loose_float(value) == number
    assert runtime.loose_text(value) == text


@pytest.mark.parametrize(
    ("value", "strict", "loose"),
    [
        (2, 2_000_000, 2_000_000),
        (0.1, 100_000, 100_000),
        (0.000001, 1, 1),
        (1e-7, None, 0),
        (5e-7, None, 0),
        (1.5e-6, None, 2),
        (-2.5e-6, None, -2),
        ("0.000001", 1, 1),
        ("1e-06", 1, 1),
        ("-3.25", -3_250_000, -3_250_000),
        ("1e3", 1_000_000_000, 1_000_000_000),
        ("0e999999999", 0, 0),
        ("1e999999999", None, None),
        ("1e-999999999", None, None),
        ("NaN", None, None),
        ("Infinity", None, None),
        (" 1", None, None),
        ("1_000", None, None),
        ("", None, None),
        ("x", None, None),
        ("1" * 65, None, None),
        (True, None, None),
        ([1], None, None),
        (None, None, None),
    ],
)
def test_decimals_are_read_exactly(value: object, strict: int | None, loose: int | None) -> None:
    """A caller's decimal must be a whole number of units; an upstream's is rounded half to even."""
    assert runtime.strict_units(value, 6) == strict
    assert runtime.loose_units(value, 6) == loose


@pytest.mark.parametrize(
    ("units", "text", "number"),
    [(0, "0", 0), (1, "0.000001", 1e-06), (2_500_000, "2.5", 2.5), (-1, "-0.000001", -1e-06), (3_000_000, "3", 3)],
)
def test_decimals_are_written_in_plain_notation(units: int, text: str, number: float) -> None:
    """As a string without exponent and trailing zeros, as a number the nearest one."""
    assert runtime.units_text(units, 6) == text
    assert runtime.units_number(units, 6) == number


def test_what_orjson_cannot_write_has_no_text() -> None:
    """Integers beyond 64 bits and nesting beyond its limit give None instead of an exception."""
    deep: list[object] = []
    for _ in range(300):
        deep = [deep]
    assert runtime.raw_text(2**64) is None
    assert runtime.raw_text(deep) is None
    assert runtime.raw_text({"b": 1, "a": 2}) == b'{"b":1,"a":2}'
