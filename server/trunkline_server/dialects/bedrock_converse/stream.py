# SPDX-License-Identifier: Apache-2.0
"""An answer that comes as AWS's binary event stream."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch
from trunkline_server.dialects.aws_errors import error_of_event
from trunkline_server.dialects.aws_events import AwsEvent, AwsEventDecoder
from trunkline_server.dialects.bedrock_converse.reader import EventReader
from trunkline_server.dialects.upstream_json import parse_upstream_json

_CUT: Final = "The provider's answer broke off before its end."


class StreamDecoder:
    """Decodes a stream of events up to `metadata`."""

    __slots__ = ("_done", "_events", "_failure", "_headers", "_reader")

    def __init__(self, headers: Mapping[str, str]) -> None:
        """Raises GatewayError (FEATURE_UNAVAILABLE) where botocore is not installed."""
        self._headers = headers
        self._events = AwsEventDecoder()
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
        batch = self._read(self._events.feed(block))
        if not self._done:
            self._failure = self._failure or self._events.failure
        if not batch:
            self._raise_failure()
        return batch

    def close(self) -> Batch:
        """What is left. Raises GatewayError where the stream was cut before its reason to stop, or inside an event."""
        self._raise_failure()
        if not self._done and (not self._reader.finished or self._events.inside):
            self._failure = GatewayError(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, _CUT)
        self._raise_failure()
        self._done = True
        return []

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _read(self, events: Iterable[AwsEvent]) -> Batch:
        """The chunks of some events, up to the end of the answer or the first failure."""
        batch: Batch = []
        reader = self._reader
        for event in events:
            if event.is_exception:
                self._failure = error_of_event(event.kind, event.payload, self._headers)
                break
            try:
                value = _read_json(event.payload)
            except ValueError:
                reason = ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE
                self._failure = GatewayError(reason, "The provider sent an event that is not JSON.")
                break
            chunk = reader.read(event.kind, value)
            if chunk is not None:
                batch.append(chunk)
            if reader.ended or reader.failure is not None:
                self._done, self._failure = reader.ended, reader.failure
                break
        return batch


def _read_json(payload: bytes) -> Any:
    """The value of an event's payload. Raises ValueError where it is no JSON."""
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        return parse_upstream_json(payload.decode(errors="replace").encode())
