# SPDX-License-Identifier: Apache-2.0
"""Failures as gRPC statuses: codes, details, and the size of the trailer."""

import base64
from urllib.parse import quote

import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from support.builders import make_route
from support.grpc_edge import unpack
from trunkline.v1 import error_pb2
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.router_metadata_pb2 import RouterMetadata
from trunkline_server.core.errors import (
    ERROR_SHAPES,
    AttemptFailure,
    FieldFault,
    GatewayError,
    Unavailability,
    reason_name,
)
from trunkline_server.edge.failures import error_of_faults
from trunkline_server.edge.grpc.status import CallIds, Failure, failure_of
from trunkline_server.jsonshape import Fault

IDS = CallIds(request_id="req-1", generation_id="gen-1")
REASONS = [value for value in ErrorReason.values() if value]
SECRET = "the password is hunter2"


def status_of(failure: Failure) -> status_pb2.Status:
    """The status in a failure's trailer."""
    raw = dict(failure.trailer)["grpc-status-details-bin"]
    return status_pb2.Status.FromString(raw if isinstance(raw, bytes) else b"")


def details_of(failure: Failure) -> dict[type[Message], Message]:
    """The details in a failure's trailer by their type."""
    details = [unpack(detail) for detail in status_of(failure).details]
    assert len({type(detail) for detail in details}) == len(details), "a type of detail stands there twice"
    return {type(detail): detail for detail in details}


def size_of_trailer(failure: Failure) -> int:
    """The trailer's size as HTTP/2 counts it: names, values as they travel, and 32 bytes an entry."""
    sent = [
        (key, value if isinstance(value, str) else base64.b64encode(value).decode()) for key, value in failure.trailer
    ]
    sent += [("grpc-status", "13"), ("grpc-message", quote(failure.message, safe=" !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"))]
    return sum(len(key) + len(value) + 32 for key, value in sent)


def worst_error(reason: "ErrorReason.ValueType", text: str) -> GatewayError:
    """A failure with more of everything than any trailer can take."""
    error = GatewayError(
        reason,
        text,
        faults=[FieldFault(field=f"{text}{index}", description=text) for index in range(40)],
        provider=text,
        provider_code=text,
        attempts=[AttemptFailure(provider=text, model=text, reason=reason) for _ in range(100)],
        retry_after_s=1e9,
        unavailability=Unavailability(
            requested_models=[text] * 50, fallback_models=[text] * 50, excluded_by=[text] * 50, constraint=text
        ),
    )
    error.route = long_route(text)
    return error


def long_route(text: str) -> RouterMetadata:
    """A route with a hundred endpoints, all tried."""
    return make_route(
        requested=text,
        summary=text,
        attempt=100,
        endpoints={"total": 100, "available": [{"provider": text, "model": text}] * 100},
        attempts=[{"provider": text, "model": text, "status": 503}] * 100,
        pipeline=[{"type": "plugin", "name": text, "data": f'"{text}"'}],
    )


@pytest.mark.parametrize("reason", REASONS, ids=ErrorReason.Name)
def test_every_reason_has_its_status(reason: "ErrorReason.ValueType") -> None:
    """Code and ErrorInfo follow the reason's annotation; the status and its trailer agree."""
    failure = failure_of(GatewayError(reason, "It broke."), IDS)
    shape = ERROR_SHAPES[reason]
    status = status_of(failure)
    info = details_of(failure)[error_details_pb2.ErrorInfo]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert failure.code.value[0] == status.code == shape.grpc_code
    assert failure.message == status.message
    assert (info.domain, info.reason) == ("trunkline", reason_name(reason))
    assert info.metadata["httpStatus"] == str(shape.http_status)
    assert info.metadata["errorType"] == shape.error_type
    assert info.metadata["requestId"] == "req-1"
    assert info.metadata["generationId"] == "gen-1"
    assert info.metadata["availabilityCode"] == shape.availability_code


@pytest.mark.parametrize("reason", [value for value in REASONS if ERROR_SHAPES[value].masked], ids=ErrorReason.Name)
def test_masked_reasons_tell_nothing(reason: "ErrorReason.ValueType") -> None:
    """Of a masked failure no text of ours reaches the client."""
    failure = failure_of(worst_error(reason, SECRET), IDS)
    assert SECRET not in failure.message
    assert SECRET.encode() not in status_of(failure).SerializeToString()


@pytest.mark.parametrize("text", ["x" * 5000, "é%\n" * 5000, "語" * 5000], ids=["ascii", "mixed", "wide"])
@pytest.mark.parametrize("reason", REASONS, ids=ErrorReason.Name)
def test_the_trailer_stays_small(reason: "ErrorReason.ValueType", text: str) -> None:
    """However much there is to say, the trailer stays below 8 kB, the message below 1 kB, and the first fault is told."""
    failure = failure_of(worst_error(reason, text), IDS)
    assert size_of_trailer(failure) < 8 * 1024
    assert len(failure.message) <= 1024
    assert details_of(failure)[error_details_pb2.ErrorInfo]


@pytest.mark.parametrize("reason", REASONS, ids=ErrorReason.Name)
def test_the_route_is_a_detail(reason: "ErrorReason.ValueType") -> None:
    """Who asked for the route gets it as it is, except beside a masked failure."""
    error = GatewayError(reason, "It broke.")
    error.route = make_route()
    told = details_of(failure_of(error, IDS)).get(RouterMetadata)
    assert told == (None if ERROR_SHAPES[reason].masked else make_route())


