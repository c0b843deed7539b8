# SPDX-License-Identifier: Apache-2.0
"""A supervisor in a process of its own, over workers that are a few lines of Python."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from support.source_tree import ROOT
from trunkline_server.workers.orders import Orders

# What every worker does: takes its seat, says that it is there, serves until its supervisor is gone.
SIT = """
import json, os, signal, socket, sys, time
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it would be ignored
seat = json.loads(sys.argv[-1])
control = socket.socket(fileno=seat["control_fd"])
def say(*words):
    # In one write: the workers share the output.
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
def ready():
    say("seat", seat["number"], "pid", os.getpid())
    control.sendall(b"ready\\n")
"""
SERVE = SIT + "ready(); control.recv(1)"


@dataclass(kw_only=True)
class Supervised:
    """A running supervisor. `lines` are those of its workers and its banner, `err` what was logged until its end."""

    process: Process
    lines: list[str] = field(default_factory=list)
    err: str = ""

    async def read_until(self, *words: str) -> list[str]:
        """The lines until all of these words came, each in a line of its own."""
        assert self.process.stdout is not None
        missing, got = list(words), []
        async with asyncio.timeout(20):
            while missing:
                line = (await self.process.stdout.readline()).decode()
                assert line, (missing, self.lines)
                got.append(line.strip())
                self.lines.append(line.strip())
                missing = [word for word in missing if word not in line]
        return got

    def pids(self) -> list[int]:
        """The processes that sat down so far, in order."""
        return [int(found[1]) for line in self.lines if (found := re.search(r"pid (\d+)", line))]

    async def end(self) -> int:
        """Waits for the end; the exit status."""
        async with asyncio.timeout(20):
            out, err = await self.process.communicate()
        self.lines += out.decode().splitlines()
        self.err = err.decode()
        return self.process.returncode or 0


@asynccontextmanager
async def supervised(worker: str, *, workers: int = 2, stop_limit_s: float = 5.0) -> AsyncIterator[Supervised]:
    """A supervisor over workers that run this code."""
    orders = Orders(
        command=[sys.executable, "-c", worker],
        workers=workers,
        banner="all are ready",
        stop_limit_s=stop_limit_s,
        log_format="text",
        log_level="info",
        reserved_fds=[],
    )
    command = [sys.executable, "-W", "error", "-m", "trunkline_server.supervise", orders.to_text()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "server")}
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=PIPE)
    try:
        yield Supervised(process=process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
