# SPDX-License-Identifier: Apache-2.0
"""The one exception of the gateway, and what each reason means on each wire.

The vocabulary is `trunkline.v1.ErrorReason`; its annotations are read once into `ERROR_SHAPES`. Nothing else knows a status code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeGuard

from trunkline.v1 import error_pb2
from trunkline.v1.chat_response_pb2 import ChatCompletionChunk
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.router_metadata_pb2 import RouterMetadata

_PREFIX: Final = "ERROR_REASON_"
# A year. What a provider says beyond that is no advice, and fits neither a Duration nor a header.
_LONGEST_WAIT_S: Final = 366 * 86_400.0
_MASKED_MESSAGE: Final = "Internal error. The request id finds the cause in the gateway's log."


def _read_shapes() -> Mapping[int, error_pb2.ErrorShape]:
    values = ErrorReason.DESCRIPTOR.values
    return MappingProxyType(
        {value.number: value.GetOptions().Extensions[error_pb2.error] for value in values if value.number}
    )


ERROR_SHAPES: Final[Mapping[int, error_pb2.ErrorShape]] = _read_shapes()
"""Reason number to its annotation; "no failure" (0) has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldFault:
    """One fault in a request.

    `field` is a JSON path such as `messages[2].content[0].type` ("" for the whole body); `description` says what was expected and what came.
    """

    field: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailure:
    """How one attempt failed: the provider's slug, the model tried, the reason, the wait that the provider asked for (None: it named none)."""

    provider: str
    model: str
    reason: ErrorReason.ValueType
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailability:
    """Details of a reason that has an availability code. Empty sequences and None mean unknown."""

    requested_models: Sequence[str] = ()
    fallback_models: Sequence[str] = ()
    excluded_by: Sequence[str] = ()
    constraint: str | None = None


class GatewayError(Exception):
    """Why a call failed, in the contract's vocabulary. ERROR_REASON_UNSPECIFIED, which names no failure, becomes UNMAPPED.

    `message` is for the caller and holds no secret and no raw upstream body. `provider` and `provider_code` name the provider that failed and its own
    code; `faults` are the request's faults; `attempts` the failures before this one; `retry_after_s` the wait that may help (None: unknown; a wait that is
    no advice, such as NaN, becomes None). The cause travels as `__cause__`.

    Four things are set by whoever knows them: `is_chance` says that the failure tells nothing of its endpoint's health, whatever its reason; `partial` is what a provider had said before it failed and nobody has been told yet; `open_choices` are the
    choices that had begun and not ended (None: nothing has been said); `route` is the route that the call took (None: the caller did not ask for it).
    """

    def __init__(
        self,
        reason: ErrorReason.ValueType,
        message: str,
        *,
        faults: Sequence[FieldFault] = (),
        provider: str | None = None,
        provider_code: str | None = None,
        attempts: Sequence[AttemptFailure] = (),
        retry_after_s: float | None = None,
        unavailability: Unavailability | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason or ErrorReason.ERROR_REASON_UNMAPPED
        self.message = message
        self.faults = tuple(faults)
        self.provider = provider
        self.provider_code = provider_code
        self.attempts = tuple(attempts)
        self.retry_after_s = retry_after_s if _is_advice(retry_after_s) else None
        self.unavailability = unavailability
        self.is_chance = False
        self.partial: Sequence[ChatCompletionChunk] = ()
        self.open_choices: Sequence[int] | None = None
        self.route: RouterMetadata | None = None

    @property
    def shape(self) -> error_pb2.ErrorShape:
        """The annotation of the reason: codes and words on each wire."""
        return ERROR_SHAPES[self.reason]

    @property
    def public_message(self) -> str:
        """The message as callers see it: fixed for masked reasons."""
        return _MASKED_MESSAGE if self.shape.masked else self.message

    @property
    def public_route(self) -> RouterMetadata | None:
        """The route as callers see it: none for masked reasons."""
        return None if self.shape.masked else self.route

    def with_attempts(
        self, attempts: Sequence[AttemptFailure], *, provider: str | None = None, requested_models: Sequence[str] = ()
    ) -> GatewayError:
        """The same failure after the given earlier ones, of `provider` where it names none itself, of a call for `requested_models`.

        Where a later try may help, the wait is the least that any attempt asked for.
        """
        waits_s = [self.retry_after_s, *(attempt.retry_after_s for attempt in attempts if self.shape.retryable)]
        error = GatewayError(
            self.reason,
            self.message,
            faults=self.faults,
            provider=provider if self.provider is None else self.provider,
            provider_code=self.provider_code,
            attempts=attempts,
            retry_after_s=min(filter(_is_advice, waits_s), default=None),
            unavailability=self.unavailability or Unavailability(requested_models=requested_models),
        )
        error.partial, error.open_choices, error.route = self.partial, self.open_choices, self.route
        error.__cause__ = self.__cause__
        return error.with_traceback(self.__traceback__)


def _is_advice(wait_s: float | None) -> TypeGuard[float]:
    return wait_s is not None and 0 <= wait_s <= _LONGEST_WAIT_S


def reason_name(reason: ErrorReason.ValueType) -> str:
    """The reason's name without its prefix, as `ErrorInfo.reason` and logs write it."""
    return ErrorReason.Name(reason).removeprefix(_PREFIX)


def error_body(error: GatewayError) -> error_pb2.ErrorBody:
    """The failure as clients see it in JSON: body, last event, partial answer."""
    shape = error.shape
    body = error_pb2.ErrorBody(code=shape.http_status, message=error.public_message)
    body.metadata.error_type = shape.error_type
    if shape.masked:
        return body
    body.metadata.reason = reason_name(error.reason)
    if error.provider is not None:
        body.metadata.provider_name = error.provider
    if error.provider_code is not None:
        body.metadata.provider_code = error.provider_code
    for fault in error.faults:
        body.metadata.faults.add(field=fault.field, description=fault.description)
    for attempt in error.attempts:
        earlier = ERROR_SHAPES[attempt.reason]
        body.metadata.previous_errors.add(
            provider=attempt.provider, code=earlier.error_type, status=earlier.http_status
        )
    if shape.availability_code:
        body.availability.CopyFrom(_availability(error))
    return body


def _availability(error: GatewayError) -> error_pb2.Availability:
    shape = error.shape
    details = error.unavailability or Unavailability()
    availability = error_pb2.Availability(
        code=shape.availability_code,
        retryable=shape.retryable,
        requested_models=details.requested_models,
        fallback_models=details.fallback_models,
        excluded_by=details.excluded_by,
    )
    if details.constraint is not None:
        availability.constraint = details.constraint
    if error.retry_after_s is not None:
        availability.retry_after = error.retry_after_s
    return availability
