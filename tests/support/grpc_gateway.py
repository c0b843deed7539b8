# SPDX-License-Identifier: Apache-2.0
"""grpc-gateway made from the contract: generated and built with what tests/conformance/grpc_gateway locks, below build/, which git ignores."""

import asyncio
import os
import re
import shutil
import subprocess
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from google.protobuf import descriptor_pb2

from support.source_tree import CLIENT, ROOT
from support.toolchains import require_program, require_test_program

SOURCES = ROOT / "tests" / "conformance" / "grpc_gateway"
BUILD = ROOT / "build" / "grpc_gateway"
DESCRIPTORS = CLIENT / "descriptors.binpb"
# The first build compiles the plugins and grpc; later ones find all that in Go's own cache.
_BUILD_TIMEOUT_S = 280


def build_grpc_gateway() -> Path:
    """The program, built anew where anything has changed. Ends the test where Go is missing."""
    go, buf = require_program("go"), require_test_program("buf")
    shutil.rmtree(BUILD / "trunkline", ignore_errors=True)
    BUILD.mkdir(parents=True, exist_ok=True)
    for source in SOURCES.iterdir():
        shutil.copyfile(source, BUILD / source.name)
    _run(go, "build", "-o", "bin/", "tool")
    _run(buf, "generate", str(DESCRIPTORS), "--path", "trunkline")
    (BUILD / "services.go").write_text(_services_source(), encoding="utf-8")
    _run(go, "build", "-o", "bin/grpc_gateway", ".")
    return BUILD / "bin" / "grpc_gateway"


@asynccontextmanager
async def running_grpc_gateway(program: Path, grpc_target: str) -> AsyncIterator[str]:
    """The program in front of a gRPC port; gives its URL."""
    process = await asyncio.create_subprocess_exec(program, "-grpc", grpc_target, stdin=DEVNULL, stdout=PIPE)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            line = (await process.stdout.readline()).decode()
        found = re.search(r"listening on (http://\S+)", line)
        assert found, line
        yield found[1]
    finally:
        process.terminate()
        await process.communicate()


def _services_source() -> str:
    """The Go file that lists the generated handlers of all services."""
    files = descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS.read_bytes()).file
    names = [service.name for file in files if file.package == "trunkline.v1" for service in file.service]
    handlers = "".join(f"\tv1.Register{name}HandlerFromEndpoint,\n" for name in names)
    return f"""package main

import (
	"context"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	v1 "github.com/trunkline/trunkline/tests/conformance/grpc_gateway/trunkline/v1"
	"google.golang.org/grpc"
)

var services = []func(context.Context, *runtime.ServeMux, string, []grpc.DialOption) error{{
{handlers}}}
"""


def _run(*command: str) -> None:
    """Run one step of the build; its output is the failure's message."""
    # The toolchain of the machine, whatever newer one a module would like: a test fetches no compiler.
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
    done = subprocess.run(
        command, cwd=BUILD, env=environment, capture_output=True, text=True, timeout=_BUILD_TIMEOUT_S, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
