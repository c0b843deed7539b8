# SPDX-License-Identifier: Apache-2.0
"""A gateway that a test drives: it plays a script and remembers who called and when a call was left."""

import asyncio
import copy
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from trunkline_server.core.call import Call
from trunkline_server.core.ports import Batch

Step = Batch | Exception | float


@dataclass(slots=True)
class FakeGateway:
    """Answers every call with the script: a batch is yielded, an exception raised, a number waited for (seconds).

    `calls` are the calls that began, in order; `endings` says how each one that began has ended: "done", "failed" or "closed" (the generator was closed
    or its task cancelled). `ended` is set with each ending.
    """

    script: Sequence[Step] = ()
    calls: list[Call] = field(default_factory=list)
    endings: list[str] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, call: Call) -> AsyncGenerator[Batch, None]:
        """Plays the script for one call."""
        self.calls.append(call)
        ending = "closed"
        try:
            for step in self.script:
                if isinstance(step, Exception):
                    ending = "failed"
                    raise step
                if isinstance(step, list):
                    yield copy.deepcopy(step)  # an edge may use up the chunks of a batch
                else:
                    await asyncio.sleep(step)
            ending = "done"
        finally:
            self.endings.append(ending)
            self.ended.set()
