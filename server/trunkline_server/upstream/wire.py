# SPDX-License-Identifier: Apache-2.0
"""POST requests on aiohttp's connections, without its session.

aiohttp connects, keeps connections and parses answers. The request is written here: a head that is made once for each path, and the body behind it in the
same write. What a session does beside (cookies, redirects, proxies, sign-in, traces) this gateway does not do, and it takes as long as all the rest.
"""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Mapping
from ssl import SSLContext
from types import MappingProxyType
from typing import Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from yarl import URL

from trunkline_server.upstream.resolver import LookUp, Resolver

_KEEP_ALIVE_S: Final = 30.0
_LARGE_BODY_BYTES: Final = 256 << 10
_WRITE_BYTES: Final = 64 << 10
_MOST_HEADS: Final = 256
_NO_CEILING: Final = float("inf")
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class ProviderConnection(ResponseHandler):
    """One connection to a provider. `was_used` says whether a request went over it before."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.was_used = False

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Goes on reading where it had stopped. aiohttp asks after each block, and would run the parser each time."""
        if self._reading_paused:
            super().resume_reading(resume_parser)


class Connector(aiohttp.TCPConnector):
    """aiohttp's connector, for connections to one provider. `ssl` replaces the system's trust, `look_up` its way from names to addresses; `keep_alive_s` is how
    long an idle connection is kept.

    What it keeps between two requests is kept here: aiohttp's own pool is for many hosts and limits, and looks them all up each time. To aiohttp a kept
    connection is in use, so that it closes it at the end.
    """

    def __init__(self, ssl: SSLContext | None, look_up: LookUp, *, keep_alive_s: float = _KEEP_ALIVE_S) -> None:
        # The engine bounds calls; a second bound here would be a queue that nobody sees.
        self._own_resolver = Resolver(look_up)
        super().__init__(limit=0, ssl=ssl or True, resolver=self._own_resolver)
        self._keep_alive_s = keep_alive_s
        self._factory = functools.partial(ProviderConnection, loop=self._loop)  # type: ignore[assignment] # partial is invariant; a ProviderConnection is what aiohttp wants
        # The oldest first, each with the moment from which on it was idle.
        self._kept: deque[tuple[Connection, float]] = deque()
        self._sweep: asyncio.TimerHandle | None = None

    def take(self) -> Connection | None:
        """A kept connection, as far as anybody can tell still open; None where there is none."""
        while self._kept:
            connection, _ = self._kept.pop()  # the last one is the least likely to have been closed by the other end
            protocol = connection.protocol
            if protocol is not None and protocol.is_connected() and not protocol.should_close:
                return connection
            connection.close()
        return None

    async def free(self) -> None:
        """Closes the connections, and takes no more look-ups."""
        await self.close_all()
        await self._own_resolver.close()  # aiohttp leaves a resolver that it was given to its giver

    async def open(self, target: aiohttp.ClientRequest, timeout_s: float) -> Connection:
        """A new connection within `timeout_s`. Raises TimeoutError, aiohttp.ClientConnectionError."""
        timeout = aiohttp.ClientTimeout(total=None, connect=timeout_s, ceil_threshold=_NO_CEILING)
        return await self.connect(target, [], timeout)

    def keep(self, connection: Connection) -> None:
        """Takes a connection back whose answer has been received to the end. One that can serve no other is closed."""
        protocol = connection.protocol
        if self._closed or protocol is None or protocol.should_close:
            connection.close()
            return
        self._kept.append((connection, self._loop.time()))
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._keep_alive_s, self._close_old)

    async def close_all(self) -> None:
        """Closes all connections, those in use too."""
        if self._sweep is not None:
            self._sweep.cancel()
        while self._kept:
            self._kept.pop()[0].close()
        await self.close()

    def _close_old(self) -> None:
        """Closes what has been idle for the keep-alive time, and looks again when the next one will have been."""
        self._sweep = None
        due_s = self._loop.time() - self._keep_alive_s
        while self._kept and self._kept[0][1] <= due_s:
            self._kept.popleft()[0].close()
        if self._kept:
            self._sweep = self._loop.call_later(self._kept[0][1] - due_s, self._close_old)


