# SPDX-License-Identifier: Apache-2.0
"""What events of failure mean, and how clients of this language are told of one."""

from typing import Any

import pytest

from support.responses_wire import CODEC
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import FieldFault, GatewayError, reason_name
from trunkline_server.dialects.openai_responses.errors import CODES, code_of, error_of_event, render_error

LIMIT = {"code": "rate_limit_exceeded", "message": "Too many."}
EVENTS: list[tuple[dict[str, Any], str]] = [
    ({"type": "error", **LIMIT, "param": None}, "RATE_LIMIT_EXCEEDED"),
    ({"type": "error", "error": LIMIT}, "RATE_LIMIT_EXCEEDED"),
    ({"type": "response.failed", "response": {"status": "failed", "error": LIMIT}}, "RATE_LIMIT_EXCEEDED"),
    ({"status": "failed", "error": {"code": "server_error", "message": "x"}}, "PROVIDER_UNAVAILABLE"),
    ({"status": "failed", "error": {"code": "invalid_prompt", "message": "x"}}, "INVALID_PROMPT"),
    ({"status": "failed", "error": {"code": "bio_policy", "message": "x"}}, "CONTENT_POLICY_VIOLATION"),
    ({"status": "failed", "error": {"code": "invalid_image_mode", "message": "x"}}, "INVALID_IMAGE"),
    ({"status": "failed", "error": {"code": "failed_to_download_image", "message": "x"}}, "IMAGE_DOWNLOAD_FAILED"),
    ({"status": "cancelled", "error": None}, "PROVIDER_UNAVAILABLE"),
    ({"type": "error", "error": "text"}, "PROVIDER_UNAVAILABLE"),
    ({"type": "error", "error": {"code": ["x"]}}, "PROVIDER_UNAVAILABLE"),
    ({"type": "error"}, "PROVIDER_UNAVAILABLE"),
    ({"type": "response.failed", "response": None}, "PROVIDER_UNAVAILABLE"),
]


@pytest.mark.parametrize(("value", "expected"), EVENTS)
def test_events(value: dict[str, Any], expected: str) -> None:
    """An error is read wherever it stands."""
    assert reason_name(error_of_event(value).reason) == expected


def test_the_providers_own_code_is_kept() -> None:
    """A code that only this API has is told as it is."""
    assert error_of_event({"error": {"code": "bio_policy", "message": "x"}}).provider_code == "bio_policy"


def test_the_envelope() -> None:
    """A client gets OpenAI's form: message, type, parameter, code; and the gateway's metadata."""
    fault = FieldFault(field="input[0].type", description="must be known")
    error = GatewayError(ErrorReason.ERROR_REASON_INVALID_REQUEST, "It is wrong.", faults=[fault])
    told = render_error(CODEC, error)["error"]
    assert {key: told[key] for key in ("message", "type", "param", "code")} == {
        "message": "It is wrong.",
        "type": "invalid_request_error",
        "param": "input[0].type",
        "code": "invalid_request",
    }
    assert told["metadata"]["faults"][0]["field"] == "input[0].type"


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (ErrorReason.ERROR_REASON_AUTHENTICATION, "authentication_error"),
        (ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED, "rate_limit_error"),
        (ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, "server_error"),
        (ErrorReason.ERROR_REASON_PAYLOAD_TOO_LARGE, "invalid_request_error"),
    ],
)
def test_types(reason: ErrorReason.ValueType, kind: str) -> None:
    """The type follows from the status."""
    assert render_error(CODEC, GatewayError(reason, "x"))["error"]["type"] == kind


def test_masked_failures_say_nothing() -> None:
    """What went wrong inside the gateway is not for callers."""
    fault = FieldFault(field="secret", description="x")
    told = render_error(CODEC, GatewayError(ErrorReason.ERROR_REASON_SERVER, "secret", faults=[fault]))["error"]
    assert "secret" not in str(told)


def test_codes_are_of_openais_list() -> None:
    """A response's error has a code of a closed list."""
    assert code_of("image_too_large") == "image_too_large"
    assert code_of("provider_unavailable") == "server_error"
    assert all(code == code.lower() for code in CODES.values())
