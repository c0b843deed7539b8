# SPDX-License-Identifier: Apache-2.0
"""The load: whole answers by h2load (HTTP/1.1 and gRPC alike), streams by build/bench/streams; both closed loops, on the load's core, bounded in time."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.gateways import UNARY_MODEL, BenchError, Call, Wire
from bench.payload import ANSWER_BYTES, CHUNKS, frame, make_grpc_request, make_request
from bench.processes import LOAD_CORE, ROOT, on_core

STREAMS = ROOT / "build" / "bench" / "streams"
UPSTREAM = ROOT / "build" / "bench" / "upstream"
# Calls at once are spread over at most so many HTTP/2 connections, as the channels of a few services would.
H2_CONNECTIONS = 8
# What a load may take beyond its time before it is ended.
GRACE_S = 15.0
# Of an answer's bytes at least so many must come: an error is shorter.
_LEAST_ANSWER_BYTES = ANSWER_BYTES // 2


class NothingEndedError(BenchError):
    """A load was over before its first answer came: the gateway is slow, or the machine had no time for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnaryRun:
    """What a load of whole answers saw; latencies in µs."""

    requests: int
    rps: float
    p50_us: float
    p99_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Percentiles of times in µs."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRun:
    """What a load of streams saw: ttft from request to first chunk, gap between chunks, delay from the upstream's write to the client's read."""

    streams: int
    chunks: int
    lost_chunks: int
    seconds: float
    ttft_us: Spread
    gap_us: Spread
    delay_us: Spread


