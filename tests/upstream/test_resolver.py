# SPDX-License-Identifier: Apache-2.0
"""Look-ups of providers' names, with a look-up of the test in the system's place."""

import asyncio
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest

from trunkline_server.upstream.resolver import Resolver

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 443))]


def find(*_: Any, **__: Any) -> Any:
    """Finds every name at once."""
    return FOUND


async def test_addresses() -> None:
    """The addresses of a name, in the form that connections want."""
    resolver = Resolver(find)
    (found,) = await resolver.resolve("provider.test", 443)
    await resolver.close()
    assert (found["hostname"], found["host"], found["port"]) == ("provider.test", "192.0.2.7", 443)


async def test_a_name_that_is_not_found_is_looked_up_again() -> None:
    """F02: a failure is told, and not kept."""
    answers: list[Any] = [OSError("no such name"), FOUND]

    def look_up(*_: Any, **__: Any) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    resolver = Resolver(look_up)
    with pytest.raises(OSError, match="no such name"):
        await resolver.resolve("provider.test", 443)
    assert len(await resolver.resolve("provider.test", 443)) == 1
    await resolver.close()


async def test_hanging_look_ups_keep_nobody_else_waiting() -> None:
    """F03: a hundred look-ups that hang leave another provider's, and the event loop's own threads, alone."""
    freed = threading.Event()

    def hang(*_: Any, **__: Any) -> Any:
        freed.wait(10)
        return FOUND

    hanging, other = Resolver(hang), Resolver(find)
    stuck = [asyncio.ensure_future(hanging.resolve("hangs.test", 443)) for _ in range(100)]
    await asyncio.sleep(0)
    async with asyncio.timeout(1):
        assert len(await other.resolve("provider.test", 443)) == 1
        assert await asyncio.to_thread(lambda: "free") == "free"
    freed.set()
    assert len(await asyncio.gather(*stuck)) == 100
    await hanging.close()
    await other.close()


async def test_one_look_up_is_shared_and_outlives_who_leaves() -> None:
    """A thousand calls that left a hung look-up leave one thread; who still waits, and who comes meanwhile, gets what it finds."""
    freed, begun = threading.Event(), []

    def hang(*wanted: Any, **__: Any) -> Any:
        begun.append(wanted)
        freed.wait(10)
        return FOUND

    resolver = Resolver(hang)
    leaving = [asyncio.ensure_future(resolver.resolve("hangs.test", 443)) for _ in range(1000)]
    staying = asyncio.ensure_future(resolver.resolve("hangs.test", 443))
    await asyncio.sleep(0)
    for call in leaving:
        call.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    late = asyncio.ensure_future(resolver.resolve("hangs.test", 443))
    other = asyncio.ensure_future(resolver.resolve("hangs.test", 80))
    await asyncio.sleep(0)
    freed.set()
    assert [len(found) for found in await asyncio.gather(staying, late, other)] == [1, 1, 1]
    assert sorted(begun) == [("hangs.test", 80), ("hangs.test", 443)]
    await resolver.close()


HANGS_AT_ITS_END = """
import asyncio, time
from trunkline_server.upstream.resolver import Resolver

async def main():
    waiting = asyncio.ensure_future(Resolver(lambda *_, **__: time.sleep(60)).resolve("hangs.test", 443))
    await asyncio.sleep(0.1)
    waiting.cancel()

asyncio.run(main())
"""


def test_the_process_ends_without_a_hung_look_up() -> None:
    """A drained process is not held up by a name server that says nothing."""
    path = ":".join(entry for entry in sys.path if entry)
    ended = subprocess.run([sys.executable, "-c", HANGS_AT_ITS_END], env={"PYTHONPATH": path}, timeout=30, check=False)
    assert ended.returncode == 0
