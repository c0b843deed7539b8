# SPDX-License-Identifier: Apache-2.0
"""The npm program aimock, which plays providers that are not ours; its version is locked in tests/conformance."""

import asyncio
import json
import os
import re
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from support.toolchains import require_node_program, require_program

KEY = "sk-only-for-aimock"


@asynccontextmanager
async def running_aimock(folder: Path, fixtures: Mapping[str, Any], *, strict: bool = False) -> AsyncIterator[str]:
    """The URL of a running aimock that answers as the fixtures say and takes KEY alone. Skips where node or aimock is not installed.

    `strict` makes it refuse what the real provider would refuse.
    """
    program = [require_program("node"), require_node_program("aimock")]
    (folder / "fixtures.json").write_text(json.dumps(fixtures), encoding="utf-8")
    llm = {"fixtures": str(folder / "fixtures.json"), "chunkSize": 5, "latency": 1}
    config = {"port": 0, "host": "127.0.0.1", "auth": {"apiKeys": [KEY]}, "strict": strict, "llm": llm}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    arguments = ["--config", str(folder / "config.json")]
    # Nothing of this machine's settings, such as keys of real providers, goes into it.
    environment = {"PATH": os.environ["PATH"]}
    process = await asyncio.create_subprocess_exec(*program, *arguments, stdin=DEVNULL, stdout=PIPE, env=environment)
    try:
        yield await _find_url(process)
    finally:
        process.terminate()
        await process.communicate()


async def read_journal(url: str) -> list[Any]:
    """What aimock was asked, in order."""
    signed = {"authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession() as http, http.get(f"{url}/__aimock/journal", headers=signed) as answer:
        asked: list[Any] = await answer.json()
    return asked


async def _find_url(process: asyncio.subprocess.Process) -> str:
    """The URL that the program prints once it listens."""
    assert process.stdout is not None
    async with asyncio.timeout(20):
        while line := (await process.stdout.readline()).decode():
            if found := re.search(r"listening on (http://\S+)", line):
                return found[1]
    raise AssertionError("aimock ended before it listened")
