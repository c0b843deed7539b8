# SPDX-License-Identifier: Apache-2.0
"""The error vocabulary: every reason has its words on each wire, and masked ones tell nothing."""

import pytest

from support.builders import make_route
from trunkline.v1.error_pb2 import ErrorReason, Recourse
from trunkline_server.core.errors import (
    ERROR_SHAPES,
    AttemptFailure,
    FieldFault,
    GatewayError,
    Unavailability,
    error_body,
    reason_name,
)

REASONS = [value for value in ErrorReason.values() if value]
MASKED = [reason for reason in REASONS if ERROR_SHAPES[reason].masked]
ABOUT_MODELS = [reason for reason in REASONS if ERROR_SHAPES[reason].availability_code]
SECRET = "postgres://gateway:hunter2@store"

HTTP_STATUSES = {400, 401, 402, 403, 404, 405, 406, 408, 412, 413, 415, 422, 429, 499, 500, 502, 503, 504}
# The error types and availability codes of OpenRouter's API (api_reference/errors-and-debugging.mdx), with their statuses.
ERROR_TYPES = {
    "context_length_exceeded",
    "max_tokens_exceeded",
    "token_limit_exceeded",
    "string_too_long",
    "authentication",
    "payment_required",
    "permission_denied",
    "rate_limit_exceeded",
    "provider_overloaded",
    "provider_unavailable",
    "invalid_request",
    "invalid_prompt",
    "not_found",
    "precondition_failed",
    "payload_too_large",
    "unprocessable",
    "content_policy_violation",
    "refusal",
    "invalid_image",
    "image_too_large",
    "image_too_small",
    "unsupported_image_format",
    "image_download_failed",
    "image_not_found",
    "server",
    "timeout",
    "unmapped",
}
AVAILABILITY_STATUSES = {
    "model_not_found": 400,
    "wrong_endpoint": 400,
    "no_endpoints": 404,
    "model_deprecated": 404,
    "model_unavailable_upstream": 404,
    "privacy_restricted": 404,
    "constraint_filtered": 404,
    "free_variant_ended": 404,
    "region_restricted": 403,
    "capacity_exhausted": 429,
    "temporarily_unavailable": 503,
}


def make_error(reason: "ErrorReason.ValueType") -> GatewayError:
    """A failure with everything that a failure can carry."""
    return GatewayError(
        reason,
        SECRET,
        faults=[FieldFault(field="model", description="a slug is due")],
        provider="Acme",
        provider_code="overloaded_error",
        attempts=[
            AttemptFailure(provider="zeta", model="acme/one", reason=ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED)
        ],
        retry_after_s=1.5,
        unavailability=Unavailability(
            requested_models=["acme/one"],
            fallback_models=["acme/two"],
            excluded_by=["max_price"],
            constraint="provider.only",
        ),
    )


@pytest.mark.parametrize("reason", REASONS, ids=reason_name)
def test_every_reason_has_its_codes(reason: "ErrorReason.ValueType") -> None:
    """A reason has a gRPC code that is no success, an HTTP status that is no success, an error type of OpenRouter's, and a recourse."""
    shape = ERROR_SHAPES[reason]
    assert 1 <= shape.grpc_code <= 16
    assert shape.http_status in HTTP_STATUSES
    assert shape.error_type in ERROR_TYPES
    assert shape.recourse != Recourse.RECOURSE_UNSPECIFIED


@pytest.mark.parametrize("reason", ABOUT_MODELS, ids=reason_name)
def test_every_availability_code_has_its_status(reason: "ErrorReason.ValueType") -> None:
    """An availability code comes with the status that OpenRouter gives it."""
    shape = ERROR_SHAPES[reason]
    assert shape.http_status == AVAILABILITY_STATUSES[shape.availability_code]


def test_every_availability_code_has_its_reason() -> None:
    """No availability code lacks a reason, and none has two."""
    assert sorted(ERROR_SHAPES[reason].availability_code for reason in ABOUT_MODELS) == sorted(AVAILABILITY_STATUSES)


