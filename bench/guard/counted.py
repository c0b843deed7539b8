# SPDX-License-Identifier: Apache-2.0
"""A process under valgrind's callgrind, its orders and its counts."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Self

ROOT: Final = Path(__file__).resolve().parents[2]
_START_S: Final = 120.0
_ORDER_S: Final = 60.0
_CHANGES_COUNTS: Final = ("GLIBC", "GRPC", "MALLOC", "PYTHON", "UV_")
_NAME: Final = re.compile(r"^desc: Trigger: Client Request: (.*)$", re.MULTILINE)
_TOTALS: Final = re.compile(r"^totals: (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the thread of the event loop did between two orders, or a part of that.

    The kernel's own instructions are not among them. Under valgrind a look at the clock is a system call.
    """

    instructions: float
    syscalls: float


class CountedGateway:
    """A gateway (gateway.py) under callgrind. Use it as a context."""

    def __init__(self, provider_port: int) -> None:
        self._folder = TemporaryDirectory(prefix="guard-")
        self._counts = Path(self._folder.name)
        # Counting begins by an order: what Python does to start would take half a minute. One file for each thread: see Counts.
        options = ["--instr-atstart=no", "--collect-systime=yes", "--separate-threads=yes"]
        valgrind = [
            "valgrind",
            "--quiet",
            "--tool=callgrind",
            *options,
            f"--callgrind-out-file={self._counts / 'counts'}",
        ]
        switch = _make_switch(self._counts)
        with (self._counts / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [*valgrind, sys.executable, "-m", "bench.guard.gateway", str(switch), str(provider_port)],
                cwd=ROOT,
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._written = 0
        self._unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        try:
            if error is None:
                self.order("stop")
                self._process.wait(_ORDER_S)
            else:
                error.add_note(f"the end of the gateway's log:\n{self._read_log()}")
        finally:
            self._process.kill()
            self._process.wait()
            self._folder.cleanup()

    def wait_for_ports(self) -> tuple[int, str]:
        """The HTTP port and the gRPC target, once the gateway serves."""
        bound = json.loads(self._read_line(_START_S))
        return int(bound["http_url"].rpartition(":")[2]), str(bound["grpc_target"])

    def order(self, order: str) -> None:
        """Gives an order and waits until it has been carried out. Raises RuntimeError where the process ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order}\n".encode())
        self._process.stdin.flush()
        self._read_line(_ORDER_S)

    def count(self, name: str) -> Counts:
        """The counts since the order `zero`."""
        self.order(f"write {name}")
        self._written += 1
        # The gateway's event loop runs in the first thread.
        return parse_counts((self._counts / f"counts.{self._written}-01").read_text(encoding="utf-8"), name)

    def _read_line(self, timeout_s: float) -> bytes:
        assert self._process.stdout is not None
        end_s = time.monotonic() + timeout_s
        while b"\n" not in self._unread:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, end_s - time.monotonic()))
            piece = os.read(self._process.stdout.fileno(), 4096) if ready else b""
            if not piece:
                raise RuntimeError("the gateway under valgrind ended or hangs")
            self._unread += piece
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _read_log(self) -> str:
        return (self._counts / "log").read_text(encoding="utf-8", errors="replace")[-4000:]


def parse_counts(text: str, name: str) -> Counts:
    """The counts in a file of callgrind's with the events Ir, sysCount and sysTime; it leaves zeros at the end out.

    Raises ValueError for the file of another name, which means that one was lost.
    """
    found, totals = _NAME.search(text), _TOTALS.search(text)
    if found is None or totals is None or found[1] != name:
        raise ValueError(f"callgrind's file is not the one of {name!r} but of {found and found[1]!r}")
    instructions, syscalls, *_ = [*map(int, totals[1].split()), 0, 0]
    return Counts(instructions=instructions, syscalls=syscalls)


def _environment() -> dict[str, str]:
    """The environment of this process without what would change the counts, and with the code of this very tree."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_CHANGES_COUNTS)}
    code = os.pathsep.join(str(ROOT / folder) for folder in ("clients/python", "server"))
    return {**kept, "PYTHONPATH": code, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}


def _make_switch(folder: Path) -> Path:
    """Compiles switch.c. Raises CalledProcessError where valgrind's header is missing."""
    library = folder / "switch.so"
    source = Path(__file__).with_name("switch.c")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return library
