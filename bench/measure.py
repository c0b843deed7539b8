# SPDX-License-Identifier: Apache-2.0
"""What processes cost: CPU time and memory of whole trees, read from /proc (Linux)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_PROC = Path("/proc")
_NS_PER_S = 1_000_000_000
# Fields of /proc/PID/stat behind the name in parentheses: proc(5), counted from the state, which is 0.
_PARENT, _USER, _SYSTEM, _REAPED_USER, _REAPED_SYSTEM = 1, 11, 12, 13, 14


def find_tree(roots: Iterable[int]) -> list[int]:
    """The processes given, as far as they live, and all that descend from them."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (fields := _read_stat(int(entry.name))):
            children.setdefault(int(fields[_PARENT]), []).append(int(entry.name))
    tree: list[int] = []
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in tree and _read_stat(pid):
            tree.append(pid)
            waiting += children.get(pid, [])
    return tree


def read_cpu_s(roots: Iterable[int]) -> float:
    """User and system time of the trees so far, ended children included. The difference of two readings is what was spent between."""
    return sum(_read_process_cpu_s(pid) for pid in find_tree(roots))


def read_rss_bytes(roots: Iterable[int]) -> int:
    """The resident memory of the trees. Pages that processes share count in each of them."""
    return sum(_read_rss_pages(pid) for pid in find_tree(roots)) * os.sysconf("SC_PAGE_SIZE")


def _read_process_cpu_s(pid: int) -> float:
    fields = _read_stat(pid)
    if not fields:
        return 0.0
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    own_s = (int(fields[_USER]) + int(fields[_SYSTEM])) * tick_s
    reaped_s = (int(fields[_REAPED_USER]) + int(fields[_REAPED_SYSTEM])) * tick_s
    # The scheduler counts in ns where ticks are 10 ms, but forgets threads that have ended: those show in the ticks alone.
    return max(own_s, _read_threads_cpu_s(pid)) + reaped_s


def _read_threads_cpu_s(pid: int) -> float:
    """What the scheduler says of the threads that live; 0 where the kernel does not tell."""
    spent_ns = 0
    try:
        for thread in (_PROC / str(pid) / "task").iterdir():
            spent_ns += int((thread / "schedstat").read_text(encoding="ascii").split()[0])
    except OSError:
        return 0.0
    return spent_ns / _NS_PER_S


def _read_stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; empty where the process is gone or only waits to be reaped."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    fields = text.rpartition(")")[2].split()
    return [] if fields[0] in "ZX" else fields


def _read_rss_pages(pid: int) -> int:
    try:
        return int((_PROC / str(pid) / "statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
