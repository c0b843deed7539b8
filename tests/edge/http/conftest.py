# SPDX-License-Identifier: Apache-2.0
"""An edge that most tests of this folder can share: it answers "hello there" in two batches."""

from collections.abc import AsyncIterator

import pytest

from support.http_edge import RunningEdge, make_last_batch, make_text_batch, running_edge


@pytest.fixture
async def edge() -> AsyncIterator[RunningEdge]:
    """An edge without keys whose gateway says "hello there"."""
    script = [make_text_batch("hello ", "there"), make_last_batch()]
    async with running_edge(script) as running:
        yield running
