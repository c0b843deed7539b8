# SPDX-License-Identifier: Apache-2.0
"""What goes wrong before or beside the engine, as the one exception."""

import logging

import pytest

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.edge.failures import error_of_exception, error_of_faults
from trunkline_server.jsonshape import Fault


def test_faults_become_one_error() -> None:
    """All faults are kept, the message naming the first."""
    faults = [Fault(path="messages[0].role", expected="a string", got="null"), Fault(path="", expected="an object")]
    error = error_of_faults(faults)
    assert error.reason == ErrorReason.ERROR_REASON_INVALID_REQUEST
    assert error.message == "messages[0].role: must be a string, got null (1 more in the details)."
    assert [fault.field for fault in error.faults] == ["messages[0].role", ""]


def test_an_unexpected_exception_is_masked_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Anything that is no GatewayError becomes SERVER; its text goes to the log under the request id."""
    with caplog.at_level(logging.ERROR):
        error = error_of_exception(KeyError("a secret word"), "req-7")
    assert error.reason == ErrorReason.ERROR_REASON_SERVER
    assert "a secret word" not in error.public_message
    assert "req-7" in caplog.text
    assert "a secret word" in caplog.text


def test_a_gateway_error_is_taken_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """A failure in the contract's words is not changed, and not logged as a bug."""
    error = GatewayError(ErrorReason.ERROR_REASON_REFUSAL, "No.")
    assert error_of_exception(error, "req-7") is error
    assert caplog.records == []


def test_a_masked_failure_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """What callers are not told goes to the log under the request id, with the cause."""
    error = GatewayError(ErrorReason.ERROR_REASON_UNMAPPED, "a secret word")
    error.__cause__ = KeyError("the cause")
    with caplog.at_level(logging.ERROR):
        assert error_of_exception(error, "req-7") is error
    assert "request req-7 failed: UNMAPPED: a secret word" in caplog.text
    assert "the cause" in caplog.text
