# SPDX-License-Identifier: Apache-2.0
"""Server-sent events over HTTP: a stream that keeps itself alive while its source is silent.

How a stream reads on the wire, by the contract's options (trunkline.jsonshape.v1.ServerSentEvents):

- `data: {...}` and an empty line for each chunk; all chunks of a batch leave in one write;
- the status line waits for the first batch, at most `hold_s`; then the status is 200 whatever comes, and a comment is sent, again after each
  `interval_s` of silence;
- after the last chunk `data: [DONE]`; after a failure one event with an `error`, and nothing: no `[DONE]`, since nothing is done.

Other faces have other events, keep a stream alive by other bytes and end it by other events (faces.py); when something is written is the same for all.

Comments are written from a timer that looks, each time it fires, when the stream last wrote. So a chunk costs no task and no timer.
"""

from __future__ import annotations

import asyncio
from typing import Final, Self

from trunkline_server.edge.http.exchange import Exchange, Headers

EVENTS: Final = "text/event-stream"
# nginx and its kind would gather the stream into blocks.
_HEADERS: Final = (("Cache-Control", "no-cache"), ("X-Accel-Buffering", "no"))


class EventStream:
    """The answer to one exchange as server-sent events, `keep_alive` among them where it is silent. Use it as a context: leaving it stops the timer."""

    def __init__(
        self, exchange: Exchange, keep_alive: bytes, *, headers: Headers = (), hold_s: float, interval_s: float
    ) -> None:
        self._exchange = exchange
        self._keep_alive = keep_alive
        self._headers = (*_HEADERS, *headers)
        self._interval_s = interval_s
        self._loop = asyncio.get_running_loop()
        self._last_write_s = 0.0
        self._timer = self._loop.call_later(hold_s, self._tick)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    async def send(self, events: bytes) -> None:
        """Sends events in one write, then waits while the client is slow. Raises ClientGoneError, as all of these do."""
        exchange = self._exchange
        if exchange.began:
            self._last_write_s = self._loop.time()
            exchange.write_piece(events)
        else:
            self._write(events)
        if exchange.is_stalled:
            await exchange.drain()

    async def finish(self, events: bytes) -> None:
        """Sends the last events and the end of the body in one write."""
        self.finish_now(events)
        await self._exchange.drain()

    def finish_now(self, events: bytes) -> None:
        """As `finish`, without waiting for a slow client: for a stream that failed."""
        self._write(events, last=True)

    def _write(self, data: bytes, *, last: bool = False) -> None:
        exchange = self._exchange
        self._last_write_s = self._loop.time()
        if not exchange.began:
            exchange.begin_stream(EVENTS, self._headers, b"" if last else data)
            if not last:
                return
        exchange.write_piece(data, last=last)

    def _tick(self) -> None:
        """Sends a comment if the stream has been silent for long enough, and looks again when it may have been."""
        exchange = self._exchange
        if exchange.is_gone:
            return
        now_s = self._loop.time()
        due_s = self._last_write_s + self._interval_s if exchange.began else now_s
        if exchange.is_stalled:
            due_s = now_s + self._interval_s
        elif due_s <= now_s:
            self._write(self._keep_alive)
            due_s = now_s + self._interval_s
        self._timer = self._loop.call_at(due_s, self._tick)
