# SPDX-License-Identifier: Apache-2.0
"""Programs are started on one core with a clean environment, what they spend is seen, and none is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.gateways import BenchError
from bench.measure import find_tree, read_cpu_s, read_rss_bytes
from bench.processes import (
    GATEWAY_CORE,
    LOAD_CORE,
    Processes,
    can_pin,
    ended_in_order,
    find_free_port,
    on_core,
    wait_for_output,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the bench reads /proc")

# A process with a child in a session of its own, which both would outlive the test.
PARENT = (
    "import subprocess, sys, time;"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True);"
    "print('child', child.pid, flush=True); time.sleep(60)"
)
BUSY = (
    "import time; end = time.process_time() + 0.3\n"
    "while time.process_time() < end: pass\n"
    "print('spent 1', flush=True); time.sleep(60)"
)
SAY = "import os; print('cores', sorted(os.sched_getaffinity(0)), flush=True); print('names', sorted(os.environ), flush=True); 1 / 0"


@pytest.fixture
def processes() -> Iterator[Processes]:
    """What a test starts ends with it."""
    with Processes() as started:
        yield started


def start(processes: Processes, program: str, log: Path) -> int:
    """Start a Python program on the gateways' core."""
    return processes.spawn([sys.executable, "-c", program], core=GATEWAY_CORE, log=log, environment={"BENCH": "1"})


def is_running(pid: int) -> bool:
    """Whether a process still does something, a while after it was told to end: the system takes its time over a process that was killed."""
    end_s = time.monotonic() + 5
    while find_tree([pid]) != []:
        if time.monotonic() > end_s:
            return True
        time.sleep(0.01)
    return False


def test_a_whole_tree_is_ended(processes: Processes, tmp_path: Path) -> None:
    """Children go too, also those that left the session."""
    parent = start(processes, PARENT, tmp_path / "log")
    child = int(wait_for_output(tmp_path / "log", r"child (\d+)", processes=processes, pid=parent))
    assert sorted(find_tree([parent])) == sorted([parent, child])
    processes.end([parent])
    assert (is_running(parent), is_running(child)) == (False, False)


def test_the_cpu_time_of_a_tree_is_seen(processes: Processes, tmp_path: Path) -> None:
    """In parts of a second, as the difference of two readings; memory in bytes."""
    started = time.monotonic()
    pid = start(processes, BUSY, tmp_path / "log")
    wait_for_output(tmp_path / "log", r"spent (1)", processes=processes, pid=pid)
    assert 0.3 <= read_cpu_s([pid]) <= time.monotonic() - started
    assert 2_000_000 < read_rss_bytes([pid]) < 200_000_000


def test_a_process_that_has_gone_costs_nothing() -> None:
    """Its number finds nothing."""
    with subprocess.Popen(["true"]) as process:
        gone = process.pid
    assert (find_tree([gone]), read_cpu_s([gone]), read_rss_bytes([gone])) == ([], 0.0, 0)


def test_a_program_runs_on_its_core_with_a_clean_environment(processes: Processes, tmp_path: Path) -> None:
    """PATH and HOME come along, and what it is given. Waiting for words of a program that has ended says its last ones."""
    with on_core(LOAD_CORE):
        pid = start(processes, SAY, tmp_path / "log")
    with pytest.raises(BenchError, match="ended; its last words: ZeroDivisionError"):
        wait_for_output(tmp_path / "log", r"never (said)", processes=processes, pid=pid)
    said = (tmp_path / "log").read_text(encoding="utf-8")
    assert "cores [0]" in said or not can_pin()
    names = said.partition("names ")[2].partition("\n")[0]
    assert set(eval(names)) - {"LC_CTYPE"} <= {"BENCH", "HOME", "PATH"}  # noqa: S307 - the program above wrote it


def test_waiting_for_words_ends(processes: Processes, tmp_path: Path) -> None:
    """A program that says nothing is not waited for without end."""
    pid = start(processes, "import time; time.sleep(60)", tmp_path / "log")
    with pytest.raises(BenchError, match="did not say so in time"):
        wait_for_output(tmp_path / "log", r"(x)", processes=processes, pid=pid, timeout_s=0.05)


def test_a_program_that_is_not_there_is_named(processes: Processes, tmp_path: Path) -> None:
    """Before anything is started in its place."""
    with pytest.raises(BenchError, match="no-such-program is not here"):
        processes.spawn(["no-such-program"], core=GATEWAY_CORE, log=tmp_path / "log")


def test_the_core_is_taken_for_a_time() -> None:
    """Afterwards this process runs where it did before."""
    before = os.sched_getaffinity(0)
    with on_core(LOAD_CORE):
        with on_core(GATEWAY_CORE):
            assert os.sched_getaffinity(0) == ({GATEWAY_CORE} if can_pin() else before)
        assert os.sched_getaffinity(0) == ({LOAD_CORE} if can_pin() else before)
    assert os.sched_getaffinity(0) == before


def test_sigterm_is_an_exception_for_a_time() -> None:
    """Within the context SIGTERM leaves it as any exception does, and afterwards it does what it did before."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as caught, ended_in_order():
        signal.raise_signal(signal.SIGTERM)
    assert caught.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_free_ports_are_above_the_systems() -> None:
    """They can be bound without being root."""
    assert find_free_port() >= 1024