@pytest.mark.parametrize("text", ["x" * 5000, "語" * 5000], ids=["ascii", "wide"])
def test_a_long_route_is_cut(text: str) -> None:
    """Of a long route the first entries are told, and how many there were in all."""
    error = GatewayError(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, "It broke.")
    error.route = long_route(text)
    failure = failure_of(error, IDS)
    told = details_of(failure)[RouterMetadata]
    assert isinstance(told, RouterMetadata)
    assert (told.endpoints.total, told.attempt, len(told.endpoints.available), len(told.attempts)) == (100, 100, 8, 8)
    assert not told.pipeline
    assert size_of_trailer(failure) < 8 * 1024


def test_short_messages_are_whole() -> None:
    """A message of up to 1 kB of plain text is not cut."""
    failure = failure_of(GatewayError(ErrorReason.ERROR_REASON_INVALID_REQUEST, "x" * 1024), IDS)
    assert failure.message == "x" * 1024


def test_faults_become_field_violations() -> None:
    """Each fault of a request is a violation with its path."""
    faults = [Fault(path="messages[0].role", expected="a string", got="null"), Fault(path="", expected="an object")]
    error = error_of_faults(faults)
    request = details_of(failure_of(error, IDS))[error_details_pb2.BadRequest]
    assert isinstance(request, error_details_pb2.BadRequest)
    assert error.reason == ErrorReason.ERROR_REASON_INVALID_REQUEST
    assert error.message == "messages[0].role: must be a string, got null (1 more in the details)."
    assert [(violation.field, violation.description) for violation in request.field_violations] == [
        ("messages[0].role", "must be a string, got null"),
        ("", "must be an object"),
    ]


@pytest.mark.parametrize(("wait_s", "seconds", "nanos"), [(1.5, 1, 500_000_000), (0.0, 0, 0), (86_400.0, 86_400, 0)])
def test_the_wait_is_told(wait_s: float, seconds: int, nanos: int) -> None:
    """A known wait is a RetryInfo; a rate limit is also a QuotaFailure."""
    error = GatewayError(ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED, "Slow down.", retry_after_s=wait_s)
    details = details_of(failure_of(error, IDS))
    retry, quota = details[error_details_pb2.RetryInfo], details[error_details_pb2.QuotaFailure]
    assert isinstance(retry, error_details_pb2.RetryInfo)
    assert isinstance(quota, error_details_pb2.QuotaFailure)
    assert (retry.retry_delay.seconds, retry.retry_delay.nanos) == (seconds, nanos)
    assert quota.violations[0].description == "Slow down."


@pytest.mark.parametrize(
    ("reason", "is_quota"),
    [
        (ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED, True),
        (ErrorReason.ERROR_REASON_CAPACITY_EXHAUSTED, True),
        (ErrorReason.ERROR_REASON_PAYMENT_REQUIRED, True),
        (ErrorReason.ERROR_REASON_PAYLOAD_TOO_LARGE, False),
    ],
)
def test_what_is_a_quota(reason: "ErrorReason.ValueType", is_quota: bool) -> None:
    """Of the failures with gRPC's RESOURCE_EXHAUSTED those about calls and money are a quota; a request that is too large is none."""
    details = details_of(failure_of(GatewayError(reason, "No."), IDS))
    assert (error_details_pb2.QuotaFailure in details) is is_quota


@pytest.mark.parametrize("wait_s", [-1.0, 1e18, float("inf"), float("nan"), None])
def test_an_absurd_wait_is_not_told(wait_s: float | None) -> None:
    """A wait that is no advice is left out."""
    error = GatewayError(ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED, "Slow down.", retry_after_s=wait_s)
    assert error_details_pb2.RetryInfo not in details_of(failure_of(error, IDS))


def test_availability_and_earlier_failures_are_typed() -> None:
    """The contract's ErrorBody travels along, without the texts that the status has anyway."""
    error = GatewayError(
        ErrorReason.ERROR_REASON_MODEL_NOT_FOUND,
        "There is no such model.",
        attempts=[AttemptFailure(provider="acme", model="a/b", reason=ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT)],
        unavailability=Unavailability(requested_models=["a/b"]),
    )
    body = details_of(failure_of(error, IDS))[error_pb2.ErrorBody]
    assert isinstance(body, error_pb2.ErrorBody)
    assert body.availability.code == "model_not_found"
    assert list(body.availability.requested_models) == ["a/b"]
    assert [(earlier.provider, earlier.status) for earlier in body.metadata.previous_errors] == [("acme", 504)]
    assert body.message == ""


def test_the_ids_are_in_the_trailer() -> None:
    """Each failure carries its ids as plain metadata too; an RPC that generates nothing has no generation id."""
    error = GatewayError(ErrorReason.ERROR_REASON_NOT_FOUND, "Not there.")
    assert dict(failure_of(error, IDS).trailer).items() >= {"x-request-id": "req-1", "x-generation-id": "gen-1"}.items()
    assert "x-generation-id" not in dict(failure_of(error, CallIds(request_id="req-1", generation_id=None)).trailer)
