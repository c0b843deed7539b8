# SPDX-License-Identifier: Apache-2.0
"""docs/errors.md, made from the annotations of the error vocabulary. A test compares; `make golden` writes it anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from google.rpc import code_pb2

from trunkline.v1.error_pb2 import ErrorReason, Recourse
from trunkline_server.core.errors import ERROR_SHAPES, reason_name

_INTRODUCTION: Final = """\
# Errors

Every failure, on every wire, is one of the reasons below. They are declared in [error.proto](../proto/trunkline/v1/error.proto), from which this page is made.

## Where a failure is told

| wire | before the first content | after it |
|---|---|---|
| HTTP, whole | the status, and `{"error": {"code", "message", "metadata", "availability"}}` | 200 with the partial content, `error` beside it, and `finish_reason: "error"` |
| HTTP, stream | the same, as long as no status line is out | the last event: a chunk with `error` and `finish_reason: "error"`; no `[DONE]` after it |
| gRPC, unary | the status, with details in its trailer | OK with the partial content and `error` |
| gRPC, stream | the same | the status, after the chunks |
| log | `status=REASON`, and `failed=provider:REASON,...` for the attempts before | the same |

- `error.code` is the HTTP status, `error.metadata.error_type` the word below, `error.metadata.reason` the reason. `metadata.faults` are `{field, description}` of a
  request at fault, `metadata.previous_errors` are `{provider, code, status}` of the attempts before the last, `metadata.provider_name` and `provider_code` say who
  failed and how he calls it.
- `error.availability` stands where a model cannot be served: `{code, retryable, requested_models}`, and where known `retry_after` (seconds), `fallback_models`,
  `excluded_by` and `constraint`. There is no `docs_url`: this page is the one.
- The details of a gRPC status are `ErrorInfo` (domain `trunkline`, the reason), `RequestInfo`, `RetryInfo` where a wait is known, `QuotaFailure` for HTTP's 402 and 429,
  `BadRequest` for faults of the request, `trunkline.v1.ErrorBody` where there are `availability` or `previous_errors`, and `trunkline.v1.RouterMetadata` for callers who
  asked for the route.
- `openrouter_metadata`, the route that the call took, stands beside `error` for callers who sent `x-openrouter-metadata: enabled`, except where the reason is masked.
  [routing.md](routing.md) explains it, and every word of `excluded_by`.
- `Retry-After` comes with 429 and 503 where a wait is known: the least that any attempt was told.
- The message of a masked reason is fixed. The cause is in the gateway's log, under the request id.
- Every answer has `X-Request-Id` and `X-Generation-Id` (gRPC: `x-request-id`, and `x-generation-id` for chat, in the trailer).

## The reasons

*Retry* says that the same request may succeed later. *Recourse* is what the gateway itself does before any content has left: it asks the same or another endpoint,
only another endpoint, or only the next of the caller's `models`.

"""
_RECOURSES: Final[Mapping[int, str]] = MappingProxyType(
    {
        Recourse.RECOURSE_NONE: "none",
        Recourse.RECOURSE_RETRY: "any endpoint",
        Recourse.RECOURSE_OTHER_ENDPOINT: "another endpoint",
        Recourse.RECOURSE_OTHER_MODEL: "another model",
    }
)


def render_page(comments: Mapping[str, str]) -> str:
    """The whole page. `comments` are those of the contract by full name; they say what each reason means."""
    return _INTRODUCTION + "\n".join(_rows(comments)) + "\n"


def _rows(comments: Mapping[str, str]) -> Iterator[str]:
    yield "| reason | | gRPC | HTTP | error_type | availability | retry | recourse |"
    yield "|---|---|---|---|---|---|---|---|"
    enum = ErrorReason.DESCRIPTOR
    for number, shape in ERROR_SHAPES.items():
        meaning = comments[f"{enum.full_name}.{enum.values_by_number[number].name}"]
        cells = [
            f"`{reason_name(ErrorReason.ValueType(number))}`",
            meaning + (" Masked." if shape.masked else ""),
            code_pb2.Code.Name(code_pb2.Code.ValueType(shape.grpc_code)),
            str(shape.http_status),
            f"`{shape.error_type}`",
            f"`{shape.availability_code}`" if shape.availability_code else "",
            "yes" if shape.retryable else "",
            _RECOURSES[shape.recourse],
        ]
        yield f"| {' | '.join(cells)} |"
