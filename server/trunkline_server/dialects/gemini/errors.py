# SPDX-License-Identifier: Apache-2.0
"""What an error of Google's means: google.rpc.Status as JSON, its word, its details and, where they say too little, its message.

Google answers INVALID_ARGUMENT for a key that is not valid, a prompt that is too long and a field that it does not know alike, so details and phrases are
asked first. Callers read the message only where the request is at fault; the others tell of the gateway's project and quota.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import orjson

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.openai_chat.errors import error_of_answer as error_of_other_answer
from trunkline_server.dialects.openai_chat.errors import error_of_value as error_of_other_value
from trunkline_server.dialects.openai_chat.errors import read_retry_after

_MAX_MESSAGE: Final = 500
_MAX_WAIT_S: Final = 86_400.0
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")
_SECONDS: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)s")

_REASONS: Final[Mapping[str, ErrorReason.ValueType]] = MappingProxyType(
    {
        "API_KEY_INVALID": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        "API_KEY_SERVICE_BLOCKED": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        "API_KEY_IP_ADDRESS_BLOCKED": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        "ACCESS_TOKEN_EXPIRED": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        "ACCESS_TOKEN_TYPE_UNSUPPORTED": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        "BILLING_DISABLED": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        "CONSUMER_SUSPENDED": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        "SERVICE_DISABLED": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        "RATE_LIMIT_EXCEEDED": ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED,
    }
)
"""The reason of a google.rpc.ErrorInfo, which is said beside any word."""

_PHRASES: Final = (
    (
        re.compile(r"api key (not valid|expired|not found)|api_key_invalid"),
        ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
    ),
    (re.compile(r"location is not supported"), ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION),
    (re.compile(r"input token count|input tokens? exceed"), ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED),
    (re.compile(r"max_?output_?tokens"), ErrorReason.ERROR_REASON_MAX_TOKENS_EXCEEDED),
    (re.compile(r"payload size exceeds|request is too large"), ErrorReason.ERROR_REASON_PAYLOAD_TOO_LARGE),
    (re.compile(r"unable to process input image|image is not valid"), ErrorReason.ERROR_REASON_INVALID_IMAGE),
    (re.compile(r"unsupported mime ?type:? image/"), ErrorReason.ERROR_REASON_UNSUPPORTED_IMAGE_FORMAT),
    (re.compile(r"cannot fetch content|unable to fetch|url_rejected"), ErrorReason.ERROR_REASON_IMAGE_DOWNLOAD_FAILED),
    (re.compile(r"thought_?signature"), ErrorReason.ERROR_REASON_INVALID_PROMPT),
)
"""What a message in lower case says beyond INVALID_ARGUMENT and FAILED_PRECONDITION. Whatever is at fault, it is the first that is found."""
_FILE: Final = re.compile(r"\bfile\b")

_STATUSES: Final[Mapping[str, ErrorReason.ValueType]] = MappingProxyType(
    {
        "INVALID_ARGUMENT": ErrorReason.ERROR_REASON_INVALID_REQUEST,
        "OUT_OF_RANGE": ErrorReason.ERROR_REASON_INVALID_REQUEST,
        # Where Google's page on troubleshooting explains it, it is about the project's country and bill.
        "FAILED_PRECONDITION": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        "UNAUTHENTICATED": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        "PERMISSION_DENIED": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        "NOT_FOUND": ErrorReason.ERROR_REASON_MODEL_NOT_FOUND,
        "UNIMPLEMENTED": ErrorReason.ERROR_REASON_MODEL_UNAVAILABLE_UPSTREAM,
        "RESOURCE_EXHAUSTED": ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED,
        "ABORTED": ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE,
        "CANCELLED": ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE,
        "DATA_LOSS": ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE,
        "INTERNAL": ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE,
        "UNKNOWN": ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE,
        "UNAVAILABLE": ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED,
        "DEADLINE_EXCEEDED": ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT,
    }
)
"""The word of a status (google.rpc.Code) to its reason."""

_FIXED_TEXTS: Final[Mapping[ErrorReason.ValueType, str]] = MappingProxyType(
    {
        ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION: "The provider does not accept the gateway's account.",
        ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED: "The provider limits the rate of requests. Try again later.",
        ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED: "The provider has no capacity at the moment. Try again later.",
        ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE: "The provider failed.",
        ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT: "The provider did not finish in time.",
        ErrorReason.ERROR_REASON_MODEL_NOT_FOUND: "The provider does not know the model.",
        ErrorReason.ERROR_REASON_MODEL_UNAVAILABLE_UPSTREAM: "The provider does not offer the model.",
    }
)
"""Reasons whose message never comes from the provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What a status says: its word, its message in one line, the reasons of its details, the wait that it asks for."""

    word: str
    message: str
    reasons: tuple[str, ...]
    retry_after_s: float | None


def error_of_answer(status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
    """The failure that an answer with an error status means. What is no google.rpc.Status, such as a proxy's page, counts by its HTTP status."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    return _make_error(_read_status(value), headers) or error_of_other_answer(status, headers, body)