class Heads:
    """Makes the heads of requests below one base URL. `own` are the headers that every request bears, the key among them; `query` is added to the query of each,
    where the key stands there.
    """

    def __init__(self, base_url: str, own: Mapping[str, str], query: str = "") -> None:
        self._base_url = base_url
        self._origin = URL(base_url).origin()
        self._own = own
        self._query = query
        self._refused = _FRAMING | {name.lower() for name in own}
        self._made: dict[tuple[str, tuple[tuple[str, str], ...]], bytes] = {}

    def head(self, path: str, headers: Mapping[str, str], body_bytes: int) -> bytes:
        """The head of a request. Of `headers`, those that frame the message or bear credentials are left out. Raises ValueError for one that cannot be sent."""
        key = path, tuple(headers.items())
        made = self._made.get(key)
        if made is None:
            if len(self._made) >= _MOST_HEADS:
                self._made.clear()
            self._made[key] = made = self._make(path, headers)
        return b"%b%d\r\n\r\n" % (made, body_bytes)

    def url(self, path: str) -> URL:
        """Where a path leads. Raises ValueError where that is not the provider's own host: the key is for that one alone."""
        url = URL(self._base_url + path)
        if url.origin() != self._origin or url.fragment:
            raise ValueError("a path leads away from its provider")
        return url

    def signed_head(self, path: str, headers: Mapping[str, str], shown: Mapping[str, str], body_bytes: int) -> bytes:
        """The head of a request with the headers `shown` that show who sends it, and which are made for this request alone. Raises as `head`."""
        return b"%b%d\r\n\r\n" % (self._make(path, headers, shown), body_bytes)

    def _make(self, path: str, headers: Mapping[str, str], shown: Mapping[str, str] = _NOTHING) -> bytes:
        """A head up to the length of the body."""
        url = self.url(path)
        given = {name.lower(): value for name, value in headers.items()}
        sent = {
            "accept": "*/*",
            **{name: value for name, value in given.items() if name not in self._refused},
            **self._own,
            **shown,
        }
        joint = "&" if url.raw_query_string else "?"
        lines = [
            f"POST {url.raw_path_qs}{joint + self._query if self._query else ''} HTTP/1.1",
            f"host: {url.host_port_subcomponent}",
            *(f"{name}: {value}" for name, value in sent.items()),
        ]
        if not all(line.isprintable() for line in lines):
            # The lines stay out of the message: one of them shows the key.
            raise ValueError("a header of a request holds a control character")
        return ("\r\n".join(lines) + "\r\ncontent-length: ").encode()


def write_request(connection: ProviderConnection, head: bytes, body: bytes) -> asyncio.Task[None] | None:
    """Writes a request. A large body goes out piece by piece, so that it gives way to other calls: by the task that comes back."""
    connection.was_used = True
    transport = connection.transport
    if transport is None:  # the answer to come is that it is lost
        return None
    if len(body) <= _LARGE_BODY_BYTES:
        transport.write(head + body)
        return None
    transport.write(head)
    return asyncio.create_task(_write_pieces(connection, body))


async def _write_pieces(connection: ProviderConnection, body: bytes) -> None:
    for start in range(0, len(body), _WRITE_BYTES):
        if connection.transport is None or connection.transport.is_closing():
            return
        connection.transport.write(body[start : start + _WRITE_BYTES])
        try:
            # Waits while the provider is slow; a connection that is lost is told to whoever reads.
            await connection._drain_helper()  # noqa: SLF001 - what aiohttp's own writer waits for
        except ConnectionError:
            return
        await asyncio.sleep(0)


_FRAMING: Final = frozenset({"authorization", "connection", "content-length", "cookie", "host", "transfer-encoding"})
"""What no dialect may set."""
