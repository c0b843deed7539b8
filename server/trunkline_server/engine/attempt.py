# SPDX-License-Identifier: Apache-2.0
"""One try at one upstream: send, read, decode."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Final

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch, Upstream, UpstreamRequest
from trunkline_server.dialects.base import Dialect

LONGEST_EMPTINESS_S: Final = 300.0
"""How long an answer that has begun may be kept alive by comments alone. Models that think say so, or are silent; minutes of comments are a fault."""


async def attempt(
    upstream: Upstream, dialect: Dialect, request: UpstreamRequest, monotonic_s: Callable[[], float]
) -> AsyncGenerator[Batch, None]:
    """What the upstream answers, as decoded batches; none of them is empty.

    Reading stops when the decoder has heard enough. The upstream bounds the silence between two reads; here bytes that say nothing (comments) are bounded
    too: `first_byte_timeout_s` until the first batch, LONGEST_EMPTINESS_S between two. Closing the generator aborts the upstream. Raises GatewayError.
    """
    last: Batch = []
    patience_s = request.first_byte_timeout_s
    said_s = monotonic_s()
    sending = upstream.send(request)
    del request  # its body may be large, and the answer take minutes
    async with sending as answer:
        decoder = dialect.decoder(status=answer.status, headers=answer.headers)
        blocks = answer.blocks()
        try:
            async for block in blocks:
                batch = decoder.feed(block)
                del block
                if batch:
                    yield batch
                    said_s, patience_s = monotonic_s(), LONGEST_EMPTINESS_S
                elif monotonic_s() - said_s > patience_s:
                    reason = ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT
                    raise GatewayError(reason, f"The provider sent nothing of an answer for {patience_s:g} s.")
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
