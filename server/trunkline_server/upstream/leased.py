# SPDX-License-Identifier: Apache-2.0
"""Upstreams that a reload may put aside while calls are still on them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType

from trunkline_server.core.ports import Upstream, UpstreamAnswer, UpstreamRequest


class LeasedUpstream:
    """An upstream that knows how many calls are on it. Once put aside it closes when the last of them has left.

    A call that was planned before may still come afterwards. It gets connections of its own, made by `make` like the first ones, which close behind it.
    """

    def __init__(self, make: Callable[[], Upstream]) -> None:
        self._make = make
        self._upstream = make()
        self._calls = 0
        self._aside = False

    def send(self, request: UpstreamRequest) -> AbstractAsyncContextManager[UpstreamAnswer]:
        """Sends a request when the context is entered. See `ports.Upstream`."""
        return _Lease(self, request)

    async def put_aside(self) -> None:
        """Closes as soon as no call is on it, which may be now."""
        self._aside = True
        await self._close_if_left()

    async def close(self) -> None:
        """Frees the connections, those in use too."""
        await self._upstream.close()

    def enter(self, request: UpstreamRequest) -> AbstractAsyncContextManager[UpstreamAnswer]:
        """A call comes with its request."""
        exchange = self._upstream.send(request)
        self._calls += 1
        return exchange

    async def leave(self) -> None:
        """A call goes."""
        self._calls -= 1
        await self._close_if_left()

    async def _close_if_left(self) -> None:
        if self._aside and not self._calls:
            # Closing takes a moment, in which a late call may come.
            left, self._upstream = self._upstream, self._make()
            await left.close()


class _Lease:
    """One call's stay."""

    __slots__ = ("_exchange", "_request", "_upstream")

    def __init__(self, upstream: LeasedUpstream, request: UpstreamRequest) -> None:
        self._upstream = upstream
        self._request: UpstreamRequest | None = request
        self._exchange: AbstractAsyncContextManager[UpstreamAnswer] | None = None

    async def __aenter__(self) -> UpstreamAnswer:
        request, self._request = self._request, None  # its body goes once it is sent, and the answer may take minutes
        if request is None:
            message = "a stay begins once"
            raise RuntimeError(message)
        self._exchange = self._upstream.enter(request)
        del request
        try:
            return await self._exchange.__aenter__()
        except BaseException:  # a stay that did not begin ends like any other
            await self._upstream.leave()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        if self._exchange is None:
            return None
        try:
            return await self._exchange.__aexit__(kind, error, traceback)
        finally:
            await self._upstream.leave()
