# SPDX-License-Identifier: Apache-2.0
"""Single JSON values into fields of each type."""

from typing import Any

import pytest

from support.shapes import contract, field, message
from trunkline_server.jsonshape import Codec, ShapeFaults

SHAPES = contract(
    message(
        "All",
        field("optional string s", limits={"min_length": 2, "max_length": 3, "pattern": "[a-zé😀]+"}),
        field("optional bool b"),
        field("optional int32 i", limits={"min": 0, "max": 20}),
        field("optional uint64 u"),
        field("optional int64 l", int64_as_number=True),
        field("optional int64 t"),
        field("optional double d", limits={"min": 0, "min_exclusive": True, "max": 2}),
        field("optional double free"),
        field("optional int64 cost", decimal={"scale": 6}, limits={"min": 0, "max": 1}),
        field("optional string any", raw_json=[1]),
        field("optional string doc", raw_json=[2, 3]),
        field("repeated int32 list", limits={"max_items": 2, "min_items": 2, "max": 5}),
        field("map<string, double> map", limits={"max_items": 2, "max_key_length": 2, "key_pattern": "[0-9]+", "max": 1}),
        field("map<string, string> raws", raw_json=[4]),
        field("repeated string raw_list", raw_json=[5, 6]),
    ),
    int64_as_number=False,
)  # fmt: skip
ALL = SHAPES["All"]
CODEC = Codec.compile([ALL.DESCRIPTOR])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"s": "ab"}, {"s": "ab"}),
        ({"s": "é😀a"}, {"s": "é😀a"}),
        ({"b": False}, {"b": False}),
        ({"i": 0}, {"i": 0}),
        ({"i": 20.0}, {"i": 20}),
        ({"u": 2**64 - 1}, {"u": 2**64 - 1}),
        ({"u": str(2**64 - 1)}, {"u": 2**64 - 1}),
        ({"l": -(2**63)}, {"l": -(2**63)}),
        ({"t": "-5", "u": 5}, {"t": -5, "u": 5}),
        ({"d": 2, "free": -1e300}, {"d": 2, "free": -1e300}),
        ({"free": 2**64 - 1}, {"free": 2.0**64}),
        ({"cost": 0.1}, {"cost": 100_000}),
        ({"cost": "1"}, {"cost": 1_000_000}),
        ({"any": False, "doc": {"a": 2**53 + 1}}, {"any": "false", "doc": '{"a":9007199254740993}'}),
        ({"list": [1, 2.0], "map": {"1": 1, "22": -0.5}}, {"list": [1, 2], "map": {"1": 1, "22": -0.5}}),
        ({"list": [], "map": {}, "raws": {}}, {}),
        ({"map": {"1": None}}, {}),
        ({"raws": {"a": "x"}, "raw_list": [1, True]}, {"raws": {"a": '"x"'}, "raw_list": ["1", "true"]}),
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_values_of_each_type(value: dict[str, Any], expected: dict[str, Any], *, strict: bool) -> None:
    """Within the bounds callers and upstreams are read alike."""
    assert CODEC.decode(ALL, value, strict=strict) == ALL(**expected)


@pytest.mark.parametrize(
    ("value", "loose"),
    [
        ({"s": "a"}, {"s": "a"}),
        ({"s": "abcd"}, {"s": "abcd"}),
        ({"s": "A1"}, {"s": "A1"}),
        ({"s": "ab\n"}, {"s": "ab\n"}),
        ({"s": 12}, {"s": "12"}),
        ({"s": True}, {}),
        ({"s": ["ab"]}, {}),
        ({"b": 1}, {}),
        ({"b": "true"}, {}),
        ({"i": True}, {}),
        ({"i": 1.5}, {"i": 1}),
        ({"i": "5"}, {"i": 5}),
        ({"i": -1}, {"i": -1}),
        ({"i": 21}, {"i": 21}),
        ({"i": 2**31}, {}),
        ({"i": 1e300}, {}),
        ({"u": -1}, {}),
        ({"u": 2**64}, {}),
        ({"u": "1.5"}, {}),
        ({"l": "5"}, {"l": 5}),
        ({"l": 2**63}, {}),
        ({"d": 0}, {"d": 0}),
        ({"d": 2.1}, {"d": 2.1}),
        ({"d": True}, {}),
        ({"d": "1.5"}, {"d": 1.5}),
        ({"free": "x"}, {}),
        ({"cost": 1.000001}, {"cost": 1_000_001}),
        ({"cost": 1e-7}, {"cost": 0}),
        ({"cost": "x"}, {}),
        ({"cost": True}, {}),
        ({"doc": "x"}, {}),
        ({"list": [1]}, {"list": [1]}),
        ({"list": [1, 2, 3]}, {"list": [1, 2, 3]}),
        ({"list": [1, 6]}, {"list": [1, 6]}),
        ({"list": [1, None]}, {"list": [1]}),
        ({"list": 1}, {}),
        ({"map": {"1": 2}}, {"map": {"1": 2}}),
        ({"map": {"a": 0}}, {"map": {"a": 0}}),
        ({"map": {"111": 0}}, {"map": {"111": 0}}),
        ({"map": {"1": 0, "2": 0, "3": 0}}, {"map": {"1": 0, "2": 0, "3": 0}}),
        ({"map": []}, {}),
        ({"raws": {"a": 1}}, {}),
        ({"raw_list": [1, None]}, {"raw_list": ["1"]}),
    ],
)
def test_values_that_only_an_upstream_may_send(value: dict[str, Any], loose: dict[str, Any]) -> None:
    """A caller gets one fault at that key; from an upstream the value is taken or left out, and no limit holds."""
    with pytest.raises(ShapeFaults) as caught:
        CODEC.decode(ALL, value)
    assert [fault.path.split("[")[0].split(".")[0] for fault in caught.value.faults] == list(value)
    assert CODEC.decode(ALL, value, strict=False) == ALL(**loose)
