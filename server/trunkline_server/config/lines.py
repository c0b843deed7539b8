# SPDX-License-Identifier: Apache-2.0
"""Which line of a TOML text says what: tomllib gives values without positions, and a fault without its line is hard to find.

The scanner expects a text that tomllib has read without complaint, so it checks nothing: it only has to know where keys and values begin and end
(TOML 1.0.0). A path is the keys from the root, with the index where an array is passed: `("models", 0, "endpoints", 1, "provider")`.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from typing import Final

Path = tuple[str | int, ...]

_BLANK: Final = re.compile(r"(?:[\s]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR: Final = re.compile(r"[^,\]}#\n]*")
# The longer quotes first; a multi-line string may end in up to two quotes of its own before the closing three.
_STRING: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'",
    re.DOTALL,
)


def find_lines(text: str) -> Mapping[Path, int]:
    """The line, counted from 1, on which each table, key and array element of a valid TOML text begins."""
    scanner = _Scanner(text)
    scanner.scan()
    return scanner.lines


class _Scanner:
    """A cursor over the text, and the lines found so far."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._text = text
        self._at = 0
        self._line_ends = [match.start() for match in re.finditer("\n", text)]
        self._table_counts: dict[Path, int] = {}

    def scan(self) -> None:
        """Walk the whole text: headers of tables, and the assignments below them."""
        table: Path = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._next_is("["):
                table = self._header()
            else:
                self._assignment(table)
            self._skip(_BLANK)

    def _header(self) -> Path:
        """Read `[a.b]` or `[[a.b]]`: the path of the table that begins."""
        line = self._line()
        is_array = self._text.startswith("[[", self._at)
        self._at += 2 if is_array else 1
        keys = self._keys()
        self._at += 2 if is_array else 1
        path: Path = ()
        for key in keys[:-1]:
            path = self._with_current_index((*path, key))
            self.lines.setdefault(path, line)
        path = (*path, keys[-1])
        self.lines.setdefault(path, line)
        if is_array:
            self._table_counts[path] = self._table_counts.get(path, 0) + 1
            path = self._with_current_index(path)
            self.lines.setdefault(path, line)
        return path

    def _with_current_index(self, path: Path) -> Path:
        """The path, followed by the index of its last table where it is an array of tables."""
        return (*path, self._table_counts[path] - 1) if path in self._table_counts else path

    def _assignment(self, table: Path) -> None:
        """Read `a.b = value` inside a table."""
        line = self._line()
        path = table
        for key in self._keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _value(self, path: Path) -> None:
        if self._next_is("["):
            self._array(path)
        elif self._next_is("{"):
            self._inline_table(path)
        elif not self._skip(_STRING):
            self._skip(_SCALAR)

    def _array(self, path: Path) -> None:
        self._at += 1
        index = 0
        self._skip(_BLANK)
        while not self._next_is("]"):
            element = (*path, index)
            self.lines[element] = self._line()
            self._value(element)
            index += 1
            self._skip_comma()
        self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        self._skip(_BLANK)
        while not self._next_is("}"):
            self._assignment(path)
            self._skip_comma()
        self._at += 1

    def _skip_comma(self) -> None:
        self._skip(_BLANK)
        if self._next_is(","):
            self._at += 1
            self._skip(_BLANK)

    def _keys(self) -> tuple[str, ...]:
        """Read a dotted key up to what follows it."""
        keys = []
        while True:
            self._skip(_SPACE)
            start = self._at
            if self._skip(_STRING):
                keys.append(str(tomllib.loads(f"key = {self._text[start : self._at]}")["key"]))
            else:
                self._skip(_BARE_KEY)
                keys.append(self._text[start : self._at])
            self._skip(_SPACE)
            if not self._next_is("."):
                return tuple(keys)
            self._at += 1

    def _line(self) -> int:
        return bisect_right(self._line_ends, self._at - 1) + 1

    def _next_is(self, character: str) -> bool:
        return self._text.startswith(character, self._at)

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        """Move past a match at the cursor; tells whether there was one that is not empty."""
        match = pattern.match(self._text, self._at)
        if match is None or match.end() == self._at:
            return False
        self._at = match.end()
        return True
