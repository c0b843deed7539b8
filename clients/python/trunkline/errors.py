# SPDX-License-Identifier: Apache-2.0
"""What a failed call raises: one exception with the gateway's words for the failure, in a class for each family.

The words come from the status details that the gateway sends: `google.rpc.ErrorInfo`, `RetryInfo`, `RequestInfo`, `BadRequest`,
`trunkline.v1.ErrorBody` and `trunkline.v1.RouterMetadata`. A failure that never reached the gateway has the gRPC code and its text alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol, cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from trunkline.v1 import error_pb2, router_metadata_pb2

_DOMAIN: Final = "trunkline"
_STATUS_KEY: Final = "grpc-status-details-bin"
_GENERATION_KEY: Final = "x-generation-id"
_REQUEST_KEY: Final = "x-request-id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault in a request: a JSON path such as `messages[2].content[0].type` ("" for the whole request), and what was expected there."""

    field: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Details:
    """What the status says besides code and message, as unpacked messages; each is empty where it did not come."""

    info: error_details_pb2.ErrorInfo
    retry: error_details_pb2.RetryInfo | None
    request: error_details_pb2.RequestInfo
    bad_request: error_details_pb2.BadRequest
    body: error_pb2.ErrorBody
    route: router_metadata_pb2.RouterMetadata | None


class TrunklineError(Exception):
    """A call failed.

    `code` is the gRPC status code; `message` the gateway's sentence. `reason` is the name of a `trunkline.v1.ErrorReason` without its prefix, such as
    "RATE_LIMIT_EXCEEDED", and "" where the failure did not come from the gateway. `http_status` is what the HTTP wire would say, `error_type`
    OpenRouter's word; None where the gateway did not say. `retryable` means that the same request may succeed later, after `retry_after_s` seconds where
    that is known. `faults` lists what is wrong with the request, `availability` why a model cannot be served, `previous_errors` the failures of
    other providers before this one, `provider` and `provider_code` who failed and its own code. `route` is the route that the call took, for calls with the header
    `x-openrouter-metadata: enabled`; None for others. `generation_id` and `request_id` find the call in the
    gateway's records.
    """

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode,
        details: _Details | None = None,
        ids: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(message)
        details = details or _no_details()
        marks = details.info.metadata
        self.code = code
        self.message = message
        self.reason: str = details.info.reason
        self.http_status: int | None = details.body.code or _integer(marks.get("httpStatus", ""))
        self.error_type: str | None = marks.get("errorType") or details.body.metadata.error_type or None
        self.retryable: bool = marks.get("retryable") == "true" if self.reason else code is grpc.StatusCode.UNAVAILABLE
        self.retry_after_s: float | None = None if details.retry is None else _seconds(details.retry)
        self.faults: tuple[Fault, ...] = tuple(
            Fault(field=violation.field, description=violation.description)
            for violation in details.bad_request.field_violations
        )
        self.provider: str | None = marks.get("provider")
        self.provider_code: str | None = marks.get("providerCode")
        self.availability: error_pb2.Availability | None = (
            details.body.availability if details.body.HasField("availability") else None
        )
        self.previous_errors: tuple[error_pb2.PreviousError, ...] = tuple(details.body.metadata.previous_errors)
        self.route: router_metadata_pb2.RouterMetadata | None = details.route
        self.generation_id: str | None = ids.get(_GENERATION_KEY) or marks.get("generationId")
        self.request_id: str | None = ids.get(_REQUEST_KEY) or details.request.request_id or marks.get("requestId")

    def __str__(self) -> str:
        words = [f"{self.reason or self.code.name}: {self.message}"]
        words += [
            f"[{name} {value}]"
            for name, value in (("request", self.request_id), ("generation", self.generation_id))
            if value
        ]
        return " ".join(words)


class InvalidRequestError(TrunklineError):
    """The request is at fault: its form, its content, a feature that the gateway does not run, or its size."""


class AuthenticationError(TrunklineError):
    """The key is missing, malformed or unknown."""


class PermissionDeniedError(TrunklineError):
    """The key may not do this."""


class PaymentRequiredError(TrunklineError):
    """The key's credit is spent."""


class NotFoundError(TrunklineError):
    """The thing asked for is not there, or nobody may serve this model to this request."""


class RateLimitError(TrunklineError):
    """Too many calls; `retry_after_s` says when to come back."""


class DeadlineError(TrunklineError):
    """The call's time is over."""


class CallCancelledError(TrunklineError):
    """The call was cancelled."""


class ProviderError(TrunklineError):
    """The provider failed, and no other one could take over."""


class UnavailableError(TrunklineError):
    """The gateway cannot be reached, is at its limit or shuts down; or the model is out of service for a while."""


class ServerError(TrunklineError):
    """The gateway itself failed."""


