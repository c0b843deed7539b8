# SPDX-License-Identifier: Apache-2.0
"""The bench's load of streams against the fake upstream, and against a server that cuts, loses and refuses."""

import json
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.bench_programs import (
    RunningUpstream,
    build_programs,
    port_for,
    run_streams,
    running_upstream,
    streams_command,
)

WIRES = ["http", "grpc"]


@pytest.fixture(scope="module")
def programs() -> Path:
    """The folder of the built programs."""
    return build_programs()


@pytest.fixture(scope="module")
def upstream(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningUpstream]:
    """An upstream with 100 chunks in a stream and 2 ms between those of a paced one."""
    with running_upstream(programs, tmp_path_factory.mktemp("upstream"), "--gap-us=2000") as running:
        yield running


@contextmanager
def answering(pieces: list[bytes]) -> Iterator[int]:
    """A server that answers each connection's first bytes with the pieces, then closes it; gives its port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            for piece in pieces:
                self.request.sendall(piece)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunked(data: bytes, size: int) -> bytes:
    """The data in HTTP chunks of at most `size` bytes, without the end."""
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


def stamps(count: int) -> bytes:
    """So many stamped events, among words that also begin with T."""
    return b"".join(b"data: The T12 TT%019d T\n\n" % (number + 1) for number in range(count))


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("model", ["burst", "paced"])
def test_nothing_is_lost(programs: Path, upstream: RunningUpstream, tmp_path: Path, wire: str, model: str) -> None:
    """Against the upstream every chunk of every stream arrives, and the times are there and in order."""
    port = port_for(upstream, wire)
    options = ["--streams=20", "--connections=8", "--ramp-ms=5"]
    found = run_streams(programs, tmp_path, *options, wire=wire, port=port, model=model)
    counts = {name: found[name] for name in ("streams", "chunks", "lost_chunks", "extra_chunks", "errors", "abandoned")}
    assert counts == {"streams": 20, "chunks": 2000, "lost_chunks": 0, "extra_chunks": 0, "errors": 0, "abandoned": 0}
    assert found["first_error"] is None
    assert [name for name in ("ttft_us", "gap_us", "delay_us") if not in_order(found[name])] == []
    assert (found["gap_us"]["p50"] > 1000) is (model == "paced")


def in_order(times: dict[str, float]) -> bool:
    """Tell whether no percentile is below the one before."""
    values = [times["p50"], times["p90"], times["p99"], times["max"]]
    return min(values) >= 0 and values == sorted(values)


@pytest.mark.parametrize("wire", WIRES)
def test_seconds_bound_the_load(programs: Path, upstream: RunningUpstream, tmp_path: Path, wire: str) -> None:
    """After --seconds no stream is opened, and the open ones end."""
    options = ["--seconds=0.3", "--connections=2", "--h2-connections=1"]
    found = run_streams(programs, tmp_path, *options, wire=wire, port=port_for(upstream, wire))
    assert found["streams"] > 2
    assert found["chunks"] == 100 * found["streams"]
    assert 0.3 <= found["seconds"] < 5


@pytest.mark.parametrize("wire", WIRES)
def test_short_streams_are_losses(programs: Path, upstream: RunningUpstream, tmp_path: Path, wire: str) -> None:
    """Chunks that a stream ended without are lost, also where the stream ended as it should."""
    options = ["--streams=3", "--expect-chunks=120"]
    found = run_streams(programs, tmp_path, *options, wire=wire, port=port_for(upstream, wire))
    assert (found["streams"], found["lost_chunks"], found["errors"]) == (3, 60, 0)


@pytest.mark.parametrize(
    ("pieces", "counts", "error"),
    [
        ([HEAD + chunked(stamps(100), 999), END], (2, 0, 0, 0), None),
        ([HEAD, *[chunked(stamps(100), 1)], END], (2, 0, 0, 0), None),
        ([HEAD + chunked(stamps(40), 30), END], (2, 120, 0, 0), None),
        ([HEAD + chunked(stamps(102), 30), END], (2, 0, 4, 0), None),
        ([HEAD + chunked(stamps(40), 30)], (0, 120, 0, 2), "the connection was closed after 40 chunks"),
        ([HEAD + chunked(stamps(40), 30) + b"zz\r\n"], (0, 120, 0, 2), "the chunked coding is broken after 40 chunks"),
        ([b"HTTP/1.1 200 OK\r\n\r\n" + stamps(100)], (2, 0, 0, 0), None),
        ([b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + chunked(stamps(100), 50) + END], (2, 0, 0, 0), None),
        ([b'HTTP/1.1 503 No\r\nContent-Length: 6\r\n\r\n{"a":1'], (0, 0, 0, 2), 'status 503: {"a":1'),
        ([], (0, 0, 0, 2), "the connection was closed after 0 chunks"),
    ],
)
def test_what_becomes_of_a_stream(
    programs: Path, tmp_path: Path, pieces: list[bytes], counts: tuple[int, ...], error: str | None
) -> None:
    """Stamps are found in any framing; a cut is an error and a loss, a refusal an error alone."""
    with answering(pieces) as port:
        found = run_streams(programs, tmp_path, "--streams=2", "--connections=1", wire="http", port=port)
    assert tuple(found[name] for name in ("streams", "lost_chunks", "extra_chunks", "errors")) == counts
    assert found["first_error"] == error


def test_a_server_that_speaks_no_http2(programs: Path, upstream: RunningUpstream, tmp_path: Path) -> None:
    """On gRPC an answer that is no HTTP/2 is an error."""
    port_for(upstream, "grpc")
    with answering([b"HTTP/1.1 400 Bad Request\r\n\r\n"]) as port:
        found = run_streams(programs, tmp_path, "--streams=1", wire="grpc", port=port)
    assert (found["streams"], found["errors"]) == (0, 1)


@contextmanager
def holding(command: list[str]) -> Iterator[tuple[Any, subprocess.Popen[str]]]:
    """Start a load that holds its streams; give what it said when they were open, and its process."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline()), process
        finally:
            process.terminate()


