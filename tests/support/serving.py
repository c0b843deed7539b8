# SPDX-License-Identifier: Apache-2.0
"""`trunkline serve` in a process of its own: the gateway as people run it, on uvloop where that is installed."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from support.source_tree import ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A gateway in a process of its own."""

    process: Process
    http_url: str
    grpc_target: str

    async def stop(self) -> tuple[str, str]:
        """Ends it by SIGTERM and gives its outputs."""
        self.process.terminate()
        return await self.end()

    async def end(self) -> tuple[str, str]:
        """Waits for its end and gives its outputs."""
        async with asyncio.timeout(20):
            out, err = await self.process.communicate()
        return out.decode(), err.decode()


async def launch(*arguments: str) -> Process:
    """Start `trunkline serve` with nothing of this machine's settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRUNKLINE_")}
    path = os.pathsep.join(str(ROOT / folder) for folder in ("clients/python", "server"))
    command = [sys.executable, "-W", "error", "-m", "trunkline_server", "serve", *arguments]
    return await asyncio.create_subprocess_exec(
        *command, env={**environment, "PYTHONPATH": path}, stdout=PIPE, stderr=PIPE
    )


@asynccontextmanager
async def serving(*arguments: str) -> AsyncIterator[Served]:
    """A served gateway on free ports; it is killed where the test leaves it running."""
    process = await launch("--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", *arguments)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            banner = [(await process.stdout.readline()).decode() for _ in range(3)]
        found = re.search(r"(http://\S+)/v1 .*gRPC +(\S+)", "".join(banner), re.DOTALL)
        assert found, banner
        yield Served(process=process, http_url=found[1], grpc_target=found[2])
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
