# SPDX-License-Identifier: Apache-2.0
"""Failures as gRPC clients see them: a code, a message, and details in the trailer.

The details are a `google.rpc.Status` with each type at most once: `ErrorInfo` (domain "trunkline", the reason's name, marks in lowerCamel),
`RequestInfo`, `RetryInfo`, `QuotaFailure`, `trunkline.v1.ErrorBody` (availability and earlier failures, typed; what the status and `BadRequest` say
anyway is left out of it), `BadRequest`, `trunkline.v1.RouterMetadata` for callers who asked for the route.

A peer may reset a stream whose trailer exceeds 8 kB, and the failure with it. So the message is cut to 1 kB as it travels, each text in the details is
cut, faults fill what is left of the budget, and the route what is left of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from trunkline.v1 import error_pb2
from trunkline.v1.router_metadata_pb2 import RouterAttempt, RouterEndpoint, RouterMetadata
from trunkline_server.core.errors import FieldFault, GatewayError, error_body, reason_name

DOMAIN: Final = "trunkline"
REQUEST_ID_KEY: Final = "x-request-id"
GENERATION_ID_KEY: Final = "x-generation-id"
STATUS_KEY: Final = "grpc-status-details-bin"
_LONGEST_MESSAGE: Final = 1024
_LONGEST_TEXT: Final = 200
_LONGEST_NAME: Final = 48
_LONGEST_ID: Final = 128
_MOST_ENTRIES: Final = 8
# Calls and money. Other reasons of gRPC's RESOURCE_EXHAUSTED, such as a request that is too large, are no quota.
_QUOTA_STATUSES: Final = frozenset({402, 429})
# In base64 this is 5.5 kB; with the message and the ids the trailer stays below 7 kB.
_DETAILS_BUDGET: Final = 4096
# What an entry of the details takes besides its message: the message's type, and lengths.
_TYPE_BYTES: Final = 64
# What travels in a status message as it is.
_PRINTABLE: Final = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode if code is not grpc.StatusCode.OK}


@dataclass(frozen=True, slots=True, kw_only=True)
class CallIds:
    """The ids that every answer carries. `generation_id` is None for RPCs that generate nothing."""

    request_id: str
    generation_id: str | None

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The ids as metadata."""
        ids = ((REQUEST_ID_KEY, self.request_id),)
        return ids if self.generation_id is None else (*ids, (GENERATION_ID_KEY, self.generation_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How a call ends that failed."""

    code: grpc.StatusCode
    message: str
    trailer: tuple[tuple[str, str | bytes], ...]


def failure_of(error: GatewayError, ids: CallIds) -> Failure:
    """The status and trailer of a failure."""
    message = _cut_message(error.public_message)
    status = status_pb2.Status(code=error.shape.grpc_code, message=message)
    for detail in _details(error, ids):
        status.details.add().Pack(detail)
    faults = () if error.shape.masked else error.faults
    if violations := _bad_request(faults, _DETAILS_BUDGET - status.ByteSize()):
        status.details.add().Pack(violations)
    if route := _compact_route(error.public_route, _DETAILS_BUDGET - status.ByteSize()):
        status.details.add().Pack(route)
    trailer: tuple[tuple[str, str | bytes], ...] = (*ids.metadata(), (STATUS_KEY, status.SerializeToString()))
    return Failure(code=_CODES.get(error.shape.grpc_code, grpc.StatusCode.INTERNAL), message=message, trailer=trailer)


def _details(error: GatewayError, ids: CallIds) -> Iterator[Message]:
    yield _error_info(error, ids)
    yield error_details_pb2.RequestInfo(request_id=ids.request_id)
    if error.retry_after_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(int(error.retry_after_s * 1e9))
        yield retry
    if error.shape.http_status in _QUOTA_STATUSES:
        subject = f"provider:{_cut(error.provider, _LONGEST_NAME)}" if error.provider else "key"
        violation = error_details_pb2.QuotaFailure.Violation(subject=subject, description=_cut(error.public_message))
        yield error_details_pb2.QuotaFailure(violations=[violation])
    body = error_body(error)
    if body.HasField("availability") or body.metadata.previous_errors:
        yield _compact(body)


def _error_info(error: GatewayError, ids: CallIds) -> error_details_pb2.ErrorInfo:
    shape = error.shape
    marks = {
        "httpStatus": str(shape.http_status),
        "errorType": shape.error_type,
        "retryable": "true" if shape.retryable else "false",
        "availabilityCode": shape.availability_code,
        "provider": "" if shape.masked else error.provider,
        "providerCode": "" if shape.masked else error.provider_code,
        "requestId": ids.request_id,
        "generationId": ids.generation_id,
    }
    said = {name: _cut(value, _LONGEST_ID) for name, value in marks.items() if value}
    return error_details_pb2.ErrorInfo(reason=reason_name(error.reason), domain=DOMAIN, metadata=said)


def _compact(body: error_pb2.ErrorBody) -> error_pb2.ErrorBody:
    """The body without what the status says elsewhere, its lists and texts cut."""
    body.ClearField("message")
    body.metadata.ClearField("faults")
    del body.metadata.previous_errors[: -_MOST_ENTRIES or None]
    for earlier in body.metadata.previous_errors:
        earlier.provider = _cut(earlier.provider, _LONGEST_NAME)
    for name in ("provider_name", "provider_code"):
        if body.metadata.HasField(name):
            setattr(body.metadata, name, _cut(getattr(body.metadata, name), _LONGEST_NAME))
    if body.HasField("availability"):
        availability = body.availability
        for texts in (availability.requested_models, availability.fallback_models, availability.excluded_by):
            texts[:] = [_cut(text, _LONGEST_NAME) for text in texts[:_MOST_ENTRIES]]
        if availability.HasField("constraint"):
            availability.constraint = _cut(availability.constraint)
    return body


def _compact_route(route: RouterMetadata | None, budget: int) -> RouterMetadata | None:
    """The route with its texts cut, and the endpoints and attempts that the budget (bytes) allows, the first ones. None where it does not fit at all.

    What happened besides the model's work is left out; `endpoints.total` and `attempt` still tell the whole numbers.
    """
    if route is None:
        return None
    compact = RouterMetadata()
    compact.CopyFrom(route)
    compact.ClearField("pipeline")
    compact.ClearField("params")
    compact.requested, compact.summary = _cut(route.requested, _LONGEST_NAME), _cut(route.summary)
    attempts, available = compact.attempts, compact.endpoints.available
    del attempts[_MOST_ENTRIES:], available[_MOST_ENTRIES:]
    entries: list[RouterAttempt | RouterEndpoint] = [*attempts, *available]
    for entry in entries:
        entry.provider, entry.model = _cut(entry.provider, _LONGEST_NAME), _cut(entry.model, _LONGEST_NAME)
    while compact.ByteSize() > budget - _TYPE_BYTES:
        if len(available) > len(attempts):
            del available[-1]
        elif attempts:
            del attempts[-1]
        else:
            return None
    return compact


def _bad_request(faults: Sequence[FieldFault], budget: int) -> error_details_pb2.BadRequest | None:
    """As many faults as the budget (bytes) allows; the first always fits. None without faults."""
    request = error_details_pb2.BadRequest()
    for fault in faults:
        request.field_violations.add(field=_cut(fault.field), description=_cut(fault.description))
        if request.ByteSize() > budget and len(request.field_violations) > 1:
            del request.field_violations[-1]
            break
    return request if faults else None


def _cut_message(text: str) -> str:
    """The text cut to 1 kB as it travels: what is not printable ASCII takes three bytes for each byte of UTF-8."""
    text = text[:_LONGEST_MESSAGE].encode("utf-8", "replace").decode("utf-8")
    while len(quote(text, safe=_PRINTABLE)) > _LONGEST_MESSAGE:
        text = text[: len(text) * 3 // 4] + "…"
    return text


def _cut(text: str, longest: int = _LONGEST_TEXT) -> str:
    """The text cut to so many bytes of UTF-8."""
    raw = text.encode("utf-8", "replace")
    return raw.decode("utf-8") if len(raw) <= longest else raw[: longest - 3].decode("utf-8", "ignore") + "…"
