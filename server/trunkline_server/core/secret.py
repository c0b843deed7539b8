# SPDX-License-Identifier: Apache-2.0
"""A text that nobody prints by accident."""

from __future__ import annotations

import hmac
from typing import Final, NoReturn, final

_HIDDEN: Final = "***"


@final
class Secret:
    """A text that shows as `***` wherever it is printed, formatted or dumped. Only `reveal` gives it out."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return _HIDDEN

    def __format__(self, spec: str) -> str:
        return _HIDDEN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")
