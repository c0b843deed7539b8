# SPDX-License-Identifier: Apache-2.0
"""What Anthropic's errors mean."""

from typing import Any

import orjson
import pytest

from trunkline_server.core.errors import reason_name
from trunkline_server.dialects.anthropic.errors import error_of_answer, error_of_value


def envelope(kind: str, message: str = "It failed.", **error: Any) -> dict[str, Any]:
    """The body of an error."""
    return {"type": "error", "error": {"type": kind, "message": message, **error}, "request_id": "req_1"}


ANSWERS = [
    (400, "invalid_request_error", "messages: at least one message is required", "INVALID_REQUEST"),
    (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", "CONTEXT_LENGTH_EXCEEDED"),
    (
        400,
        "invalid_request_error",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
        "CONTEXT_LENGTH_EXCEEDED",
    ),
    (
        400,
        "invalid_request_error",
        "max_tokens: 128001 > 64000, which is the maximum allowed number of output tokens for x",
        "MAX_TOKENS_EXCEEDED",
    ),
    (
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the Anthropic API.",
        "PROVIDER_AUTHENTICATION",
    ),
    (400, "invalid_request_error", "You have reached your specified API usage limits.", "PROVIDER_AUTHENTICATION"),
    (400, "invalid_request_error", "Output blocked by content filtering policy", "CONTENT_POLICY_VIOLATION"),
    (400, "invalid_request_error", "messages.0.content.1.image: Could not process image", "INVALID_IMAGE"),
    (400, "invalid_request_error", "image exceeds 5 MB maximum", "IMAGE_TOO_LARGE"),
    (400, "invalid_request_error", "Unable to download the file. Please verify the URL.", "IMAGE_DOWNLOAD_FAILED"),
    (401, "authentication_error", "invalid x-api-key", "PROVIDER_AUTHENTICATION"),
    (402, "billing_error", "Check your payment details.", "PROVIDER_AUTHENTICATION"),
    (403, "permission_error", "Your account does not have permission.", "PROVIDER_AUTHENTICATION"),
    (404, "not_found_error", "model: claude-9", "MODEL_NOT_FOUND"),
    (413, "request_too_large", "Request exceeds the maximum size", "PAYLOAD_TOO_LARGE"),
    (429, "rate_limit_error", "prompt is too long for your plan", "RATE_LIMIT_EXCEEDED"),
    (500, "api_error", "Internal server error", "PROVIDER_UNAVAILABLE"),
    (504, "timeout_error", "It took too long", "PROVIDER_TIMEOUT"),
    (529, "overloaded_error", "Overloaded", "PROVIDER_OVERLOADED"),
]


@pytest.mark.parametrize(("status", "kind", "message", "reason"), ANSWERS)
def test_answers(status: int, kind: str, message: str, reason: str) -> None:
    """A phrase tells more than the family, and the family more than the status."""
    error = error_of_answer(status, {}, orjson.dumps(envelope(kind, message)))
    assert (reason_name(error.reason), error.provider_code) == (reason, kind)


EVENTS = [
    ("overloaded_error", "Overloaded", "PROVIDER_OVERLOADED"),
    ("api_error", "Internal server error", "PROVIDER_UNAVAILABLE"),
    ("rate_limit_error", "Slow down.", "RATE_LIMIT_EXCEEDED"),
    ("timeout_error", "It took too long", "PROVIDER_TIMEOUT"),
    ("billing_error", "Pay.", "PROVIDER_AUTHENTICATION"),
    ("request_too_large", "Too large.", "PAYLOAD_TOO_LARGE"),
    ("invalid_request_error", "Output blocked by content filtering policy", "CONTENT_POLICY_VIOLATION"),
    ("invalid_request_error", "It is wrong.", "INVALID_REQUEST"),
    ("fresh_error", "What?", "PROVIDER_UNAVAILABLE"),
]


@pytest.mark.parametrize(("kind", "message", "reason"), EVENTS)
def test_events(kind: str, message: str, reason: str) -> None:
    """An error inside a stream has no status; its family tells."""
    assert reason_name(error_of_value(envelope(kind, message)).reason) == reason


def test_codes_tell_most() -> None:
    """The error's code is more exact than its words."""
    body = envelope("invalid_request_error", "Bad.", details={"error_code": "image_dimensions_too_large"})
    assert reason_name(error_of_answer(400, {}, orjson.dumps(body)).reason) == "IMAGE_TOO_LARGE"


def test_what_callers_read() -> None:
    """Callers read what is wrong with their request, and nothing of the gateway's account."""
    body = orjson.dumps(envelope("invalid_request_error", "prompt is too long:\n 9 tokens"))
    assert error_of_answer(400, {}, body).message == "The provider refused the request: prompt is too long: 9 tokens"
    body = orjson.dumps(envelope("invalid_request_error", "Your credit balance is too low, org 5."))
    assert "org 5" not in error_of_answer(400, {}, body).message


def test_waits() -> None:
    """How long to wait stands in the headers and survives a more exact reason."""
    body = orjson.dumps(envelope("rate_limit_error"))
    assert error_of_answer(429, {"retry-after": "7"}, body).retry_after_s == 7.0
    body = orjson.dumps(envelope("invalid_request_error", "prompt is too long"))
    assert error_of_answer(400, {"retry-after": "7"}, body).retry_after_s == 7.0


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'"x"', b'{"error":5}', b'{"error":{"message":5,"details":5}}']
)
def test_bodies_that_are_no_envelope(body: bytes) -> None:
    """Where the body says nothing the status does."""
    assert reason_name(error_of_answer(529, {}, body).reason) == "PROVIDER_OVERLOADED"
    assert reason_name(error_of_answer(400, {}, body).reason) == "INVALID_REQUEST"
