# SPDX-License-Identifier: Apache-2.0
"""How many calls an endpoint takes at once."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from random import Random

import pytest

from support.clock import Clock
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.catalog.entry import Endpoint, Provider
from trunkline_server.core.errors import GatewayError
from trunkline_server.engine.limits import RETRY_AFTER_S, EndpointLimits

ONE = Endpoint(model="acme/one", provider=Provider(slug="a", name="A"), upstream_model="1", tag="a", most_concurrent=1)
TWO = replace(ONE, most_concurrent=2)
OTHER = replace(ONE, tag="b")
FREE = replace(ONE, most_concurrent=None)
LATER_S = 60.0


class Door:
    """Limits, and the names of the calls that were let in, in order."""

    def __init__(self, most_waiting: int = 10) -> None:
        self.limits = EndpointLimits(most_waiting=most_waiting, monotonic_s=time.monotonic)
        self.entered: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def call(self, name: str, endpoint: Endpoint = ONE, wait_s: float = LATER_S) -> asyncio.Task[None]:
        """A call that begins now, and stays until it is let out."""
        self.ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._run(name, endpoint, wait_s))
        await self.settle()
        return self.tasks[name]

    async def end(self, *names: str) -> None:
        """These calls end."""
        for name in names:
            self.ends[name].set()
        await self.settle()

    async def settle(self) -> None:
        """Everybody who can go on does."""
        for _ in range(5):
            await asyncio.sleep(0)

    async def close(self) -> None:
        """All calls end, one after the other; then nothing is left of them."""
        while left := [name for name, task in self.tasks.items() if not task.done()]:
            await self.end(*left)
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        assert self.limits._gates == {}

    async def _run(self, name: str, endpoint: Endpoint, wait_s: float) -> None:
        async with self.limits.admit(endpoint, time.monotonic() + wait_s):
            self.entered.append(name)
            await self.ends[name].wait()


async def test_so_many_run_and_the_others_wait_in_order() -> None:
    """First come, first served; a place is taken as soon as it is free."""
    door = Door()
    for name in "abcde":
        await door.call(name, TWO)
    assert door.entered == ["a", "b"]
    await door.end("b")
    assert door.entered == ["a", "b", "c"]
    await door.end("a", "c")
    assert door.entered == ["a", "b", "c", "d", "e"]
    await door.close()


async def test_nobody_overtakes_those_that_wait() -> None:
    """A call that comes in the moment in which a place is given to one that waits does not get it."""
    door = Door()
    for name in "ab":
        await door.call(name)
    door.ends["a"].set()
    await asyncio.sleep(0)
    await door.call("c")
    assert door.entered == ["a", "b"]
    await door.close()
    assert door.entered == ["a", "b", "c"]


async def test_endpoints_are_apart() -> None:
    """One endpoint's calls take no place at another, and one without a limit takes all."""
    door = Door()
    for name, endpoint in {"a": ONE, "b": OTHER, "c": FREE, "d": FREE, "e": FREE}.items():
        await door.call(name, endpoint)
    assert door.entered == list("abcde")
    await door.close()


async def test_a_full_queue_sheds_at_once() -> None:
    """The call beyond it is refused without a pause, with the wait that may help; those in the queue keep their places."""
    door = Door(most_waiting=1)
    await door.call("a")
    await door.call("b")
    refused = await door.call("c")
    error = refused.exception()
    assert isinstance(error, GatewayError)
    assert (error.reason, error.retry_after_s) == (ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED, RETRY_AFTER_S)
    await door.end("a")
    assert door.entered == ["a", "b"]
    await door.close()


@pytest.mark.parametrize("wait_s", [0.0, -1.0])
async def test_no_time_to_wait(wait_s: float) -> None:
    """A call whose time is over gets a place that is free, and does not wait for one."""
    door = Door()
    await door.call("a", wait_s=wait_s)
    refused = await door.call("b", wait_s=wait_s)
    assert door.entered == ["a"]
    assert isinstance(refused.exception(), GatewayError)
    await door.close()


async def test_the_deadline_passes_in_the_queue() -> None:
    """The call is refused then, and leaves the queue to the others."""
    door = Door()
    await door.call("a")
    late = await door.call("b", wait_s=0.02)
    await door.call("c")
    with pytest.raises(GatewayError) as caught:
        await late
    assert caught.value.reason == ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED
    await door.end("a")
    assert door.entered == ["a", "c"]
    await door.close()


