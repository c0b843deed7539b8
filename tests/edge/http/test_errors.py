# SPDX-License-Identifier: Apache-2.0
"""Failures as JSON: every reason has its status, body and headers."""

import orjson
import pytest

from support.builders import make_route
from support.http_edge import make_codec
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import ERROR_SHAPES, GatewayError
from trunkline_server.edge.http.errors import error_headers, error_json, error_of_fault, refuse

REASONS = [reason for reason in ErrorReason.values() if reason]


@pytest.mark.parametrize("reason", REASONS, ids=ErrorReason.Name)
def test_every_reason_has_its_body(reason: ErrorReason.ValueType) -> None:
    """The body tells the annotated status and word; a masked reason tells nothing more."""
    shape = ERROR_SHAPES[reason]
    body = orjson.loads(error_json(make_codec(), GatewayError(reason, "secret words")))
    assert list(body) == ["error"]
    assert body["error"]["code"] == shape.http_status
    assert body["error"]["metadata"]["error_type"] == shape.error_type
    assert ("secret words" in body["error"]["message"]) is not shape.masked
    assert body["error"].get("availability", {}).get("code", "") == shape.availability_code


@pytest.mark.parametrize("reason", REASONS, ids=ErrorReason.Name)
def test_the_route_stands_beside_the_error(reason: ErrorReason.ValueType) -> None:
    """Who asked for the route gets it, except beside a masked failure."""
    error = GatewayError(reason, "It broke.")
    error.route = make_route()
    body = orjson.loads(error_json(make_codec(), error))
    assert ("openrouter_metadata" in body) is not ERROR_SHAPES[reason].masked
    assert body.get("openrouter_metadata", {}).get("strategy", "direct") == "direct"


@pytest.mark.parametrize(
    ("reason", "retry_after_s", "expected"),
    [
        (ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED, 2.1, [("Retry-After", "3")]),
        (ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED, 0.0, [("Retry-After", "1")]),
        (ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED, 30.0, [("Retry-After", "30")]),
        (ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED, None, []),
        (ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, 5.0, []),
        (ErrorReason.ERROR_REASON_AUTHENTICATION, None, [("WWW-Authenticate", "Bearer")]),
    ],
)
def test_headers(reason: ErrorReason.ValueType, retry_after_s: float | None, expected: list[tuple[str, str]]) -> None:
    """429 and 503 say how long to wait where that is known, in whole seconds and at least one; 401 says how to authenticate."""
    assert list(error_headers(GatewayError(reason, "", retry_after_s=retry_after_s))) == expected


def test_one_fault() -> None:
    """A single fault is its own message."""
    error = error_of_fault("limit", "must be given once")
    assert (error.message, error.faults[0].field) == ("limit: must be given once.", "limit")


def test_a_refusal() -> None:
    """Status, body and headers of a failure in one."""
    refusal = refuse(make_codec(), GatewayError(ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED, "No.", retry_after_s=2))
    assert (refusal.status, refusal.headers) == (429, [("Retry-After", "2")])
    assert orjson.loads(refusal.body)["error"]["message"] == "No."
