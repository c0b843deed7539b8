# SPDX-License-Identifier: Apache-2.0
"""`google.protobuf.Struct` as the parsed JSON that the codec reads.

A Struct has lost what JSON text had: the order of keys, and digits of integers beyond 2^53. Keys are sorted here, so that the same request is always
the same. All numbers are doubles; those that are integral become integers again, since a double where an integer is due would be a fault.
"""

from __future__ import annotations

import math
from typing import Final

from google.protobuf.struct_pb2 import ListValue, Struct, Value

from trunkline_server.jsonshape import MAX_DEPTH, MAX_ITEMS, Fault, ShapeFaults

# Beyond this a double is no better known as an integer, and the codec takes none.
_LARGEST_INTEGER: Final = 2.0**63


def read_struct(struct: Struct) -> dict[str, object]:
    """The object that a Struct stands for. Raises ShapeFaults beyond the bounds of the JSON edge (depth, keys and items), and for what is no JSON."""
    reader = _Reader()
    return reader.read_object(struct, 1)


class _Reader:
    """Reads one Struct and counts its keys and items."""

    def __init__(self) -> None:
        self._items = 0

    def read_object(self, struct: Struct, depth: int) -> dict[str, object]:
        self._enter(len(struct.fields), depth)
        return {key: self._read(value, depth) for key, value in sorted(struct.fields.items())}

    def _read_array(self, array: ListValue, depth: int) -> list[object]:
        self._enter(len(array.values), depth)
        return [self._read(value, depth) for value in array.values]

    def _enter(self, items: int, depth: int) -> None:
        self._items += items
        if depth > MAX_DEPTH:
            raise _fault(f"nested at most {MAX_DEPTH} deep")
        if self._items > MAX_ITEMS:
            raise _fault(f"at most {MAX_ITEMS} keys and items in all")

    def _read(self, value: Value, depth: int) -> object:
        match value.WhichOneof("kind"):
            case "null_value":
                return None
            case "bool_value":
                return value.bool_value
            case "string_value":
                return value.string_value
            case "number_value":
                return _read_number(value.number_value)
            case "struct_value":
                return self.read_object(value.struct_value, depth + 1)
            case "list_value":
                return self._read_array(value.list_value, depth + 1)
            case _:
                raise _fault("free of values without a kind")


def _read_number(number: float) -> float | int:
    if not math.isfinite(number):
        raise _fault("free of NaN and Infinity")
    return int(number) if number.is_integer() and abs(number) < _LARGEST_INTEGER else number


def _fault(expected: str) -> ShapeFaults:
    return ShapeFaults([Fault(path="", expected=expected)])
