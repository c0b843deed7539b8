# SPDX-License-Identifier: Apache-2.0
"""One try at one upstream: send, read, decode."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.chunks import has_content
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch, UpstreamAnswer
from trunkline_server.dialects.base import Dialect

LONGEST_EMPTINESS_S: Final = 300.0
"""How long an answer that has begun may be kept alive by comments alone. Models that think say so, or are silent; minutes of comments are a fault."""


async def attempt(
    sending: AbstractAsyncContextManager[UpstreamAnswer],
    dialect: Dialect,
    first_content_timeout_s: float,
    monotonic_s: Callable[[], float],
    note_head: Callable[[], None],
) -> AsyncGenerator[Batch, None]:
    """What the upstream answers, as decoded batches; none of them is empty.

    Reading stops when the decoder has heard enough. The upstream bounds the silence between two reads, and is told when the first content has come; here
    bytes that say nothing (comments, a role) are bounded too: `first_content_timeout_s` until the first content, LONGEST_EMPTINESS_S between two batches
    after it. `note_head` is told when the answer's head has come. Closing the generator aborts the upstream. Raises GatewayError.
    """
    last: Batch = []
    silent = True
    patience_s = first_content_timeout_s
    said_s = monotonic_s()
    async with sending as answer:
        note_head()
        decoder = dialect.decoder(status=answer.status, headers=answer.headers)
        blocks = answer.blocks()
        try:
            async for block in blocks:
                batch = decoder.feed(block)
                del block
                if batch:
                    if silent and any(has_content(chunk) for chunk in batch):
                        silent = False
                        patience_s = LONGEST_EMPTINESS_S
                        answer.note_content()
                    yield batch
                    if not silent:  # after the yield: while the reader was away nobody listened
                        said_s = monotonic_s()
                if (silent or not batch) and monotonic_s() - said_s > patience_s:
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
