# SPDX-License-Identifier: Apache-2.0
"""Statuses as exceptions: every reason of the contract in its family, with its details."""

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

import trunkline
from support.builders import make_route
from trunkline import (
    AuthenticationError,
    CallCancelledError,
    DeadlineError,
    Fault,
    InvalidRequestError,
    NotFoundError,
    PaymentRequiredError,
    PermissionDeniedError,
    ProviderError,
    RateLimitError,
    ServerError,
    TrunklineError,
    UnavailableError,
)
from trunkline.errors import make_error
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import (
    ERROR_SHAPES,
    AttemptFailure,
    FieldFault,
    GatewayError,
    Unavailability,
    reason_name,
)
from trunkline_server.edge.grpc.status import CallIds, failure_of

REASONS = [value for value in ErrorReason.values() if value]
IDS = CallIds(request_id="req-1", generation_id="gen-1")
FAMILIES = {
    400: InvalidRequestError,
    401: AuthenticationError,
    402: PaymentRequiredError,
    403: PermissionDeniedError,
    404: NotFoundError,
    405: InvalidRequestError,
    406: InvalidRequestError,
    408: DeadlineError,
    412: InvalidRequestError,
    413: InvalidRequestError,
    415: InvalidRequestError,
    422: InvalidRequestError,
    429: RateLimitError,
    499: CallCancelledError,
    500: ServerError,
}
"""HTTP status to family, where it tells."""
FAMILIES_OF_REASONS = {
    "UNMAPPED": ProviderError,
    "PROVIDER_OVERLOADED": ProviderError,
    "PROVIDER_UNAVAILABLE": ProviderError,
    "PROVIDER_INVALID_RESPONSE": ProviderError,
    "PROVIDER_AUTHENTICATION": ProviderError,
    "PROVIDER_TIMEOUT": ProviderError,
    "TEMPORARILY_UNAVAILABLE": UnavailableError,
    "OVERLOADED": UnavailableError,
    "SHUTTING_DOWN": UnavailableError,
    "DEADLINE_EXCEEDED": DeadlineError,
}
"""Reason to family, where the HTTP status does not tell."""


def error_of(gateway_error: GatewayError) -> TrunklineError:
    """What a client raises where the gateway failed so."""
    failure = failure_of(gateway_error, IDS)
    return make_error(failure.code, failure.message, dict(failure.trailer))


@pytest.mark.parametrize("reason", REASONS, ids=reason_name)
def test_the_route(reason: "ErrorReason.ValueType") -> None:
    """The route that was asked for comes with the failure, unless it is masked; nobody else gets one."""
    failure = GatewayError(reason, "It broke.")
    assert error_of(failure).route is None
    failure.route = make_route()
    assert error_of(failure).route == (None if ERROR_SHAPES[reason].masked else make_route())


def status_metadata(*details: Message) -> dict[str, str | bytes]:
    """Metadata with a status of the details."""
    status = status_pb2.Status(code=3)
    for detail in details:
        status.details.add().Pack(detail)
    return {"grpc-status-details-bin": status.SerializeToString()}


@pytest.mark.parametrize("reason", REASONS, ids=ErrorReason.Name)
def test_every_reason_has_its_family(reason: "ErrorReason.ValueType") -> None:
    """Each reason of the contract is raised in one class of the table, with the words of its annotation."""
    error = error_of(GatewayError(reason, "It broke."))
    shape = ERROR_SHAPES[reason]
    name = reason_name(reason)
    assert type(error) is (FAMILIES_OF_REASONS.get(name) or FAMILIES[shape.http_status])
    assert (error.reason, error.http_status, error.error_type) == (name, shape.http_status, shape.error_type)
    assert error.code.value[0] == shape.grpc_code
    assert error.retryable is shape.retryable
    assert (error.request_id, error.generation_id) == ("req-1", "gen-1")
    assert (error.availability is not None) is bool(shape.availability_code)


def test_every_code_has_its_family() -> None:
    """A status without details, as from a proxy, is raised by its code alone."""
    errors = [make_error(code, "Broken.", {}) for code in grpc.StatusCode if code is not grpc.StatusCode.OK]
    assert all(type(error) is not TrunklineError for error in errors)
    assert {(error.reason, error.http_status, error.request_id) for error in errors} == {("", None, None)}
    assert [error.code.name for error in errors if error.retryable] == ["UNAVAILABLE"]


def test_all_that_the_gateway_said() -> None:
    """Faults, wait, provider, availability and earlier failures are read from the details."""
    error = error_of(
        GatewayError(
            ErrorReason.ERROR_REASON_CAPACITY_EXHAUSTED,
            "Everybody is busy.",
            faults=[FieldFault(field="model", description="must be another")],
            provider="acme",
            provider_code="busy",
            attempts=[AttemptFailure(provider="bolt", model="a/b", reason=ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT)],
            retry_after_s=2.5,
            unavailability=Unavailability(requested_models=["a/b"], fallback_models=["c/d"]),
        )
    )
    assert error.message == "Everybody is busy."
    assert str(error) == "CAPACITY_EXHAUSTED: Everybody is busy. [request req-1] [generation gen-1]"
    assert error.faults == (Fault(field="model", description="must be another"),)
    assert (error.provider, error.provider_code, error.retry_after_s) == ("acme", "busy", 2.5)
    assert error.availability is not None
    assert error.availability.code == "capacity_exhausted"
    assert list(error.availability.fallback_models) == ["c/d"]
    assert [(earlier.provider, earlier.code) for earlier in error.previous_errors] == [("bolt", "timeout")]


@pytest.mark.parametrize(
    "metadata",
    [
        {"grpc-status-details-bin": b"\xff\xff"},
        {"grpc-status-details-bin": "text"},
        {"grpc-status-details-bin": b""},
        status_metadata(
            error_details_pb2.ErrorInfo(domain="other.example", reason="THEIRS", metadata={"httpStatus": "418"})
        ),
    ],
    ids=["broken", "text", "empty", "of another domain"],
)
def test_details_that_are_not_ours(metadata: dict[str, str | bytes]) -> None:
    """Broken or foreign details never hide the status itself."""
    error = make_error(grpc.StatusCode.INVALID_ARGUMENT, "Broken.", metadata)
    assert type(error) is InvalidRequestError
    assert (error.message, error.reason, error.http_status) == ("Broken.", "", None)


def test_an_empty_message() -> None:
    """A status without text is named by its code."""
    assert str(make_error(grpc.StatusCode.UNAVAILABLE, "", {})) == "UNAVAILABLE: UNAVAILABLE"


def test_every_error_is_exported() -> None:
    """Each family can be imported from the package, and all are TrunklineError."""
    families = set(FAMILIES.values()) | set(FAMILIES_OF_REASONS.values())
    assert {family.__name__ for family in families} <= set(trunkline.__all__)
    assert all(issubclass(family, TrunklineError) for family in families)
