# SPDX-License-Identifier: Apache-2.0
"""JSON text from providers, and what is forgiven in it."""

import orjson
import pytest

from trunkline_server.dialects.upstream_json import parse_exact_json, parse_upstream_json, reparse_upstream_json


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(b'{"a": 1.5}', {"a": 1.5}, id="JSON"),
        pytest.param(
            b'{"logprob": -Infinity, "b": NaN}', {"logprob": -9999.0, "b": None}, id="numbers that JSON lacks"
        ),
        pytest.param(rb'["\ud83d", "a\ude00b"]', ["\ufffd", "a\ufffdb"], id="halves of a pair"),
        pytest.param(rb'["\ud83d\ude00 \ud83d"]', ["😀 \ufffd"], id="a whole pair stays"),
        pytest.param(rb'["\\ud83d \ud83d"]', ["\\ud83d \ufffd"], id="an escaped backslash is no escape"),
        pytest.param(
            b'{"seed": 123456789012345678901234567890, "x": NaN}',
            {"seed": 1.2345678901234568e29, "x": None},
            id="a long integer",
        ),
    ],
)
def test_what_is_read(text: bytes, expected: object) -> None:
    """Text that only Python's encoder or a cut between two events explains is read."""
    assert parse_upstream_json(text) == expected


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"nope", b'{"a": 1} x', b"\xff", b"[" * 100_000, b"[NaN" * 20_000, b"[NaN, " + b"9" * 10_000 + b"e9]x"],
    ids=["empty", "cut", "a word", "more after it", "no UTF-8", "deep", "deep for both parsers", "long"],
)
def test_what_is_refused(text: bytes) -> None:
    """Anything else is a ValueError, whatever it is."""
    with pytest.raises(ValueError, match=r"."):
        parse_upstream_json(text)
    with pytest.raises(ValueError, match=r"."):
        reparse_upstream_json(text)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":-12345678901234567890123,"b":[18446744073709551615,-9223372036854775808]}',
        b'{"a":1.5,"b":"1234567890123456789012"}',
        b"[18446744073709551616,-9223372036854775809]",
    ],
)
def test_exact_integers(text: bytes) -> None:
    """Integers of any length are written again as they were read."""
    assert orjson.dumps(parse_exact_json(text)) == text


def test_integers_in_64_bits() -> None:
    """They are integers, not texts kept for writing."""
    assert parse_exact_json(b"[18446744073709551615, -9223372036854775808]") == [2**64 - 1, -(2**63)]


@pytest.mark.parametrize("text", [b'{"a": 1234567890123456789012', b"9" * 10_000])
def test_exact_text_that_is_refused(text: bytes) -> None:
    """What is no JSON is a ValueError here, too, and so is a number that nobody counts to."""
    with pytest.raises(ValueError, match=r"."):
        parse_exact_json(text)
