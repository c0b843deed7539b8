# SPDX-License-Identifier: Apache-2.0
"""Numbers that a schema's bounds allow."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from decimal import Context, Decimal
from typing import Final

from trunkline_server.upstream.simulator.body import Json
from trunkline_server.upstream.simulator.dice import Dice

_REACH: Final = 1000
"""How far from its one bound a number may lie."""
_TRIES: Final = 64
_EXACT: Final = Context(prec=800)
_SAFE_INTEGER: Final = 2**53


def write_number(node: Mapping[str, Json], dice: Dice, *, whole: bool) -> int | float | None:
    """A number that fits the bounds and multipleOf, an integer where `whole`; None where none was found."""
    return next((number for number in _candidates(node, dice, whole=whole) if number_fits(node, number)), None)


def number_fits(node: Mapping[str, Json], number: float) -> bool:
    """Whether a number keeps minimum, maximum, exclusiveMinimum, exclusiveMaximum and multipleOf."""
    return (
        ("minimum" not in node or number >= node["minimum"])
        and ("maximum" not in node or number <= node["maximum"])
        and ("exclusiveMinimum" not in node or number > node["exclusiveMinimum"])
        and ("exclusiveMaximum" not in node or number < node["exclusiveMaximum"])
        and ("multipleOf" not in node or _is_multiple(number, node["multipleOf"]))
    )


def _is_multiple(number: float, unit: float) -> bool:
    """Whether it is one both in decimals, as people write them, and in floating point, as validators compute them."""
    quotient = number / unit
    by_float = math.isfinite(quotient) and quotient == int(quotient)
    return by_float and _EXACT.remainder(Decimal(repr(number)), Decimal(repr(unit))) == 0


def _candidates(node: Mapping[str, Json], dice: Dice, *, whole: bool) -> Iterator[int | float]:
    low, high = _range(node)
    if low > high:
        return
    if "multipleOf" in node:
        yield from _multiples(node["multipleOf"], low, high, dice, whole=whole)
        return
    if whole:
        first, last = math.ceil(low), math.floor(high)
        if first <= last:
            yield from (
                _tidy(number) for number in (first + dice.below(last - first + 1), first, last, first + 1, last - 1)
            )
        return
    drawn = low + (high - low) * (dice.below(10_001) / 10_000)
    yield from (_tidy(number) for number in (round(drawn, 2), drawn, low / 2 + high / 2, low, high))
    yield from (math.nextafter(low, math.inf), math.nextafter(high, -math.inf))


def _range(node: Mapping[str, Json]) -> tuple[float, float]:
    lows = [node[key] for key in ("minimum", "exclusiveMinimum") if key in node]
    highs = [node[key] for key in ("maximum", "exclusiveMaximum") if key in node]
    low = max(lows, default=None)
    high = min(highs, default=None)
    if low is None:
        low = 0 if high is None or high >= 0 else max(high - max(_REACH, abs(high)), -sys.float_info.max)
    if high is None:
        high = min(low + max(_REACH, abs(low)), sys.float_info.max)
    return low, high


def _multiples(unit: float, low: float, high: float, dice: Dice, *, whole: bool) -> Iterator[int | float]:
    exact = Decimal(repr(unit))
    first = int(_EXACT.divide(Decimal(repr(low)), exact).to_integral_value("ROUND_CEILING"))
    last = int(_EXACT.divide(Decimal(repr(high)), exact).to_integral_value("ROUND_FLOOR"))
    if first > last:
        return
    start = dice.below(min(last - first + 1, 1000))
    for position in range(_TRIES):
        product = _EXACT.multiply(first + (start + position) % (last - first + 1), exact)
        if product == product.to_integral_value():
            yield _tidy(int(product))
        elif not whole:
            yield float(product)
    if first <= 0 <= last:
        yield 0


def _tidy(number: float) -> int | float:
    """An integer where it is one and every JSON reader holds it exactly, else a float."""
    if math.isfinite(number) and number == int(number):
        return int(number) if abs(number) <= _SAFE_INTEGER else float(number)
    return number