@pytest.mark.parametrize("reason", REASONS, ids=reason_name)
def test_every_reason_has_a_body(reason: "ErrorReason.ValueType") -> None:
    """The body of a failure bears the status as its code, and the error type."""
    body = error_body(make_error(reason))
    assert body.code == ERROR_SHAPES[reason].http_status
    assert body.metadata.error_type == ERROR_SHAPES[reason].error_type
    assert body.message


@pytest.mark.parametrize("reason", [reason for reason in REASONS if reason not in MASKED], ids=reason_name)
def test_a_plain_reason_tells_what_is_known(reason: "ErrorReason.ValueType") -> None:
    """Message, reason, provider, faults and earlier attempts stand in the body."""
    body = error_body(make_error(reason))
    assert body.message == SECRET
    assert body.metadata.reason == reason_name(reason)
    assert (body.metadata.provider_name, body.metadata.provider_code) == ("Acme", "overloaded_error")
    assert [(fault.field, fault.description) for fault in body.metadata.faults] == [("model", "a slug is due")]
    assert [(earlier.provider, earlier.code, earlier.status) for earlier in body.metadata.previous_errors] == [
        ("zeta", "provider_overloaded", 503)
    ]


@pytest.mark.parametrize("reason", MASKED, ids=reason_name)
def test_a_masked_reason_tells_nothing(reason: "ErrorReason.ValueType") -> None:
    """Of an internal failure the caller learns the status and the error type alone."""
    body = error_body(make_error(reason))
    assert SECRET not in str(body)
    assert [field.name for field, _ in body.ListFields()] == ["code", "message", "metadata"]
    assert [field.name for field, _ in body.metadata.ListFields()] == ["error_type"]


@pytest.mark.parametrize("reason", [ErrorReason.ERROR_REASON_SERVER, ErrorReason.ERROR_REASON_UNMAPPED])
def test_internal_failures_are_masked(reason: "ErrorReason.ValueType") -> None:
    """What went wrong inside is not for callers."""
    assert reason in MASKED


@pytest.mark.parametrize("reason", ABOUT_MODELS, ids=reason_name)
def test_a_reason_about_a_model_says_what_is_available(reason: "ErrorReason.ValueType") -> None:
    """The body bears the availability code with its details."""
    availability = error_body(make_error(reason)).availability
    assert availability.code == ERROR_SHAPES[reason].availability_code
    assert availability.retryable == ERROR_SHAPES[reason].retryable
    assert list(availability.requested_models) == ["acme/one"]
    assert list(availability.fallback_models) == ["acme/two"]
    assert list(availability.excluded_by) == ["max_price"]
    assert (availability.constraint, availability.retry_after) == ("provider.only", 1.5)


def test_what_is_unknown_stays_out_of_the_body() -> None:
    """A failure that knows only its reason has no empty provider, faults, attempts or availability."""
    body = error_body(GatewayError(ErrorReason.ERROR_REASON_INVALID_REQUEST, "No."))
    assert [field.name for field, _ in body.metadata.ListFields()] == ["error_type", "reason"]
    assert not body.HasField("availability")


def test_an_availability_without_details_has_its_code() -> None:
    """A failure about a model needs no details to say its availability code."""
    availability = error_body(GatewayError(ErrorReason.ERROR_REASON_NO_ENDPOINTS, "Nobody.")).availability
    assert availability.code == "no_endpoints"
    assert not availability.HasField("constraint")
    assert not availability.HasField("retry_after")


def test_no_failure_is_not_a_failure() -> None:
    """An error without reason is an unmapped one: its number 0 would mean success on gRPC."""
    error = GatewayError(ErrorReason.ERROR_REASON_UNSPECIFIED, "?")
    assert error.reason == ErrorReason.ERROR_REASON_UNMAPPED
    assert ErrorReason.ERROR_REASON_UNSPECIFIED not in ERROR_SHAPES