_CLASS_OF_CODE: Final[Mapping[grpc.StatusCode, type[TrunklineError]]] = MappingProxyType(
    {
        grpc.StatusCode.CANCELLED: CallCancelledError,
        grpc.StatusCode.UNKNOWN: ServerError,
        grpc.StatusCode.INVALID_ARGUMENT: InvalidRequestError,
        grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineError,
        grpc.StatusCode.NOT_FOUND: NotFoundError,
        grpc.StatusCode.ALREADY_EXISTS: InvalidRequestError,
        grpc.StatusCode.PERMISSION_DENIED: PermissionDeniedError,
        grpc.StatusCode.RESOURCE_EXHAUSTED: RateLimitError,
        grpc.StatusCode.FAILED_PRECONDITION: InvalidRequestError,
        grpc.StatusCode.ABORTED: ServerError,
        grpc.StatusCode.OUT_OF_RANGE: InvalidRequestError,
        grpc.StatusCode.UNIMPLEMENTED: InvalidRequestError,
        grpc.StatusCode.INTERNAL: ServerError,
        grpc.StatusCode.UNAVAILABLE: UnavailableError,
        grpc.StatusCode.DATA_LOSS: ServerError,
        grpc.StatusCode.UNAUTHENTICATED: AuthenticationError,
    }
)
_CLASS_OF_REASON: Final[Mapping[str, type[TrunklineError]]] = MappingProxyType(
    {
        "PAYMENT_REQUIRED": PaymentRequiredError,
        "PAYLOAD_TOO_LARGE": InvalidRequestError,
        "PROVIDER_OVERLOADED": ProviderError,
        "PROVIDER_UNAVAILABLE": ProviderError,
        "PROVIDER_INVALID_RESPONSE": ProviderError,
        "PROVIDER_AUTHENTICATION": ProviderError,
        "PROVIDER_TIMEOUT": ProviderError,
        "UNMAPPED": ProviderError,
    }
)
"""Reasons whose family the gRPC code does not tell."""


class _FailedCall(Protocol):
    """What both of grpc's exceptions know, though the base class RpcError does not say so."""

    def code(self) -> grpc.StatusCode: ...

    def details(self) -> str | None: ...

    def initial_metadata(self) -> object: ...

    def trailing_metadata(self) -> object: ...


def error_from_call(error: grpc.RpcError) -> TrunklineError:
    """The failure of a call in this package's words, from what either of grpc's APIs raised."""
    call = cast("_FailedCall", error)
    metadata = {**_texts(call.initial_metadata()), **_texts(call.trailing_metadata())}
    return make_error(call.code(), call.details() or "", metadata)


def make_error(code: grpc.StatusCode, message: str, metadata: Mapping[str, str | bytes]) -> TrunklineError:
    """The failure that a status and its metadata tell."""
    raw = metadata.get(_STATUS_KEY, b"")
    details = _read_details(raw) if isinstance(raw, bytes) else _no_details()
    family = _CLASS_OF_REASON.get(details.info.reason) or _CLASS_OF_CODE.get(code, ServerError)
    ids = {key: value for key, value in metadata.items() if isinstance(value, str)}
    return family(message or code.name, code=code, details=details, ids=ids)


def _texts(metadata: object) -> dict[str, str | bytes]:
    """Metadata of either API as a dict; None where the call ended before any came."""
    return dict(cast("tuple[tuple[str, str | bytes], ...]", tuple(metadata))) if metadata else {}  # type: ignore[arg-type] # both APIs' metadata iterate as pairs


def _read_details(raw: bytes) -> _Details:
    status = status_pb2.Status()
    found = _no_details()
    retry = route = None
    try:
        status.ParseFromString(raw)
        for detail in status.details:
            for target in (found.info, found.request, found.bad_request, found.body):
                detail.Unpack(target)
            waiting = error_details_pb2.RetryInfo()
            if detail.Unpack(waiting):
                retry = waiting
            taken = router_metadata_pb2.RouterMetadata()
            if detail.Unpack(taken):
                route = taken
    except DecodeError:
        # Details are an addition: broken ones must not hide the status itself.
        return _no_details()
    if found.info.domain not in {"", _DOMAIN}:
        found.info.Clear()
    return _Details(
        info=found.info,
        retry=retry,
        request=found.request,
        bad_request=found.bad_request,
        body=found.body,
        route=route,
    )


def _no_details() -> _Details:
    return _Details(
        info=error_details_pb2.ErrorInfo(),
        retry=None,
        request=error_details_pb2.RequestInfo(),
        bad_request=error_details_pb2.BadRequest(),
        body=error_pb2.ErrorBody(),
        route=None,
    )


def _seconds(retry: error_details_pb2.RetryInfo) -> float:
    return retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9


def _integer(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