def error_of_value(value: object, headers: Mapping[str, str]) -> GatewayError:
    """The failure that an error inside an answer with status 200 means; `value` is the whole JSON value that came."""
    return _make_error(_read_status(value), headers) or error_of_other_value(value, headers)


def _make_error(said: _Said | None, headers: Mapping[str, str]) -> GatewayError | None:
    """The failure that a status means; None where it is none, or has a word that Google does not."""
    reason = None if said is None else _find_reason(said)
    if said is None or reason is None:
        return None
    message = _FIXED_TEXTS.get(reason)
    if message is None:
        message = f"The provider refused the request: {said.message or 'it gave no reason.'}"
    wait_s = read_retry_after(headers)
    wait_s = said.retry_after_s if wait_s is None else wait_s
    return GatewayError(reason, message, provider_code=said.word[:64], retry_after_s=wait_s)


def _find_reason(said: _Said) -> ErrorReason.ValueType | None:
    for word in said.reasons:
        if (reason := _REASONS.get(word)) is not None:
            return reason
    message = said.message.lower()
    if said.word in {"INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE"}:
        for phrase, reason in _PHRASES:
            if phrase.search(message):
                return reason
    # A file of another project, or of yesterday: Google does not tell which.
    if said.word in {"PERMISSION_DENIED", "NOT_FOUND"} and _FILE.search(message):
        return ErrorReason.ERROR_REASON_NOT_FOUND
    return _STATUSES.get(said.word)


def _read_status(value: object) -> _Said | None:
    """Reads `{"error": {"code", "message", "status", "details"}}`, or a list around it; None where there is no word."""
    if type(value) is list and value:
        value = value[0]
    error = value.get("error") if type(value) is dict else None
    if type(error) is not dict or type(word := error.get("status")) is not str:
        return None
    message, entries = error.get("message"), error.get("details")
    details: list[dict[str, Any]] = [entry for entry in entries if type(entry) is dict] if type(entries) is list else []
    waits = [_read_wait(entry["retryDelay"]) for entry in details if "retryDelay" in entry]
    return _Said(
        word=word,
        message=_one_line(message) if type(message) is str else "",
        reasons=tuple(entry["reason"] for entry in details if type(entry.get("reason")) is str),
        retry_after_s=next((wait for wait in waits if wait is not None), None),
    )


def _read_wait(text: object) -> float | None:
    """The seconds of a google.protobuf.Duration, such as "36.5s"."""
    match = _SECONDS.fullmatch(text) if type(text) is str else None
    return min(float(match[1]), _MAX_WAIT_S) if match is not None else None


def _one_line(text: str) -> str:
    """The text in one line of bounded length."""
    line = _UNPRINTABLE.sub(" ", text[: 4 * _MAX_MESSAGE]).strip()
    return line if len(line) <= _MAX_MESSAGE else line[: _MAX_MESSAGE - 1] + "…"
