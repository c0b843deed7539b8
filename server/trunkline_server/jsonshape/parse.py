# SPDX-License-Identifier: Apache-2.0
"""JSON text to Python objects, under one set of rules for the body of a request and for raw JSON text inside a message.

What orjson refuses by itself: text that is not UTF-8, a byte order mark, lone surrogates, NaN and Infinity, numbers beyond a double (1e999), more
than one document. Of duplicate keys it keeps the last. Three bounds are added, all measured on the text before anything is built from it, since a
body of 32 MiB can hold ten million empty arrays:

- nesting, 40 deep, counted on the whole body;
- 100,000 keys and items;
- integers that do not fit in 64 bits, which orjson would silently round to a double.

The usual body passes each of them by one count or search that runs at memory speed. Only when such an estimate is exceeded are strings cut out of the
text and the bound measured exactly.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import orjson

from trunkline_server.jsonshape.faults import MAX_FAULTS, Fault, JsonFaults, Path, path_text

MAX_DEPTH: Final = 40
"""Arrays and objects inside each other, on any way from a caller."""
MAX_UPSTREAM_DEPTH: Final = 200
"""The same for what an upstream says: orjson can still write it (its own limit is 254) and the decoder's recursion stays far from Python's."""
MAX_ITEMS: Final = 100_000
"""Keys of objects and items of arrays in one body."""

_DIGITS: Final = bytes.maketrans(b"123456789", b"000000000")
_LONG_INTEGER: Final = b"0" * 19
_NUMBER: Final = re.compile(rb"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_SMALLEST: Final = -(2**63)
_LARGEST: Final = 2**64 - 1
_LONGEST: Final = 20
_FREE_OF_LONG: Final = "free of integers beyond 64 bits"

_BRACES: Final = bytes.maketrans(b"[]", b"{}")
_NOT_BRACES: Final = bytes(sorted(set(range(256)) - set(b"{}[]")))
_NOT_OPENING: Final = bytes(sorted(set(range(256)) - set(b"{[,")))
_SPACE: Final = b" \t\r\n"


def parse_json(body: bytes, *, strict: bool = True) -> Any:
    """Parse a caller's JSON text, or an upstream's when not `strict`: then only MAX_UPSTREAM_DEPTH bounds it and long integers are rounded.

    Raises JsonFaults, and nothing else, when the text is not JSON or exceeds a bound.
    """
    if strict:
        _check_bounds(body)
    elif body.count(b"[") + body.count(b"{") > MAX_UPSTREAM_DEPTH and (text := _without_strings(body)) is not None:
        _check_depth(text, MAX_UPSTREAM_DEPTH)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _fault("JSON in UTF-8", str(error)) from None


def text_depth(text: bytes) -> int:
    """Count how deep well-formed JSON text nests; more than MAX_UPSTREAM_DEPTH counts as one more than that."""
    opened = text.count(b"[") + text.count(b"{")
    if opened <= 1:
        return opened
    bare = _without_strings(text)
    return MAX_UPSTREAM_DEPTH + 1 if bare is None else _depth(bare, MAX_UPSTREAM_DEPTH)


def _check_bounds(body: bytes) -> None:
    """Raise JsonFaults when a caller's text exceeds a bound. Malformed text may pass: the parser will find it."""
    structure = body.translate(None, _NOT_OPENING)
    opened = len(structure) - structure.count(b",")
    crowded = len(structure) > MAX_ITEMS
    long_integer = _LONG_INTEGER in body.translate(_DIGITS)
    if opened <= MAX_DEPTH and not crowded and not long_integer:
        return
    text = _without_strings(body)
    if text is None or _count_items(text) > MAX_ITEMS:
        raise _fault(f"at most {MAX_ITEMS} keys and items in all")
    if opened > MAX_DEPTH:
        _check_depth(text, MAX_DEPTH)
    if long_integer and any(_is_long(number) for number in _NUMBER.finditer(text)):
        raise JsonFaults(_find_long_integers(body) or [Fault(path="", expected=_FREE_OF_LONG)])


def _without_strings(body: bytes) -> bytes | None:
    """Put a single quote mark in place of each string. None when there are more strings than keys and items may be."""
    if b"\\" in body:
        body = body.replace(rb"\\", b"").replace(rb"\"", b"")
    if body.count(b'"') > 4 * MAX_ITEMS + 2:  # a key and its value, two marks each
        return None
    return b'"'.join(body.split(b'"')[::2])


def _count_items(text: bytes) -> int:
    """Count keys and items: the commas, and one for each array or object that is not empty."""
    packed = text.translate(None, _SPACE)
    empty = packed.count(b"[]") + packed.count(b"{}")
    return packed.count(b",") + packed.count(b"[") + packed.count(b"{") - empty


def _check_depth(text: bytes, limit: int) -> None:
    if _depth(text, limit) > limit:
        raise _fault(f"nested at most {limit} deep")


def _depth(text: bytes, limit: int) -> int:
    """Count the nesting of text without strings, up to one more than `limit`: each round removes the innermost level."""
    braces = text.translate(_BRACES, _NOT_BRACES)
    for depth in range(limit + 1):
        if not braces:
            return depth
        braces = braces.replace(b"{}", b"")
    return limit + 1


def _is_long(number: re.Match[bytes]) -> bool:
    """Tell whether a number is an integer that does not fit in 64 bits, signed or unsigned."""
    return number[1] is None and number[2] is None and not _fits(number[0])


def _find_long_integers(body: bytes) -> list[Fault]:
    """Say where the long integers are: a second, slow parse, of a body that is refused anyway. Empty for malformed text."""
    long = object()
    try:
        # Such integers become a mark: Python would refuse to read one of many thousand digits.
        value = json.loads(body, parse_int=lambda digits: 0 if _fits(digits.encode()) else long)
    except ValueError:
        return []
    found: list[Fault] = []
    waiting: list[tuple[Path, Any]] = [(None, value)]
    while waiting and len(found) < MAX_FAULTS:
        path, value = waiting.pop()
        if value is long:
            found.append(Fault(path=path_text(path), expected="an integer of at most 64 bits"))
        elif isinstance(value, dict):
            waiting.extend(((path, key), item) for key, item in reversed(value.items()))
        elif isinstance(value, list):
            waiting.extend(((path, index), value[index]) for index in reversed(range(len(value))))
    return found


def _fits(digits: bytes) -> bool:
    return len(digits) <= _LONGEST and _SMALLEST <= int(digits) <= _LARGEST


def _fault(expected: str, got: str = "") -> JsonFaults:
    return JsonFaults([Fault(path="", expected=expected, got=got)])
