# SPDX-License-Identifier: Apache-2.0
"""An answer that comes as server-sent events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import orjson

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.openai_chat.chunks import ChunkReader, cut_off
from trunkline_server.dialects.sse import Event, SseDecoder
from trunkline_server.dialects.upstream_json import reparse_upstream_json
from trunkline_server.jsonshape import Codec

_DONE: Final = b"[DONE]"
_ERROR: Final = b"error"


class StreamDecoder:
    """Decodes a stream of events, with or without `[DONE]` at its end."""

    __slots__ = ("_done", "_failure", "_reader", "_sse")

    def __init__(self, codec: Codec, headers: Mapping[str, str]) -> None:
        self._sse = SseDecoder()
        self._reader = ChunkReader(codec, headers)
        self._done = False
        self._failure: GatewayError | None = None

    @property
    def finished(self) -> bool:
        """Whether the rest of the body means nothing."""
        return self._done or self._failure is not None

    def feed(self, block: bytes) -> Batch:
        """The chunks of the events that the block completes."""
        self._raise_failure()
        if self._done:
            return []
        batch = self._read(self._sse.feed(block))
        if not batch:
            self._raise_failure()
        return batch

    def close(self) -> Batch:
        """What is left. Raises GatewayError where the stream was cut before every choice had its finish."""
        self._raise_failure()
        if self.finished:
            return []
        batch = self._read(self._sse.close())
        if not self._done and self._reader.failure is None and self._sse.failure is None:
            # An event without its end that is no JSON was cut; that matters only where something is missing.
            self._failure = None if self._reader.is_complete else cut_off()
        self._raise_failure()
        self._done = True
        return batch

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _read(self, events: Iterable[Event]) -> Batch:
        """The chunks of some events, up to the end of the answer or the first failure."""
        batch: Batch = []
        reader = self._reader
        for kind, data in events:
            try:
                value = orjson.loads(data)
            except orjson.JSONDecodeError:
                chunks = self._read_irregular(data)
            else:
                if kind == _ERROR:
                    value = _as_error(value)
                chunk = reader.read(value)
                if chunk is not None:
                    batch.append(chunk)
                if reader.failure is None:
                    continue
                chunks = []
            batch += chunks
            self._failure = self._failure or reader.failure
            if self.finished:
                break
        self._failure = self._failure or self._sse.failure
        return batch

    def _read_irregular(self, data: bytes) -> Batch:
        """Reads the mark of the end, nothing, JSON that the fast parser refuses, or sets the failure."""
        text = data.strip()
        if text.upper() == _DONE:
            self._done = True
            return self._reader.end()
        if not text:
            return []
        try:
            value = reparse_upstream_json(text)
        except ValueError:
            self._failure = GatewayError(
                ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE, "The provider sent an event that is not JSON."
            )
            return []
        chunk = self._reader.read(value)
        return [] if chunk is None else [chunk]


def _as_error(value: object) -> dict[str, object]:
    """The value of an event of type `error`, in the form of an error inside an answer."""
    return {"error": value.get("error") or value if isinstance(value, dict) else str(value)}
