# SPDX-License-Identifier: Apache-2.0
"""What Anthropic's errors mean.

The envelope is `{"type": "error", "error": {"type", "message", "details"}, "request_id"}`. The family says little: `invalid_request_error` is the form of the
request, its length, the gateway's credit and a filter. So phrases of the message are asked first (platform.claude.com/docs/en/api/errors, and messages as
users report them in github.com/anthropics/claude-code/issues, November 2026); where none fits, the tables of openai_chat know the families and statuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.openai_chat.errors import error_of_answer as _error_of_answer
from trunkline_server.dialects.openai_chat.errors import error_of_value as _error_of_value

_ACCOUNT_TEXT: Final = "The provider does not accept the gateway's account."
_PREFIX: Final = "The provider refused the request: "
_MAX_MESSAGE: Final = 500

_CODES: Final[Mapping[str, ErrorReason.ValueType]] = MappingProxyType(
    {
        "image_dimensions_too_large": ErrorReason.ERROR_REASON_IMAGE_TOO_LARGE,
        "contract_spend_limit_reached": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        "enforced_spend_limit_reached": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
    }
)
"""`error.details.error_code`, where it says more than the family (anthropic-sdk-python 2.12)."""

_PHRASES: Final = (
    ("prompt is too long", ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED),
    ("exceed context limit", ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED),
    ("maximum allowed number of output tokens", ErrorReason.ERROR_REASON_MAX_TOKENS_EXCEEDED),
    ("credit balance is too low", ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION),
    ("api usage limits", ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION),
    ("spend limit", ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION),
    ("content filtering policy", ErrorReason.ERROR_REASON_CONTENT_POLICY_VIOLATION),
    ("could not process image", ErrorReason.ERROR_REASON_INVALID_IMAGE),
    ("image exceeds", ErrorReason.ERROR_REASON_IMAGE_TOO_LARGE),
    ("image dimensions exceed", ErrorReason.ERROR_REASON_IMAGE_TOO_LARGE),
    ("unable to download the file", ErrorReason.ERROR_REASON_IMAGE_DOWNLOAD_FAILED),
)
"""Parts of a message in lower case, asked for requests that were refused."""
_REFUSED: Final = frozenset({400, 413, 422})
_FAMILIES: Final[Mapping[str, ErrorReason.ValueType]] = MappingProxyType(
    {
        "api_error": ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE,
        "timeout_error": ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT,
        "request_too_large": ErrorReason.ERROR_REASON_PAYLOAD_TOO_LARGE,
        "billing_error": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
    }
)
"""Families that the tables of openai_chat do not know, asked where no status is known."""


def error_of_answer(status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
    """The failure that an answer with an error status means. `headers` have lower-case names; `body` may be anything, cut off too."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    return _refine(_error_of_answer(status, headers, body), _read(value), is_refusal=status in _REFUSED)


def error_of_value(value: object, headers: Mapping[str, str] = MappingProxyType({})) -> GatewayError:
    """The failure that an error inside a stream that began with 200 means; `value` is the whole JSON value that came."""
    said = _read(value)
    error = _error_of_value(value, headers)
    family = _FAMILIES.get(str(said.get("type")))
    if family == ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION:
        return _again(error, family, _ACCOUNT_TEXT)
    if family == ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT:
        return _again(error, family, "The provider did not finish in time.")
    if family == ErrorReason.ERROR_REASON_PAYLOAD_TOO_LARGE:
        return _again(error, family, _PREFIX + _message(said))
    return _refine(error, said, is_refusal=said.get("type") == "invalid_request_error")


def _read(value: object) -> Mapping[str, Any]:
    """The `error` of the envelope; empty where there is none."""
    error = value.get("error") if isinstance(value, dict) else None
    return error if isinstance(error, dict) else {}


def _refine(error: GatewayError, said: Mapping[str, Any], *, is_refusal: bool) -> GatewayError:
    """The error with the reason that the envelope's code or message names, if it names one."""
    details = said.get("details")
    code = details.get("error_code") if isinstance(details, dict) else None
    reason = _CODES.get(code) if isinstance(code, str) else None
    if reason is None and is_refusal:
        message = _message(said).lower()
        reason = next((reason for phrase, reason in _PHRASES if phrase in message), None)
    if reason is None:
        return error
    text = _ACCOUNT_TEXT if reason == ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION else _PREFIX + _message(said)
    return _again(error, reason, text)


def _message(said: Mapping[str, Any]) -> str:
    message = said.get("message")
    text = " ".join(message[: 4 * _MAX_MESSAGE].split()) if isinstance(message, str) else ""
    return text[:_MAX_MESSAGE] or "it gave no reason."


def _again(error: GatewayError, reason: ErrorReason.ValueType, message: str) -> GatewayError:
    return GatewayError(reason, message, provider_code=error.provider_code, retry_after_s=error.retry_after_s)
