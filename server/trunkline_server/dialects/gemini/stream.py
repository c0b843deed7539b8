# SPDX-License-Identifier: Apache-2.0
"""An answer that comes as server-sent events (alt=sse), each a GenerateContentResponse. Google marks no end: the stream stops behind the last event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import orjson

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.bodies import MAX_ANSWER_BYTES
from trunkline_server.dialects.gemini.chunks import ChunkReader
from trunkline_server.dialects.sse import Event, SseDecoder
from trunkline_server.dialects.upstream_json import parse_exact_json, reparse_upstream_json

_CALL: Final = b"functionCall"


class StreamDecoder:
    """Decodes a stream of events."""

    __slots__ = ("_closed", "_failure", "_reader", "_sse")

    def __init__(self, headers: Mapping[str, str]) -> None:
        # A picture comes whole, in one event.
        self._sse = SseDecoder(MAX_ANSWER_BYTES)
        self._reader = ChunkReader(headers)
        self._failure: GatewayError | None = None
        self._closed = False

    @property
    def finished(self) -> bool:
        """Whether the rest of the body means nothing: after a failure only, since another candidate may still begin."""
        return self._failure is not None

    def feed(self, block: bytes) -> Batch:
        """The chunks of the events that the block completes."""
        self._raise_failure()
        batch = self._read(self._sse.feed(block))
        if not batch:
            self._raise_failure()
        return batch

    def close(self) -> Batch:
        """What is left. Raises GatewayError where the stream was cut before every candidate had its finish."""
        self._raise_failure()
        if self._closed:
            return []
        self._closed = True
        batch = self._read(self._sse.close())
        if self._reader.failure is None and self._sse.failure is None:
            # An event without its end that is no JSON was cut; that matters only where something is missing.
            self._failure = missing_end(self._reader)
        if batch and self._failure is not None:
            self._failure.partial = batch
        self._raise_failure()
        return batch

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _read(self, events: Iterable[Event]) -> Batch:
        """The chunks of some events, up to the first failure."""
        batch: Batch = []
        reader = self._reader
        for _, data in events:
            try:
                value = parse_exact_json(data) if _CALL in data else orjson.loads(data)
            except ValueError:
                if not data.strip():
                    continue
                try:
                    value = reparse_upstream_json(data)
                except ValueError:
                    self._failure = GatewayError(
                        ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE,
                        "The provider sent an event that is not JSON.",
                    )
                    break
            chunk = reader.read(value)
            if chunk is not None:
                batch.append(chunk)
            if reader.failure is not None:
                self._failure = reader.failure
                break
        self._failure = self._failure or self._sse.failure
        return batch


def missing_end(reader: ChunkReader) -> GatewayError | None:
    """The failure of an answer whose body has ended; None where each candidate had its finish."""
    if reader.is_complete:
        return None
    if not reader.has_begun:
        return GatewayError(ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE, "The provider sent an empty answer.")
    message = "The provider's answer broke off before its end."
    return GatewayError(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, message)
