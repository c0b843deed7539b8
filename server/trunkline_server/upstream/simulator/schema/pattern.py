# SPDX-License-Identifier: Apache-2.0
r"""A small regular-expression language: parsing it, and matching by it in bounded time.

Callers write the patterns, so Python's `re` is out: it backtracks, and one hostile pattern could stop the event loop for minutes. Here matching carries
sets of positions through the pattern's tree; nothing is tried twice.

The language is what ECMA-262 and Python agree on: literals, `.`, classes with ranges, \d \w \s and their opposites (ASCII), \t \n \r \f \v \xHH \uHHHH,
escaped punctuation, groups (plain, `(?:...)`, named), `|`, `* + ? {m} {m,} {m,n}` also lazy, `^` and `$`. Look-around, back references, \b, \p{...},
flags and possessive repeats are refused by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from trunkline_server.upstream.simulator.refused import RefusedError
from trunkline_server.upstream.simulator.schema.steps import Steps

LONGEST: Final = 4096
"""The longest pattern, and the longest text that one may demand."""

_MAX_DEPTH: Final = 30
_TOP: Final = 0x10FFFF
_REPEAT: Final = re.compile(r"\{(\d{1,6})(?:(,)(\d{1,6})?)?\}")
_GROUP: Final = re.compile(r"\?:|\?P?<[A-Za-z_][A-Za-z0-9_]*>")
_DIGITS: Final = ((48, 57),)
_WORD: Final = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACES: Final = ((9, 13), (32, 32))
_CONTROLS: Final = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_HEX: Final = {"x": 2, "u": 4}

Ranges: TypeAlias = tuple[tuple[int, int], ...]
Part: TypeAlias = "Chars | Sequence | Choice | Repeat | Anchor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chars:
    """One character out of sorted ranges of code points."""

    ranges: Ranges
    shortest: int = 1
    longest: int | None = 1

    def holds(self, character: str) -> bool:
        """Whether the character is one of them."""
        code = ord(character)
        return any(low <= code <= high for low, high in self.ranges)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The start of the text, or its end."""

    at_end: bool
    shortest: int = 0
    longest: int | None = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """One part after the other. `shortest` and `longest` bound the characters of a match; None is no bound, here and below."""

    parts: tuple[Part, ...]
    shortest: int
    longest: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Any one of the options."""

    options: tuple[Part, ...]
    shortest: int
    longest: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """A part `low` to `high` times."""

    part: Part
    low: int
    high: int | None
    shortest: int
    longest: int | None


def parse_pattern(pattern: str, path: str) -> Part:
    """The tree of a pattern. Raises RefusedError that names what is outside the language and where it stands."""
    if len(pattern) > LONGEST:
        raise RefusedError(f"{path}: a pattern of more than {LONGEST} characters is not read.", param=path)
    parser = _Parser(pattern, path)
    tree = parser.choice(0)
    if not parser.done:
        raise parser.refusal("a ')' without its '('")
    return tree


def pattern_found(tree: Part, text: str, steps: Steps) -> bool:
    """Whether the pattern matches anywhere in the text."""
    return bool(_ends(tree, text, set(range(len(text) + 1)), steps))


def _ends(part: Part, text: str, starts: set[int], steps: Steps) -> set[int]:
    steps.spend(1 + len(starts) // 4)
    if not starts:
        return starts
    if isinstance(part, Chars):
        return {start + 1 for start in starts if start < len(text) and part.holds(text[start])}
    if isinstance(part, Anchor):
        return starts & {len(text) if part.at_end else 0}
    if isinstance(part, Sequence):
        for item in part.parts:
            starts = _ends(item, text, starts, steps)
        return starts
    if isinstance(part, Choice):
        return set().union(*(_ends(option, text, starts, steps) for option in part.options))
    return _repeat_ends(part, text, starts, steps)


def _repeat_ends(part: Repeat, text: str, starts: set[int], steps: Steps) -> set[int]:
    for _ in range(part.low):
        starts = _ends(part.part, text, starts, steps)
        if not starts:
            return starts
    found, fresh, rounds = set(starts), starts, part.low
    while fresh and (part.high is None or rounds < part.high):
        fresh = _ends(part.part, text, fresh, steps) - found
        found |= fresh
        rounds += 1
    return found


def _total(lengths: list[int | None]) -> int | None:
    return (
        None if any(length is None for length in lengths) else sum(length for length in lengths if length is not None)
    )


def _sorted_ranges(ranges: list[tuple[int, int]]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _opposite(ranges: Ranges) -> Ranges:
    gaps, start = [], 0
    for low, high in ranges:
        if start < low:
            gaps.append((start, low - 1))
        start = high + 1
    if start <= _TOP:
        gaps.append((start, _TOP))
    return tuple(gaps)


_NOT_NEWLINE: Final = _opposite(((10, 10), (13, 13), (0x2028, 0x2029)))
_SHORTHANDS: Final = {
    "d": _DIGITS, "D": _opposite(_DIGITS), "w": _WORD, "W": _opposite(_WORD), "s": _SPACES, "S": _opposite(_SPACES),
}  # fmt: skip


class _Parser:
    """Recursive descent over one pattern."""

    def __init__(self, pattern: str, path: str) -> None:
        self._pattern = pattern
        self._path = path
        self._at = 0

    @property
    def done(self) -> bool:
        return self._at >= len(self._pattern)

    def refusal(self, what: str) -> RefusedError:
        return RefusedError(
            f"{self._path}: {what} at character {self._at} is outside the patterns that the simulator reads.",
            param=self._path,
        )

    def choice(self, depth: int) -> Part:
        if depth > _MAX_DEPTH:
            raise self.refusal(f"a group inside {_MAX_DEPTH} others")
        options = [self._sequence(depth)]
        while self._take("|"):
            options.append(self._sequence(depth))
        if len(options) == 1:
            return options[0]
        longest = [option.longest for option in options]
        return Choice(
            options=tuple(options),
            shortest=min(option.shortest for option in options),
            longest=None if None in longest else max(length for length in longest if length is not None),
        )

    def _sequence(self, depth: int) -> Part:
        parts: list[Part] = []
        while not self.done and self._pattern[self._at] not in "|)":
            parts.append(self._repeated(self._atom(depth)))
        shortest = sum(part.shortest for part in parts)
        if shortest > LONGEST:
            raise self.refusal(f"a text of more than {LONGEST} characters")
        return Sequence(parts=tuple(parts), shortest=shortest, longest=_total([part.longest for part in parts]))

    def _repeated(self, part: Part) -> Part:
        bounds = self._bounds()
        if bounds is None:
            return part
        low, high = bounds
        if self._take("+"):
            raise self.refusal("a possessive repeat")
        self._take("?")
        if isinstance(part, Anchor) or self._bounds() is not None:
            raise self.refusal("a repeat without something to repeat")
        if high is not None and high < low:
            raise self.refusal("a repeat whose bounds are reversed")
        if low * max(part.shortest, 1) > LONGEST:
            raise self.refusal(f"a text of more than {LONGEST} characters")
        longest = None if high is None or part.longest is None else high * part.longest
        if part.longest == 0:
            longest = 0
        return Repeat(part=part, low=low, high=high, shortest=low * part.shortest, longest=longest)

    def _bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(sign):
                return bounds
        found = _REPEAT.match(self._pattern, self._at)
        if found is None:
            return None
        self._at = found.end()
        low = int(found[1])
        if found[2] is None:
            return low, low
        return low, None if found[3] is None else int(found[3])

    def _atom(self, depth: int) -> Part:
        if self._bounds() is not None:
            raise self.refusal("a repeat without something to repeat")
        if self._take("("):
            return self._group(depth)
        if self._take("["):
            return self._class()
        if self._pattern.startswith("{,", self._at):  # up to n times in Python, two plain characters in ECMA-262
            raise self.refusal("a repeat without its lower bound")
        character = self._next()
        if character in "^$":
            return Anchor(at_end=character == "$")
        if character == ".":
            return Chars(ranges=_NOT_NEWLINE)
        return Chars(ranges=self._escape() if character == "\\" else ((ord(character), ord(character)),))

    def _group(self, depth: int) -> Part:
        marked = _GROUP.match(self._pattern, self._at)
        if marked is not None:
            self._at = marked.end()
        elif self._pattern.startswith("?", self._at):
            raise self.refusal(f"the group '({self._pattern[self._at : self._at + 3]}'")
        inner = self.choice(depth + 1)
        if not self._take(")"):
            raise self.refusal("a '(' without its ')'")
        return inner

    def _class(self) -> Part:
        negated = self._take("^")
        ranges: list[tuple[int, int]] = []
        if self._pattern.startswith("]", self._at):
            raise self.refusal("a class that begins with ']'")
        while not self._take("]"):
            low = self._class_member()
            if self._pattern.startswith("-", self._at) and not self._pattern.startswith("-]", self._at):
                self._at += 1
                ranges.append(self._class_range(low, self._class_member()))
            else:
                ranges.extend(low)
        merged = _sorted_ranges(ranges)
        return Chars(ranges=_opposite(merged) if negated else merged)

    def _class_member(self) -> Ranges:
        character = self._next()
        if character == "\\":
            return self._escape()
        if character == "[":  # Python warns of it and ECMA's v mode reads it as a set
            raise self.refusal("a '[' inside a class")
        return ((ord(character), ord(character)),)

    def _class_range(self, low: Ranges, high: Ranges) -> tuple[int, int]:
        if len(low) != 1 or len(high) != 1 or low[0][0] != low[0][1] or high[0][0] != high[0][1] or low > high:
            raise self.refusal("a range that is none")
        return low[0][0], high[0][0]

    def _escape(self) -> Ranges:
        character = self._next()
        if character in _SHORTHANDS:
            return _SHORTHANDS[character]
        if character in _HEX:
            digits = self._pattern[self._at : self._at + _HEX[character]]
            if len(digits) < _HEX[character] or not re.fullmatch(r"[0-9A-Fa-f]+", digits):
                raise self.refusal(f"the escape '\\{character}{digits}'")
            self._at += len(digits)
            code = int(digits, 16)
        elif character.isascii() and character.isalnum():
            if character not in _CONTROLS:
                raise self.refusal(f"the escape '\\{character}'")
            code = _CONTROLS[character]
        else:
            code = ord(character)
        return ((code, code),)

    def _take(self, character: str) -> bool:
        if not self._pattern.startswith(character, self._at):
            return False
        self._at += 1
        return True

    def _next(self) -> str:
        if self.done:
            raise self.refusal("an unfinished pattern")
        self._at += 1
        return self._pattern[self._at - 1]
