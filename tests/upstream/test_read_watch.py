# SPDX-License-Identifier: Apache-2.0
"""Time limits on reading. Times are small; what is asserted is which limit fires, not when to the millisecond."""

import asyncio
import time

import pytest

from trunkline_server.core.errors import GatewayError, reason_name
from trunkline_server.upstream.read_watch import ReadWatch

FAR_S = 60.0


class Watched:
    """A watch with the given limits, seconds from now, and what it failed with."""

    def __init__(
        self,
        *,
        first_s: float = FAR_S,
        content_s: float = FAR_S,
        idle_s: float = FAR_S,
        last_s: float = FAR_S,
        deadline_s: float = FAR_S,
    ) -> None:
        self.errors: list[GatewayError] = []
        self.failed = asyncio.Event()
        now_s = time.monotonic()
        self.watch = ReadWatch(
            first_due_s=now_s + first_s,
            content_due_s=now_s + content_s,
            idle_timeout_s=idle_s,
            last_due_s=now_s + last_s,
            deadline_s=now_s + deadline_s,
            fail=self._fail,
        )

    def _fail(self, error: GatewayError) -> None:
        self.errors.append(error)
        self.failed.set()

    async def reason(self) -> str:
        """The reason of the failure, which must come within a second."""
        async with asyncio.timeout(1):
            await self.failed.wait()
        return reason_name(self.errors[0].reason)


async def test_the_first_read_has_its_own_limit() -> None:
    """Until the first bytes the first limit holds, however short the idle time-out is."""
    watched = Watched(first_s=0.1, idle_s=0.01)
    watched.watch.begin_read()
    await asyncio.sleep(0.05)
    assert watched.errors == []
    assert await watched.reason() == "PROVIDER_TIMEOUT"


async def test_later_reads_have_the_idle_limit() -> None:
    """After the first content silence is bounded by the idle time-out."""
    watched = Watched(idle_s=0.05)
    watched.watch.begin_read()
    watched.watch.end_read()
    watched.watch.note_content()
    watched.watch.begin_read()
    assert await watched.reason() == "PROVIDER_TIMEOUT"


async def test_a_model_that_thinks_is_not_cut() -> None:
    """Between the first bytes and the first content the idle time-out does not hold, but another limit does, which bytes do not move."""
    watched = Watched(content_s=0.15, idle_s=0.01)
    for _ in range(4):
        watched.watch.begin_read()
        await asyncio.sleep(0.02)
        watched.watch.end_read()
    assert watched.errors == []
    watched.watch.begin_read()
    assert await watched.reason() == "PROVIDER_TIMEOUT"


async def test_an_answer_without_end_is_cut() -> None:
    """A provider that never ends is late, however much it says."""
    watched = Watched(last_s=0.05, idle_s=0.03)
    watched.watch.note_content()
    while not watched.errors:
        watched.watch.begin_read()
        await asyncio.sleep(0.01)
        watched.watch.end_read()
    assert await watched.reason() == "PROVIDER_TIMEOUT"


async def test_bytes_start_the_limit_anew() -> None:
    """A provider that keeps talking is never silent."""
    watched = Watched(idle_s=0.08)
    watched.watch.note_content()
    for _ in range(10):
        watched.watch.begin_read()
        await asyncio.sleep(0.02)
        watched.watch.end_read()
    assert watched.errors == []
    watched.watch.stop()


async def test_a_slow_reader_does_not_count() -> None:
    """Time in which nobody reads is the client's, not the provider's."""
    watched = Watched(idle_s=0.03)
    watched.watch.begin_read()
    watched.watch.end_read()
    watched.watch.note_content()
    await asyncio.sleep(0.15)
    assert watched.errors == []
    watched.watch.begin_read()
    assert await watched.reason() == "PROVIDER_TIMEOUT"


@pytest.mark.parametrize("begun", [False, True], ids=["before the first bytes", "after them"])
@pytest.mark.parametrize("reading", [False, True], ids=["nobody reads", "somebody reads"])
async def test_the_deadline_ends_everything(begun: bool, reading: bool) -> None:
    """The call's own deadline fires in every state, and says so."""
    watched = Watched(deadline_s=0.05)
    if begun:
        watched.watch.begin_read()
        watched.watch.end_read()
    if reading:
        watched.watch.begin_read()
    assert await watched.reason() == "DEADLINE_EXCEEDED"


async def test_it_fails_once() -> None:
    """After a failure, or after `stop`, nothing more happens."""
    failing, stopped = Watched(idle_s=0.02, first_s=0.02), Watched(idle_s=0.02, first_s=0.02)
    failing.watch.begin_read()
    stopped.watch.begin_read()
    stopped.watch.stop()
    await asyncio.sleep(0.1)
    assert (len(failing.errors), len(stopped.errors)) == (1, 0)
