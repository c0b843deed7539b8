# SPDX-License-Identifier: Apache-2.0
"""What errors of AWS's services mean."""

import pytest

from trunkline_server.core.errors import reason_name
from trunkline_server.dialects.aws_errors import error_of_answer, error_of_event

CASES = [
    ("ThrottlingException", 429, "Too many requests.", "RATE_LIMIT_EXCEEDED"),
    ("ServiceQuotaExceededException", 400, "Quota.", "RATE_LIMIT_EXCEEDED"),
    ("ModelNotReadyException", 429, "Model is not ready.", "PROVIDER_OVERLOADED"),
    ("ServiceUnavailableException", 503, "Later.", "PROVIDER_OVERLOADED"),
    ("ModelTimeoutException", 408, "Slow.", "PROVIDER_TIMEOUT"),
    ("ModelErrorException", 424, "Oops.", "PROVIDER_UNAVAILABLE"),
    ("InternalServerException", 500, "Oops.", "PROVIDER_UNAVAILABLE"),
    ("AccessDeniedException", 403, "User arn:aws:iam::123456789012:user/x may not.", "PROVIDER_AUTHENTICATION"),
    ("UnrecognizedClientException", 403, "The security token is invalid.", "PROVIDER_AUTHENTICATION"),
    ("ExpiredTokenException", 403, "Expired.", "PROVIDER_AUTHENTICATION"),
    ("InvalidSignatureException", 403, "The request signature does not match.", "PROVIDER_AUTHENTICATION"),
    ("ResourceNotFoundException", 404, "Could not resolve the model.", "MODEL_NOT_FOUND"),
    ("ResourceNotFoundException", 404, "This model version has reached the end of its life.", "MODEL_DEPRECATED"),
    ("ValidationException", 400, "Malformed input request.", "INVALID_REQUEST"),
    ("ValidationException", 400, "Input is too long for requested model.", "CONTEXT_LENGTH_EXCEEDED"),
    (
        "ValidationException",
        400,
        "The maximum tokens you requested exceeds the model limit of 8192.",
        "MAX_TOKENS_EXCEEDED",
    ),
    ("ValidationException", 400, "The provided model identifier is invalid.", "MODEL_NOT_FOUND"),
    ("ValidationException", 400, "Invocation with on-demand throughput isn't supported.", "MODEL_UNAVAILABLE_UPSTREAM"),
    ("ValidationException", 400, "Could not process image", "INVALID_IMAGE"),
    ("SomethingNewException", 429, "New.", "RATE_LIMIT_EXCEEDED"),
    ("SomethingNewException", 500, "New.", "PROVIDER_UNAVAILABLE"),
]


@pytest.mark.parametrize(("name", "status", "message", "reason"), CASES)
def test_answers(name: str, status: int, message: str, reason: str) -> None:
    """The name of the exception tells, in the header or in the body, and where a request is at fault its message."""
    body = b'{"message":"%b"}' % message.encode()
    typed = b'{"__type":"com.amazon#%b","Message":"%b"}' % (name.encode(), message.encode())
    errors = [
        error_of_answer(status, {"x-amzn-errortype": f"{name}:http://internal.amazon.com/x/"}, body),
        error_of_answer(status, {}, typed),
    ]
    assert [(reason_name(error.reason), error.provider_code) for error in errors] == [(reason, name)] * 2


@pytest.mark.parametrize(("name", "status", "message", "reason"), [case for case in CASES if "New" not in case[0]])
def test_events(name: str, status: int, message: str, reason: str) -> None:
    """An exception inside a stream means the same, its name beginning in lower case."""
    payload = b'{"message":"%b"}' % message.encode()
    assert reason_name(error_of_event(name[0].lower() + name[1:], payload, {}).reason) == reason


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"message":5}', b'{"message":"' + b"x" * 9000])
@pytest.mark.parametrize("status", [400, 403, 500, 503])
def test_bodies_that_say_nothing(status: int, body: bytes) -> None:
    """The status is enough for a failure."""
    assert error_of_answer(status, {}, body).provider_code == str(status)


def test_what_callers_read() -> None:
    """The account's names stay here; a fault of the request is told, with the wait that the answer names."""
    denied = error_of_answer(403, {"x-amzn-errortype": "AccessDeniedException"}, b'{"message":"arn:aws:iam::1:user/x"}')
    faulty = error_of_answer(400, {"x-amzn-errortype": "ValidationException"}, b'{"message":"top_k: too large"}')
    slow = error_of_answer(429, {"x-amzn-errortype": "ThrottlingException", "retry-after": "7"}, b"")
    assert ("arn:" in denied.message, "top_k: too large" in faulty.message, slow.retry_after_s) == (False, True, 7.0)


def test_an_unknown_exception_of_a_stream() -> None:
    """It is the provider's failure."""
    assert reason_name(error_of_event("brandNewException", b"", {}).reason) == "PROVIDER_UNAVAILABLE"
