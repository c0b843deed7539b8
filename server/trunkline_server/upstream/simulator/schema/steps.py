# SPDX-License-Identifier: Apache-2.0
"""A bound on the work for one request's schemas: they come from callers, and the simulator runs in the gateway's event loop."""

from __future__ import annotations

from typing import Final

from trunkline_server.upstream.simulator.limits import SLICE
from trunkline_server.upstream.simulator.refused import RefusedError

MAX_STEPS: Final = 100_000
"""For all schemas of a request, of each choice again: about half a second."""
MAX_SLICE: Final = SLICE
"""Between two rests: a few tens of milliseconds."""


class Steps:
    """Counts work down from `limit`, and from `most_in_one` since the last rest; below zero it raises RefusedError."""

    __slots__ = ("_left", "_most_in_one", "_since")

    def __init__(self, limit: int = MAX_STEPS, most_in_one: int = MAX_SLICE) -> None:
        self._left = limit
        self._most_in_one = most_in_one
        self._since = 0

    def spend(self, count: int = 1) -> None:
        """Pay for `count` steps."""
        self._left -= count
        self._since += count
        if self._left < 0 or self._since > self._most_in_one:
            raise RefusedError(
                f"The request's schemas need too much work: more than {self._most_in_one} steps in one go, or {MAX_STEPS} in all."
                " Use fewer nodes, references and choices, shorter texts and arrays, or a smaller n."
            )

    def rest(self) -> int:
        """Begin a new slice; the steps of the last one."""
        since, self._since = self._since, 0
        return since
