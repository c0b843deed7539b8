# SPDX-License-Identifier: Apache-2.0
"""The C programs of the bench, built and run as the bench does: the fake upstream and the load of streams."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.source_tree import ROOT
from support.toolchains import require_program
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk

PLACEHOLDER = "T0000000000000000000"
STAMP = re.compile(r"T(\d{19})")
HTTP_PATH = "/v1/chat/completions"
GRPC_PATH = "/trunkline.v1.ChatService/StreamChatCompletion"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningUpstream:
    """A fake upstream in a process of its own."""

    process: subprocess.Popen[str]
    http_port: int
    grpc_port: int


def build_programs(folder: Path = ROOT / "build" / "bench", *variables: str) -> Path:
    """Build both programs by bench/Makefile and give their folder; the test is skipped where gcc or make is missing."""
    require_program("make")
    compiler = require_program("gcc")
    command = ["make", "-s", "-C", str(ROOT / "bench"), f"CC={compiler}", f"OUT={folder}", *variables]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return folder


def write_grpc_files(folder: Path) -> list[str]:
    """Write an answer and a chunk as the upstream takes them, and give its options for gRPC."""
    answer = ChatCompletion(id="gen-1", object="chat.completion", created=1, model="bench")
    answer.choices.add().message.content.add().text = "whole"
    chunk = ChatCompletionChunk(id="gen-1", object="chat.completion.chunk", created=1, model="bench")
    chunk.choices.add().delta.content = PLACEHOLDER + "x" * 60
    (folder / "answer.bin").write_bytes(answer.SerializeToString())
    (folder / "chunk.bin").write_bytes(chunk.SerializeToString())
    return ["--grpc-port=0", f"--grpc-answer={folder / 'answer.bin'}", f"--grpc-chunk={folder / 'chunk.bin'}"]


@contextmanager
def running_upstream(programs: Path, folder: Path, *arguments: str) -> Iterator[RunningUpstream]:
    """Start the upstream on free ports; at the end it must leave by SIGTERM without a complaint."""
    command = [str(programs / "upstream"), "--http-port=0", *write_grpc_files(folder), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ports = json.loads(process.stdout.readline())
            yield RunningUpstream(process=process, http_port=ports["http_port"], grpc_port=ports["grpc_port"] or 0)
            left_early = process.poll()
        finally:
            process.terminate()
        assert (left_early, process.wait(10)) in {(None, 0), (-9, -9)}


def port_for(upstream: RunningUpstream, wire: str) -> int:
    """The upstream's port for a wire; the test is skipped where the programs were built without libnghttp2."""
    port = upstream.http_port if wire == "http" else upstream.grpc_port
    if port == 0 and os.environ.get("REQUIRE_TOOLCHAINS") == "1":
        pytest.fail("this test needs libnghttp2-dev (REQUIRE_TOOLCHAINS=1)", pytrace=False)
    if port == 0:
        pytest.skip("this test needs libnghttp2-dev, which was not found")
    return port


def streams_command(programs: Path, folder: Path, *, wire: str, port: int, model: str, options: list[str]) -> list[str]:
    """The command of a load of streams on one wire, with a small request that names the model."""
    body, path = folder / f"{wire}-{model}.body", HTTP_PATH if wire == "http" else GRPC_PATH
    asked = {"model": model, "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    request = ChatCompletionRequest(model=model)
    body.write_bytes(json.dumps(asked).encode() if wire == "http" else request.SerializeToString())
    target = [f"--wire={wire}", f"--port={port}", f"--path={path}", f"--body={body}"]
    return [str(programs / "streams"), *target, *options]


def run_streams(programs: Path, folder: Path, *options: str, wire: str, port: int, model: str = "burst") -> Any:
    """Run a load of streams and give what it printed last."""
    command = streams_command(programs, folder, wire=wire, port=port, model=model, options=list(options))
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])
