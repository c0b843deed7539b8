# SPDX-License-Identifier: Apache-2.0
"""JSON text within bounds."""

from typing import Any

import pytest

from trunkline_server.jsonshape import MAX_DEPTH, MAX_ITEMS, JsonFaults, parse_json
from trunkline_server.jsonshape.parse import MAX_UPSTREAM_DEPTH, text_depth


def nested(depth: int) -> bytes:
    """Arrays and objects by turns."""
    return b'[{"a":' * (depth // 2) + b"[]" * (depth % 2) + b"1" * (1 - depth % 2) + b"}]" * (depth // 2)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"{}", {}),
        (b'{"model":"a","model":"b"}', {"model": "b"}),
        (b"[9223372036854775807, -9223372036854775808, 18446744073709551615]", [2**63 - 1, -(2**63), 2**64 - 1]),
        (b"[9007199254740993]", [2**53 + 1]),
        (b'["123456789012345678901234567890"]', ["123456789012345678901234567890"]),
        (b'{"12345678901234567890123":1}', {"12345678901234567890123": 1}),
        (b"[0.1234567890123456789012, 1e300]", [0.12345678901234568, 1e300]),
        (rb'["\u0000", "\\", "\"[[[", "\ud83d\ude00"]', ["\0", "\\", '"[[[', "😀"]),
        (b'["' + b"[{" * 1000 + b'"]', ["[{" * 1000]),
        (b'["' + rb"\"[" * 50 + b'"]', ['"[' * 50]),
        (b'["\\\\",' + b"[]," * 50 + b"0]", ["\\", *[[]] * 50, 0]),
        (b"[" + b"1," * (MAX_ITEMS - 1) + b"1]", [1] * MAX_ITEMS),
        (b'["' + b"," * MAX_ITEMS + b'"]', ["," * MAX_ITEMS]),
        (b"[" + b'"' + b'\\"' * 500_000 + b'", ' + b"[]," * 50 + b"1]", ['"' * 500_000, *[[]] * 50, 1]),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_json_within_bounds_is_parsed(body: bytes, value: Any) -> None:
    """What looks like a bound exceeded but stands in a string, or just keeps the bound, passes."""
    assert parse_json(body) == value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"a":1,}',
        b"// x\n{}",
        b"{} {}",
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-le"),
        b'{"a":"\xff"}',
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b"[1e999]",
        rb'["\ud800"]',
        rb'["\udc00\ud800"]',
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b"[" + b"9" * 5000 + b"]",
        b"{'a':1}",
        b"[01]",
        b"\x00",
    ],
    ids=lambda body: repr(body)[:40],
)
@pytest.mark.parametrize("strict", [True, False])
def test_what_is_not_json_is_a_fault(body: bytes, *, strict: bool) -> None:
    """Malformed text raises JsonFaults, from callers and upstreams alike."""
    with pytest.raises(JsonFaults):
        parse_json(body, strict=strict)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (nested(MAX_DEPTH + 1), "nested at most 40 deep"),
        (nested(1000), "nested at most 40 deep"),
        (b"[18446744073709551616]", "an integer of at most 64 bits"),
        (b'{"a":[-9223372036854775809]}', "an integer of at most 64 bits"),
        (b"[" + b"9" * 300 + b"]", "an integer of at most 64 bits"),
        (b"[" + b"1," * MAX_ITEMS + b"1]", "at most 100000 keys and items in all"),
        (b"[" + b"[]," * MAX_ITEMS + b"1]", "at most 100000 keys and items in all"),
        (b"{" + b",".join(b'"%d":0' % n for n in range(MAX_ITEMS + 1)) + b"}", "at most 100000 keys and items in all"),
        (b"[" + b'"a",' * (3 * MAX_ITEMS) + b'"a"]', "at most 100000 keys and items in all"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_bound_exceeded_is_a_fault(body: bytes, expected: str) -> None:
    """Each bound has its own sentence."""
    with pytest.raises(JsonFaults) as caught:
        parse_json(body)
    assert [fault.expected for fault in caught.value.faults] == [expected]


def test_long_integers_are_found_where_they_are() -> None:
    """Each long integer has its path; floats, strings of digits and integers that fit have none."""
    body = b'{"a":[1,18446744073709551616],"b":{"c":-9223372036854775809,"d":18446744073709551615},"e":1e30,"f":"99999999999999999999"}'
    with pytest.raises(JsonFaults) as caught:
        parse_json(body)
    assert [fault.path for fault in caught.value.faults] == ["a[1]", "b.c"]


def test_a_long_integer_in_malformed_text_is_a_fault() -> None:
    """Text that is no JSON besides is refused as a whole."""
    with pytest.raises(JsonFaults) as caught:
        parse_json(b'{"a":18446744073709551616,}')
    assert [fault.path for fault in caught.value.faults] == [""]


def test_the_deepest_nesting_allowed_passes() -> None:
    """Forty arrays and objects inside each other are allowed, with any number beside each other."""
    assert parse_json(b"[" + nested(MAX_DEPTH - 1) + b"," + nested(MAX_DEPTH - 1) + b"]")


def test_an_upstream_may_nest_deeper_and_round_numbers() -> None:
    """From an upstream only nesting that endangers the decoder is refused."""
    assert parse_json(nested(MAX_UPSTREAM_DEPTH), strict=False)
    assert parse_json(b"[18446744073709551616]", strict=False) == [2.0**64]
    with pytest.raises(JsonFaults):
        parse_json(nested(MAX_UPSTREAM_DEPTH + 1), strict=False)


@pytest.mark.parametrize(
    ("text", "depth"),
    [(b"1", 0), (b"{}", 1), (b'["[["]', 1), (b'[["a",{"b":[]}],{}]', 4), (b"[" * 300 + b"]" * 300, 201)],
)
def test_depth_of_text(text: bytes, depth: int) -> None:
    """Brackets in strings do not count, and counting stops beyond what any text may have."""
    assert text_depth(text) == depth
