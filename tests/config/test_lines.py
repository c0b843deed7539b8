# SPDX-License-Identifier: Apache-2.0
"""Finding the line of each key of a TOML text."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from trunkline_server.config.lines import Path, find_lines

EVERYTHING = """\
# a comment with [brackets] and "quotes"
top = 1
"quoted key" = 'x' # [not.a.table]
'literal.key' = "with \\"escapes\\" and # no comment"
dotted . inside."a.b" = 07:32:00
[table]
text = \"\"\"
[not]
a = table \\\"\"\" ""\"\"\"
literal = '''
key = 1
'''
list = [ # comment, with ] and ,
  1,
  [2, "]",], # nested
  { a = { b = 1 }, c.d = [1] },
]
empty = {}
none = []
date = 1979-05-27 07:32:00
[[array]]
[array.sub]
a = 1
[[array.deep]]
b = "}"
[[array.deep]]
b = 2
[ array . "spaced" ]
c = 3
[[array]]
[[array.deep]]
b = 4
[table.later]
x = -inf
[implied.first]
[implied]
y = 1
"""


def walk(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every path of a parsed document."""
    if path:
        yield path
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from walk(item, (*path, key))


@pytest.mark.parametrize(
    "text", [EVERYTHING, EVERYTHING.replace("\n", "\r\n"), EVERYTHING.rstrip("\n"), "", "# only\n"]
)
def test_every_path_has_a_line(text: str) -> None:
    """The scanner finds exactly the paths that tomllib finds."""
    assert set(find_lines(text)) == set(walk(tomllib.loads(text)))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("quoted key",), 3),
        (("literal.key",), 4),
        (("dotted",), 5),
        (("dotted", "inside", "a.b"), 5),
        (("table",), 6),
        (("table", "text"), 7),
        (("table", "literal"), 10),
        (("table", "list"), 13),
        (("table", "list", 0), 14),
        (("table", "list", 1, 1), 15),
        (("table", "list", 2, "a", "b"), 16),
        (("table", "list", 2, "c", "d", 0), 16),
        (("table", "empty"), 18),
        (("table", "date"), 20),
        (("array",), 21),
        (("array", 0), 21),
        (("array", 0, "sub", "a"), 23),
        (("array", 0, "deep"), 24),
        (("array", 0, "deep", 1), 26),
        (("array", 0, "deep", 1, "b"), 27),
        (("array", 0, "spaced", "c"), 29),
        (("array", 1), 30),
        (("array", 1, "deep", 0, "b"), 32),
        (("table", "later", "x"), 34),
        (("implied",), 35),
        (("implied", "y"), 37),
    ],
)
def test_the_line_of_a_path(path: Path, line: int) -> None:
    """A path is on the line where its key, header or element begins."""
    assert EVERYTHING.splitlines()[line - 1].strip()
    assert find_lines(EVERYTHING)[path] == line
