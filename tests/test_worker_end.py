# SPDX-License-Identifier: Apache-2.0
"""How one worker's gateway ends: what its supervisor's end and signals do to a drain. The supervisor is the test."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.source_tree import ROOT
from trunkline_server.workers.orders import READY, Seat
from trunkline_server.workers.reserved import can_share_ports

pytestmark = pytest.mark.skipif(not can_share_ports(), reason="no SO_REUSEPORT that spreads connections")
DRAIN_S = 2.0


@asynccontextmanager
async def worker(folder: Path) -> AsyncIterator[tuple[Process, socket.socket]]:
    """A worker that is ready, and its supervisor's end of the control socket. A drain of it takes DRAIN_S at least."""
    async with starting_worker(folder) as (process, ours):
        async with asyncio.timeout(30):
            assert await asyncio.get_running_loop().sock_recv(ours, len(READY)) == READY
        yield process, ours


@asynccontextmanager
async def starting_worker(folder: Path) -> AsyncIterator[tuple[Process, socket.socket]]:
    """The same, of which nobody knows yet whether it is ready."""
    ours, theirs = socket.socketpair()
    path = os.pathsep.join(str(ROOT / name) for name in ("clients/python", "server"))
    command = [sys.executable, "-m", "trunkline_server", "serve", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]
    with ours:
        with theirs:
            seat = Seat(number=1, control_fd=theirs.fileno(), folder=str(folder))
            process = await asyncio.create_subprocess_exec(
                *(*command, "--drain-delay-s", str(DRAIN_S), "--seat", seat.to_text()),
                env={**os.environ, "PYTHONPATH": path},
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=PIPE,
                pass_fds=[theirs.fileno()],
            )
        try:
            ours.setblocking(False)
            yield process, ours
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


def cpu_s(pid: int) -> float:
    """What a process spent of CPU time."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def read_until(process: Process, words: bytes) -> None:
    """Reads the log until it says something."""
    assert process.stderr is not None
    async with asyncio.timeout(20):
        await process.stderr.readuntil(words)


@pytest.mark.slow
async def test_a_supervisor_that_goes_before_its_worker_is_ready(tmp_path: Path) -> None:
    """A worker that starts for nobody ends, and listens nowhere any more."""
    async with starting_worker(tmp_path) as (process, control):
        control.close()
        async with asyncio.timeout(20):
            _, log = await process.communicate()
    assert process.returncode == 0, log.decode()
    assert b"draining" in log


@pytest.mark.slow
async def test_a_drain_without_a_supervisor_costs_nothing(tmp_path: Path) -> None:
    """The end of the supervisor is noticed once: the worker drains, and does not spin until it has."""
    async with worker(tmp_path) as (process, control):
        control.close()
        await read_until(process, b"draining")
        before_s = cpu_s(process.pid)
        await asyncio.sleep(DRAIN_S * 0.75)
        assert cpu_s(process.pid) - before_s < DRAIN_S * 0.15
        async with asyncio.timeout(20):
            assert await process.wait() == 0


async def test_a_retired_worker_is_asked_to_stop(tmp_path: Path) -> None:
    """The first SIGTERM that meets a drain which a reload began cuts nothing short; the second does."""
    async with worker(tmp_path) as (process, _):
        process.send_signal(signal.SIGHUP)
        await read_until(process, b"draining")
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            assert await process.wait() == 0
    async with worker(tmp_path) as (process, _):
        process.send_signal(signal.SIGHUP)
        await read_until(process, b"draining")
        for _ in range(2):
            process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.3)
        async with asyncio.timeout(20):
            assert await process.wait() == -signal.SIGTERM
