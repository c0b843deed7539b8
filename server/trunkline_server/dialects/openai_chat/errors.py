# SPDX-License-Identifier: Apache-2.0
"""What a provider's error means: its status, its codes and, where there is nothing better, its words.

The tables are asked in this order: the gateway's and OpenRouter's own words (`error.metadata`), OpenAI's codes, phrases that name one cause beyond
doubt, the HTTP status, the family of the error (`error.type`). Phrases also tell apart what a caller's request brought about from what speaks of the
gateway's account or of the endpoint: one prompt must not take an endpoint from everybody. Callers read the provider's message only where the request is at fault. Other messages
tell of the gateway's account (organisation, key) or of the provider's inside, so they are replaced by a fixed text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Final

import orjson

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError

_MAX_MESSAGE: Final = 500
_MAX_CODE: Final = 64
_MAX_WAIT_S: Final = 86_400.0
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")

_WORDS: Final[Mapping[str, ErrorReason.ValueType]] = MappingProxyType(
    {
        # A gateway of this kind says that it was its own provider.
        "LOOP_DETECTED": ErrorReason.ERROR_REASON_LOOP_DETECTED,
        # OpenRouter's error_type and availability codes; its own key or credit is the gateway's here, not the caller's.
        "context_length_exceeded": ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED,
        "max_tokens_exceeded": ErrorReason.ERROR_REASON_MAX_TOKENS_EXCEEDED,
        "token_limit_exceeded": ErrorReason.ERROR_REASON_TOKEN_LIMIT_EXCEEDED,
        "string_too_long": ErrorReason.ERROR_REASON_STRING_TOO_LONG,
        "authentication": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        "payment_required": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        "permission_denied": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        "rate_limit_exceeded": ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED,
        "provider_overloaded": ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED,
        "provider_unavailable": ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE,
        "invalid_prompt": ErrorReason.ERROR_REASON_INVALID_PROMPT,
        "precondition_failed": ErrorReason.ERROR_REASON_PRECONDITION_FAILED,
        "payload_too_large": ErrorReason.ERROR_REASON_PAYLOAD_TOO_LARGE,
        "unprocessable": ErrorReason.ERROR_REASON_UNPROCESSABLE,
        "content_policy_violation": ErrorReason.ERROR_REASON_CONTENT_POLICY_VIOLATION,
        "refusal": ErrorReason.ERROR_REASON_REFUSAL,
        "invalid_image": ErrorReason.ERROR_REASON_INVALID_IMAGE,
        "image_too_large": ErrorReason.ERROR_REASON_IMAGE_TOO_LARGE,
        "image_too_small": ErrorReason.ERROR_REASON_IMAGE_TOO_SMALL,
        "unsupported_image_format": ErrorReason.ERROR_REASON_UNSUPPORTED_IMAGE_FORMAT,
        "image_not_found": ErrorReason.ERROR_REASON_IMAGE_NOT_FOUND,
        "image_download_failed": ErrorReason.ERROR_REASON_IMAGE_DOWNLOAD_FAILED,
        "server": ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE,
        "unmapped": ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE,
        "timeout": ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT,
        "model_not_found": ErrorReason.ERROR_REASON_MODEL_NOT_FOUND,
        "no_endpoints": ErrorReason.ERROR_REASON_MODEL_UNAVAILABLE_UPSTREAM,
        "model_unavailable_upstream": ErrorReason.ERROR_REASON_MODEL_UNAVAILABLE_UPSTREAM,
        "model_deprecated": ErrorReason.ERROR_REASON_MODEL_DEPRECATED,
        "capacity_exhausted": ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED,
        "temporarily_unavailable": ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE,
        # OpenAI's codes, and those of servers that took its form.
        "exceed_context_size_error": ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED,
        "string_above_max_length": ErrorReason.ERROR_REASON_STRING_TOO_LONG,
        "deployment_not_found": ErrorReason.ERROR_REASON_MODEL_NOT_FOUND,
        "DeploymentNotFound": ErrorReason.ERROR_REASON_MODEL_NOT_FOUND,
        "content_filter": ErrorReason.ERROR_REASON_CONTENT_POLICY_VIOLATION,
        "image_content_policy_violation": ErrorReason.ERROR_REASON_CONTENT_POLICY_VIOLATION,
        "invalid_api_key": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        "account_deactivated": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        "insufficient_quota": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        "billing_hard_limit_reached": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        "billing_not_active": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        "engine_overloaded": ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED,
        "overloaded_error": ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED,
        "invalid_image_format": ErrorReason.ERROR_REASON_UNSUPPORTED_IMAGE_FORMAT,
        "unsupported_image_media_type": ErrorReason.ERROR_REASON_UNSUPPORTED_IMAGE_FORMAT,
        "invalid_base64_image": ErrorReason.ERROR_REASON_INVALID_IMAGE,
        "image_parse_error": ErrorReason.ERROR_REASON_INVALID_IMAGE,
        "empty_image_file": ErrorReason.ERROR_REASON_INVALID_IMAGE,
        "image_file_too_large": ErrorReason.ERROR_REASON_IMAGE_TOO_LARGE,
        "image_file_not_found": ErrorReason.ERROR_REASON_IMAGE_NOT_FOUND,
        "invalid_image_url": ErrorReason.ERROR_REASON_IMAGE_DOWNLOAD_FAILED,
        "failed_to_download_image": ErrorReason.ERROR_REASON_IMAGE_DOWNLOAD_FAILED,
    }
)
"""A provider's word (error_type, availability code, `error.code`, `error.type`) to its reason. Words that say less than the status are in _FAMILIES."""