@pytest.mark.parametrize("wire", WIRES)
def test_hold_keeps_streams_open(programs: Path, upstream: RunningUpstream, tmp_path: Path, wire: str) -> None:
    """--hold says when the first chunk of each stream is there, keeps them until SIGTERM, and then reports."""
    port, options = port_for(upstream, wire), ["--hold", "--connections=30"]
    command = streams_command(programs, tmp_path, wire=wire, port=port, model="idle", options=options)
    with holding(command) as (opened, process):
        process.terminate()
        found = json.loads(process.communicate(timeout=20)[0])
    assert opened == {"open": 30}
    assert (found["chunks"], found["abandoned"], found["errors"]) == (30, 30, 0)


@pytest.mark.parametrize("wire", WIRES)
def test_a_dead_server_cuts_its_streams(programs: Path, tmp_path: Path, wire: str) -> None:
    """When the server dies, each open stream is an error, and the chunks it still owed are lost."""
    with running_upstream(programs, tmp_path) as dying:
        options = ["--hold", "--streams=5", "--seconds=0.5"]
        port = port_for(dying, wire)
        command = streams_command(programs, tmp_path, wire=wire, port=port, model="idle", options=options)
        with holding(command) as (opened, process):
            dying.process.kill()
            found = json.loads(process.communicate(timeout=20)[0])
    assert opened == {"open": 5}
    assert (found["errors"], found["lost_chunks"], found["abandoned"]) == (5, 5 * 99, 0)


@pytest.mark.parametrize("wire", WIRES)
def test_slow_readers(programs: Path, upstream: RunningUpstream, tmp_path: Path, wire: str) -> None:
    """A slow reader takes its stream at its pace and loses nothing."""
    options = ["--streams=2", "--connections=2", "--slow-bytes-per-s=20000"]
    found = run_streams(programs, tmp_path, *options, wire=wire, port=port_for(upstream, wire))
    assert (found["streams"], found["lost_chunks"], found["errors"]) == (2, 0, 0)
    assert found["seconds"] > 0.2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "--port and --body are needed"),
        (["--wire", "quic"], "--wire is http or grpc"),
        (["--port", "70000"], "--port wants a whole number"),
        (["--body", "no/such/file"], "no/such/file: "),
        (["--header", "nothing"], "--header wants"),
        (["--seconds", "soon"], "--seconds wants a time"),
    ],
)
def test_faulty_options(programs: Path, arguments: list[str], complaint: str) -> None:
    """A faulty option ends the program with a line that names it."""
    run = subprocess.run([programs / "streams", *arguments], capture_output=True, text=True, check=False, timeout=20)
    assert (run.returncode, complaint in run.stderr) == (2, True)


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs built with the address and undefined-behaviour sanitizers."""
    return build_programs(tmp_path_factory.mktemp("sanitized"), "SANITIZE=1")


@pytest.mark.slow
@pytest.mark.parametrize("wire", WIRES)
def test_no_undefined_behaviour(sanitized: Path, tmp_path: Path, wire: str) -> None:
    """Both programs run clean under the sanitizers."""
    with running_upstream(sanitized, tmp_path, "--gap-us=1000") as upstream:
        port = port_for(upstream, wire)
        runs = {
            model: run_streams(sanitized, tmp_path, "--streams=50", *options, wire=wire, port=port, model=model)
            for model, options in (("burst", []), ("paced", []), ("burst-slowly", ["--slow-bytes-per-s=200000"]))
        }
    assert {model: (run["streams"], run["lost_chunks"]) for model, run in runs.items()} == dict.fromkeys(runs, (50, 0))