async def test_a_call_that_is_cancelled_in_the_queue() -> None:
    """It takes no place with it: the next one in the queue moves up."""
    door = Door()
    for name in "abc":
        await door.call(name)
    door.tasks["b"].cancel()
    await door.end("a")
    assert (door.entered, door.tasks["b"].cancelled()) == (["a", "c"], True)
    await door.close()


async def test_a_cancelled_call_leaves_its_place_in_the_queue() -> None:
    """A full queue has room again at once, not only when the turn would have come."""
    door = Door(most_waiting=1)
    for name in "ab":
        await door.call(name)
    door.tasks["b"].cancel()
    await door.settle()
    await door.call("c")
    await door.end("a")
    assert door.entered == ["a", "c"]
    await door.close()


@pytest.mark.parametrize("cancelled_first", [True, False])
async def test_a_call_that_is_cancelled_when_its_turn_comes(cancelled_first: bool) -> None:
    """In the same turn of the loop, before or after: its place goes to the next one."""
    door = Door()
    for name in "abc":
        await door.call(name)
    acts = [door.tasks["b"].cancel, door.limits._gates[ONE.key].give_back]
    for act in acts if cancelled_first else reversed(acts):
        act()
    await door.settle()
    assert (door.entered, door.tasks["b"].cancelled()) == (["a", "c"], True)
    # The test gave the place of "a" back in its stead.
    door.limits._gates[ONE.key]._running += 1
    await door.close()


async def test_a_call_that_fails_gives_its_place_back() -> None:
    """However the context is left."""
    door = Door()
    with pytest.raises(ValueError, match="x"):
        async with door.limits.admit(ONE, time.monotonic()):
            raise ValueError("x")
    await door.call("a")
    assert door.entered == ["a"]
    await door.close()


@pytest.mark.parametrize(
    ("first", "then", "entered"), [(1, 3, ["a", "b", "c"]), (3, 1, ["a", "b", "c"]), (1, None, ["a", "d"])]
)
async def test_the_catalog_changes_the_limit(first: int, then: int | None, entered: list[str]) -> None:
    """A higher one lets those in that wait, a lower one turns nobody out, none is none for who comes from then on."""
    door = Door()
    for name in "abc":
        await door.call(name, replace(ONE, most_concurrent=first))
    await door.call("d", replace(ONE, most_concurrent=then))
    assert door.entered == entered
    await door.close()
    assert sorted(door.entered) == list("abcd")


async def test_a_lower_limit_is_reached_as_calls_end() -> None:
    """Nobody takes a place beyond it, though there is a queue."""
    door = Door()
    for name in "abc":
        await door.call(name, replace(ONE, most_concurrent=3))
    await door.call("d", ONE)
    await door.end("a")
    await door.end("b")
    assert "d" not in door.entered
    await door.end("c")
    assert door.entered == list("abcd")
    await door.close()


async def test_the_clock_is_the_one_it_was_given() -> None:
    """What is left until a moment is told by it."""
    limits = EndpointLimits(most_waiting=5, monotonic_s=Clock(now_s=50.0))
    async with limits.admit(ONE, 0.0):
        with pytest.raises(GatewayError):
            async with limits.admit(ONE, 50.0):
                pass


@pytest.mark.parametrize("seed", range(5))
async def test_nothing_leaks_whatever_happens(seed: int) -> None:
    """Calls that come, end, are cancelled and run out of time in any order: never too many at once, never a place lost."""
    draw, door = Random(seed), Door(most_waiting=4)
    endpoints = {ONE.key: ONE, OTHER.key: replace(OTHER, most_concurrent=3)}
    for number in range(300):
        name = str(number)
        await door.call(name, draw.choice([ONE, endpoints[OTHER.key]]), draw.choice([0.0, 0.001, LATER_S]))
        victim = str(draw.randrange(number + 1))
        draw.choice([door.tasks[victim].cancel, door.ends[victim].set, door.ends[victim].set])()
        await asyncio.sleep(draw.choice([0, 0, 0.001]))
        for key, gate in door.limits._gates.items():
            assert 0 <= gate._running <= (endpoints[key].most_concurrent or 0)
            assert len(gate.waiting) <= 4
            # Who waits could not run.
            assert not gate.waiting or gate._running == endpoints[key].most_concurrent
    await door.close()


async def test_all_of_a_crowd_are_served() -> None:
    """A hundred calls through two places, with room in the queue: all of them, in their order."""
    door = Door(most_waiting=100)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(door.close)
        for number in range(100):
            await door.call(str(number), TWO)
            door.ends[str(number)].set()
    assert door.entered == [str(number) for number in range(100)]
