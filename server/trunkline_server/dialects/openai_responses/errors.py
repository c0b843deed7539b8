# SPDX-License-Identifier: Apache-2.0
"""Failures: what a provider's events mean, and how a client of this language is told.

An answer with an error status has the same body as in chat completions, see `openai_chat/errors.py`, whose tables decide here as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from trunkline_server.core.errors import GatewayError, error_body
from trunkline_server.dialects.openai_chat.errors import error_of_value
from trunkline_server.jsonshape import Codec

_TOLD_AS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bio_policy": "content_policy_violation",
        "cyber_policy": "content_policy_violation",
        "misalignment_policy_violation": "content_policy_violation",
        "invalid_image_mode": "invalid_image",
        "vector_store_timeout": "timeout",
    }
)
"""Codes that this API alone has (openai-python 3.54, response_error.py), each with the word of openai_chat's table."""

CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "rate_limit_exceeded": "rate_limit_exceeded",
        "invalid_prompt": "invalid_prompt",
        "context_length_exceeded": "invalid_prompt",
        "content_policy_violation": "invalid_prompt",
        "refusal": "invalid_prompt",
        "invalid_image": "invalid_image",
        "image_too_large": "image_too_large",
        "image_too_small": "image_too_small",
        "unsupported_image_format": "invalid_image_format",
        "image_not_found": "image_file_not_found",
        "image_download_failed": "failed_to_download_image",
    }
)
"""The gateway's `error_type` to the code of a response's `error`, which is a closed list there; any other is "server_error"."""

_SERVER_ERROR: Final = "server_error"
_TYPES: Final[Mapping[int, str]] = MappingProxyType(
    {
        401: "authentication_error",
        402: "insufficient_quota",
        403: "permission_error",
        404: "not_found_error",
        429: "rate_limit_error",
    }
)
_CLIENT_ERROR: Final = "invalid_request_error"


def error_of_event(value: Mapping[str, Any]) -> GatewayError:
    """The failure that an event, or a whole answer, tells of. The error stands in it, in its `response`, or is the event itself."""
    response = value.get("response")
    if isinstance(response, dict):
        value = response
    error = value.get("error")
    if error is None and "message" in value:
        error = {key: value.get(key) for key in ("code", "message", "param")}
    if isinstance(error, dict):
        code = error.get("code")
        word = _TOLD_AS.get(code) if isinstance(code, str) else None
        if word is not None:
            error = {**error, "metadata": {"error_type": word, "provider_code": code}}
    return error_of_value({"error": error or {"message": "The provider ended the answer without a reason."}})


def code_of(error_type: str) -> str:
    """The code of a response's `error`."""
    return CODES.get(error_type, _SERVER_ERROR)


def render_error(codec: Codec, error: GatewayError) -> dict[str, Any]:
    """The failure as the body of an answer with its status, in OpenAI's form; beside it `metadata`, as everywhere in the gateway."""
    status = error.shape.http_status
    kind = _TYPES.get(status, _SERVER_ERROR if status >= 500 else _CLIENT_ERROR)
    body = codec.encode(error_body(error))
    faults = () if error.shape.masked else error.faults
    told = {
        "message": error.public_message,
        "type": kind,
        "param": faults[0].field if faults and faults[0].field else None,
        "code": error.shape.error_type,
    }
    rest = {key: item for key, item in body.items() if key not in {"code", "message"}}
    return {"error": {**told, **rest}}
