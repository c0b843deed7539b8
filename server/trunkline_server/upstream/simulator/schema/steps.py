# SPDX-License-Identifier: Apache-2.0
"""A bound on the work for one request's schemas: they come from callers, and the simulator runs in the gateway's event loop."""

from __future__ import annotations

from typing import Final

from trunkline_server.upstream.simulator.refused import RefusedError

MAX_STEPS: Final = 200_000
"""About a fifth of a second."""


class Steps:
    """Counts work down from `limit`; below zero it raises RefusedError."""

    __slots__ = ("_left",)

    def __init__(self, limit: int = MAX_STEPS) -> None:
        self._left = limit

    def spend(self, count: int = 1) -> None:
        """Pay for `count` steps."""
        self._left -= count
        if self._left < 0:
            raise RefusedError(
                "The request's schemas need too much work. Use fewer nodes, fewer choices, shorter texts and arrays."
            )
