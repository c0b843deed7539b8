# SPDX-License-Identifier: Apache-2.0
"""A limit on waiting that many calls share: one timer for all of them, since a timer for each costs more than most waits do.

As all waits may take the same time, they run out in the order in which they began.
"""

from __future__ import annotations

import asyncio
from types import TracebackType


class Patience:
    """Waits that may take at most `limit_s` (seconds) each: `with patience.wait(): await ...` raises TimeoutError where it takes longer.

    Must be used on one event loop. To be closed at the end.
    """

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._waits: dict[Wait, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def wait(self) -> Wait:
        """A wait, to be entered at once by the task that waits."""
        return Wait(self)

    def close(self) -> None:
        """Stops the clock: waits under way are no longer limited."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def begin(self, wait: Wait) -> None:
        """Counts a wait from now on."""
        loop = asyncio.get_running_loop()
        self._waits[wait] = due_s = loop.time() + self.limit_s
        if self._timer is None:
            self._timer = loop.call_at(due_s, self._end_late_ones, loop)

    def end(self, wait: Wait) -> None:
        """Counts it no more."""
        self._waits.pop(wait, None)

    def _end_late_ones(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now_s = loop.time()
        while self._waits:
            wait, due_s = next(iter(self._waits.items()))
            if due_s > now_s:
                self._timer = loop.call_at(due_s, self._end_late_ones, loop)
                return
            del self._waits[wait]
            wait.cut()


class Wait:
    """One wait of one task."""

    __slots__ = ("_cancels", "_is_cut", "_patience", "_task")

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._is_cut = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can wait")
        self._task: asyncio.Task[object] = task
        self._cancels = task.cancelling()
        self._patience.begin(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._patience.end(self)
        # As asyncio.timeout does: somebody else may have cancelled the task as well, which then counts.
        if self._is_cut and self._task.uncancel() <= self._cancels and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def cut(self) -> None:
        """Ends the wait."""
        self._is_cut = True
        self._task.cancel()
