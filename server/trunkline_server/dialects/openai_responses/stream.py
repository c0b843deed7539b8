# SPDX-License-Identifier: Apache-2.0
"""An answer that comes as server-sent events.

The type of an event stands in its data as well, so the field `event` matters only where it does not. A stream ends with the event that the answer is whole;
some servers write `[DONE]` after it. One that ends without that event was cut, however much of it came.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import orjson

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.bodies import MAX_ANSWER_BYTES
from trunkline_server.dialects.openai_responses.reader import AnswerReader
from trunkline_server.dialects.sse import Event, SseDecoder
from trunkline_server.dialects.upstream_json import reparse_upstream_json
from trunkline_server.jsonshape import Codec

_DONE: Final = b"[DONE]"


class StreamDecoder:
    """Decodes a stream of events. An event may be as long as a whole answer, which the last one repeats."""

    __slots__ = ("_failure", "_reader", "_sse")

    def __init__(self, codec: Codec) -> None:
        self._sse = SseDecoder(limit_bytes=MAX_ANSWER_BYTES)
        self._reader = AnswerReader(codec)
        self._failure: GatewayError | None = None

    @property
    def finished(self) -> bool:
        """Whether the rest of the body means nothing."""
        return self._reader.done or self._failure is not None

    def feed(self, block: bytes) -> Batch:
        """The chunks of the events that the block completes."""
        self._raise_failure()
        if self._reader.done:
            return []
        batch = self._read(self._sse.feed(block))
        if not batch:
            self._raise_failure()
        return batch

    def close(self) -> Batch:
        """What is left. Raises GatewayError where the stream was cut before the event that the answer is whole."""
        self._raise_failure()
        if self.finished:
            return []
        batch = self._read(self._sse.close())
        if not self._reader.done and self._reader.failure is None and self._sse.failure is None:
            # An event without its end that is no JSON was cut, like the answer.
            self._failure = _cut()
        self._raise_failure()
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
                value = self._parse_irregular(data)
                if value is None:
                    if self._failure is not None:
                        break
                    continue
            if kind and type(value) is dict and "type" not in value:
                value["type"] = kind.decode()
            batch += reader.read(value)
            if reader.done or reader.failure is not None:
                self._failure = reader.failure
                break
        if not reader.done:
            self._failure = self._failure or self._sse.failure
        return batch

    def _parse_irregular(self, data: bytes) -> object:
        """JSON that the fast parser refuses. None for nothing and for the mark of the end; sets the failure where it is no JSON at all."""
        text = data.strip()
        if not text:
            return None
        if text.upper() == _DONE:
            self._failure = _cut()
            return None
        try:
            return reparse_upstream_json(text)
        except ValueError:
            message = "The provider sent an event that is not JSON."
            self._failure = GatewayError(ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE, message)
            return None


def _cut() -> GatewayError:
    message = "The provider's answer broke off before its end."
    return GatewayError(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, message)