_PHRASES: Final = (
    ("maximum context length", ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED),
    ("context window", ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED),
    # xAI's words (github.com/cline/cline/issues/3120), and what it says with status 400 to a wrong key (github.com/continuedev/continue/issues/10778).
    ("maximum prompt length", ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED),
    ("incorrect api key provided", ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION),
    ("max_tokens is too large", ErrorReason.ERROR_REASON_MAX_TOKENS_EXCEEDED),
    ("max_completion_tokens is too large", ErrorReason.ERROR_REASON_MAX_TOKENS_EXCEEDED),
)
"""Parts of a message, asked for statuses 400, 413 and 422 only: many servers give no code for these."""

_MODERATION: Final = re.compile(
    r"moderation|\bflagged\b|\bsafety\b|content[ _-](policy|filter)|content management policy|usage (polic(y|ies)|guidelines)"
)
"""What a message with status 403 says where the prompt is at fault."""
_ACCOUNT: Final = re.compile(r"\b(account|api key|organi[sz]ation|project|subscription)\b")
"""What it says where the gateway's account is, whatever else."""
_CALLERS_THING: Final = re.compile(
    r"\b(file|image|item|document|attachment|audio|video|message|tool call|response|conversation|vector store)s?\b"
)
"""What a message with status 404 names where something is missing that the request refers to."""
_OFFER: Final = re.compile(r"model|endpoint|provider|deployment|\burl\b")
"""What it names where the endpoint is missing."""
_FEWER_TOKENS: Final = re.compile(r"fewer max_(completion_)?tokens")
"""What a message with status 402 says where the request's limit is too high for the credit that is left."""

_STATUSES: Final[Mapping[int, ErrorReason.ValueType]] = MappingProxyType(
    {
        401: ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        402: ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        403: ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        404: ErrorReason.ERROR_REASON_MODEL_UNAVAILABLE_UPSTREAM,
        405: ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE,
        406: ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE,
        407: ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        408: ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT,
        409: ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE,
        410: ErrorReason.ERROR_REASON_MODEL_UNAVAILABLE_UPSTREAM,
        412: ErrorReason.ERROR_REASON_PRECONDITION_FAILED,
        413: ErrorReason.ERROR_REASON_PAYLOAD_TOO_LARGE,
        415: ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE,
        422: ErrorReason.ERROR_REASON_UNPROCESSABLE,
        425: ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE,
        429: ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED,
        499: ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE,
        503: ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED,
        504: ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT,
        522: ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT,
        524: ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT,
        529: ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED,
    }
)
"""HTTP status to reason. A status that is not here counts by its class, see _CLASSES."""

