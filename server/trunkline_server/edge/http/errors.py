# SPDX-License-Identifier: Apache-2.0
"""Failures as HTTP clients see them: a JSON body with its status and headers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import orjson

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import FieldFault, GatewayError, error_body
from trunkline_server.edge.http.exchange import Headers
from trunkline_server.jsonshape import Codec

_WAIT_STATUSES: Final = frozenset({429, 503})


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The answer that a failure is."""

    status: int
    body: bytes
    headers: Headers = ()


def error_of_fault(field: str, description: str) -> GatewayError:
    """The failure of a request with one fault."""
    fault = FieldFault(field=field, description=description)
    return GatewayError(ErrorReason.ERROR_REASON_INVALID_REQUEST, f"{field}: {description}.", faults=[fault])


def refuse(codec: Codec, error: GatewayError, _request_id: str = "") -> Refusal:
    """The answer that a failure is on every path that is not another face's; the request's id stands in a header of all answers."""
    return Refusal(status=error.shape.http_status, body=error_json(codec, error), headers=error_headers(error))


def error_json(codec: Codec, error: GatewayError) -> bytes:
    """The body `{"error": {...}}`, with the route that the call took where the caller asked for it."""
    body = {"error": codec.encode(error_body(error))}
    if (route := error.public_route) is not None:
        body["openrouter_metadata"] = codec.encode(route)
    return orjson.dumps(body)


def error_headers(error: GatewayError) -> Headers:
    """The headers that a failure adds: how long to wait, how to authenticate. An unknown wait is not made up: clients back off better by themselves."""
    status = error.shape.http_status
    if status in _WAIT_STATUSES and error.retry_after_s is not None:
        return [("Retry-After", str(max(1, math.ceil(error.retry_after_s))))]
    if status == 401:
        return [("WWW-Authenticate", "Bearer")]
    return ()
