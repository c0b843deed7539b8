# SPDX-License-Identifier: Apache-2.0
"""How answers end: finishReason and blockReason.

What a filter cut is an answer that ended so. What the model or Google got wrong is a failure, not an end: whoever asked has no answer, and another attempt
may have one. Values as in FinishReason and BlockedReason of Google's SDK for Python, 3.4 (2026).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from trunkline.v1.chat_response_pb2 import FinishReason
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError

_FILTERED: Final = FinishReason.FINISH_REASON_CONTENT_FILTER

FINISHES: Final[Mapping[str, FinishReason.ValueType]] = MappingProxyType(
    {
        "STOP": FinishReason.FINISH_REASON_STOP,
        "MAX_TOKENS": FinishReason.FINISH_REASON_LENGTH,
        "CONTINUATION": FinishReason.FINISH_REASON_LENGTH,
        "NO_IMAGE": FinishReason.FINISH_REASON_STOP,
        "SAFETY": _FILTERED,
        "RECITATION": _FILTERED,
        "LANGUAGE": _FILTERED,
        "BLOCKLIST": _FILTERED,
        "PROHIBITED_CONTENT": _FILTERED,
        "SPII": _FILTERED,
        "IMAGE_SAFETY": _FILTERED,
        "IMAGE_PROHIBITED_CONTENT": _FILTERED,
        "IMAGE_RECITATION": _FILTERED,
        "ESCALATION": _FILTERED,
        "MODEL_ARMOR": _FILTERED,
    }
)
"""The words that end an answer. One that is neither here nor below ends it as STOP does."""

FAILURES: Final[Mapping[str, ErrorReason.ValueType]] = MappingProxyType(
    {
        "OTHER": ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE,
        "IMAGE_OTHER": ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE,
        "MALFORMED_FUNCTION_CALL": ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE,
        "MALFORMED_RESPONSE": ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE,
        "UNEXPECTED_TOOL_CALL": ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE,
        "TOO_MANY_TOOL_CALLS": ErrorReason.ERROR_REASON_PROVIDER_INVALID_RESPONSE,
        "MISSING_THOUGHT_SIGNATURE": ErrorReason.ERROR_REASON_INVALID_PROMPT,
        "PUP_LIMITED_DISABLED": ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
    }
)
"""The words that tell of a failure."""

UNFINISHED: Final = frozenset({"", "FINISH_REASON_UNSPECIFIED"})


def failure_of_finish(word: str) -> GatewayError | None:
    """The failure that a finishReason tells of; None where it tells of none."""
    reason = FAILURES.get(word)
    if reason is None:
        return None
    return GatewayError(reason, "The provider ended the answer with a failure.", provider_code=word)


def failure_of_prompt(feedback: object) -> GatewayError | None:
    """The failure that a promptFeedback tells of: a blocked prompt has no answer. None where it is not blocked."""
    said: Mapping[str, Any] = feedback if type(feedback) is dict else {}
    word = said.get("blockReason")
    if type(word) is not str or not word:
        return None
    message = f"The provider blocked the prompt: {word[:64]}."
    return GatewayError(ErrorReason.ERROR_REASON_CONTENT_POLICY_VIOLATION, message, provider_code=word[:64])
