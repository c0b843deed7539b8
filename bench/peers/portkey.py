# SPDX-License-Identifier: Apache-2.0
"""Portkey's gateway, on Node."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from bench.gateways import API_KEY, Running, Site, Wire, http_call
from bench.processes import ROOT

_FOLDER = ROOT / "bench" / "peers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Portkey:
    """The open gateway: stateless, told with each call where the provider is. It checks no key of its own; the caller's goes on to the provider."""

    folder: Path = _FOLDER
    name: str = "portkey"
    settings: str = (
        "Node, 1 process, NODE_ENV=production, --headless, provider and its address in headers of the call, no keys, no prices; "
        "@hono/node-server held at 1.14.1, with newer ones every stream fails (Portkey-AI/gateway#1389)"
    )

    def why_absent(self) -> str | None:
        """It needs Node and one package with what that asks for."""
        if shutil.which("node") is None:
            return "Node is not installed: install node 20.15 or newer with npm, then make bench-peers"
        return None if self._program.exists() else "Portkey's gateway is not installed: make bench-peers"

    def find_version(self) -> str:
        """As its package says, such as 1.15.2."""
        package = json.loads((self._package / "package.json").read_text(encoding="utf-8"))
        return str(package["version"])

    def start(self, site: Site) -> Running:
        """Start it on a port of the system's choice. Raises BenchError."""
        preload = str(self.folder / "portkey" / "loopback.cjs")
        command = ["node", "--require", preload, str(self._program), "--headless", "--port=0"]
        # It refuses addresses of the machine itself unless they are named here.
        environment = {"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1"}
        pid = site.spawn(command, environment=environment)
        port = int(site.wait_for_output(r"listening on (\d+)"))
        call = http_call(
            port,
            authorization=f"Bearer {API_KEY}",
            x_portkey_provider="openai",
            x_portkey_custom_host=f"http://127.0.0.1:{site.upstream_http_port}/v1",
        )
        return Running(pids=(pid,), calls={Wire.HTTP: call})

    @property
    def _package(self) -> Path:
        return self.folder / "node_modules" / "@portkey-ai" / "gateway"

    @property
    def _program(self) -> Path:
        return self._package / "build" / "start-server.js"


GATEWAY = Portkey()
