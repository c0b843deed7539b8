# SPDX-License-Identifier: Apache-2.0
"""Errors of providers, and what they mean."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline_server.core.errors import GatewayError, reason_name
from trunkline_server.dialects.openai_chat.errors import error_of_answer, error_of_value, read_retry_after


def fail(status: int, error: object = None, headers: dict[str, str] | None = None) -> GatewayError:
    """The failure of an answer with `{"error": error}`."""
    return error_of_answer(status, headers or {}, json.dumps({"error": error}).encode())


STATUSES = [
    (301, "PROVIDER_INVALID_RESPONSE"),
    (302, "PROVIDER_INVALID_RESPONSE"),
    (204, "PROVIDER_INVALID_RESPONSE"),
    (400, "INVALID_REQUEST"),
    (401, "PROVIDER_AUTHENTICATION"),
    (402, "PROVIDER_AUTHENTICATION"),
    (403, "PROVIDER_AUTHENTICATION"),
    (404, "MODEL_UNAVAILABLE_UPSTREAM"),
    (405, "PROVIDER_INVALID_RESPONSE"),
    (408, "PROVIDER_TIMEOUT"),
    (413, "PAYLOAD_TOO_LARGE"),
    (418, "INVALID_REQUEST"),
    (422, "UNPROCESSABLE"),
    (429, "RATE_LIMIT_EXCEEDED"),
    (500, "PROVIDER_UNAVAILABLE"),
    (502, "PROVIDER_UNAVAILABLE"),
    (503, "PROVIDER_OVERLOADED"),
    (504, "PROVIDER_TIMEOUT"),
    (520, "PROVIDER_UNAVAILABLE"),
    (521, "PROVIDER_UNAVAILABLE"),
    (522, "PROVIDER_TIMEOUT"),
    (524, "PROVIDER_TIMEOUT"),
    (529, "PROVIDER_OVERLOADED"),
    (599, "PROVIDER_UNAVAILABLE"),
]


@pytest.mark.parametrize(("status", "reason"), STATUSES)
@pytest.mark.parametrize(
    "body", [b"", b"<html>502</html>", b"{", b"null", b"[]", b'"x"', b"\xff", b'{"error":[]}'], ids=repr
)
def test_a_status_alone(status: int, reason: str, body: bytes) -> None:
    """A body that says nothing leaves the status to tell, and the status is the provider's code."""
    error = error_of_answer(status, {}, body)
    assert (reason_name(error.reason), error.provider_code) == (reason, str(status))


