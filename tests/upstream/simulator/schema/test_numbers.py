# SPDX-License-Identifier: Apache-2.0
"""Numbers within bounds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline_server.upstream.simulator.dice import Dice
from trunkline_server.upstream.simulator.schema.numbers import number_fits, write_number

ANY_NUMBER = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


@given(
    bounds=st.dictionaries(st.sampled_from([*BOUNDS, "multipleOf"]), ANY_NUMBER, max_size=3),
    whole=st.booleans(),
    seed=st.binary(max_size=4),
)
def test_what_is_written_fits(bounds: dict[str, Any], whole: bool, seed: bytes) -> None:
    """Whatever the bounds, a number that is given keeps them and is finite."""
    node = {**bounds, "multipleOf": abs(bounds.get("multipleOf", 1)) or 1}
    number = write_number(node, Dice(seed), whole=whole)
    assert number is None or (
        number_fits(node, number) and abs(number) < float("inf") and (not whole or number == int(number))
    )


@pytest.mark.parametrize("whole", [True, False])
@given(low=ANY_NUMBER, seed=st.binary(max_size=4))
def test_a_lower_bound_alone_can_be_met(low: float, seed: bytes, whole: bool) -> None:
    """There is a number above any bound below the largest double."""
    number = write_number({"minimum": low}, Dice(seed), whole=whole)
    assert number is not None
    assert number >= low


@pytest.mark.parametrize(
    ("node", "whole", "allowed"),
    [
        ({"minimum": 3, "maximum": 3}, True, {3}),
        ({"exclusiveMinimum": 3, "exclusiveMaximum": 5}, True, {4}),
        ({"minimum": 2.5, "maximum": 4.5}, True, {3, 4}),
        ({"minimum": 0.1, "maximum": 0.1}, False, {0.1}),
        ({"multipleOf": 10, "minimum": 1, "maximum": 29}, True, {10, 20}),
        ({"multipleOf": 0.5, "minimum": 1, "maximum": 2}, True, {1, 2}),
        ({"multipleOf": 0.1, "exclusiveMinimum": 0, "maximum": 0.2}, False, {0.1, 0.2}),
        ({"minimum": 3, "maximum": 2}, True, {None}),
        ({"minimum": 1.2, "maximum": 1.8}, True, {None}),
        ({"multipleOf": 7, "minimum": 1, "maximum": 6}, False, {None}),
        ({"maximum": -5000}, True, set(range(-10_000, -4999))),
        ({"minimum": 1e300, "maximum": 1e300}, True, {1e300}),
        ({}, True, set(range(1001))),
    ],
)
def test_numbers_come_from_their_range(node: dict[str, Any], whole: bool, allowed: set[Any]) -> None:
    """Draws stay inside the range, and None says that it is empty."""
    assert {write_number(node, Dice(b"%d" % seed), whole=whole) for seed in range(30)} <= allowed


def test_large_integers_are_floats() -> None:
    """What a JSON reader may round is written as what it will become."""
    assert repr(write_number({"minimum": 2**60, "maximum": 2**60}, Dice(b""), whole=True)) == "1.152921504606847e+18"
