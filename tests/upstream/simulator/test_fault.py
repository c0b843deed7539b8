# SPDX-License-Identifier: Apache-2.0
"""Reading the query of sim/fault."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.simulator import ask_refused
from trunkline_server.upstream.simulator.fault import FaultScript, read_fault
from trunkline_server.upstream.simulator.refused import RefusedError


@pytest.mark.parametrize(
    ("query", "script"),
    [
        (None, FaultScript()),
        ("", FaultScript()),
        ("status=503&retry_after=2", FaultScript(status=503, retry_after=2)),
        ("latency_ms=20&ttft_ms=5&tps=2.5", FaultScript(latency_ms=20, ttft_ms=5, tps=2.5)),
        ("cut_after=3&end_after=2&stall_after=0", FaultScript(cut_after=3, end_after=2, stall_after=0)),
        (
            "malformed_at=2&error_at=4&code=context_length_exceeded",
            FaultScript(malformed_at=2, error_at=4, code="context_length_exceeded"),
        ),
        (
            "no_finish=1&no_tokens=1&no_usage=1&no_done=1",
            FaultScript(no_finish=True, no_tokens=True, no_usage=True, no_done=True),
        ),
        (
            "empty=1&html=1&error_body=1&refuse=1&hang=1",
            FaultScript(empty=True, html=True, error_body=True, refuse=True, hang=True),
        ),
        ("finish=content_filter&hang=0", FaultScript(finish="content_filter")),
        ("st%61tus=4%300", FaultScript(status=400)),
    ],
)
def test_queries_are_read(query: str | None, script: FaultScript) -> None:
    """Each key sets its part of the script."""
    assert read_fault(query) == script


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("staus=503", "'staus' is unknown"),
        ("status", "status must be"),
        ("status=", "status must be"),
        ("status=199", "status must be"),
        ("status=600", "status must be"),
        ("status=5e2", "status must be"),
        ("latency_ms=-1", "latency_ms must be"),
        ("latency_ms=3600001", "latency_ms must be"),
        ("latency_ms=²", "latency_ms must be"),
        ("tps=0", "tps must be"),
        ("tps=inf", "tps must be"),
        ("tps=nan", "tps must be"),
        ("malformed_at=0", "malformed_at must be"),
        ("no_finish=yes", "no_finish must be 0 or 1"),
        ("code=Not OK", "code must be"),
        ("finish=", "finish must be"),
        ("status=500&status=501", "'status' is there twice"),
        ("cut_after=" + "9" * 5000, "cut_after must be"),
    ],
)
def test_bad_queries_are_refused_by_name(query: str, what: str) -> None:
    """The refusal names the key and what it may hold."""
    with pytest.raises(RefusedError, match=what) as caught:
        read_fault(query)
    assert (caught.value.param, caught.value.code) == ("model", "invalid_fault")


def test_every_part_of_a_script_can_be_set() -> None:
    """The refusal of an unknown key lists all of the script."""
    with pytest.raises(RefusedError) as caught:
        read_fault("x=1")
    names = [field.name for field in dataclasses.fields(FaultScript)]
    assert caught.value.message.endswith(f"There are {', '.join(names)}.")


@given(query=st.text("abcdefghijklmnopqrstuvwxyz_=&%0123456789", max_size=40))
def test_no_query_raises_anything_but_a_refusal(query: str) -> None:
    """Any text after the question mark is a script or a 400."""
    try:
        read_fault(query)
    except RefusedError as error:
        assert error.status == 400  # noqa: PT017 - either is right


def test_the_caller_gets_a_400() -> None:
    """A bad script is the request's fault."""
    assert ask_refused("sim/fault?x=1") == (400, "model", "invalid_fault")
