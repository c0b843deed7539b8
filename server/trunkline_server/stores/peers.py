# SPDX-License-Identifier: Apache-2.0
"""How the workers of one gateway ask each other: over Unix sockets in a folder that only their user can open.

Each worker has a socket there. A question and its answer are blocks: four bytes of length, then as many bytes; a connection
carries one of each. Whoever is not there any more has nothing to say. Whoever is there and does not answer makes the whole answer unknown.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError

_LOGGER: Final = logging.getLogger("trunkline.peers")
_LENGTH_BYTES: Final = 4
_MOST_BYTES: Final = 64 * 1024 * 1024
_ENDING: Final = ".sock"
_TRIES: Final = 2


class Peers:
    """The other workers.

    `folder` is where they are found (None: the gateway is one process), `name` this one's name there; `answer` answers a question of theirs. Theirs are
    due within `patience_s`.
    """

    def __init__(
        self, folder: Path | None, name: str, answer: Callable[[bytes], bytes], *, patience_s: float = 2.0
    ) -> None:
        self._folder = folder
        self._answer = answer
        self._patience_s = patience_s
        self._own = f"{name}{_ENDING}"
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Begins to answer. Raises OSError where the socket cannot be made."""
        if self._folder is not None:
            self._server = await asyncio.start_unix_server(self._serve, self._folder / self._own)

    async def close(self) -> None:
        """Answers no more."""
        if self._server is not None and self._folder is not None:
            self._server.close()
            (self._folder / self._own).unlink(missing_ok=True)

    async def ask(self, question: bytes) -> list[bytes]:
        """The answers of all that are there. Raises GatewayError (OVERLOADED) where one of them does not answer."""
        answers = await asyncio.gather(*(self._ask(path, question) for path in self._others()))
        return [answer for answer in answers if answer is not None]

    async def tell_one(self, question: bytes) -> bool:
        """Whether somebody took it: the first that answers with anything. The newest are asked first.

        Who is there and does not answer may have taken it, and is asked the same once more before the next one is: it must not count twice what it
        is told twice.
        """
        for path in reversed(self._others()):
            for _ in range(_TRIES):
                try:
                    if await self._ask(path, question):
                        return True
                    break
                except GatewayError as error:
                    _LOGGER.warning("%s", error)
        return False

    def _others(self) -> list[Path]:
        """The sockets of the others, the oldest first."""
        if self._folder is None:
            return []
        found = [
            entry for entry in os.scandir(self._folder) if entry.name.endswith(_ENDING) and entry.name != self._own
        ]
        return [Path(entry.path) for entry in sorted(found, key=lambda entry: entry.stat().st_mtime)]

    async def _ask(self, path: Path, question: bytes) -> bytes | None:
        """The answer of one; None where it is not there any more."""
        try:
            async with asyncio.timeout(self._patience_s):
                reader, writer = await asyncio.open_unix_connection(path)
                try:
                    writer.write(_block(question))
                    return await _read_block(reader)
                finally:
                    writer.close()
        except TimeoutError:
            raise GatewayError(
                ErrorReason.ERROR_REASON_OVERLOADED,
                f"A worker of the gateway did not answer the others in {self._patience_s:g} s. Ask again.",
            ) from None
        except (OSError, asyncio.IncompleteReadError):
            return None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                writer.write(_block(self._answer(await _read_block(reader))))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
            _LOGGER.debug("a peer's question was not answered: %r", error)
        finally:
            writer.close()


def _block(content: bytes) -> bytes:
    return len(content).to_bytes(_LENGTH_BYTES, "big") + content


async def _read_block(reader: asyncio.StreamReader) -> bytes:
    """A block. Raises IncompleteReadError, or OSError for one that is too long."""
    length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "big")
    if length > _MOST_BYTES:
        raise OSError(f"a block of {length} bytes")
    return await reader.readexactly(length)
