# SPDX-License-Identifier: Apache-2.0
"""One worker as its supervisor sees it: a process, and the socket on which it says that it is ready."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from pathlib import Path

from trunkline_server.workers.orders import READY, Seat


class Worker:
    """A worker's process, started by `start`."""

    def __init__(
        self, number: int, process: Process, control: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        self._process = process
        self._control = control
        # Open as long as the worker lives, which takes its end for the end of the supervisor.
        self._writer = writer
        self._begun_s = time.monotonic()

    @classmethod
    async def start(cls, command: Sequence[str], number: int, folder: Path) -> Worker:
        """Starts the process. It has a group of its own, so that Ctrl-C reaches the supervisor alone, which tells the workers. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            reader, writer = await asyncio.open_connection(sock=ours)
            seat = Seat(number=number, control_fd=theirs.fileno(), folder=str(folder))
            try:
                process = await asyncio.create_subprocess_exec(
                    *command, "--seat", seat.to_text(), stdin=DEVNULL, pass_fds=[theirs.fileno()], process_group=0
                )
            except BaseException:  # whatever it is, nobody will close our end
                writer.close()
                raise
        return cls(number, process, reader, writer)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def name(self) -> str:
        """The worker in a sentence."""
        return f"worker {self.number} (process {self.pid})"

    @property
    def age_s(self) -> float:
        """How long ago it was started."""
        return time.monotonic() - self._begun_s

    async def wait_until_ready(self) -> bool:
        """Whether it serves; False where it ended before."""
        return await self._control.readline() == READY

    async def wait(self) -> str:
        """Waits for its end, and tells how it was."""
        status = await self._process.wait()
        self._writer.close()
        if status < 0:
            with contextlib.suppress(ValueError):
                return f"was ended by {signal.Signals(-status).name}"
        return f"ended with status {status}"

    def retire(self) -> None:
        """Lets its clients go to the others; it ends when they have."""
        self._send(signal.SIGHUP)

    def stop(self) -> None:
        """Lets it finish the calls under way within the grace."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it at once."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)