def test_attempts_are_added_to_all_that_the_failure_knew() -> None:
    """The copy with attempts keeps reason, message, details, cause and traceback, and names the provider where the failure did not."""
    cause = OSError("connection reset")
    error = make_error(ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT)
    error.__cause__ = cause
    failure = AttemptFailure(provider="zeta", model="m", reason=ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT)
    copy = error.with_attempts([failure], provider="Other")
    assert copy.attempts == (failure,)
    assert copy.__cause__ is cause
    assert (copy.reason, copy.message, copy.faults) == (error.reason, error.message, error.faults)
    assert (copy.provider, copy.provider_code) == ("Acme", "overloaded_error")
    assert (copy.retry_after_s, copy.unavailability) == (1.5, error.unavailability)


@pytest.mark.parametrize("reason", REASONS, ids=reason_name)
def test_the_route_goes_along(reason: "ErrorReason.ValueType") -> None:
    """The route that the caller asked for stays with the failure, and is told unless the failure is masked."""
    error = make_error(reason)
    assert error.public_route is None
    error.route = make_route()
    copy = error.with_attempts([])
    assert copy.route is error.route
    assert copy.public_route is (None if reason in MASKED else error.route)


def test_attempts_name_the_provider() -> None:
    """A failure that names no provider gets the one given."""
    error = GatewayError(ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT, "Too late.")
    assert error.with_attempts([], provider="Acme").provider == "Acme"


RATE_LIMIT, INVALID = ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED, ErrorReason.ERROR_REASON_INVALID_REQUEST


@pytest.mark.parametrize(
    ("reason", "own_s", "earlier_s", "expected_s"),
    [
        pytest.param(RATE_LIMIT, 5.0, [2.0, 9.0], 2.0, id="least of all attempts"),
        pytest.param(RATE_LIMIT, 5.0, [None], 5.0, id="own wait"),
        pytest.param(RATE_LIMIT, None, [None, 7.0], 7.0, id="wait of an earlier attempt"),
        pytest.param(RATE_LIMIT, None, [], None, id="nobody named one"),
        pytest.param(RATE_LIMIT, 3.0, [0.0], 0.0, id="zero is a wait"),
        pytest.param(INVALID, None, [2.0], None, id="waiting does not help"),
    ],
)
def test_the_wait_is_the_least_that_an_attempt_asked_for(
    reason: "ErrorReason.ValueType", own_s: float | None, earlier_s: list[float | None], expected_s: float | None
) -> None:
    """A client may come back as soon as any of the endpoints may take it."""
    attempts = [
        AttemptFailure(provider="a", model="m", reason=RATE_LIMIT, retry_after_s=wait_s) for wait_s in earlier_s
    ]
    error = GatewayError(reason, "Wait.", retry_after_s=own_s)
    assert error.with_attempts(attempts).retry_after_s == expected_s


def test_a_reason_is_named_without_its_prefix() -> None:
    """Logs and ErrorInfo write MODEL_NOT_FOUND."""
    assert reason_name(ErrorReason.ERROR_REASON_MODEL_NOT_FOUND) == "MODEL_NOT_FOUND"


@pytest.mark.parametrize("wait_s", [-1.0, float("nan"), float("inf"), 1e10])
def test_a_wait_that_is_no_advice_is_unknown(wait_s: float) -> None:
    """Neither the failure nor an attempt before it can tell callers to wait for ever, or for less than nothing."""
    overloaded = ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED
    earlier = [
        AttemptFailure(provider="a", model="m", reason=overloaded, retry_after_s=wait) for wait in (wait_s, None, 9.0)
    ]
    alone = GatewayError(overloaded, "Busy.", retry_after_s=wait_s)
    assert alone.retry_after_s is None
    assert alone.with_attempts(earlier).retry_after_s == 9.0


def test_a_failure_about_a_model_learns_what_was_asked_for() -> None:
    """A provider does not know the models of the caller's request; a failure that names them itself keeps its own."""
    reason = ErrorReason.ERROR_REASON_MODEL_UNAVAILABLE_UPSTREAM
    bare = GatewayError(reason, "No.").with_attempts([], requested_models=["acme/one"])
    own = make_error(reason).with_attempts([], requested_models=["acme/other"])
    assert [list(error_body(error).availability.requested_models) for error in (bare, own)] == [["acme/one"]] * 2
