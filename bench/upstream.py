# SPDX-License-Identifier: Apache-2.0
"""The fake provider, build/bench/upstream: one process on the load's core, for all gateways of a run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bench.loads import UPSTREAM
from bench.payload import ANSWER_BYTES, CHUNK_BYTES, CHUNKS, GAP_US, make_grpc_answer, make_grpc_chunk
from bench.processes import LOAD_CORE, Processes, wait_for_output


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """Where it listens; no gRPC port where it was built without libnghttp2."""

    pid: int
    http_port: int
    grpc_port: int | None


def start_upstream(
    processes: Processes, folder: Path, *, chunks: int = CHUNKS, chunk_bytes: int = CHUNK_BYTES
) -> Upstream:
    """Start it and wait until it listens; its streams have so many chunks of so many bytes. Raises BenchError."""
    answer, chunk, log = folder / "answer.bin", folder / "chunk.bin", folder / "upstream.log"
    answer.write_bytes(make_grpc_answer())
    chunk.write_bytes(make_grpc_chunk())
    numbers = {
        "--http-port": 0,
        "--grpc-port": 0,
        "--chunks": chunks,
        "--chunk-bytes": chunk_bytes,
        "--gap-us": GAP_US,
        "--answer-bytes": ANSWER_BYTES,
    }
    flags = [word for name, number in numbers.items() for word in (name, str(number))]
    files = ["--grpc-answer", str(answer), "--grpc-chunk", str(chunk)]
    pid = processes.spawn([str(UPSTREAM), *flags, *files], core=LOAD_CORE, log=log)
    ports = json.loads(wait_for_output(log, r"^(\{.*\})$", processes=processes, pid=pid))
    return Upstream(pid=pid, http_port=ports["http_port"], grpc_port=ports["grpc_port"])
