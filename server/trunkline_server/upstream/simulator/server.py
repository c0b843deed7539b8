# SPDX-License-Identifier: Apache-2.0
"""The simulator as an upstream: the one file here that waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, TypeVar, cast

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import UpstreamAnswer, UpstreamRequest
from trunkline_server.upstream.simulator.limits import Work
from trunkline_server.upstream.simulator.reply import Block, Break, Reply, make_reply

_T = TypeVar("_T")
_FOREVER_S: Final = float("inf")


class SimulatorUpstream:
    """A provider without a network: it reads openai_chat requests and answers in openai_chat bytes.

    `clock` gives Unix seconds for the answers' `created`, `monotonic` the clock that deadlines are of; `sleep` waits seconds. Between blocks, and between
    slices of the work that comes before them, it yields to the event loop, so that other calls go on and a cancelled reader stops it. It keeps the request's time-outs as a connection would.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep

    @asynccontextmanager
    async def send(self, request: UpstreamRequest) -> AsyncIterator[UpstreamAnswer]:
        """Answer a request. Raises GatewayError (PROVIDER_UNAVAILABLE, PROVIDER_TIMEOUT, DEADLINE_EXCEEDED) where no answer's head comes."""
        reply = await _finish(make_reply(request.path, request.body, int(self._clock())))
        if reply.refused:
            raise GatewayError(
                ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, "The simulator refused the connection, as was asked for."
            )
        await self._wait(reply.wait_s, request, request.first_byte_timeout_s)
        answer = _SimulatorAnswer(reply, request, self._wait)
        try:
            yield answer
        finally:
            answer.close()

    async def close(self) -> None:
        """Does nothing: there are no connections."""

    async def _wait(self, wait_s: float, request: UpstreamRequest, limit_s: float) -> None:
        """Wait, but no longer than `limit_s` and the deadline: past either it raises GatewayError."""
        left_s = request.deadline_s - self._monotonic()
        if wait_s <= min(left_s, limit_s):
            await self._sleep(wait_s)
            return
        await self._sleep(max(min(left_s, limit_s), 0))
        if left_s <= limit_s:
            raise GatewayError(
                ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED, "The deadline passed while the simulator was waiting."
            )
        raise GatewayError(
            ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT, f"The simulator was silent for {limit_s:g} seconds."
        )


async def _finish(work: Work[_T]) -> _T:
    """Do work slice by slice. Other tasks go on in between, and a cancelled caller ends it."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            return cast(_T, done.value)
        await asyncio.sleep(0)


class _SimulatorAnswer:
    """The head of one answer, and its body."""

    def __init__(
        self, reply: Reply, request: UpstreamRequest, wait: Callable[[float, UpstreamRequest, float], Awaitable[None]]
    ) -> None:
        self._reply = reply
        self._request = request
        self._wait = wait
        self._open = True
        self._silence_s = request.first_content_timeout_s

    @property
    def status(self) -> int:
        return self._reply.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._reply.headers

    async def blocks(self) -> AsyncIterator[bytes]:
        for block in self._reply.blocks:
            await self._wait(block.wait_s, self._request, self._silence_s)
            if not self._open:
                return
            if block.data:
                yield block.data
            await self._after(block)

    def note_content(self) -> None:
        self._silence_s = self._request.idle_timeout_s

    def close(self) -> None:
        """End the body: a reader that is still there gets nothing more."""
        self._open = False

    async def _after(self, block: Block) -> None:
        if block.then is Break.BROKEN:
            raise GatewayError(
                ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, "The simulator broke the connection, as was asked for."
            )
        if block.then is Break.SILENT:
            await self._wait(_FOREVER_S, self._request, self._silence_s)
