# SPDX-License-Identifier: Apache-2.0
"""The record of a call while it is being written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.usage_pb2 import Usage
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.core.call import Call
from trunkline_server.core.errors import AttemptFailure, GatewayError, reason_name
from trunkline_server.core.record import Generation

_CANCELLED: Final = "cancelled"
_OK: Final = "ok"
_BROKEN: Final = reason_name(ErrorReason.ERROR_REASON_SERVER)


class CallStory:
    """What happened to a call so far. A call that ends unsettled was ended by a fault of the gateway."""

    def __init__(self, call: Call, monotonic_s: Callable[[], float]) -> None:
        self._call = call
        self._monotonic_s = monotonic_s
        self._begun_s = monotonic_s()
        self._first_content_s: float | None = None
        self._endpoint: Endpoint | None = None
        self._status = _BROKEN
        self._usage = Usage()
        self.failures: list[AttemptFailure] = []

    def begin_attempt(self, endpoint: Endpoint) -> None:
        """An endpoint is tried."""
        self._endpoint = endpoint

    def pass_on(self, error: GatewayError) -> None:
        """The attempt failed, and another endpoint is tried in its place."""
        endpoint = self._endpoint
        if endpoint is not None:
            self.failures.append(
                AttemptFailure(
                    provider=endpoint.provider.slug,
                    model=endpoint.model,
                    reason=error.reason,
                    retry_after_s=error.retry_after_s,
                )
            )

    def saw_content(self) -> None:
        """Content left for the client."""
        if self._first_content_s is None:
            self._first_content_s = self._monotonic_s()

    def succeed(self, usage: Usage | None) -> None:
        """The answer is whole."""
        self._status = _OK
        if usage is not None:
            self._usage = usage

    def fail(self, error: GatewayError) -> None:
        """The call failed for good."""
        self._status = reason_name(error.reason)

    def cancel(self) -> None:
        """The client went away. An answer that was whole by then stays so."""
        if self._status != _OK:
            self._status = _CANCELLED

    def end(self) -> Generation:
        """The record, as things stand now."""
        call, endpoint, usage = self._call, self._endpoint, self._usage
        return Generation(
            generation_id=call.generation_id,
            request_id=call.request_id,
            principal=call.principal.name,
            wire=call.wire,
            streamed=call.streamed,
            model=call.request.model or next(iter(call.request.models), ""),
            endpoint_model=None if endpoint is None else endpoint.model,
            provider=None if endpoint is None else endpoint.provider.slug,
            attempts=tuple(self.failures),
            status=self._status,
            created_s=call.created_s,
            latency_ms=(self._monotonic_s() - self._begun_s) * 1000,
            first_token_ms=None if self._first_content_s is None else (self._first_content_s - self._begun_s) * 1000,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cost_pusd=usage.cost_pusd if usage.HasField("cost_pusd") else None,
        )
