# SPDX-License-Identifier: Apache-2.0
"""What a request lost or had changed on its way to Google's language."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet


class Report:
    """Gathers both while one request is rendered. Paths are JSON paths without indices, each named once."""

    __slots__ = ("_changed", "_dropped")

    def __init__(self) -> None:
        self._dropped: dict[str, None] = {}
        self._changed: dict[str, str] = {}

    @property
    def dropped(self) -> tuple[str, ...]:
        """What the provider does not get, in the order it was found."""
        return tuple(self._dropped)

    @property
    def changed(self) -> tuple[tuple[str, str], ...]:
        """What it gets otherwise than it was meant, with what was done."""
        return tuple(self._changed.items())

    def drop(self, path: str) -> None:
        """Notes that a field is not sent."""
        self._dropped[path] = None

    def change(self, path: str, what: str) -> None:
        """Notes what was done to a field; what was first noted of it stays."""
        self._changed.setdefault(path, what)

    def drop_others(self, path: str, names: Iterable[str], known: AbstractSet[str]) -> None:
        """Notes the names below a path that are not among the known ones."""
        for name in names:
            if name not in known:
                self._dropped[f"{path}.{name}"] = None