BODIES: list[tuple[str, int, Any, str]] = [
    ("F51 OpenAI's context length", 400, {"code": "context_length_exceeded"}, "CONTEXT_LENGTH_EXCEEDED"),
    (
        "F51 vLLM's context length",
        400,
        {"code": 400, "message": "This model's maximum context length is 9 tokens"},
        "CONTEXT_LENGTH_EXCEEDED",
    ),
    (
        "F51 llama.cpp's context length",
        400,
        {"code": 400, "type": "exceed_context_size_error"},
        "CONTEXT_LENGTH_EXCEEDED",
    ),
    ("too much output", 400, {"param": "max_tokens", "message": "max_tokens is too large: 9"}, "MAX_TOKENS_EXCEEDED"),
    ("F53 OpenAI's model", 404, {"code": "model_not_found"}, "MODEL_NOT_FOUND"),
    ("F53 OpenAI's model, forbidden", 403, {"code": "model_not_found"}, "MODEL_NOT_FOUND"),
    ("F53 Ollama's model", 404, {"message": "model 'x' not found", "type": "api_error"}, "MODEL_NOT_FOUND"),
    ("content policy", 400, {"code": "content_policy_violation"}, "CONTENT_POLICY_VIOLATION"),
    ("Azure's filter", 400, {"code": "content_filter"}, "CONTENT_POLICY_VIOLATION"),
    ("F52 quota spent", 429, {"code": "insufficient_quota", "type": "insufficient_quota"}, "PROVIDER_AUTHENTICATION"),
    ("F49 rate", 429, {"code": "rate_limit_exceeded", "type": "tokens"}, "RATE_LIMIT_EXCEEDED"),
    ("F50 wrong key", 400, {"code": "invalid_api_key"}, "PROVIDER_AUTHENTICATION"),
    ("overload with another status", 500, {"type": "overloaded_error"}, "PROVIDER_OVERLOADED"),
    ("an image", 400, {"code": "invalid_image_url"}, "IMAGE_DOWNLOAD_FAILED"),
    ("OpenRouter's word wins", 400, {"code": 400, "metadata": {"error_type": "image_too_large"}}, "IMAGE_TOO_LARGE"),
    (
        "OpenRouter's own key",
        401,
        {"code": 401, "metadata": {"error_type": "authentication"}},
        "PROVIDER_AUTHENTICATION",
    ),
    ("OpenRouter's availability", 404, {"code": 404, "availability": {"code": "model_deprecated"}}, "MODEL_DEPRECATED"),
    (
        "OpenRouter's moderation",
        403,
        {"code": 403, "message": "Input flagged", "metadata": {"reasons": ["violence"], "flagged_input": "..."}},
        "CONTENT_POLICY_VIOLATION",
    ),
    (
        "a moderator's reasons say more than the word beside them",
        403,
        {"message": "No", "metadata": {"reasons": ["violence"], "error_type": "permission_denied"}},
        "CONTENT_POLICY_VIOLATION",
    ),
    (
        "a safety system",
        403,
        {"message": "Your request was blocked by our safety system", "type": "permission_error"},
        "CONTENT_POLICY_VIOLATION",
    ),
    ("a usage policy", 403, {"message": "This violates our Usage Policies."}, "CONTENT_POLICY_VIOLATION"),
    ("an account that is flagged", 403, {"message": "Your account was flagged."}, "PROVIDER_AUTHENTICATION"),
    ("a role's policy", 403, {"message": "No identity-based policy allows this."}, "PROVIDER_AUTHENTICATION"),
    ("reasons of another failure", 500, {"metadata": {"reasons": ["load"]}}, "PROVIDER_UNAVAILABLE"),
    ("a caller's file", 404, {"message": "No file found with id 'file-abc'", "param": "messages"}, "NOT_FOUND"),
    ("a caller's item", 404, {"message": "Item with id 'rs_1' not found", "code": None}, "NOT_FOUND"),
    ("a caller's image", 404, {"message": "Failed to download image: 404"}, "NOT_FOUND"),
    ("a path", 404, {"message": "Not Found"}, "MODEL_UNAVAILABLE_UPSTREAM"),
    (
        "no endpoint for images",
        404,
        {"message": "No endpoints found that support image input"},
        "MODEL_UNAVAILABLE_UPSTREAM",
    ),
    ("too little credit", 402, {"message": "Insufficient credits."}, "PROVIDER_AUTHENTICATION"),
    (
        "too little credit for so long an answer",
        402,
        {"message": "This request requires more credits, or fewer max_tokens. You can only afford 100"},
        "MAX_TOKENS_EXCEEDED",
    ),
    (
        "an unknown word leaves the status",
        422,
        {"code": "new_thing", "metadata": {"error_type": "newer"}},
        "UNPROCESSABLE",
    ),
]


@pytest.mark.parametrize(("status", "error", "reason"), [case[1:] for case in BODIES], ids=[case[0] for case in BODIES])
def test_bodies(status: int, error: dict[str, Any], reason: str) -> None:
    """What the body says is closer to the truth than the status."""
    assert reason_name(fail(status, error).reason) == reason


@pytest.mark.parametrize(
    ("value", "reason", "code"),
    [
        ({"error": {"message": "m", "code": 429}}, "RATE_LIMIT_EXCEEDED", "429"),
        ({"error": {"message": "m", "code": "429"}}, "RATE_LIMIT_EXCEEDED", "429"),
        ({"error": {"message": "m", "type": "invalid_request_error"}}, "INVALID_REQUEST", "invalid_request_error"),
        ({"error": {"message": "m", "type": "server_error"}}, "PROVIDER_UNAVAILABLE", "server_error"),
        ({"error": {"message": "m"}}, "PROVIDER_UNAVAILABLE", None),
        ({"error": "m"}, "PROVIDER_UNAVAILABLE", None),
        (
            {"object": "error", "message": "m", "code": 404, "type": "NotFoundError"},
            "MODEL_UNAVAILABLE_UPSTREAM",
            "404",
        ),
        ({"error": {"code": 12}}, "PROVIDER_UNAVAILABLE", "12"),
        ({"error": {"code": 400, "metadata": {"provider_code": "their_own"}}}, "INVALID_REQUEST", "their_own"),
        (None, "PROVIDER_UNAVAILABLE", None),
    ],
)
def test_errors_inside_an_answer(value: object, reason: str, code: str | None) -> None:
    """F17: an error with status 200 is what its own code says; the provider's code is kept."""
    error = error_of_value(value)
    assert (reason_name(error.reason), error.provider_code) == (reason, code)


