# SPDX-License-Identifier: Apache-2.0
"""The line of a call: whole, on one line, and safe to read in a terminal whatever a client sends."""

import json
import logging
import re
from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import AttemptFailure
from trunkline_server.core.record import Generation
from trunkline_server.telemetry.call_log import LOGGER_NAME, CallLog
from trunkline_server.telemetry.log_setup import JsonFormatter

WHOLE = Generation(
    generation_id="gen-1",
    request_id="req-1",
    principal="tester",
    wire="grpc",
    streamed=True,
    model="acme/one",
    endpoint_model="acme/two",
    provider="zeta",
    attempts=(AttemptFailure(provider="acme", model="acme/one", reason=ErrorReason.ERROR_REASON_PROVIDER_TIMEOUT),),
    status="ok",
    created_s=1,
    latency_ms=1234.56,
    first_token_ms=78.91,
    prompt_tokens=10,
    completion_tokens=5,
    cost_pusd=7,
)
UNPLANNED = replace(
    WHOLE,
    model="",
    endpoint_model=None,
    provider=None,
    attempts=(),
    status="INVALID_REQUEST",
    streamed=False,
    first_token_ms=None,
    prompt_tokens=0,
    completion_tokens=0,
    latency_ms=0.04,
)
HOSTILE = [
    pytest.param("x\ngeneration=gen-2 status=ok", id="a second line"),
    pytest.param("x\r\n\r\n", id="carriage return"),
    pytest.param("\x1b[2J\x1b]0;owned\x07", id="terminal escapes"),
    pytest.param("\x9b31m\x7f\x00", id="controls of eight bits, DEL and NUL"),
    pytest.param("a\u2028b\u2029c\u0085d", id="line breaks of Unicode"),
    pytest.param("\u202eevil\u2066", id="right to left"),
    pytest.param('one" status="ok', id="quotes"),
    pytest.param("a b=c", id="another field"),
    pytest.param("%s %(x)s {y} ${jndi:ldap://x}", id="formats"),
    pytest.param("back\\slash", id="backslash"),
]


def write(generation: Generation, form: Literal["text", "json"], caplog: pytest.LogCaptureFixture) -> str:
    """The one line that a record makes."""
    caplog.set_level(logging.INFO, LOGGER_NAME)
    caplog.clear()
    CallLog().keep(generation)
    [record] = caplog.records
    line = (JsonFormatter() if form == "json" else logging.Formatter()).format(record)
    return line if form == "text" else re.sub(r'^\{"time":"[^"]+","level":"info","logger":"trunkline.call",', "{", line)


def test_a_text_line_says_it_all(caplog: pytest.LogCaptureFixture) -> None:
    """Ids, principal, model, endpoint, attempts, status, tokens and milliseconds, as key=value."""
    assert write(WHOLE, "text", caplog) == (
        "generation=gen-1 request=req-1 principal=tester wire=grpc stream=true model=acme/one endpoint=zeta:acme/two attempts=2"
        " failed=acme:PROVIDER_TIMEOUT status=ok prompt_tokens=10 completion_tokens=5 ms=1234.6 first_token_ms=78.9"
    )


def test_a_json_line_says_it_all(caplog: pytest.LogCaptureFixture) -> None:
    """The same fields as JSON, with numbers and lists as such."""
    assert json.loads(write(WHOLE, "json", caplog)) == {
        "generation": "gen-1",
        "request": "req-1",
        "principal": "tester",
        "wire": "grpc",
        "stream": True,
        "model": "acme/one",
        "endpoint": "zeta:acme/two",
        "attempts": 2,
        "failed": ["acme:PROVIDER_TIMEOUT"],
        "status": "ok",
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "ms": 1234.6,
        "first_token_ms": 78.9,
    }


def test_what_is_unknown_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """A call that reached nobody has no endpoint and no first token; zeros and false are said."""
    assert write(UNPLANNED, "text", caplog) == (
        "generation=gen-1 request=req-1 principal=tester wire=grpc stream=false attempts=0"
        " status=INVALID_REQUEST prompt_tokens=0 completion_tokens=0 ms=0.0"
    )


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("model", HOSTILE)
def test_a_value_cannot_leave_its_field(
    model: str, form: Literal["text", "json"], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a client writes stays one value of one line of printable ASCII."""
    line = write(replace(WHOLE, model=model, request_id=model), form, caplog)
    assert line.isascii()
    assert line.isprintable()
    assert line == write(replace(WHOLE, model="?", request_id="?"), form, caplog).replace('"?"', json.dumps(model))


@pytest.mark.parametrize("form", ["text", "json"])
def test_long_values_are_cut(form: Literal["text", "json"], caplog: pytest.LogCaptureFixture) -> None:
    """A megabyte of model makes a short line: 256 characters a value."""
    line = write(replace(WHOLE, model="m" * 1_000_000, principal="p" * 257), form, caplog)
    assert "m" * 256 in line
    assert "m" * 257 not in line
    assert "p" * 257 not in line


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(model=st.text(max_size=300), request_id=st.text(max_size=300))
def test_any_text_makes_one_readable_line(caplog: pytest.LogCaptureFixture, model: str, request_id: str) -> None:
    """A JSON line reads back as what was said, cut; it is always one printable line."""
    line = write(replace(WHOLE, model=model, request_id=request_id), "json", caplog)
    assert line.isprintable()
    said: dict[str, Any] = json.loads(line)
    assert (said.get("model", ""), said.get("request", "")) == (model[:256], request_id[:256])


def test_a_silent_logger_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Where nobody listens no line is made."""
    caplog.set_level(logging.WARNING, LOGGER_NAME)
    CallLog().keep(WHOLE)
    assert caplog.messages == []


def test_what_a_provider_did_not_get_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Parameters that a plain provider does not take are named in the line, so that nothing is dropped in silence."""
    line = write(replace(WHOLE, unsent=("route", "messages.reasoning")), "text", caplog)
    assert ' unsent="route,messages.reasoning" status=ok' in line


def test_what_a_provider_got_otherwise_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """So are parameters that it got otherwise than they were meant."""
    line = write(replace(WHOLE, changed=(("temperature", "clamped to 1"), ("stop", "cut to 4"))), "text", caplog)
    assert ' changed="temperature,stop" status=ok' in line
