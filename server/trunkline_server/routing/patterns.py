# SPDX-License-Identifier: Apache-2.0
"""Patterns of model slugs, in which `*` stands for any characters. Case does not matter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence


def make_matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """The test whether a slug fits one of the patterns. By hand, since a caller may send hundreds of patterns, and for them regular expressions would have to be compiled."""
    lowered = {pattern.lower() for pattern in patterns}
    exact = frozenset(pattern for pattern in lowered if "*" not in pattern)
    globs = [pattern.split("*") for pattern in lowered if "*" in pattern]
    shapes = [(sum(map(len, parts)), parts[0], [part for part in parts[1:-1] if part], parts[-1]) for parts in globs]

    def matches(slug: str) -> bool:
        text = slug.lower()
        return text in exact or any(
            size <= len(text) and text.startswith(head) and text.endswith(tail) and _holds(text, head, middle, tail)
            for size, head, middle, tail in shapes
        )

    return matches


def _holds(text: str, head: str, middle: Sequence[str], tail: str) -> bool:
    """Whether a text holds the parts one after the other between its head and its tail."""
    place, end = len(head), len(text) - len(tail)
    for part in middle:
        found = text.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return place <= end
