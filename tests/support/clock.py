# SPDX-License-Identifier: Apache-2.0
"""A clock that a test moves."""


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s

    def advance(self, by_s: float) -> None:
        """Let time pass."""
        self.now_s += by_s
