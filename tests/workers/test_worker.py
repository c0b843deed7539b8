# SPDX-License-Identifier: Apache-2.0
"""One worker's process."""

import sys
from pathlib import Path

import pytest

from support.supervised import SERVE, SIT
from trunkline_server.workers.worker import Worker

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and Unix sockets")


@pytest.mark.parametrize(
    ("code", "is_ready", "end"),
    [
        pytest.param(SIT + "ready(); sys.exit(7)", True, "ended with status 7", id="ready"),
        pytest.param("raise SystemExit(3)", False, "ended with status 3", id="never ready"),
        pytest.param(SIT + "os.kill(os.getpid(), 9)", False, "was ended by SIGKILL", id="killed"),
    ],
)
async def test_how_a_worker_ends(code: str, is_ready: bool, end: str, tmp_path: Path) -> None:
    """Whether it was ready, and how it ended, in words."""
    worker = await Worker.start([sys.executable, "-c", code], 1, tmp_path)
    assert (await worker.wait_until_ready(), await worker.wait()) == (is_ready, end)
    assert worker.name == f"worker 1 (process {worker.pid})"


@pytest.mark.parametrize(("tell", "end"), [("stop", "SIGTERM"), ("retire", "SIGHUP"), ("kill", "SIGKILL")])
async def test_what_a_worker_is_told(tell: str, end: str, tmp_path: Path) -> None:
    """Each wish is a signal; one that comes too late is nobody's fault."""
    worker = await Worker.start([sys.executable, "-c", SERVE], 1, tmp_path)
    assert await worker.wait_until_ready()
    getattr(worker, tell)()
    assert await worker.wait() == f"was ended by {end}"
    getattr(worker, tell)()
    assert worker.age_s > 0
