# SPDX-License-Identifier: Apache-2.0
"""The bench from end to end, as `make bench-quick` runs it but with loads of a fraction of a second: the figures mean nothing, the files do."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.source_tree import ROOT
from support.toolchains import require_program, require_test_program

pytestmark = pytest.mark.slow

PROGRAMS = ("nginx", "h2load", "cc", "make")
LANES = {
    ("direct", "http"),
    ("direct", "grpc"),
    ("nginx", "http"),
    ("nginx", "grpc"),
    ("envoy", "http"),
    ("envoy", "grpc"),
    ("grpc-aio-proxy", "grpc"),
    ("trunkline", "http"),
    ("trunkline", "grpc"),
}
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run printed, and where it wrote."""

    output: str
    folder: Path

    def rows(self) -> Sequence[Mapping[str, Any]]:
        """The results."""
        rows: list[Mapping[str, Any]] = json.loads((self.folder / "latest.json").read_text(encoding="utf-8"))
        return rows

    def values(self, metric: str) -> dict[tuple[str, str], float]:
        """One metric's value for each gateway and wire."""
        return {(row["gateway"], row["wire"]): row["value"] for row in self.rows() if row["metric"] == metric}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One short run over everything that `make bench-quick` measures."""
    pytest.importorskip("matplotlib", reason="`make bench-quick` and `make test-all` install requirements/bench.txt")
    require_test_program("envoy")
    for program in PROGRAMS:
        require_program(program)
    folder = tmp_path_factory.mktemp("bench")
    subprocess.run(["make", "--silent", "-C", "bench"], cwd=ROOT, check=True, timeout=120)
    command = [sys.executable, "-m", "bench.run", "--plan", "short", "--results", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return Run(output=done.stdout, folder=folder)


def test_no_chunk_is_lost(run: Run) -> None:
    """Neither paced nor in bursts, by no gateway, on no wire."""
    assert run.values("lost_chunks") == dict.fromkeys(LANES, 0)
    assert run.values("lost_burst_chunks") == dict.fromkeys(LANES, 0)


@pytest.mark.parametrize(
    "metric", ["cpu_us_per_request", "cpu_us_per_chunk", "cpu_us_per_burst_chunk", "added_latency_c1_p50_us"]
)
def test_every_gateway_has_its_cost(run: Run, metric: str) -> None:
    """For each wire that it speaks; nothing in between costs nothing."""
    assert run.values(metric).keys() == {lane for lane in LANES if lane[0] != "direct"}
    assert [lane for lane, value in run.values("cpu_us_per_request").items() if not 1 < value < 100_000] == []


@pytest.mark.parametrize("metric", ["rps", "latency_c1_p50_us", "latency_c64_p99_us", "ttft_p50_us", "gap_p99_us"])
def test_every_lane_has_its_rates_and_times(run: Run, metric: str) -> None:
    """Also `direct`, from which the others are counted."""
    assert run.values(metric).keys() == LANES


def test_memory_and_start_are_known(run: Run) -> None:
    """Once for each gateway."""
    started = {"nginx", "envoy", "grpc-aio-proxy", "trunkline"}
    assert {gateway for gateway, _ in run.values("rss_idle_mb")} == started
    assert {gateway for gateway, _ in run.values("start_s")} == started
    assert ("trunkline", "http") in run.values("rss_per_1000_streams_mb")


def test_the_tables_are_printed_and_written(run: Run) -> None:
    """Each of them, in the terminal and as Markdown, with versions and settings."""
    markdown = (run.folder / "latest.md").read_text(encoding="utf-8")
    for words in ("What it costs", "What it adds", "Throughput frontier", "Trunkline's first targets", "Measured"):
        assert words in run.output
        assert f"## {words}" in markdown
    assert "1 worker, keep-alive" in run.output
    assert "Not measured" not in run.output


def test_every_target_is_judged(run: Run) -> None:
    """Only LiteLLM is not part of the quick run."""
    unmeasured = [line for line in run.output.splitlines() if "not measured" in line]
    assert [line for line in unmeasured if "LiteLLM" not in line] == []


@pytest.mark.parametrize("name", ["frontier.png", "cpu_per_chunk.png"])
def test_the_plots_are_drawn(run: Run, name: str) -> None:
    """As pictures of some size."""
    picture = (run.folder / name).read_bytes()
    assert picture.startswith(PNG)
    assert len(picture) > 10_000


def test_the_history_has_the_run(run: Run) -> None:
    """With the machine and the versions of what was measured."""
    (kept,) = (run.folder / "history").iterdir()
    conditions = json.loads(kept.read_text(encoding="utf-8"))["conditions"]
    assert conditions["faults"] == []
    assert conditions["gateways"].keys() == {gateway for gateway, _ in LANES}
