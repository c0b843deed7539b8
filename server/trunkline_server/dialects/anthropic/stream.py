# SPDX-License-Identifier: Apache-2.0
"""An answer that comes as server-sent events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.anthropic.reader import EventReader
from trunkline_server.dialects.sse import Event, SseDecoder
from trunkline_server.dialects.upstream_json import reparse_upstream_json

_DONE: Final = b"[DONE]"
_ERROR: Final = b"error"


class StreamDecoder:
    """Decodes a stream of events up to `message_stop`."""

    __slots__ = ("_done", "_failure", "_reader", "_sse")

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._sse = SseDecoder()
        self._reader = EventReader(headers)
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
        """What is left. Raises GatewayError where the stream was cut before its reason to stop."""
        self._raise_failure()
        if self._done:
            return []
        batch = self._read(self._sse.close())
        if not self._reader.ended and self._reader.failure is None and self._sse.failure is None:
            # An event without its end that is no JSON was cut; that matters only where the reason to stop is missing.
            self._failure = None if self._reader.finished else _cut()
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
                value = self._read_irregular(kind, data)
            chunk = reader.read(value, kind)
            if chunk is not None:
                batch.append(chunk)
            if reader.ended or reader.failure is not None or self.finished:
                self._done = self._done or reader.ended
                self._failure = self._failure or reader.failure
                break
        self._failure = self._failure or (None if self._done else self._sse.failure)
        return batch

    def _read_irregular(self, kind: bytes, data: bytes) -> Any:
        """The value of JSON that the fast parser refuses; None for nothing and for a mark of the end that is not Anthropic's. Else sets the failure."""
        text = data.strip()
        if kind == _ERROR:
            return {"type": "error", "error": {"message": text.decode()}}
        if not text or text.upper() == _DONE:
            return None
        try:
            return reparse_upstream_json(text)
        except ValueError:
            reason = ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE
            self._failure = GatewayError(reason, "The provider sent an event that is not JSON.")
            return None


def _cut() -> GatewayError:
    message = "The provider's answer broke off before its end."
    return GatewayError(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, message)
