# SPDX-License-Identifier: Apache-2.0
"""Finding a provider's addresses, in threads of its own.

The system's look-up blocks, for half a minute where name servers are silent, and cannot be ended. In the event loop's own few threads some such look-ups would
keep everybody else from theirs; here everybody who wants the same addresses waits for one look-up, so a name that hangs holds one thread however many calls
come and go. The threads are daemons: the process ends without them.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult

LookUp: TypeAlias = Callable[..., list[tuple[Any, ...]]]
"""Takes what `socket.getaddrinfo` takes, gives what it gives; may block. Raises OSError."""
_Wanted: TypeAlias = tuple[str, int, socket.AddressFamily]
_Found: TypeAlias = list[tuple[Any, ...]]


class Resolver(AbstractResolver):
    """The look-ups for one provider. A name that was not found is looked up again by the next call: nothing is kept here."""

    def __init__(self, look_up: LookUp = socket.getaddrinfo) -> None:
        self._look_up = look_up
        self._under_way: dict[_Wanted, asyncio.Future[_Found]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name. Raises OSError where there are none."""
        wanted = (host, port, family)
        # Shielded: who leaves does not take the others' look-up along.
        found = await asyncio.shield(self._under_way.get(wanted) or self._begin(wanted))
        numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=address[0], port=address[1], family=kind, proto=proto, flags=numeric)
            for kind, _, proto, _, address in found
        ]

    async def close(self) -> None:
        """Look-ups under way are left to their end."""

    def _begin(self, wanted: _Wanted) -> asyncio.Future[_Found]:
        loop = asyncio.get_running_loop()
        pending: asyncio.Future[_Found] = loop.create_future()

        def work() -> None:
            host, port, family = wanted
            try:
                found: _Found | Exception = self._look_up(host, port, type=socket.SOCK_STREAM, family=family)
            except Exception as error:  # noqa: BLE001 # whatever it is, those who wait must hear of it
                found = error
            with suppress(RuntimeError):  # the loop may be closed by then
                loop.call_soon_threadsafe(self._end, wanted, pending, found)

        threading.Thread(target=work, name="look-up", daemon=True).start()
        self._under_way[wanted] = pending
        return pending

    def _end(self, wanted: _Wanted, pending: asyncio.Future[_Found], found: _Found | Exception) -> None:
        del self._under_way[wanted]
        if isinstance(found, Exception):
            pending.set_exception(found)
            pending.exception()  # looked at, so that nothing is logged where everybody who waited has left
        else:
            pending.set_result(found)