_CLASSES: Final = (
    (500, ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE),
    (400, ErrorReason.ERROR_REASON_INVALID_REQUEST),
    (0, ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE),
)
"""Least status of a class to its reason. Redirects are never followed: the provider's key would go with them."""

_FAMILIES: Final[Mapping[str, ErrorReason.ValueType]] = MappingProxyType(
    {
        "authentication_error": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        "permission_error": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        "rate_limit_error": ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED,
        "tokens": ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED,
        "requests": ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED,
        "invalid_request_error": ErrorReason.ERROR_REASON_INVALID_REQUEST,
        "invalid_request": ErrorReason.ERROR_REASON_INVALID_REQUEST,
        "BadRequestError": ErrorReason.ERROR_REASON_INVALID_REQUEST,
        "not_found": ErrorReason.ERROR_REASON_MODEL_UNAVAILABLE_UPSTREAM,
        "not_found_error": ErrorReason.ERROR_REASON_MODEL_UNAVAILABLE_UPSTREAM,
        "NotFoundError": ErrorReason.ERROR_REASON_MODEL_UNAVAILABLE_UPSTREAM,
    }
)
"""A provider's word for a family of errors, asked where no status is known: an error event in a stream that began with 200."""

_FIXED_TEXTS: Final[Mapping[ErrorReason.ValueType, str]] = MappingProxyType(
    {
        ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION: "The provider does not accept the gateway's account.",
        ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED: "The provider limits the rate of requests. Try again later.",
        ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED: "The provider has no capacity at the moment. Try again later.",
        ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE: "The provider failed.",
        ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE: "The provider answered with something that is no answer.",
        ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT: "The provider did not finish in time.",
        ErrorReason.ERROR_REASON_MODEL_NOT_FOUND: "The provider does not know the model.",
        ErrorReason.ERROR_REASON_MODEL_UNAVAILABLE_UPSTREAM: "The provider does not offer the model.",
        ErrorReason.ERROR_REASON_MODEL_DEPRECATED: "The provider has withdrawn the model.",
    }
)
"""Reasons whose message never comes from the provider."""
_CONFLICT: Final = 409
_TOO_MANY_TOKENS: Final = (
    "The provider does not take a request with such a limit of tokens; a lower `max_tokens` may do."
)
"""The message where the provider's own tells of the gateway's credit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What an error's JSON says, as far as it says it: words from the most telling to the least, whether a moderator gives reasons, its code, its message, a
    status, a wait.
    """

    words: tuple[str, ...] = ()
    is_moderated: bool = False
    code: str | None = None
    message: str = ""
    status: int | None = None
    retry_after_s: float | None = None


