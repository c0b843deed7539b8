# SPDX-License-Identifier: Apache-2.0
"""What errors of AWS's services mean, as the body of an answer or as an event of its stream.

The name of the exception stands in the header `x-amzn-errortype`, in `__type` of the body, or is the event's type; names and statuses are those of botocore's
model of bedrock-runtime (1.44, November 2026). Where the request is at fault the message says more than the name; phrases are from AWS's page on troubleshooting
Bedrock's error codes and from issues of users. A name that is not known counts as its status does in openai_chat.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.openai_chat.errors import error_of_answer as _error_of_answer
from trunkline_server.dialects.openai_chat.errors import read_retry_after

_VALIDATION: Final = "validationexception"
_NOT_FOUND: Final = "resourcenotfoundexception"
_MAX_MESSAGE: Final = 500
_LONGEST_NAME: Final = 64
_OK: Final = 200

_NAMES: Final[Mapping[str, tuple[int, ErrorReason.ValueType]]] = MappingProxyType(
    {
        "throttlingexception": (429, ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED),
        "servicequotaexceededexception": (429, ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED),
        "modelnotreadyexception": (503, ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED),
        "serviceunavailableexception": (503, ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED),
        "modeltimeoutexception": (408, ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT),
        "modelerrorexception": (500, ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE),
        "modelstreamerrorexception": (500, ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE),
        "internalserverexception": (500, ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE),
        "accessdeniedexception": (403, ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION),
        "unrecognizedclientexception": (403, ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION),
        "invalidsignatureexception": (403, ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION),
        "incompletesignatureexception": (403, ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION),
        "missingauthenticationtokenexception": (403, ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION),
        "expiredtokenexception": (403, ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION),
        _NOT_FOUND: (404, ErrorReason.ERROR_REASON_MODEL_NOT_FOUND),
        _VALIDATION: (400, ErrorReason.ERROR_REASON_INVALID_REQUEST),
    }
)
"""The name of an exception in lower case: the status whose text fits it, and its reason."""
_PHRASES: Final = (
    ("input is too long", ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED),
    ("prompt is too long", ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED),
    ("too many input tokens", ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED),
    ("exceed context limit", ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED),
    ("maximum context length", ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED),
    ("maximum tokens you requested", ErrorReason.ERROR_REASON_MAX_TOKENS_EXCEEDED),
    ("model identifier is invalid", ErrorReason.ERROR_REASON_MODEL_NOT_FOUND),
    ("on-demand throughput", ErrorReason.ERROR_REASON_MODEL_UNAVAILABLE_UPSTREAM),
    ("could not process image", ErrorReason.ERROR_REASON_INVALID_IMAGE),
    ("image exceeds", ErrorReason.ERROR_REASON_IMAGE_TOO_LARGE),
    ("image dimensions exceed", ErrorReason.ERROR_REASON_IMAGE_TOO_LARGE),
    ("content filtering policy", ErrorReason.ERROR_REASON_CONTENT_POLICY_VIOLATION),
)
"""Parts of a message in lower case, asked where the request was refused."""
_GONE: Final = "end of its life"
_MODEL_FAULTS: Final[Mapping[ErrorReason.ValueType, str]] = MappingProxyType(
    {
        ErrorReason.ERROR_REASON_MODEL_NOT_FOUND: "The provider does not know the model.",
        ErrorReason.ERROR_REASON_MODEL_UNAVAILABLE_UPSTREAM: "The provider does not offer the model.",
        ErrorReason.ERROR_REASON_MODEL_DEPRECATED: "The provider has withdrawn the model.",
    }
)
"""Reasons whose message never comes from the provider, beside those that openai_chat has texts for."""


def error_of_answer(status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
    """The failure that an answer with an error status means. `headers` have lower-case names; `body` may be anything, cut off too."""
    value = _read(body)
    name = headers.get("x-amzn-errortype") or value.get("__type") or value.get("code") or ""
    return _make_error(_bare(name), status, value, headers)


def error_of_event(name: str, payload: bytes, headers: Mapping[str, str]) -> GatewayError:
    """The failure that an exception inside a stream means; `name` is the event's type."""
    return _make_error(_bare(name), _OK, _read(payload), headers)


def _make_error(name: str, status: int, value: Mapping[str, Any], headers: Mapping[str, str]) -> GatewayError:
    message = _message(value)
    known = _NAMES.get(name.lower())
    fitting = known[0] if known is not None else 500 if status == _OK else status
    told = orjson.dumps({"error": {"message": message, "code": name or None}})
    error = _error_of_answer(fitting, {}, told)
    reason = _find_reason(name, message.lower(), known[1] if known is not None else error.reason)
    text = _MODEL_FAULTS.get(reason, error.message)
    return GatewayError(reason, text, provider_code=name or str(status), retry_after_s=read_retry_after(headers))


def _find_reason(name: str, message: str, reason: ErrorReason.ValueType) -> ErrorReason.ValueType:
    if name.lower() == _VALIDATION or reason == ErrorReason.ERROR_REASON_INVALID_REQUEST:
        return next((found for phrase, found in _PHRASES if phrase in message), reason)
    if name.lower() == _NOT_FOUND and _GONE in message:
        return ErrorReason.ERROR_REASON_MODEL_DEPRECATED
    return reason


def _bare(name: object) -> str:
    """A name without its name space and address: `aws.x#ThrottlingException:http://...`."""
    text = name if type(name) is str else ""
    return text.partition(":")[0].rpartition("#")[2].strip()[:_LONGEST_NAME]


def _message(value: Mapping[str, Any]) -> str:
    for key in ("message", "Message", "originalMessage"):
        if type(text := value.get(key)) is str and text:
            return " ".join(text[: 4 * _MAX_MESSAGE].split())[:_MAX_MESSAGE]
    return ""


def _read(body: bytes) -> Mapping[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if type(value) is dict else {}
