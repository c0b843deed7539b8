# SPDX-License-Identifier: Apache-2.0
"""What the load generators report, read; and what they are told to send."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.gateways import BURST_MODEL, BenchError, Wire, grpc_call, http_call
from bench.loads import Loader, Spread, StreamRun, UnaryRun, parse_h2load, parse_streams, percentile

REPORT = """\
finished in 600.58ms, {rps} req/s, 4.45MB/s
requests: {done} total, {started} started, {done} done, {good} succeeded, {failed} failed, {failed} errored, 0 timeout
status codes: {good} 2xx, 0 3xx, {bad} 4xx, 0 5xx
traffic: 2.67MB (2800149) total, 1.83MB (1919708) headers (space savings 0.00%), {size}B ({size}) data
"""
LOG = ["1795362454615192\t200\t300", "1795362454615506\t200\t100", "1795362454615600\t200\t200"]


def report(*, done: int = 3, good: int = 3, failed: int = 0, size: int = 1800) -> str:
    """The words of h2load that count."""
    return REPORT.format(
        rps=29351.67, done=done, started=done + 1, good=good, failed=failed, bad=done - good - failed, size=size
    )


def test_a_load_of_whole_answers_is_read() -> None:
    """The rate is h2load's; the percentiles come from the log, which is in no order."""
    assert parse_h2load(report(), LOG, least_bytes=300) == UnaryRun(requests=3, rps=29351.67, p50_us=200, p99_us=300)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (report(good=2), "1 of 3 requests failed: status codes: 2 2xx, 0 3xx, 1 4xx"),
        (report(good=2, failed=1), "2 of 3 requests failed"),
        (report(done=0, good=0), "no request ended in time"),
        (report(size=500), "3 answers had 500 bytes"),
        ("no address\n", "h2load reported 'no address"),
    ],
    ids=["refused", "failed", "none", "short-answers", "no-report"],
)
def test_a_bad_answer_ends_the_measurement(output: str, words: str) -> None:
    """Errors are fast: a figure with errors in it would be too good."""
    with pytest.raises(BenchError, match=words):
        parse_h2load(output, LOG, least_bytes=300)


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.5, 50), (0.99, 99), (1.0, 100), (0.0, 1), (0.001, 1)],
)
def test_percentiles_are_values_that_occurred(share: float, expected: float) -> None:
    """The nearest rank, without any mean of neighbours."""
    assert percentile(range(1, 101), share) == expected


def test_a_percentile_of_nothing_is_none() -> None:
    """There is no figure to make up."""
    with pytest.raises(BenchError, match="nothing was measured"):
        percentile([], 0.5)


STREAMS: Mapping[str, Any] = {
    "streams": 64,
    "chunks": 6399,
    "lost_chunks": 1,
    "errors": 0,
    "first_error": "",
    "seconds": 0.51,
    "ttft_us": {"p50": 250.5, "p90": 400, "p99": 900, "max": 1000},
    "gap_us": {"p50": 5000, "p90": 5100, "p99": 5200, "max": 9000},
    "delay_us": {"p50": 100, "p90": 110, "p99": 120, "max": 130},
}


def test_a_load_of_streams_is_read() -> None:
    """Lost chunks are a figure, not a failure."""
    assert parse_streams(json.dumps(STREAMS)) == StreamRun(
        streams=64,
        chunks=6399,
        lost_chunks=1,
        seconds=0.51,
        ttft_us=Spread(p50=250.5, p99=900),
        gap_us=Spread(p50=5000, p99=5200),
        delay_us=Spread(p50=100, p99=120),
    )


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (json.dumps({**STREAMS, "errors": 2, "first_error": "status 502"}), "2 streams failed, the first: status 502"),
        (json.dumps({**STREAMS, "streams": 0}), "none ended"),
        ("Segmentation fault", "the load reported 'Segmentation fault'"),
        ("", "the load reported ''"),
    ],
)
def test_a_failed_stream_ends_the_measurement(output: str, words: str) -> None:
    """The first failure is named."""
    with pytest.raises(BenchError, match=words):
        parse_streams(output)


def test_a_load_sends_the_body_that_the_gateway_wants(tmp_path: Path) -> None:
    """The call may change the body, and has headers of its own."""
    call = http_call(1234, "/v1/chat", edit=lambda body: body.replace(b"bench-burst", b"x/bench-burst"), x_team="a")
    command = Loader(wire=Wire.HTTP, call=call, folder=tmp_path).hold_command(model=BURST_MODEL, streams=7)
    sent = json.loads((tmp_path / "http-stream-bench-burst.body").read_bytes())
    assert (sent["model"], sent["stream"]) == ("x/bench-burst", True)
    assert " ".join(command).count("--path /v1/chat") == 1
    assert " ".join(command).count("--header content-type: application/json --header x-team: a") == 1


def test_a_body_for_grpc_is_framed(tmp_path: Path) -> None:
    """Five bytes in front say that nothing is compressed, and how long the message is."""
    body = Loader(wire=Wire.GRPC, call=grpc_call(1234), folder=tmp_path).make_body(BURST_MODEL, stream=True)
    assert body[:5] == b"\0" + (len(body) - 5).to_bytes(4, "big")
