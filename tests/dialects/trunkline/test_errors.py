# SPDX-License-Identifier: Apache-2.0
"""gRPC statuses as failures."""

import pytest
from google.rpc import error_details_pb2, status_pb2

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import ERROR_SHAPES, reason_name
from trunkline_server.dialects.trunkline.errors import DOMAIN, error_of_status


def details(reason: str, *, domain: str = DOMAIN, wait_s: float | None = None, **marks: str) -> bytes:
    """The details of a status as they travel."""
    status = status_pb2.Status()
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata=marks))
    if wait_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(int(wait_s * 1e9))
        status.details.add().Pack(retry)
    return status.SerializeToString()


@pytest.mark.parametrize("number", sorted(ERROR_SHAPES))
def test_each_reason_has_its_meaning_here(number: ErrorReason.ValueType) -> None:
    """No reason of the other gateway is masked here, or blames this gateway's caller for a key or a model that the caller did not choose."""
    error = error_of_status(13, "so it was", details(reason_name(number)))
    assert not error.shape.masked
    assert reason_name(error.reason) not in {"AUTHENTICATION", "PERMISSION_DENIED", "MODEL_NOT_FOUND", "CANCELLED"}
    assert error.provider_code == reason_name(number)
    assert error.message == "so it was"


@pytest.mark.parametrize(
    ("told", "here"),
    [
        ("RATE_LIMIT_EXCEEDED", "RATE_LIMIT_EXCEEDED"),
        ("CONTEXT_LENGTH_EXCEEDED", "CONTEXT_LENGTH_EXCEEDED"),
        ("AUTHENTICATION", "PROVIDER_AUTHENTICATION"),
        ("NO_ENDPOINTS", "MODEL_UNAVAILABLE_UPSTREAM"),
        ("DEADLINE_EXCEEDED", "PROVIDER_TIMEOUT"),
        ("SERVER", "PROVIDER_UNAVAILABLE"),
        ("A_WORD_OF_A_LATER_VERSION", "RATE_LIMIT_EXCEEDED"),
    ],
)
def test_reasons(told: str, here: str) -> None:
    """A reason is kept or turned; an unknown one leaves the code to tell (8: RESOURCE_EXHAUSTED)."""
    assert reason_name(error_of_status(8, "", details(told)).reason) == here


@pytest.mark.parametrize(
    ("code", "here"),
    [
        (3, "INVALID_REQUEST"),
        (4, "PROVIDER_TIMEOUT"),
        (5, "MODEL_UNAVAILABLE_UPSTREAM"),
        (7, "PROVIDER_AUTHENTICATION"),
        (8, "RATE_LIMIT_EXCEEDED"),
        (12, "PROVIDER_INVALID_RESPONSE"),
        (14, "PROVIDER_UNAVAILABLE"),
        (16, "PROVIDER_AUTHENTICATION"),
        (2, "PROVIDER_UNAVAILABLE"),
    ],
)
@pytest.mark.parametrize("raw", [b"", b"\xff", details("X", domain="example.com")])
def test_codes(code: int, here: str, raw: bytes) -> None:
    """Without details of the contract the code tells."""
    assert reason_name(error_of_status(code, "", raw).reason) == here


@pytest.mark.parametrize(
    ("code", "message", "here", "shown"),
    [
        (3, "stop: at most 8", "INVALID_REQUEST", "stop: at most 8"),
        (3, "This model's maximum prompt length is 131072 but ...", "CONTEXT_LENGTH_EXCEEDED", "131072"),
        (3, "Incorrect API key provided: xa***y1.", "PROVIDER_AUTHENTICATION", "does not accept the gateway's account"),
        (7, "Content violates usage guidelines: safety", "CONTENT_POLICY_VIOLATION", "violates usage guidelines"),
        (7, "The team team-1 may not use it", "PROVIDER_AUTHENTICATION", "does not accept the gateway's account"),
        (14, "failed to connect to ipv4:10.0.0.1:443", "PROVIDER_UNAVAILABLE", "The provider failed."),
        (99, "what?", "PROVIDER_UNAVAILABLE", "The provider failed."),
    ],
)
def test_the_words_of_others(code: int, message: str, here: str, shown: str) -> None:
    """A provider's own words tell more than the code, and callers read them only where their request is at fault."""
    error = error_of_status(code, message, b"")
    assert reason_name(error.reason) == here
    assert shown in error.message
    assert "team-1" not in error.message
    assert "10.0.0.1" not in error.message


def test_the_code_stays_known() -> None:
    """The word of the code is the provider's code."""
    assert error_of_status(16, "", b"").provider_code == "UNAUTHENTICATED"


def test_wait_and_text() -> None:
    """The wait that is asked for travels on; the provider's own code too; a long text is cut."""
    error = error_of_status(8, "x" * 5000, details("RATE_LIMIT_EXCEEDED", wait_s=2.5, providerCode="slow_down"))
    assert error.retry_after_s == 2.5
    assert error.provider_code == "slow_down"
    assert len(error.message) < 1000
