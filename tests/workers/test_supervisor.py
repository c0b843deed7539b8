# SPDX-License-Identifier: Apache-2.0
"""The supervisor over small workers: who is started, replaced, stopped, and what is said of it."""

import asyncio
import os
import signal
import sys
import time

import pytest

from support.supervised import SERVE, SIT, supervised

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and Unix sockets")
READY = "all are ready"


async def test_all_start_and_all_stop() -> None:
    """The banner comes once, after all are ready; SIGTERM stops all, and the status is 0."""
    async with supervised(SERVE, workers=3) as at:
        await at.read_until(READY)
        assert (len(at.pids()), at.lines[-1]) == (3, READY)
        at.process.send_signal(signal.SIGTERM)
        assert await at.end() == 0
    assert at.lines.count(READY) == 1
    assert "Traceback" not in at.err
    assert "Warning" not in at.err


async def test_a_dead_worker_is_replaced_at_once() -> None:
    """A killed worker's seat is filled again, and the log says what happened to whom."""
    async with supervised(SERVE) as at:
        await at.read_until(READY)
        killed = at.pids()[0]
        os.kill(killed, signal.SIGKILL)
        await at.read_until("pid")
        at.process.send_signal(signal.SIGINT)
        assert await at.end() == 0
    assert f"(process {killed}) was ended by SIGKILL; another one starts in 0 s" in at.err
    assert (len(set(at.pids())), at.lines.count(READY)) == (3, 1)


@pytest.mark.slow
async def test_a_crash_loop_ends_the_service() -> None:
    """A worker that ends again and again ends the service with status 1, and the log counts the tries."""
    dies = SIT + "ready(); time.sleep(0.05); seat['number'] == 2 and sys.exit(3); control.recv(1)"
    async with supervised(dies) as at:
        assert await at.end() == 1
    assert at.err.count("another one starts in") == 5
    assert "the service ends: worker 2 (process" in at.err
    assert at.err.rstrip().endswith("ended with status 3, the 6th failure in a row")


async def test_a_worker_that_does_not_start() -> None:
    """Where the first start fails nothing is tried again: it would fail again, and somebody waits."""
    async with supervised(SIT + "seat['number'] == 2 and sys.exit(4); ready(); control.recv(1)") as at:
        assert await at.end() == 1
    assert "worker 2 (process" in at.err
    assert at.err.rstrip().endswith("ended with status 4 before it was ready")
    assert READY not in at.lines


async def test_a_reload_replaces_one_after_the_other() -> None:
    """SIGHUP: each seat gets a new worker, which is ready before the old one is told to leave."""
    told = "def leave(*_): say('left', seat['number']); sys.exit(0)\nsignal.signal(signal.SIGHUP, leave)\n"
    async with supervised(SIT + told + "ready(); control.recv(1)") as at:
        await at.read_until(READY)
        begun = len(at.lines)
        at.process.send_signal(signal.SIGHUP)
        await at.read_until("left 1", "left 2")
        at.process.send_signal(signal.SIGTERM)
        assert await at.end() == 0
    story = [line.split(" pid")[0] for line in at.lines[begun:]]
    assert story.index("seat 1") < story.index("left 1")
    assert story.index("seat 2") < story.index("left 2")
    assert len(at.pids()) == 4
    assert "reloaded" in at.err


async def test_a_reload_that_fails_changes_nothing(tmp_path: object) -> None:
    """Where the new worker does not start the old ones serve on."""
    broken = f"{tmp_path}/broken"
    worker = SIT + f"os.path.exists({broken!r}) and sys.exit(5); ready(); control.recv(1)"
    async with supervised(worker) as at:
        await at.read_until(READY)
        with open(broken, "w", encoding="utf-8"):  # noqa: ASYNC230, PTH123 - a flag for the workers
            at.process.send_signal(signal.SIGHUP)
        assert at.process.stderr is not None
        log = await at.process.stderr.readuntil(b"the reload is given up")
        for pid in at.pids():
            os.kill(pid, 0)
        at.process.send_signal(signal.SIGTERM)
        assert await at.end() == 0
    assert log.count(b"reloading") == 1
    assert "ended with status 5 before it was ready" in at.err
    assert len(at.pids()) == 2


async def test_a_reload_for_which_no_process_is_left() -> None:
    """Where the system gives no process or descriptor, the reload is given up and the old workers serve on."""
    import resource  # Windows has none

    async with supervised(SERVE) as at:
        await at.read_until(READY)
        resource.prlimit(at.process.pid, resource.RLIMIT_NOFILE, (12, 12))
        at.process.send_signal(signal.SIGHUP)
        assert at.process.stderr is not None
        log = await asyncio.wait_for(at.process.stderr.readuntil(b"serve on as they are"), timeout=20)
        for pid in at.pids():
            os.kill(pid, 0)
        at.process.send_signal(signal.SIGTERM)
        assert await at.end() == 0
    assert b"the reload is given up: worker 1 could not be started: [Errno 24]" in log
    assert len(at.pids()) == 2


@pytest.mark.parametrize(("signals", "status"), [(1, 0), (2, 130)])
async def test_workers_that_do_not_stop_are_killed(signals: int, status: int) -> None:
    """After the limit, or at once when asked a second time."""
    stubborn = "signal.signal(signal.SIGTERM, lambda *_: say('no'))\nready()\nwhile True: time.sleep(1)"
    async with supervised(SIT + stubborn, stop_limit_s=0.3 if signals == 1 else 30) as at:
        await at.read_until(READY)
        begun_s = time.monotonic()
        at.process.send_signal(signal.SIGTERM)
        await at.read_until("no")
        if signals == 2:
            at.process.send_signal(signal.SIGTERM)
        assert await at.end() == status
    assert time.monotonic() - begun_s < 10
    for pid in at.pids():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_workers_do_not_outlive_their_supervisor() -> None:
    """A supervisor that is killed takes the workers along: their control socket ends."""
    async with supervised(SIT + "ready(); control.recv(1); say('gone', seat['number'])") as at:
        await at.read_until(READY)
        at.process.kill()
        await at.read_until("gone 1", "gone 2")
