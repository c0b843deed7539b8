# SPDX-License-Identifier: Apache-2.0
"""An upstream that is put aside while calls are on it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from trunkline_server.core.ports import UpstreamAnswer, UpstreamRequest
from trunkline_server.upstream.leased import LeasedUpstream

REQUEST = UpstreamRequest(path="/x", body=b"", deadline_s=1.0)


class Noted:
    """Upstreams that write down what happens to them, each with its number."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self._made = 0

    def make(self) -> "NotedUpstream":
        """The next one."""
        self._made += 1
        return NotedUpstream(self.log, self._made)


class NotedUpstream:
    """One of them. A request for `/refused` fails."""

    def __init__(self, log: list[str], number: int) -> None:
        self._log = log
        self._number = number

    def send(self, request: UpstreamRequest) -> AbstractAsyncContextManager[UpstreamAnswer]:
        """Writes down when the call comes and when it goes."""
        return self._send(request)

    @asynccontextmanager
    async def _send(self, request: UpstreamRequest) -> AsyncIterator[UpstreamAnswer]:
        self._log.append(f"call on {self._number}")
        if request.path == "/refused":
            raise ConnectionRefusedError
        try:
            yield None  # type: ignore[misc] # nobody reads the answer here
        finally:
            self._log.append(f"left {self._number}")

    async def close(self) -> None:
        """Takes a moment, as real ones do."""
        self._log.append(f"closing {self._number}")
        await asyncio.sleep(0)
        self._log.append(f"closed {self._number}")


async def test_it_stays_open_between_calls() -> None:
    """Without being put aside it never closes by itself."""
    noted = Noted()
    upstream = LeasedUpstream(noted.make)
    for _ in range(2):
        async with upstream.send(REQUEST):
            pass
    assert noted.log == ["call on 1", "left 1"] * 2


async def test_put_aside_while_idle() -> None:
    """It closes at once."""
    noted = Noted()
    await LeasedUpstream(noted.make).put_aside()
    assert noted.log == ["closing 1", "closed 1"]


async def test_put_aside_with_calls() -> None:
    """It closes behind the last of them."""
    noted = Noted()
    upstream = LeasedUpstream(noted.make)
    async with upstream.send(REQUEST):
        async with upstream.send(REQUEST):
            await upstream.put_aside()
        assert "closing 1" not in noted.log
    assert noted.log[-3:] == ["left 1", "closing 1", "closed 1"]


async def test_a_call_that_comes_too_late_is_served() -> None:
    """Its connection is a new one, which closes behind it, also where the first is still closing."""
    noted = Noted()
    upstream = LeasedUpstream(noted.make)

    async def call_late() -> None:
        async with upstream.send(REQUEST):
            pass

    await asyncio.gather(upstream.put_aside(), call_late())
    assert noted.log == ["closing 1", "call on 2", "left 2", "closing 2", "closed 1", "closed 2"]


async def test_a_call_that_fails_to_begin_has_left() -> None:
    """It does not keep the upstream open."""
    noted = Noted()
    upstream = LeasedUpstream(noted.make)
    async with upstream.send(REQUEST):
        await upstream.put_aside()
        with pytest.raises(ConnectionRefusedError):
            async with upstream.send(UpstreamRequest(path="/refused", body=b"", deadline_s=1.0)):
                pass
        assert "closing 1" not in noted.log
    assert noted.log[-1] == "closed 1"


async def test_close_does_not_wait() -> None:
    """The end of the process frees connections in use."""
    noted = Noted()
    upstream = LeasedUpstream(noted.make)
    async with upstream.send(REQUEST):
        await upstream.close()
        assert noted.log == ["call on 1", "closing 1", "closed 1"]


async def test_a_stay_does_not_keep_the_request() -> None:
    """Its body may be large, and the answer may take minutes."""
    upstream = LeasedUpstream(Noted().make)
    request = UpstreamRequest(path="/x", body=b"much", deadline_s=1.0)
    before = sys.getrefcount(request)
    stay = upstream.send(request)
    async with stay:
        # The upstream's own generator has it still.
        assert sys.getrefcount(request) == before + 1
