# SPDX-License-Identifier: Apache-2.0
"""JSON text from providers, read more kindly than a caller's.

The fast parser refuses what some servers write: `-Infinity` as a log probability (Python's own encoder writes it), and half of a surrogate pair where an
emoji was cut between two events. Only text that it refuses is read again: -9999.0 stands for `-Infinity`, null for NaN and Infinity, U+FFFD for the halves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson

_LONGEST_INTEGER: Final = 18
_LONG: Final = re.compile(rb"[0-9]{19}")
_LEAST, _MOST = -(2**63), 2**64 - 1
# Minus infinity is the log probability of what cannot be; OpenAI's own servers write this number for it. The others mean nothing.
_CONSTANTS: Final[Mapping[str, float]] = MappingProxyType({"-Infinity": -9999.0})
_ESCAPES: Final = re.compile(
    rb"\\[^u]"  # consumes an escaped backslash, whose second half would else look like the start of an escape
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def parse_upstream_json(text: bytes) -> Any:
    """Parse a provider's JSON text, which is valid UTF-8. Raises ValueError where it is no JSON, or nests beyond what anyone means."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return reparse_upstream_json(text)


def reparse_upstream_json(text: bytes) -> Any:
    """Parse a provider's JSON text that the fast parser has refused. Raises ValueError as above."""
    return _reparse(text, _read_integer)


def _reparse(text: bytes, read_integer: Callable[[str], object]) -> Any:
    repaired = _ESCAPES.sub(lambda match: b"\\ufffd" if match["half"] else match[0], text)
    try:
        return json.loads(repaired.decode(), parse_constant=_CONSTANTS.get, parse_int=read_integer)
    except RecursionError as error:
        raise ValueError("the JSON nests too deep") from error


def parse_exact_json(text: bytes) -> Any:
    """Parse as `parse_upstream_json` does, but for integers beyond 64 bits: each is an `orjson.Fragment`, which is written as it was read.

    For texts with the arguments of calls in them: an id that became a float names another thing. Any other text is parsed as fast as ever.
    """
    if _LONG.search(text) is None:
        return parse_upstream_json(text)
    return _reparse(text, _keep_integer)


def _keep_integer(digits: str) -> int | orjson.Fragment:
    number = int(digits)
    return number if _LEAST <= number <= _MOST else orjson.Fragment(digits)


def _read_integer(digits: str) -> float:
    """An integer; as a float where it is too long for 64 bits, as the fast parser reads it."""
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)
