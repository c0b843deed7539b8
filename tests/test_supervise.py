# SPDX-License-Identifier: Apache-2.0
"""The supervisor's process is small."""

import os
import subprocess
import sys

from support.source_tree import ROOT
from support.supervised import SERVE, supervised


def test_the_supervisor_imports_no_server_library() -> None:
    """Neither grpc nor protobuf nor aiohttp, nor settings and event loops of others: it starts at once, and has nothing that a child could inherit."""
    code = "import sys, trunkline_server.supervise; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "server")}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    heavy = {"aiohttp", "google", "grpc", "grpc_health", "grpc_reflection", "pydantic", "trunkline", "uvloop"}
    # Site packages may load "google" as an empty namespace at start.
    assert heavy.intersection(run.stdout.split()) - {"google"} == set()


async def test_the_folder_of_the_workers_is_private_and_temporary() -> None:
    """Only the user can open it while it is there, and it goes with the supervisor."""
    shows = "say('folder', seat['folder'], oct(os.stat(seat['folder']).st_mode & 0o777))\n"
    async with supervised(SERVE.replace("ready();", shows + "ready();"), workers=1) as at:
        await at.read_until("all are ready")
        _, folder, mode = next(line for line in at.lines if line.startswith("folder")).split()
        at.process.terminate()
        assert await at.end() == 0
    assert (mode, os.path.exists(folder)) == ("0o700", False)  # noqa: ASYNC240, PTH110 - one look at the end
