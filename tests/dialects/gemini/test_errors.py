# SPDX-License-Identifier: Apache-2.0
"""What Google's errors mean."""

from typing import Any

import orjson
import pytest

from trunkline_server.core.errors import reason_name
from trunkline_server.dialects.gemini.errors import error_of_answer, error_of_value

GOOGLE = "type.googleapis.com/google.rpc."
RETRY = {"@type": f"{GOOGLE}RetryInfo", "retryDelay": "36.5s"}


def status(code: int, word: str, message: str = "Something.", *details: object) -> dict[str, Any]:
    """An error as Google writes it."""
    error: dict[str, Any] = {"code": code, "message": message, "status": word}
    return {"error": {**error, "details": list(details)} if details else error}


def info(reason: str) -> dict[str, str]:
    """An ErrorInfo."""
    return {"@type": f"{GOOGLE}ErrorInfo", "reason": reason, "domain": "googleapis.com"}


TOO_LONG = "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575)."
CASES: list[tuple[dict[str, Any], str]] = [
    (status(400, "INVALID_ARGUMENT", "Invalid value at 'contents'."), "INVALID_REQUEST"),
    (
        status(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", info("API_KEY_INVALID")),
        "PROVIDER_AUTHENTICATION",
    ),
    (status(400, "INVALID_ARGUMENT", "API key expired. Please renew the API key."), "PROVIDER_AUTHENTICATION"),
    (status(400, "INVALID_ARGUMENT", TOO_LONG), "CONTEXT_LENGTH_EXCEEDED"),
    (
        status(400, "INVALID_ARGUMENT", "it has a maxOutputTokens value of 100000 but the supported range is from 1"),
        "MAX_TOKENS_EXCEEDED",
    ),
    (
        status(400, "INVALID_ARGUMENT", "Request payload size exceeds the limit: 20971520 bytes."),
        "PAYLOAD_TOO_LARGE",
    ),
    (status(400, "INVALID_ARGUMENT", "Unable to process input image. Please retry."), "INVALID_IMAGE"),
    (status(400, "INVALID_ARGUMENT", "Unsupported MIME type: image/tiff"), "UNSUPPORTED_IMAGE_FORMAT"),
    (status(400, "INVALID_ARGUMENT", "Cannot fetch content from the provided URL."), "IMAGE_DOWNLOAD_FAILED"),
    (
        status(400, "INVALID_ARGUMENT", "Function call is missing a thought_signature in functionCall parts."),
        "INVALID_PROMPT",
    ),
    (
        status(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
        "PROVIDER_AUTHENTICATION",
    ),
    (status(401, "UNAUTHENTICATED"), "PROVIDER_AUTHENTICATION"),
    (status(403, "PERMISSION_DENIED", "Your project has been denied access."), "PROVIDER_AUTHENTICATION"),
    (
        status(403, "PERMISSION_DENIED", "You do not have permission to access the File abc or it may not exist."),
        "NOT_FOUND",
    ),
    (status(404, "NOT_FOUND", "models/x is not found for API version v1beta"), "MODEL_NOT_FOUND"),
    (status(429, "RESOURCE_EXHAUSTED", "Quota.", RETRY), "RATE_LIMIT_EXCEEDED"),
    (status(499, "CANCELLED"), "PROVIDER_UNAVAILABLE"),
    (status(500, "INTERNAL"), "PROVIDER_UNAVAILABLE"),
    (status(501, "UNIMPLEMENTED"), "MODEL_UNAVAILABLE_UPSTREAM"),
    (status(503, "UNAVAILABLE", "The model is overloaded. Please try again later."), "PROVIDER_OVERLOADED"),
    (status(504, "DEADLINE_EXCEEDED"), "PROVIDER_TIMEOUT"),
]


@pytest.mark.parametrize(
    ("value", "reason"), CASES, ids=[f"{reason}-{place}" for place, (_, reason) in enumerate(CASES)]
)
def test_reasons(value: dict[str, Any], reason: str) -> None:
    """The details come first, then what the message says beyond doubt, then the word; alone, in a list, or inside a stream."""
    code = value["error"]["code"]
    made = [
        error_of_answer(code, {}, orjson.dumps(value)),
        error_of_answer(code, {}, orjson.dumps([value])),
        error_of_value(value, {}),
    ]
    assert [reason_name(error.reason) for error in made] == [reason] * 3
    assert {error.provider_code for error in made} == {value["error"]["status"]}


def test_whose_words_callers_read() -> None:
    """Google's message is told where the request is at fault; the others tell of the gateway's project."""
    told = error_of_value(status(400, "INVALID_ARGUMENT", f"Bad\n\x00 {'x' * 900}"), {})
    kept = error_of_value(status(403, "PERMISSION_DENIED", "Consumer projects/123 is suspended."), {})
    assert told.message.startswith("The provider refused the request: Bad x")
    assert len(told.message) < 600
    assert kept.message == "The provider does not accept the gateway's account."


@pytest.mark.parametrize(
    ("headers", "detail", "wait_s"),
    [
        ({}, RETRY, 36.5),
        ({"retry-after": "7"}, RETRY, 7.0),
        ({}, {"retryDelay": "99999999s"}, 86_400.0),
        ({}, {"retryDelay": "soon"}, None),
        ({}, {"retryDelay": 3}, None),
        ({}, "no object", None),
    ],
)
def test_waits(headers: dict[str, str], detail: object, wait_s: float | None) -> None:
    """The wait is the header's, else that of the RetryInfo."""
    assert error_of_value(status(429, "RESOURCE_EXHAUSTED", "Quota.", detail), headers).retry_after_s == wait_s


@pytest.mark.parametrize(
    ("code", "body", "reason"),
    [
        (502, b"<html>Bad gateway</html>", "PROVIDER_UNAVAILABLE"),
        (429, b"", "RATE_LIMIT_EXCEEDED"),
        (400, b'{"error":"nonsense"}', "INVALID_REQUEST"),
        (404, b'{"error":{"code":404,"message":"no such model"}}', "MODEL_NOT_FOUND"),
        (400, b'[{"error":3}]', "INVALID_REQUEST"),
        (503, b"[]", "PROVIDER_OVERLOADED"),
        (503, b'{"error":{"code":503,"status":"SOMETHING_NEW"}}', "PROVIDER_OVERLOADED"),
    ],
)
def test_what_is_no_status(code: int, body: bytes, reason: str) -> None:
    """What a proxy wrote counts by its HTTP status."""
    assert reason_name(error_of_answer(code, {}, body).reason) == reason


def test_an_error_without_a_word() -> None:
    """An error inside an answer that says nothing is a failure of the provider's."""
    assert reason_name(error_of_value({"error": True}, {}).reason) == "PROVIDER_UNAVAILABLE"
