# SPDX-License-Identifier: Apache-2.0
"""Writing Python source: indentation, names and literals.

Generated code holds names and texts of the contract only. Names are protobuf identifiers; every other text goes through `repr`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Source:
    """Lines of Python under construction."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._depth = 0

    def line(self, text: str) -> None:
        """Add one line at the current depth."""
        self._lines.append("    " * self._depth + text if text else "")

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Add `head` and indent what follows; an empty block gets `pass`."""
        self.line(head)
        self._depth += 1
        before = len(self._lines)
        yield
        if len(self._lines) == before:
            self.line("pass")
        self._depth -= 1

    def text(self) -> str:
        """The source so far."""
        return "\n".join(self._lines) + "\n"


def function_name(prefix: str, message: str, variant: str = "") -> str:
    """Name a generated function: decode, "trunkline.v1.Tool", "function" -> decode__trunkline__v1__Tool__as__function."""
    return f"{prefix}__{mangled(message)}" + (f"__as__{variant}" if variant else "")


def mangled(full_name: str) -> str:
    """Turn a full protobuf name into a Python name."""
    return full_name.replace(".", "__")


def set_literal(items: Iterable[str]) -> str:
    """Write a frozenset in a fixed order."""
    return f"frozenset({sorted(items)!r})"


def attribute(path: Iterable[str]) -> str:
    """Write the way from the message `m` to one of its fields."""
    return ".".join(("m", *path))
