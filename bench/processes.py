# SPDX-License-Identifier: Apache-2.0
"""Programs that are measured or that measure: each on one core, in a session of its own, and none left behind."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

from bench.gateways import BenchError
from bench.measure import find_tree

ROOT = Path(__file__).resolve().parent.parent

GATEWAY_CORE = 0
LOAD_CORE = 1
STOP_S = 3.0
OUTPUT_S = 30.0
OPEN_FILES = 65_536


def find_free_port() -> int:
    """A port of loopback that is free now, for programs that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def raise_file_limit() -> None:
    """Let this process and those that it starts open as many files as thousands of streams need, or as many as it may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def can_pin() -> bool:
    """Whether this machine has a core for gateways and another for the load."""
    if not hasattr(os, "sched_setaffinity"):
        return False
    # What this thread may use now says little: it may be on one core because it was put there.
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {GATEWAY_CORE, LOAD_CORE})
        return os.sched_getaffinity(0) == {GATEWAY_CORE, LOAD_CORE}
    except OSError:
        return False
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """What this thread starts inside runs on one core, with all that it starts in turn. Without two cores nothing is pinned."""
    if not can_pin():
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """The programs that were started here; leaving the context ends them and all that they started."""

    _started: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def spawn(
        self,
        command: Sequence[str],
        *,
        core: int,
        log: Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> int:
        """Start a program whose output is appended to a file; returns its pid. `environment` is added to PATH and HOME. Raises BenchError."""
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        with on_core(core), log.open("ab") as output:
            if shutil.which(command[0]) is None:
                raise BenchError(f"{command[0]} is not here")
            try:
                process = subprocess.Popen(
                    [*_tied_to_this(), *command],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**inherited, **(environment or {})},
                    cwd=folder,
                    start_new_session=True,
                )
            except OSError as error:
                raise BenchError(f"{command[0]} cannot be started: {error}") from error
        self._started[process.pid] = process
        return process.pid

    def is_alive(self, pid: int) -> bool:
        """Whether a program that was started here still runs."""
        return self._started[pid].poll() is None

    def end(self, pids: Sequence[int]) -> None:
        """End programs that were started here, politely first, and all that they started."""
        trees = {pid: find_tree([pid]) for pid in pids}
        for pid in pids:
            _signal_group(pid, signal.SIGTERM)
        end_s = time.monotonic() + STOP_S
        for pid in pids:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._started[pid].wait(max(0.0, end_s - time.monotonic()))
            _signal_group(pid, signal.SIGKILL)
            for left in trees[pid]:
                _kill_descendant(left, pid)
            self._started.pop(pid).wait()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what still runs."""
        self.end(list(self._started))


def wait_for_output(log: Path, pattern: str, *, processes: Processes, pid: int, timeout_s: float = OUTPUT_S) -> str:
    """Wait until a program's log has what the regular expression finds; returns its first group. Raises BenchError."""
    end_s = time.monotonic() + timeout_s
    while True:
        # Asked first: what an ended program has written is all there.
        is_alive = processes.is_alive(pid)
        text = log.read_text(encoding="utf-8", errors="replace")
        if found := re.search(pattern, text, re.MULTILINE):
            return found[1]
        if not is_alive or time.monotonic() > end_s:
            state = "did not say so in time" if is_alive else "ended"
            last = (text.strip().splitlines() or [""])[-1]
            raise BenchError(f"a program that was to say {pattern!r} {state}; its last words: {last[:200]}")
        time.sleep(0.002)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySite:
    """Where one gateway starts; a `bench.gateways.Site`."""

    folder: Path
    upstream_http_port: int
    upstream_grpc_port: int | None
    processes: Processes
    pids: list[int] = field(default_factory=list)

    @property
    def log(self) -> Path:
        """What its programs print."""
        return self.folder / "output.log"

    def spawn(
        self, command: Sequence[str], *, environment: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> int:
        """See `bench.gateways.Site`."""
        pid = self.processes.spawn(
            command, core=GATEWAY_CORE, log=self.log, environment=environment, folder=folder or self.folder
        )
        self.pids.append(pid)
        return pid

    def wait_for_output(self, pattern: str) -> str:
        """See `bench.gateways.Site`."""
        return wait_for_output(self.log, pattern, processes=self.processes, pid=self.pids[-1])


@contextmanager
def ended_in_order() -> Iterator[None]:
    """While it lasts SIGTERM ends this program as an exception does: what it has started is ended too. Only for the main thread."""
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(143)


def _tied_to_this() -> Sequence[str]:
    """What tells a program to end when this process is killed and cannot do it; nothing where the system has no such program."""
    return () if shutil.which("setpriv") is None else ("setpriv", "--pdeathsig", "TERM")


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


def _kill_descendant(pid: int, root: int) -> None:
    """End a process that had been in a tree and left its session; one whose number was given anew since is spared, for it is not of the tree's session or an orphan."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if pid != root and os.getsid(pid) in (root, pid):
            os.kill(pid, signal.SIGKILL)