def find_missing() -> list[str]:
    """What the load needs and this machine lacks, each with what to install."""
    missing = []
    if shutil.which("h2load") is None:
        missing.append("h2load is not installed: apt-get install nghttp2-client")
    missing += [
        f"{path.relative_to(ROOT)} is not built: make -C bench" for path in (UPSTREAM, STREAMS) if not path.exists()
    ]
    return missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """Loads one call of a gateway on one wire. `folder` holds the bodies and the logs."""

    wire: Wire
    call: Call
    folder: Path

    def run_unary(self, *, concurrency: int, seconds: float) -> UnaryRun:
        """Whole answers for a time. Raises BenchError when one of them was not good, NothingEndedError when there was none."""
        log = self.folder / "h2load.log"
        log.unlink(missing_ok=True)
        command = [
            "h2load",
            "-D",
            f"{round(seconds * 1000)}ms",
            "--connection-active-timeout",
            f"{round(seconds + GRACE_S)}s",
        ]
        command += self._h2load_target(concurrency)
        output = _run([*command, f"--log-file={log}"], seconds)
        return parse_h2load(output, log.read_text(encoding="ascii").splitlines(), least_bytes=_LEAST_ANSWER_BYTES)

    def run_streams(self, *, model: str, streams: int, connections: int, seconds: float) -> StreamRun:
        """A number of streams, some at a time. `seconds` is how long that should take. Raises BenchError when one of them failed."""
        command = [*self._streams_target(model), "--connections", str(connections), "--streams", str(streams)]
        return parse_streams(_run(command, seconds))

    def hold_command(self, *, model: str, streams: int) -> list[str]:
        """The command that opens streams and holds them open until it is ended."""
        return [*self._streams_target(model), "--connections", str(streams), "--hold", "--seconds", "120"]

    def steady_unary_command(self, *, rps: float, seconds: float) -> list[str]:
        """The command that asks for whole answers at a rate for a time, by one connection each."""
        limit = ["-D", f"{round(seconds)}s", "--rps", f"{max(0.1, rps / H2_CONNECTIONS):.1f}"]
        return ["h2load", *limit, *self._h2load_target(H2_CONNECTIONS)]

    def steady_streams_command(self, *, model: str, connections: int, seconds: float) -> list[str]:
        """The command that reads so many streams at a time for a time."""
        counts = ["--connections", str(connections), "--seconds", str(round(seconds))]
        return [*self._streams_target(model), *counts]

    def _h2load_target(self, concurrency: int) -> list[str]:
        body = self._write_body("unary", UNARY_MODEL, stream=False)
        if self.wire is Wire.GRPC:
            clients = min(concurrency, H2_CONNECTIONS)
            split = ["-c", str(clients), "-m", str(concurrency // clients), "-H", "te: trailers"]
        else:
            split = ["--h1", "-c", str(concurrency)]
        url = f"http://127.0.0.1:{self.call.port}{self.call.path}"
        return [*split, *self._headers("-H"), "-d", str(body), url]

    def _streams_target(self, model: str) -> list[str]:
        body = self._write_body(f"stream-{model}", model, stream=True)
        target = ["--wire", self.wire.value, "--host", "127.0.0.1", "--port", str(self.call.port)]
        if self.wire is Wire.GRPC:
            target += ["--h2-connections", str(H2_CONNECTIONS)]
        expected = ["--expect-chunks", str(CHUNKS)]
        return [
            str(STREAMS),
            *target,
            "--path",
            self.call.stream_path,
            "--body",
            str(body),
            *self._headers("--header"),
            *expected,
        ]

    def _headers(self, flag: str) -> list[str]:
        kind = "application/grpc" if self.wire is Wire.GRPC else "application/json"
        headers = {"content-type": kind, **self.call.headers}
        return [word for name, value in headers.items() for word in (flag, f"{name}: {value}")]

    def _write_body(self, name: str, model: str, *, stream: bool) -> Path:
        path = self.folder / f"{self.wire}-{name}.body"
        if not path.exists():
            path.write_bytes(self.make_body(model, stream=stream))
        return path

    def make_body(self, model: str, *, stream: bool) -> bytes:
        """The body of a request as it goes over the wire."""
        if self.wire is Wire.GRPC:
            return frame(self.call.edit(make_grpc_request(model, stream=stream)))
        return self.call.edit(make_request(model, stream=stream))


def parse_h2load(output: str, log: Iterable[str], *, least_bytes: int) -> UnaryRun:
    """Read h2load's report and its log (start, status and duration in µs of each request). Raises BenchError when a request failed or none ended."""
    counts = _find(r"requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed", output)
    done, good, failed = int(counts[1]), int(counts[2]), int(counts[3])
    if done == 0 and failed == 0:
        raise NothingEndedError("no request ended in time")
    if good != done or failed:
        raise BenchError(f"{done - good + failed} of {done} requests failed: {_status_line(output)}")
    data_bytes = int(_find(r"\((\d+)\) data", output)[1])
    if data_bytes < done * least_bytes:
        raise BenchError(f"{done} answers had {data_bytes} bytes: these are not the answers that were asked for")
    rps = float(_find(r"finished in \S+, ([\d.]+) req/s", output)[1])
    durations = sorted(int(line.split("\t")[2]) for line in log)
    return UnaryRun(requests=done, rps=rps, p50_us=percentile(durations, 0.50), p99_us=percentile(durations, 0.99))


def parse_streams(output: str) -> StreamRun:
    """Read the line of build/bench/streams. Raises BenchError when a stream failed."""
    report = _read_json(output)
    if report["errors"] or not report["streams"]:
        raise BenchError(f"{report['errors']} streams failed, the first: {report.get('first_error') or 'none ended'}")
    return StreamRun(
        streams=report["streams"],
        chunks=report["chunks"],
        lost_chunks=report["lost_chunks"],
        seconds=report["seconds"],
        ttft_us=_read_spread(report["ttft_us"]),
        gap_us=_read_spread(report["gap_us"]),
        delay_us=_read_spread(report["delay_us"]),
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest of ascending values that is no less than a share of them (0 to 1). Raises BenchError where there is none."""
    if not ordered:
        raise BenchError("nothing was measured")
    return ordered[max(0, -int(-len(ordered) * share // 1) - 1)]


def _read_json(output: str) -> dict[str, Any]:
    try:
        report: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise BenchError(f"the load reported {output[-300:]!r}") from error
    return report


def _read_spread(values: dict[str, float]) -> Spread:
    return Spread(p50=float(values["p50"]), p99=float(values["p99"]))


def _find(pattern: str, output: str) -> re.Match[str]:
    found = re.search(pattern, output)
    if found is None:
        raise BenchError(f"h2load reported {output[-300:]!r}")
    return found


def _status_line(output: str) -> str:
    return next((line for line in output.splitlines() if line.startswith("status codes")), "no status")


def _run(command: Sequence[str], seconds: float) -> str:
    """Run a load on its core; returns what it printed."""
    try:
        with on_core(LOAD_CORE):
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=seconds + GRACE_S,
                check=False,
            )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{Path(command[0]).name} did not end {GRACE_S:.0f} s after its time") from error
    if done.returncode != 0:
        raise BenchError(f"{Path(command[0]).name} ended with {done.returncode}: {(done.stderr or done.stdout)[-300:]}")
    return done.stdout
