# SPDX-License-Identifier: Apache-2.0
"""Waits with a shared limit."""

import asyncio

import pytest

from trunkline_server.edge.grpc.patience import Patience


async def wait_for_ever(patience: Patience) -> None:
    """A wait that nothing ends but the limit."""
    with patience.wait():
        await asyncio.Event().wait()


async def test_a_wait_within_the_limit() -> None:
    """What is done in time is left alone, then and later."""
    patience = Patience(0.02)
    with patience.wait():
        await asyncio.sleep(0)
    await asyncio.sleep(0.04)


async def test_a_wait_beyond_the_limit() -> None:
    """A wait that takes too long raises TimeoutError, and its task can go on."""
    with pytest.raises(TimeoutError):
        await wait_for_ever(Patience(0.01))
    await asyncio.sleep(0)


async def test_waits_that_began_one_after_another() -> None:
    """Each wait has its own limit, those of one timer too."""
    patience = Patience(0.03)
    first = asyncio.create_task(wait_for_ever(patience))
    await asyncio.sleep(0.02)
    second = asyncio.create_task(wait_for_ever(patience))
    done, _ = await asyncio.wait((first, second), return_when=asyncio.FIRST_COMPLETED)
    assert done == {first}
    ends = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(end) for end in ends] == [TimeoutError, TimeoutError]


async def test_a_wait_that_somebody_else_cancels() -> None:
    """A cancelled task is cancelled, not late."""
    patience = Patience(10)
    task = asyncio.create_task(wait_for_ever(patience))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    patience.close()


async def test_a_wait_after_the_end() -> None:
    """A closed clock ends no wait."""
    patience = Patience(0.01)
    task = asyncio.create_task(wait_for_ever(patience))
    await asyncio.sleep(0)
    patience.close()
    await asyncio.sleep(0.03)
    assert not task.done()
    task.cancel()
    await asyncio.wait((task,))


async def test_a_wait_outside_of_a_task() -> None:
    """What is no task cannot be ended, so it cannot wait."""
    raised: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(enter, Patience(1), raised)
    assert isinstance(await raised, RuntimeError)


def enter(patience: Patience, raised: "asyncio.Future[BaseException]") -> None:
    """Enters a wait and tells what that raised."""
    with pytest.raises(RuntimeError) as caught, patience.wait():
        pass
    raised.set_result(caught.value)
