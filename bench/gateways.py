# SPDX-License-Identifier: Apache-2.0
"""What a gateway must tell so that it can be measured, and which ones there are.

A module of bench/peers holds one optional gateway, as `GATEWAY`, a value that fits `Gateway`; it is found by being there. The runner starts it on the gateways'
core, checks one whole answer and one stream of each wire, measures, and ends every process that came from it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

# The models that every gateway offers. The fake upstream looks for the words "paced" and "burst" in the model's name as it arrives there.
UNARY_MODEL = "bench-unary"
BURST_MODEL = "bench-burst"
PACED_MODEL = "bench-paced"
IDLE_MODEL = "bench-idle"
MODELS = (UNARY_MODEL, BURST_MODEL, PACED_MODEL, IDLE_MODEL)

# A key for gateways that know keys. It opens nothing: the upstream is fake.
API_KEY = "tk-bench"

HTTP_PATH = "/v1/chat/completions"
GRPC_PATH = "/trunkline.v1.ChatService/CreateChatCompletion"
GRPC_STREAM_PATH = "/trunkline.v1.ChatService/StreamChatCompletion"


class Wire(StrEnum):
    """What a client speaks to the gateway."""

    HTTP = "http"
    GRPC = "grpc"


def keep(body: bytes) -> bytes:
    """A request's body as it is."""
    return body


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """How the gateway is called on one wire.

    `path` is for whole answers, `stream_path` for streams; `headers` go beside content-type. `edit` changes the body into what the gateway wants (another name
    of the model, say): over HTTP it is OpenAI's JSON with one of MODELS as its model, over gRPC the serialised message, without its five bytes of frame.
    """

    port: int
    path: str
    stream_path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    edit: Callable[[bytes], bytes] = keep


def http_call(port: int, path: str = HTTP_PATH, *, edit: Callable[[bytes], bytes] = keep, **headers: str) -> Call:
    """A call over HTTP, where whole answers and streams have one path. A header's name is written with _ for -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Call(port=port, path=path, stream_path=path, headers=named, edit=edit)


def grpc_call(port: int, *, edit: Callable[[bytes], bytes] = keep, **headers: str) -> Call:
    """A call over gRPC, by the contract's own service."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Call(port=port, path=GRPC_PATH, stream_path=GRPC_STREAM_PATH, headers=named, edit=edit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A started gateway: the first processes of its trees, and how it is called on each wire that it speaks. It need not answer yet."""

    pids: Sequence[int]
    calls: Mapping[Wire, Call]


class Site(Protocol):
    """What a gateway gets to start on: 127.0.0.1, one folder, one core."""

    @property
    def folder(self) -> Path:
        """An empty folder of its own, for settings and logs; removed at the end."""

    @property
    def upstream_http_port(self) -> int:
        """Where the fake provider speaks OpenAI's chat completions, below any path."""

    @property
    def upstream_grpc_port(self) -> int | None:
        """Where it speaks trunkline.v1 by gRPC, None where it was built without."""

    def spawn(
        self, command: Sequence[str], *, environment: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> int:
        """Start a program on the gateways' core, in a session of its own; its output goes to the log of this site. Returns the pid.

        `environment` is added to PATH and HOME, the only variables that are handed on. The runner ends the program and its children.
        """

    def wait_for_output(self, pattern: str) -> str:
        """Wait for a line of output that the regular expression finds; returns its first group. Raises BenchError after the site's time limit."""


class Gateway(Protocol):
    """One gateway that can be measured."""

    @property
    def name(self) -> str:
        """Its name in tables and results, such as "nginx"."""

    @property
    def settings(self) -> str:
        """How it is set up, in one line for the report, such as "1 worker, keep-alive to the upstream"."""

    def why_absent(self) -> str | None:
        """What keeps it from being measured here and what to install; None where it can be started. Starts nothing that takes longer than a second."""

    def find_version(self) -> str:
        """Its version; called only where it is not absent."""

    def start(self, site: Site) -> Running:
        """Spawn it and say how it is called. Does not wait until it answers, unless its port is known only then. Raises BenchError."""


class BenchError(Exception):
    """Something cannot be measured; the text says what and what to do."""


def find_peers() -> list[Gateway]:
    """The gateways of bench/peers, by name."""
    package = importlib.import_module("bench.peers")
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    modules = [importlib.import_module(f"bench.peers.{name}") for name in names]
    return [module.GATEWAY for module in modules if hasattr(module, "GATEWAY")]
