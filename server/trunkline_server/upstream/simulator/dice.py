# SPDX-License-Identifier: Apache-2.0
"""Numbers that look random and follow from a key alone.

`random.Random` would do, but its draws are only promised to be stable within one Python version; golden files must outlive that.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, TypeVar

_T = TypeVar("_T")

WORDS: Final = (
    "amber", "basin", "cedar", "delta", "ember", "fjord", "grove", "harbor", "island", "juniper", "kernel", "lantern", "meadow", "nickel",
    "orchard", "pebble", "quartz", "river", "saddle", "timber", "umbra", "valley", "willow", "zephyr",
)  # fmt: skip
"""What made-up texts are made of."""


class Dice:
    """A hash in counter mode: the same key gives the same draws in the same order."""

    __slots__ = ("_count", "_key")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._count = 0

    def child(self, label: str) -> Dice:
        """Dice of their own for one purpose; draws from them do not move these."""
        return Dice(blake2b(label.encode(), key=self._key[:64], digest_size=32).digest())

    def below(self, bound: int) -> int:
        """A number from 0 to `bound` - 1; `bound` is at least 1 and far below 2**128."""
        return int.from_bytes(self._draw(16), "big") % bound

    def pick(self, items: Sequence[_T]) -> _T:
        """One of the items."""
        return items[self.below(len(items))]

    def hex(self, digits: int) -> str:
        """A text of hexadecimal digits, at most 64."""
        return self._draw(32).hex()[:digits]

    def word(self) -> str:
        """A word of WORDS."""
        return self.pick(WORDS)

    def _draw(self, size: int) -> bytes:
        self._count += 1
        return blake2b(self._count.to_bytes(8, "big"), key=self._key[:64], digest_size=size).digest()
