# SPDX-License-Identifier: Apache-2.0
"""Bifrost's core, in Go, behind a front of a hundred lines (bifrost/main.go says why)."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from bench.gateways import API_KEY, Running, Site, Wire, http_call
from bench.processes import ROOT

_PROGRAM = ROOT / "build" / "bench" / "bifrost"
_MODULE = ROOT / "bench" / "peers" / "bifrost" / "go.mod"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bifrost:
    """A lower bound of Bifrost: its request queue, key choice, provider and conversions, and none of what its own HTTP front adds."""

    program: Path = _PROGRAM
    module: Path = _MODULE
    name: str = "bifrost-core"
    settings: str = (
        "core alone behind a fasthttp front of ours, GOMAXPROCS=1, one key, pool 5,000 and concurrency 1,000 (its defaults); "
        "without the plugins, governance, logging and prices of its own HTTP front"
    )

    def why_absent(self) -> str | None:
        """It is built from source: Go alone is needed."""
        if self.program.exists():
            return None
        if shutil.which("go") is None:
            return "Bifrost is not built and Go is not installed: install go 1.26.5 or newer, then make bench-peers"
        return "Bifrost is not built: make bench-peers"

    def find_version(self) -> str:
        """The core's, as go.mod pins it, such as 1.7.13."""
        pinned = re.search(r"bifrost/core v(\S+)", self.module.read_text(encoding="utf-8"))
        return pinned[1] if pinned else "unknown"

    def start(self, site: Site) -> Running:
        """Start it on a port of the system's choice. Raises BenchError."""
        upstream = f"http://127.0.0.1:{site.upstream_http_port}"
        pid = site.spawn([str(self.program), "-upstream", upstream, "-key", API_KEY], environment={"GOMAXPROCS": "1"})
        port = int(site.wait_for_output(r"listening on (\d+)"))
        return Running(pids=(pid,), calls={Wire.HTTP: http_call(port, authorization=f"Bearer {API_KEY}")})


GATEWAY = Bifrost()
