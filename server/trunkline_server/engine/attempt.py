# SPDX-License-Identifier: Apache-2.0
"""One try at one upstream: send, read, decode."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from trunkline_server.core.ports import Batch, Upstream, UpstreamRequest
from trunkline_server.dialects.base import Dialect


async def attempt(upstream: Upstream, dialect: Dialect, request: UpstreamRequest) -> AsyncGenerator[Batch, None]:
    """What the upstream answers, as decoded batches; none of them is empty.

    Reading stops when the decoder has heard enough. Closing the generator aborts the upstream. Raises GatewayError.
    """
    last: Batch = []
    async with upstream.send(request) as answer:
        decoder = dialect.decoder(status=answer.status, headers=answer.headers)
        blocks = answer.blocks()
        try:
            async for block in blocks:
                batch = decoder.feed(block)
                if batch:
                    yield batch
                if decoder.finished:
                    break
        finally:
            # Where `blocks` is a generator, it must not outlive the connection that it reads.
            if isinstance(blocks, AsyncGenerator):
                await blocks.aclose()
        last = decoder.close()
    # The connection is free while a slow reader takes what is left.
    if last:
        yield last
