# SPDX-License-Identifier: Apache-2.0
"""What the process keeps of memory that large calls needed and nobody uses any more.

glibc's allocator keeps what is freed for the next one: a heap for each thread, and blocks of every size that was freed once. Requests of 30 MB, which grpc
core's threads receive in pieces, leave hundreds of MB behind that way. So heaps are few, blocks beyond a size of their own are mapped and given back at once
whatever was freed before, and a process that has grown by a good deal gives back its free pages. docs/performance.md has the measurements. Other
allocators and systems have no such calls and are left alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Final

_MIB: Final = 1 << 20
# mallopt's names for its parameters, from glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
# The main thread's heap and one for all others: under the interpreter's lock, threads seldom allocate at once.
_MOST_HEAPS: Final = 2
# Large enough for the buffers of usual calls, which would pay for new pages each time.
_MAPPED_BYTES: Final = _MIB
_TRIMMED_BYTES: Final = 4 * _MIB
_GROWTH_BYTES: Final = 32 * _MIB
_WORTH_BYTES: Final = 8 * _MIB
_LOOK_S: Final = 5.0
_LONGEST_S: Final = 60.0
_STATM: Final = Path("/proc/self/statm")
# Only the ratio of two readings and a threshold of many pages matter, so that the usual size will do on systems with larger ones.
_PAGE_BYTES: Final = 4096


def bound_heaps() -> bool:
    """Set the allocator's bounds, before threads begin; False where it is not glibc's."""
    mallopt = _find("mallopt")
    if mallopt is None:
        return False
    settings = ((_M_ARENA_MAX, _MOST_HEAPS), (_M_MMAP_THRESHOLD, _MAPPED_BYTES), (_M_TRIM_THRESHOLD, _TRIMMED_BYTES))
    return all(mallopt(name, value) for name, value in settings)


def trim_heaps() -> None:
    """Give free pages back to the system. Takes some ms for 100 MB, in which threads of the same heap wait where they allocate."""
    malloc_trim = _find("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def read_rss_bytes() -> int:
    """The resident memory of this process, 0 where the system does not tell it that way."""
    with contextlib.suppress(OSError):
        return int(_STATM.read_bytes().split()[1]) * _PAGE_BYTES
    return 0


async def trim_after_growth(
    *,
    look_s: float = _LOOK_S,
    longest_s: float = _LONGEST_S,
    read_rss: Callable[[], int] = read_rss_bytes,
    trim: Callable[[], None] = trim_heaps,
) -> None:
    """Trim, until cancelled, while the process is larger by 32 MiB than it once was.

    Looks every `look_s` seconds, each time twice as late, up to `longest_s`, while trimming brings nothing: then what there is is in use.
    """
    least = read_rss()
    pause_s = look_s
    while True:
        await asyncio.sleep(pause_s)
        size = read_rss()
        if size > least + _GROWTH_BYTES:
            await asyncio.to_thread(trim)
            left = read_rss()
            pause_s = look_s if size - left > _WORTH_BYTES else min(2 * pause_s, longest_s)
            size = left
        else:
            pause_s = look_s
        least = min(least, size)


def _find(name: str) -> Callable[..., int] | None:
    """A function of the C library that this process runs on, None where it has none of that name."""
    try:
        function: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):  # another C library; a system where the process cannot be searched
        return None
    return function
