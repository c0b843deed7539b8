# SPDX-License-Identifier: Apache-2.0
"""The supervisor: starts the workers, announces them once, replaces the dead, reloads one by one, stops all.

Each worker has a seat, numbered from 1. The worker in a seat serves; one that lost its seat to a newer one is leaving. A seat changes hands under
its lock only, so that a reload and a restart never fill it both.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trunkline_server.workers.orders import Orders
from trunkline_server.workers.worker import Worker

_LOGGER: Final = logging.getLogger("trunkline.supervisor")
_LONGEST_PAUSE_S: Final = 8.0
_CUT_SHORT: Final = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a supervisor waits for what.

    A worker must be ready `start_s` after its start. One that ends before it was `healthy_s` old has failed; after `tries` failures in a row of one
    seat the service ends. The first replacement comes at once, the second after `pause_s`, each further one after twice the time.
    """

    start_s: float = 60.0
    healthy_s: float = 10.0
    tries: int = 5
    pause_s: float = 0.25


class StartError(Exception):
    """A worker did not start, or ended at its start again and again. The text says which and how."""


class Supervisor:
    """Keeps the workers of `orders` at work. `folder` is where they find each other; `announce` is called once, when all are ready."""

    def __init__(
        self, orders: Orders, folder: Path, announce: Callable[[], None], *, patience: Patience | None = None
    ) -> None:
        self._orders = orders
        self._folder = folder
        self._announce = announce
        self._patience = patience or Patience()
        self._seats: dict[int, Worker] = {}
        self._locks = {number: asyncio.Lock() for number in range(1, orders.workers + 1)}
        self._alive: set[Worker] = set()
        self._failures: Counter[int] = Counter()
        self._reload_due = asyncio.Event()
        self._stop_due = asyncio.Event()
        self._hurry = asyncio.Event()

    async def run(self) -> int:
        """Serves until SIGTERM or SIGINT, then drains; a second signal cuts that short. SIGHUP reloads.

        The exit status: 0 after a drain, 1 where workers do not start, 130 after a drain that was cut short.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._take_stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload_due.set)
        serving, stopping = asyncio.create_task(self._serve()), asyncio.create_task(self._stop_due.wait())
        try:
            await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
            status = self._status_of(serving) if serving.done() else 0
        finally:
            for task in (serving, stopping):
                task.cancel()
            await asyncio.gather(serving, stopping, return_exceptions=True)
            await self._stop_all()
        return _CUT_SHORT if self._hurry.is_set() else status

    def _take_stop(self) -> None:
        (self._hurry if self._stop_due.is_set() else self._stop_due).set()

    def _status_of(self, serving: asyncio.Task[None]) -> int:
        error = serving.exception()
        if isinstance(error, StartError):
            _LOGGER.error("the service ends: %s", error)
            return 1
        serving.result()
        return 0

    async def _serve(self) -> None:
        """Fills the seats, then keeps them filled. Raises StartError."""
        try:
            async with asyncio.TaskGroup() as group:
                starts = [group.create_task(self._start(number)) for number in self._locks]
            self._seats = {start.result().number: start.result() for start in starts}
            self._announce()
            async with asyncio.TaskGroup() as group:
                for worker in list(self._seats.values()):
                    group.create_task(self._watch(worker, group))
                await self._reload_when_due(group)
        except* StartError as errors:
            raise errors.exceptions[0] from errors

    async def _start(self, number: int) -> Worker:
        """A worker for a seat, ready to serve. Raises StartError."""
        try:
            worker = await Worker.start(self._orders.command, number, self._folder)
        except OSError as error:  # no process, descriptor or memory is left: for a moment, perhaps
            raise StartError(f"worker {number} could not be started: {error}") from error
        self._alive.add(worker)
        try:
            async with asyncio.timeout(self._patience.start_s):
                if await worker.wait_until_ready():
                    _LOGGER.info("%s serves", worker.name)
                    return worker
        except TimeoutError:
            worker.kill()
            await self._bury(worker)
            raise StartError(f"{worker.name} was not ready after {self._patience.start_s:g} s") from None
        raise StartError(f"{worker.name} {await self._bury(worker)} before it was ready")

    async def _bury(self, worker: Worker) -> str:
        """Waits for a worker's end; tells how it was."""
        end = await worker.wait()
        self._alive.discard(worker)
        # A worker that was killed leaves the socket that its peers asked it by.
        (self._folder / f"{worker.pid}.sock").unlink(missing_ok=True)
        return end

    async def _watch(self, worker: Worker, group: asyncio.TaskGroup) -> None:
        """Waits for a worker's end; whoever ends in a seat is replaced."""
        end = await self._bury(worker)
        number = worker.number
        async with self._locks[number]:
            if self._seats[number] is not worker:
                _LOGGER.info("%s has left", worker.name)
                return
            if worker.age_s >= self._patience.healthy_s:
                self._failures[number] = 0
            group.create_task(self._watch(await self._replace(number, f"{worker.name} {end}"), group))

    async def _replace(self, number: int, failure: str) -> Worker:
        """Fills the seat of a worker that failed, with pauses between the tries. Raises StartError after too many."""
        patience = self._patience
        while True:
            self._failures[number] += 1
            failed = self._failures[number]
            if failed > patience.tries:
                raise StartError(f"{failure}, the {failed}th failure in a row")
            pause_s = min(patience.pause_s * 2 ** (failed - 2), _LONGEST_PAUSE_S) if failed > 1 else 0.0
            _LOGGER.error("%s; another one starts in %g s", failure, pause_s)
            await asyncio.sleep(pause_s)
            try:
                self._seats[number] = await self._start(number)
            except StartError as error:
                failure = str(error)
            else:
                return self._seats[number]

    async def _reload_when_due(self, group: asyncio.TaskGroup) -> None:
        while True:
            await self._reload_due.wait()
            # A wish that comes meanwhile is due again after.
            self._reload_due.clear()
            try:
                await self._reload(group)
            except StartError as error:
                _LOGGER.error("the reload is given up: %s. Workers that were not replaced serve on as they are", error)  # noqa: TRY400 - the sentence says it; a traceback of ours would tell nobody more

    async def _reload(self, group: asyncio.TaskGroup) -> None:
        """Puts a new worker in each seat, one seat after the other, and lets the old ones leave. Raises StartError, with the seat as it was."""
        _LOGGER.info("reloading, one worker after the other")
        for number, lock in self._locks.items():
            async with lock:
                fresh = await self._start(number)
                for worker in self._alive - {fresh}:
                    # Those of the reload before had their time.
                    if worker.number == number and worker is not self._seats[number]:
                        worker.stop()
                self._seats[number].retire()
                self._seats[number] = fresh
                group.create_task(self._watch(fresh, group))
        _LOGGER.info("reloaded; the old workers leave as their connections end")

    async def _stop_all(self) -> None:
        """Stops all workers: gently, then not."""
        for worker in self._alive:
            worker.stop()
        hurry = asyncio.create_task(self._hurry.wait())
        ends = {asyncio.create_task(self._bury(worker)) for worker in self._alive}
        pending: set[asyncio.Task[str] | asyncio.Task[bool]] = {*ends, hurry}
        try:
            async with asyncio.timeout(self._orders.stop_limit_s):
                while ends & pending and hurry in pending:
                    _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            _LOGGER.error("workers did not stop in %g s and are killed", self._orders.stop_limit_s)  # noqa: TRY400 - as above
        hurry.cancel()
        for worker in self._alive:
            worker.kill()
        await asyncio.gather(*ends)
