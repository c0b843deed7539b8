# SPDX-License-Identifier: Apache-2.0
"""SDKs for JavaScript: a script of tests/conformance runs once against a gateway of this process, and tests look at what it recorded."""

import asyncio
import json
import os
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from support.fault_upstream import FaultUpstream, Hang, ReceivedRequest, stream_answer, text_chunk
from support.gateway import key_row, offer, running_gateway
from support.toolchains import CONFORMANCE, require_node_package, require_program

KEY = "tl-" + "k" * 43
LONGEST_S = 60.0
# The provider of acme/one begins and never ends.
ENDLESS = stream_answer(text_chunk("Hello"), text_chunk(" big"), done=False, end=[Hang()])


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRun:
    """What a script recorded, by case, and what it asked of the provider that never ends."""

    cases: dict[str, Any]
    left: list[ReceivedRequest]


@asynccontextmanager
async def node_run(script: str, package: str) -> AsyncIterator[NodeRun]:
    """The run of a script that uses a package, against a gateway with the simulator and one key. Skips where node or the package is not installed."""
    node = require_program("node")
    require_node_package(package)
    async with (
        FaultUpstream(ENDLESS) as upstream,
        running_gateway(**offer(upstream.base_url), keys=[key_row("tester", KEY)]) as gateway,
        asyncio.timeout(LONGEST_S),
    ):
        # Nothing of this machine's settings, such as real keys or proxies, goes into it.
        process = await asyncio.create_subprocess_exec(
            *(node, str(CONFORMANCE / script), gateway.http_url, KEY),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            env={"PATH": os.environ["PATH"]},
        )
        try:
            said, complaints = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        assert (process.returncode, complaints.decode()) == (0, "")
        yield NodeRun(cases=json.loads(said), left=upstream.requests)
