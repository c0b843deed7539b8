# SPDX-License-Identifier: Apache-2.0
"""A second attempt beside the first, for unary calls whose endpoint takes its time: who has a whole answer first serves the call.

The other one is left at once: its upstream is closed, its place given back, and nothing is held against its endpoint, unless that was silent for far longer
than it usually is. Where one fails, the call goes on with the other; where both do, with the last failure. An answer that has begun is never hedged.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

from trunkline_server.catalog.entry import Endpoint
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.engine.answer import Answer
from trunkline_server.engine.course import Course
from trunkline_server.routing.retry import LEAST_SHARE_S

OVERTAKEN: Final = 499
"""The status of an attempt that was left because another one had its answer first."""

# What one attempt has of its own.
_OF_ATTEMPT: Final = (
    "answer",
    "endpoint",
    "_begun_s",
    "_sent_s",
    "_patience",
    "_retries",
    "_probes",
    "_queues",
    "_tries_here",
)


class HedgedCourse(Course):
    """A course that may have another attempt beside its own: a copy of it, which shares everything but what is the attempt's."""

    __slots__ = ()

    def fork(self) -> HedgedCourse | None:
        """Another attempt begun beside the call's first one, at an endpoint of the same model that stands well; None where there is none, or it may not be. It
        takes from the retry budget. The two are one call: what follows for it is in `drop_out`, `lose` and `follow`.
        """
        ledgers = self._ledgers
        is_late = self._call.deadline_s - ledgers.monotonic_s() < LEAST_SHARE_S
        has_begun = self.answer is not None and self.answer.has_begun
        if is_late or has_begun or self._tried or not ledgers.budget.has_one():
            return None
        standings, model = ledgers.standings(self._plan), self.endpoint.model
        for place, endpoint in enumerate(self._rest):
            if endpoint.model == model and endpoint.key not in standings:
                del self._rest[place]
                other = copy.copy(self)
                other.begin_beside(endpoint)
                return other
        return None

    def begin_beside(self, endpoint: Endpoint) -> None:
        """Begin with an endpoint, for a copy of a course whose own attempt goes on."""
        self.endpoint, self._patience, self._tries_here = endpoint, None, 1
        self._probes = self._queues = False
        self._is_beside = True
        self._begin_retry()
        self.begin_attempt(Answer(self._call, endpoint, []))

    def drop_out(self, error: GatewayError, other: HedgedCourse) -> None:
        """The attempt failed, and the one beside it goes on."""
        self.resume_story()
        if self._queues:
            self._rest.insert(0, self.endpoint)
        self._note(error, has_begun=self.answer is not None and self.answer.has_begun)
        self._story.pass_on(error)
        other._hurries = self._hurries
        other.resume_story()

    def lose(self) -> None:
        """The attempt beside this one had its answer first. A probe was one all the same: given back, the next call would hang there first."""
        if not self._queues:
            self._probes = False
            self._tried.append((self.endpoint, OVERTAKEN))
            self.resume_story()
            self._story.end_attempt(OVERTAKEN)
        self.leave()

    def be_left(self, first: HedgedCourse | None) -> None:
        """The caller leaves; where the first attempt (None: it failed before) is under way too, the story ends with that."""
        if first is not None:
            if not self._queues:
                self.resume_story()
                self._story.end_attempt(None)
            first.resume_story()
        self.leave()

    def leave(self) -> None:
        """The attempt has ended before its end. An endpoint that hangs is always overtaken: its silence is told, or nobody would ever find out."""
        self._end_retry()
        self._ledgers.waits.end(self)
        self._break_off()

    def follow(self, other: HedgedCourse) -> None:
        """The call goes on with an attempt that was made beside this one, or with this one."""
        if other is not self:
            self.leave()
            self._ledgers.waits.end(other)
            for name in _OF_ATTEMPT:
                setattr(self, name, getattr(other, name))
        self.resume_story()

    def resume_story(self) -> None:
        """The story of the call is about this attempt now."""
        if self.answer is not None:
            self._story.resume(self.answer, self._begun_s)


async def hedge(
    course: HedgedCourse, hear: Callable[[HedgedCourse], Coroutine[Any, Any, Batch]], after_s: float
) -> Batch:
    """All that an endpoint says: the course's, or after `after_s` seconds the one asked beside it, whose attempt is the course's then.

    `hear` makes an attempt and gives the whole answer. Raises what it does, once nobody is left who could answer.
    """
    running: dict[asyncio.Future[Batch], HedgedCourse] = {asyncio.ensure_future(hear(course)): course}
    beside: HedgedCourse | None = None
    ended: asyncio.Future[Batch] | None = None
    try:
        done, _ = await asyncio.wait(running, timeout=after_s)
        if not done:
            beside = course.fork()
        if beside is not None:
            running[asyncio.ensure_future(hear(beside))] = beside
        while True:
            ended = await _first_of(running)
            runner, others = running.pop(ended), [*running.values()]
            if others and _drop_out(runner, ended.exception(), others[0]):
                continue
            # Settled before anything is awaited: the caller may leave while the other attempt ends.
            beside = None
            for task in running:
                task.cancel()
            for other in others:
                other.lose()
            course.follow(runner)
            await _leave(running)
            return ended.result()
    finally:
        await _leave(running)
        if beside is not None and beside in running.values():
            beside.be_left(course if course in running.values() else None)
        # An error holds this frame by its traceback: it must not be held by the frame, or both would live until garbage is collected.
        done, ended = set(), None


async def _first_of(running: Iterable[asyncio.Future[Batch]]) -> asyncio.Future[Batch]:
    """An attempt that has ended; who failed in the same moment as another one answered has lost."""
    done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    return min(done, key=lambda task: task.exception() is not None)


def _drop_out(runner: HedgedCourse, error: BaseException | None, other: HedgedCourse) -> bool:
    """Whether an attempt has failed while another one goes on; it is out then."""
    if not isinstance(error, GatewayError):
        return False
    runner.drop_out(error, other)
    return True


async def _leave(running: dict[asyncio.Future[Batch], HedgedCourse]) -> None:
    """End attempts; none is under way any more then."""
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