@pytest.mark.parametrize(
    ("status", "said", "message"),
    [
        (400, "`n` must be 1", "The provider refused the request: `n` must be 1"),
        (400, " two\r\nlines\x1b[31m\u2028 ", "The provider refused the request: two lines [31m"),
        (422, "", "The provider refused the request: it gave no reason."),
        (401, "Incorrect API key provided: sk-secret", "The provider does not accept the gateway's account."),
        (429, "Limit reached in organization org-secret", "The provider limits the rate of requests. Try again later."),
        (500, "stack trace of secret", "The provider failed."),
        (404, "secret model x", "The provider does not know the model."),
        (
            402,
            "more secret credits, or fewer max_tokens",
            "The provider does not take a request with such a limit of tokens; a lower `max_tokens` may do.",
        ),
        (403, "flagged as violence", "The provider refused the request: flagged as violence"),
    ],
)
def test_messages(status: int, said: str, message: str) -> None:
    """Callers read the provider's words, in one line, where their request is at fault; else a fixed text."""
    assert fail(status, {"message": said}).message == message


def test_messages_and_codes_are_bounded() -> None:
    """A provider cannot make an error as long as it likes."""
    error = fail(400, {"message": "x" * 10_000, "code": "y" * 10_000})
    assert len(error.message) < 600
    assert len(error.provider_code or "") == 64


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "1e9"}, 86_400.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT", "date": "Sun, 22 Nov 2026 12:00:00 GMT"}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 -0000", "date": "Sun, 22 Nov 2026 13:00:00 +0100"}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT"}, None),
        ({"retry-after": "Sun, 99 Nov 2026 12:00:30 GMT", "date": "x"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], wait_s: float | None) -> None:
    """F49: the wait may be given in seconds, milliseconds, or as a date, which counts from the answer's own."""
    assert read_retry_after(headers) == wait_s


def test_retry_after_of_a_failure() -> None:
    """The header goes before what the body says."""
    error = {"code": 429, "availability": {"code": "capacity_exhausted", "retry_after": 9}}
    assert fail(429, error).retry_after_s == 9.0
    assert fail(429, error, {"retry-after": "2"}).retry_after_s == 2.0


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "code", "message", "type", "metadata", "error_type", "availability", "object"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(value=JSON_VALUES, status=st.integers(min_value=100, max_value=599), wait=st.text(max_size=20))
def test_whatever_comes_is_a_gateway_error(value: object, status: int, wait: str) -> None:
    """No error of a provider makes one of the gateway."""
    headers = {"retry-after": wait, "retry-after-ms": wait, "date": wait}
    for error in (error_of_value(value, headers), error_of_answer(status, headers, json.dumps(value).encode())):
        assert isinstance(error, GatewayError)
        assert error.shape.error_type


@pytest.mark.parametrize(
    ("status", "error", "is_chance"),
    [
        pytest.param(409, {"message": "Try again"}, True, id="a conflict"),
        pytest.param(409, {"code": "insufficient_quota"}, False, id="a conflict that is none"),
        pytest.param(500, {}, False, id="a failure"),
        pytest.param(400, {"code": "409"}, False, id="another status"),
    ],
)
def test_a_conflict_is_one_of_chance(status: int, error: dict[str, Any], is_chance: bool) -> None:
    """It may be tried again, and tells nothing of the provider's health."""
    assert error_of_answer(status, {}, json.dumps({"error": error}).encode()).is_chance is is_chance
