# SPDX-License-Identifier: Apache-2.0
"""The process gives back memory that nobody uses."""

import asyncio
import platform
import sys
import time

import pytest

from support.source_tree import ROOT
from trunkline_server.allocator import read_rss_bytes, trim_after_growth, trim_heaps

MIB = 1 << 20
on_glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="other C libraries have an allocator of their own"
)


class Process:
    """A process whose size is what the test says, one reading after the other; the last one stays."""

    def __init__(self, *sizes_mib: int) -> None:
        self._sizes = list(sizes_mib)
        self.trims: list[int] = []
        self.readings = 0
        self._begun_s = time.monotonic()

    def read(self) -> int:
        """The next size."""
        self.readings += 1
        return (self._sizes.pop(0) if len(self._sizes) > 1 else self._sizes[0]) * MIB

    def elapsed_s(self) -> float:
        """How long it has lived."""
        return time.monotonic() - self._begun_s

    def trim(self) -> None:
        """Remembers when."""
        self.trims.append(self.readings)


@pytest.mark.parametrize(
    ("sizes_mib", "trims"),
    [
        ((80, 80, 90, 110), []),
        ((80, 120, 85, 100, 110), [2]),
        ((80, 120, 85, 125, 90), [2, 4]),
        ((80, 200, 150, 150, 100, 100), [2, 4]),
        ((120, 80, 115, 81, 81), [3]),
        ((0, 0), []),
    ],
    ids=["little growth", "once", "twice", "during a load and after it", "from its smallest size", "unknown sizes"],
)
async def test_the_process_is_trimmed_after_growth(sizes_mib: tuple[int, ...], trims: list[int]) -> None:
    """While it is 32 MiB above its smallest size; trimming reads the size once more."""
    process = Process(*sizes_mib)
    await run_for(process, len(sizes_mib) + 3)
    assert process.trims == trims


async def test_trims_that_bring_nothing_become_rare() -> None:
    """What is in use cannot be given back: each pause is twice the one before, up to the longest."""
    process = Process(80, 200)
    await run_for(process, 12, look_s=0.001, longest_s=0.016)
    pauses_ms = [1, 2, 4, 8, 16]
    assert process.elapsed_s() >= sum(pauses_ms) / 1000


async def run_for(process: Process, readings: int, *, look_s: float = 0.0, longest_s: float = 0.0) -> None:
    """Lets the task look at the process so many times."""
    task = asyncio.create_task(
        trim_after_growth(look_s=look_s, longest_s=longest_s, read_rss=process.read, trim=process.trim)
    )
    while process.readings < readings:  # noqa: ASYNC110 - the task knows nothing of who watches it
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@on_glibc
def test_the_resident_size_is_read() -> None:
    """An interpreter with its tests is larger than 10 MB and smaller than 10 GB."""
    assert 10 * MIB < read_rss_bytes() < 10_000 * MIB


LEAVES_HOLES = """
import sys
sys.path.insert(0, {server!r})
from trunkline_server.allocator import bound_heaps, read_rss_bytes, trim_heaps
assert bound_heaps()
blocks = [b"x" * 100_000 for _ in range(1000)]
kept = blocks[::10]
full = read_rss_bytes()
del blocks
trim_heaps()
print((full - read_rss_bytes()) >> 20)
"""


@on_glibc
async def test_trimming_gives_back_pages_between_blocks_in_use() -> None:
    """Of 100 MB in blocks of which every tenth is still used, most of the other 90 go back."""
    code = LEAVES_HOLES.format(server=str(ROOT / "server"))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert not err
    assert int(out) >= 70


def test_trimming_twice_does_no_harm() -> None:
    """Also where there is nothing to give back."""
    trim_heaps()
    trim_heaps()
