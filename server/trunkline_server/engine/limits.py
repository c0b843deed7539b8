# SPDX-License-Identifier: Apache-2.0
"""How many calls an endpoint takes at once, and how many may wait for it. Whatever is beyond that is refused at once: a queue that only grows helps nobody."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.catalog.entry import Endpoint, EndpointKey
from trunkline_server.core.errors import GatewayError

RETRY_AFTER_S: Final = 1.0
"""The wait advised to a call that finds no place."""


class EndpointLimits:
    """The calls at each endpoint. `most_waiting` bounds each queue; `monotonic_s` is the clock of deadlines.

    An endpoint's own limit is `Endpoint.most_concurrent`; None: there is none, and nothing is counted. Where the catalog changes it, the latest holds.
    """

    def __init__(self, *, most_waiting: int, monotonic_s: Callable[[], float]) -> None:
        self._most_waiting = most_waiting
        self._monotonic_s = monotonic_s
        self._gates: dict[EndpointKey, _Gate] = {}

    @asynccontextmanager
    async def admit(self, endpoint: Endpoint, until_s: float) -> AsyncIterator[None]:
        """A place at the endpoint while the context is open. Who waits longest gets the next one.

        Waits for one until a moment of the monotonic clock; one that has passed means not to wait. Raises GatewayError RATE_LIMIT_EXCEEDED, after which
        another endpoint may have a place, where as many wait already as may, or none came free.
        """
        most = endpoint.most_concurrent
        if most is None:
            yield
            return
        gate = self._gates.setdefault(endpoint.key, _Gate())
        gate.resize(most)
        try:
            if not gate.take():
                await self._wait(gate, endpoint, until_s)
            try:
                yield
            finally:
                gate.give_back()
        finally:
            if gate.is_idle and self._gates.get(endpoint.key) is gate:
                del self._gates[endpoint.key]

    async def _wait(self, gate: _Gate, endpoint: Endpoint, until_s: float) -> None:
        left_s = until_s - self._monotonic_s()
        if len(gate.waiting) >= self._most_waiting or left_s <= 0:
            raise _full(endpoint)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        gate.waiting[turn] = None
        try:
            async with asyncio.timeout(left_s):
                await turn
        except BaseException as error:  # cancelled as well: whatever ends the wait must not take a place with it
            if turn.done() and not turn.cancelled():
                # Its turn came in the same moment: the place goes to the next one.
                gate.give_back()
            else:
                gate.waiting.pop(turn, None)
            if isinstance(error, TimeoutError):
                raise _full(endpoint) from None
            raise


class _Gate:
    """The calls at one endpoint: how many run, and who waits, in the order they came. Who is given a place has left `waiting`, and counts as running."""

    __slots__ = ("_most", "_running", "waiting")

    def __init__(self) -> None:
        self._most = 0
        self._running = 0
        # A queue from which any one can leave at the same cost.
        self.waiting: OrderedDict[asyncio.Future[None], None] = OrderedDict()

    @property
    def is_idle(self) -> bool:
        """Whether nobody is here."""
        return not self._running and not self.waiting

    def resize(self, most: int) -> None:
        """So many may run from now on; those above it that do are left alone."""
        self._most = most
        self._admit_waiting()

    def take(self) -> bool:
        """Take a place, where one is free: then nobody waits, since a place that comes free is given away at once."""
        if self._running >= self._most:
            return False
        self._running += 1
        return True

    def give_back(self) -> None:
        """A call has ended."""
        self._running -= 1
        self._admit_waiting()

    def _admit_waiting(self) -> None:
        while self.waiting and self._running < self._most:
            turn, _ = self.waiting.popitem(last=False)
            if not turn.done():
                self._running += 1
                turn.set_result(None)


def _full(endpoint: Endpoint) -> GatewayError:
    return GatewayError(
        ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED,
        f"{endpoint.provider.name} is at the limit that this gateway sets for it; try again shortly.",
        retry_after_s=RETRY_AFTER_S,
    )
