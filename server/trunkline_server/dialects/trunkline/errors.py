# SPDX-License-Identifier: Apache-2.0
"""Failures as gRPC providers tell them: a status code, a text, and where the provider is a gateway like this one its details.

A reason of another gateway is kept where it speaks of the request. Where it speaks of that gateway itself, or of what this one may do there, it is the
provider's failure here: the caller of this gateway has no key there and chose none of its models. What anybody else says is read as the same words would be
with the status of HTTP that the code stands for, so that callers read a provider's own message only where the request is at fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.openai_chat.errors import error_of_value

DOMAIN: Final = "trunkline"
"""What `ErrorInfo.domain` says where the reason is one of the contract's."""

_AT_THE_PROVIDER: Final[Mapping[int, ErrorReason.ValueType]] = MappingProxyType(
    {
        ErrorReason.ERROR_REASON_AUTHENTICATION: ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        ErrorReason.ERROR_REASON_PERMISSION_DENIED: ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        ErrorReason.ERROR_REASON_PAYMENT_REQUIRED: ErrorReason.ERROR_REASON_PROVIDER_AUTHENTICATION,
        ErrorReason.ERROR_REASON_MODEL_NOT_FOUND: ErrorReason.ERROR_REASON_MODEL_UNAVAILABLE_UPSTREAM,
        ErrorReason.ERROR_REASON_WRONG_ENDPOINT: ErrorReason.ERROR_REASON_MODEL_UNAVAILABLE_UPSTREAM,
        ErrorReason.ERROR_REASON_NO_ENDPOINTS: ErrorReason.ERROR_REASON_MODEL_UNAVAILABLE_UPSTREAM,
        ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED: ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT,
        ErrorReason.ERROR_REASON_REQUEST_TIMEOUT: ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT,
        ErrorReason.ERROR_REASON_CANCELLED: ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE,
        ErrorReason.ERROR_REASON_OVERLOADED: ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED,
        ErrorReason.ERROR_REASON_SHUTTING_DOWN: ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE,
        ErrorReason.ERROR_REASON_SERVER: ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE,
        ErrorReason.ERROR_REASON_UNMAPPED: ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE,
    }
)
_OTHER: Final = ("UNAVAILABLE", 502)
# The numbers of gRPC's status codes, which the pure folders cannot have from the library.
_CODES: Final[Mapping[int, tuple[str, int]]] = MappingProxyType(
    {
        1: ("CANCELLED", 502),
        2: ("UNKNOWN", 502),
        3: ("INVALID_ARGUMENT", 400),
        4: ("DEADLINE_EXCEEDED", 504),
        5: ("NOT_FOUND", 404),
        6: ("ALREADY_EXISTS", 502),
        7: ("PERMISSION_DENIED", 403),
        8: ("RESOURCE_EXHAUSTED", 429),
        9: ("FAILED_PRECONDITION", 502),
        10: ("ABORTED", 502),
        11: ("OUT_OF_RANGE", 400),
        12: ("UNIMPLEMENTED", 405),
        13: ("INTERNAL", 502),
        14: _OTHER,
        15: ("DATA_LOSS", 502),
        16: ("UNAUTHENTICATED", 401),
    }
)
"""The word of each code, and the status of HTTP that says the same."""
_LONGEST_MESSAGE: Final = 500


def error_of_status(code: int, message: str, details: bytes) -> GatewayError:
    """The failure of a gRPC call. `code` is the number of its status, `details` the bytes of its `google.rpc.Status` (empty: none came)."""
    info, retry = _read_details(details)
    retry_after_s = None if retry is None else retry.retry_delay.ToNanoseconds() / 1e9
    word, status = _CODES.get(code, _OTHER)
    if info is None or info.domain != DOMAIN:
        told = error_of_value({"error": {"code": status, "message": message}})
        return GatewayError(told.reason, told.message, provider_code=word, retry_after_s=retry_after_s)
    return GatewayError(
        _reason_of(info.reason, status),
        message[:_LONGEST_MESSAGE] or "The provider ended the call without a word.",
        provider_code=info.metadata.get("providerCode") or info.reason,
        retry_after_s=retry_after_s,
    )


def _reason_of(name: str, status: int) -> ErrorReason.ValueType:
    """The reason here for one of another gateway's; one of a later version leaves the status to tell."""
    named = ErrorReason.DESCRIPTOR.values_by_name.get(f"ERROR_REASON_{name}")
    if named is None or not named.number:
        return error_of_value({"error": {"code": status}}).reason
    return _AT_THE_PROVIDER.get(named.number, ErrorReason.ValueType(named.number))


def _read_details(details: bytes) -> tuple[error_details_pb2.ErrorInfo | None, error_details_pb2.RetryInfo | None]:
    """The two of the details that say something to a gateway; None where they did not come."""
    try:
        status = status_pb2.Status.FromString(details)
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        found = {any_.TypeName(): any_ for any_ in status.details}
        has_info = info.DESCRIPTOR.full_name in found and found[info.DESCRIPTOR.full_name].Unpack(info)
        has_retry = retry.DESCRIPTOR.full_name in found and found[retry.DESCRIPTOR.full_name].Unpack(retry)
    except DecodeError:
        return None, None
    return info if has_info else None, retry if has_retry else None