def error_of_answer(status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
    """The failure that an answer with an error status means. `headers` have lower-case names; `body` may be anything, cut off too."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    return _make_error(_read_error(value), status, retry_after_s=read_retry_after(headers))


def error_of_value(value: object, headers: Mapping[str, str] = MappingProxyType({})) -> GatewayError:
    """The failure that an error inside an answer with status 200 means; `value` is the whole JSON value that came."""
    said = _read_error(value)
    return _make_error(said, said.status, retry_after_s=read_retry_after(headers))


def is_error(value: Mapping[str, object]) -> bool:
    """Whether a JSON object of an answer tells of a failure."""
    return bool(value.get("error")) or value.get("object") == "error"


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds to wait: `retry-after-ms`, or `retry-after` in seconds or as a date, which counts from the answer's own `date`."""
    wait_s = _number(headers.get("retry-after-ms"))
    if wait_s is not None:
        return _bounded_wait(wait_s / 1000)
    text = headers.get("retry-after")
    wait_s = _number(text)
    if wait_s is None and text is not None:
        until, now = _date(text), _date(headers.get("date", ""))
        wait_s = (until - now).total_seconds() if until is not None and now is not None else None
    return _bounded_wait(wait_s)


def _make_error(said: _Said, status: int | None, *, retry_after_s: float | None) -> GatewayError:
    reason = _find_reason(said, status)
    fixed = _FIXED_TEXTS.get(reason)
    if status == 402:
        fixed = fixed or _TOO_MANY_TOKENS
    message = fixed or f"The provider refused the request: {said.message or 'it gave no reason.'}"
    code = said.code or (str(status) if status is not None else None)
    wait_s = said.retry_after_s if retry_after_s is None else retry_after_s
    error = GatewayError(reason, message, provider_code=code, retry_after_s=wait_s)
    # Two requests met, which may do better apart: OpenAI's clients try again. It is no sign of a provider that does not work.
    error.is_chance = status == _CONFLICT and reason == _STATUSES[_CONFLICT]
    return error


def _find_reason(said: _Said, status: int | None) -> ErrorReason.ValueType:
    if said.is_moderated and status == 403:
        return ErrorReason.ERROR_REASON_CONTENT_POLICY_VIOLATION
    for word in said.words:
        if (reason := _WORDS.get(word)) is not None:
            return reason
    if status is None:
        reasons = (_FAMILIES[word] for word in said.words if word in _FAMILIES)
        return next(reasons, ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE)
    told = _find_told_reason(said.message.lower(), status)
    return told or _STATUSES.get(status) or next(reason for least, reason in _CLASSES if status >= least)


def _find_told_reason(message: str, status: int) -> ErrorReason.ValueType | None:
    """What a message in lower case says beyond its status; None where it says no more."""
    if status in {400, 413, 422}:
        return next((reason for phrase, reason in _PHRASES if phrase in message), None)
    if status == 402 and _FEWER_TOKENS.search(message):
        return ErrorReason.ERROR_REASON_MAX_TOKENS_EXCEEDED
    if status == 403 and _MODERATION.search(message) and not _ACCOUNT.search(message):
        return ErrorReason.ERROR_REASON_CONTENT_POLICY_VIOLATION
    if status == 404 and "model" in message:
        return ErrorReason.ERROR_REASON_MODEL_NOT_FOUND
    if status == 404 and _CALLERS_THING.search(message) and not _OFFER.search(message):
        return ErrorReason.ERROR_REASON_NOT_FOUND
    return None


def _read_error(value: object) -> _Said:
    """Reads the forms in use: `{"error": {...}}`, a list around it, `{"error": "text"}`, `{"object": "error", ...}`, `{"detail": ...}`."""
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return _Said()
    error = value.get("error") or value
    if isinstance(error, str):
        return _Said(message=_one_line(error))
    if not isinstance(error, dict):
        return _Said()
    metadata = error.get("metadata")
    availability = error.get("availability")
    metadata = metadata if isinstance(metadata, dict) else {}
    availability = availability if isinstance(availability, dict) else {}
    code, family = error.get("code"), error.get("type")
    words = (metadata.get("reason"), availability.get("code"), metadata.get("error_type"), code, family)
    own_code = metadata.get("provider_code") or code or family
    message = error.get("message") or error.get("detail")
    return _Said(
        words=tuple(word for word in words if isinstance(word, str)),
        is_moderated=bool(metadata.get("reasons") or metadata.get("flagged_input")),
        code=_one_line(str(own_code))[:_MAX_CODE] if isinstance(own_code, str | int) and own_code else None,
        message=_one_line(message) if isinstance(message, str) else "",
        status=_status(code),
        retry_after_s=_bounded_wait(_number(availability.get("retry_after"))),
    )


def _status(code: object) -> int | None:
    number = _number(code)
    return int(number) if number is not None and 400 <= number <= 599 else None


def _one_line(text: str) -> str:
    """The text in one line of bounded length."""
    line = _UNPRINTABLE.sub(" ", text[: 4 * _MAX_MESSAGE]).strip()
    return line if len(line) <= _MAX_MESSAGE else line[: _MAX_MESSAGE - 1] + "…"


def _number(value: object) -> float | None:
    """A number, or the number that a string holds; None for anything else, NaN and Infinity too."""
    if isinstance(value, str) and len(value) < _MAX_CODE:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e12 else None


def _bounded_wait(wait_s: float | None) -> float | None:
    return None if wait_s is None else min(max(wait_s, 0.0), _MAX_WAIT_S)


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
