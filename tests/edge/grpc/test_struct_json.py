# SPDX-License-Identifier: Apache-2.0
"""Struct to parsed JSON."""

import math

import pytest
from google.protobuf.struct_pb2 import ListValue, Struct, Value

from trunkline_server.edge.grpc.struct_json import read_struct
from trunkline_server.jsonshape import ShapeFaults


def make_struct(**fields: object) -> Struct:
    """A Struct of Python values."""
    struct = Struct()
    struct.update(fields)
    return struct


def make_nest(depth: int) -> Struct:
    """Arrays inside each other in an object, so many deep in all. Of objects protobuf itself lets through no more than 33."""
    value = Value(list_value=ListValue())
    for _ in range(depth - 2):
        value = Value(list_value=ListValue(values=[value]))
    return Struct(fields={"a": value})


def test_values() -> None:
    """Every kind of value is what it was as JSON; keys are sorted."""
    given = {"z": None, "s": "x", "b": True, "list": [1, "two", [False], {}], "a": {"b": {"c": "d"}}}
    read = read_struct(make_struct(**given))
    assert read == given
    assert list(read) == ["a", "b", "list", "s", "z"]


@pytest.mark.parametrize(
    ("number", "expected"),
    [(5.0, "5"), (-3.0, "-3"), (0.5, "0.5"), (2.0**53, "9007199254740992"), (1e300, "1e+300"), (-0.0, "0")],
)
def test_numbers(number: float, expected: str) -> None:
    """Integral doubles within 64 bits become integers; others stay."""
    assert repr(read_struct(make_struct(n=number))["n"]) == expected


@pytest.mark.parametrize(
    ("struct", "complaint"),
    [
        (make_nest(41), "nested at most 40 deep"),
        (make_struct(list=[0] * 100_000), "at most 100000 keys and items"),
        (make_struct(n=math.nan), "NaN"),
        (make_struct(n=-math.inf), "Infinity"),
        (Struct(fields={"a": Value(list_value=ListValue(values=[Value()]))}), "without a kind"),
    ],
    ids=["depth", "items", "NaN", "infinity", "no kind"],
)
def test_bounds(struct: Struct, complaint: str) -> None:
    """What the JSON edge would refuse is refused."""
    with pytest.raises(ShapeFaults, match=complaint):
        read_struct(struct)


def test_the_deepest() -> None:
    """Forty deep is allowed."""
    assert read_struct(make_nest(40))
