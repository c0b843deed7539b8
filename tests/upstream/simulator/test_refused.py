# SPDX-License-Identifier: Apache-2.0
"""Error bodies."""

import pytest

from trunkline_server.upstream.simulator.refused import RefusedError, error_object


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "server_error"),
        (503, "server_error"),
    ],
)
def test_the_type_follows_the_status(status: int, kind: str) -> None:
    """Bodies have OpenAI's four keys, whatever is known."""
    assert error_object("no", status=status) == {"error": {"message": "no", "type": kind, "param": None, "code": None}}


def test_a_refusal_is_a_400_unless_said_otherwise() -> None:
    """The exception carries what the body needs."""
    error = RefusedError("no", param="stop", code="x")
    assert (error.status, error.message, error.param, error.code) == (400, "no", "stop", "x")
