# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a JSON body or a message, as plain values.

While code runs, a path is a chain of tuples: `None` is the top, `(parent, "messages")` a key and `(parent, 2)` an index below it. Making one costs
some 30 ns and nothing is formatted unless a fault is found; then the chain becomes text such as `messages[2].content[0].type`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final, TypeAlias

MAX_FAULTS: Final = 20
"""How many faults are collected before the rest goes uncounted: enough to repair a body in one go, too few to make a costly answer."""

_SHOWN_CHARACTERS: Final = 40
_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")

Path: TypeAlias = "tuple[Path, str | int] | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong.

    `path` is the JSON path, empty for the whole body. `expected` completes the sentence "must be ..."; `got` says what came instead, shortened, and is
    empty where nothing came or where it must not be shown.
    """

    path: str
    expected: str
    got: str = ""

    @property
    def message(self) -> str:
        """The fault as a sentence without its path."""
        return f"must be {self.expected}, got {self.got}" if self.got else f"must be {self.expected}"

    def __str__(self) -> str:
        return f"{self.path or 'body'}: {self.message}"


class ShapeFaults(Exception):  # noqa: N818 - it holds faults; "Error" is the word of core/errors
    """A JSON body or a message does not have the declared shape. `faults` holds at least one fault and at most MAX_FAULTS."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


class JsonFaults(ShapeFaults):
    """A body is not JSON, or is JSON beyond the bounds of parse.py."""


@dataclass(frozen=True, slots=True)
class RawFault:
    """A fault whose path is still a chain. `missing` marks a required key that did not come."""

    path: Path
    expected: str
    got: str
    missing: bool = False

    def finish(self) -> Fault:
        """Turn the chain into text."""
        return Fault(path=path_text(self.path), expected=self.expected, got=self.got)


Faults: TypeAlias = list[RawFault]


def add_fault(faults: Faults, path: Path, expected: str, value: object) -> None:
    """Record that the value at `path` is not `expected`, unless MAX_FAULTS are known already."""
    if len(faults) < MAX_FAULTS:
        faults.append(RawFault(path, expected, describe(value)))


def add_silent_fault(faults: Faults, path: Path, expected: str) -> None:
    """Record a fault without saying what came: nothing did, or it must not be shown."""
    if len(faults) < MAX_FAULTS:
        faults.append(RawFault(path, expected, ""))


def add_missing(faults: Faults, path: Path, key: str) -> None:
    """Record that the required `key` of the object at `path` did not come."""
    if len(faults) < MAX_FAULTS:
        faults.append(RawFault((path, key), "present", "nothing", True))


def path_text(path: Path) -> str:
    """Write a path chain as text: `messages[2].content[0].type`; keys that are no plain names are quoted and shortened."""
    steps: list[str] = []
    while path is not None:
        path, step = path
        if isinstance(step, int):
            steps.append(f"[{step}]")
        elif _PLAIN_KEY.fullmatch(step):
            steps.append(f".{step}")
        else:
            steps.append(f"[{_shortened(step)}]")
    return "".join(reversed(steps)).removeprefix(".")


def path_depth(path: Path) -> int:
    """Count the arrays and objects around the value at `path`."""
    depth = 0
    while path is not None:
        path = path[0]
        depth += 1
    return depth


def describe(value: object) -> str:
    """Say what kind of JSON value came, with its text where that is short."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {_cut(_number_text(value))}"
        case str():
            return f"the string {_shortened(value)}"
        case dict():
            return "an object" if value else "an empty object"
        case list():
            return f"an array of {len(value)}"
        case _:
            return f"a {type(value).__name__}"


def _number_text(value: float) -> str:
    """Write a number; one of thousands of digits is only named, since Python refuses to write it."""
    if isinstance(value, int) and value.bit_length() > 128:
        return "beyond 128 bits"
    return repr(value)


def _shortened(text: str) -> str:
    return json.dumps(text[:_SHOWN_CHARACTERS]) + ("…" if len(text) > _SHOWN_CHARACTERS else "")


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
