# SPDX-License-Identifier: Apache-2.0
"""The memory report: its table, its rows among the other results, and a short run of it."""

import json
import sys
from pathlib import Path

import pytest

from bench.gateways import Wire
from bench.loads import find_missing
from bench.memory import ROWS, MemraySite, main, make_table
from bench.processes import GatewaySite, Processes
from bench.results import Lane, Result, Samples, merge_results, summarise
from bench.table import format_terminal


def make_results() -> list[Result]:
    """Idle streams on both wires, and one value that HTTP alone has."""
    samples = Samples()
    samples.add(Lane("trunkline", Wire.HTTP), 1, {"rss_per_1000_streams_mb": 21.14, "rss_before_mb": 80.4})
    samples.add(Lane("trunkline", Wire.GRPC), 1, {"rss_per_1000_streams_mb": 29.0})
    return summarise(samples)


def test_the_table() -> None:
    """One row for what was measured, the wires side by side; what was not measured on one of them is a dash."""
    lines = format_terminal(make_table(make_results())).splitlines()
    assert [line.split("  ")[0] for line in lines[4:]] == ["RSS before, MB", "1,000 idle streams, MB"]
    assert lines[4].split()[-2:] == ["80.4", "-"]
    assert lines[5].split()[-2:] == ["21.1", "29"]


def test_rows_join_the_results_that_are_there(tmp_path: Path) -> None:
    """Values of the same name are replaced, all others stay."""
    before = [
        {"gateway": "nginx", "wire": "http", "metric": "rps", "value": 5.0},
        {"gateway": "trunkline", "wire": "http", "metric": "rss_per_1000_streams_mb", "value": 99.0},
    ]
    (tmp_path / "latest.json").write_text(json.dumps(before))
    path = merge_results(tmp_path, make_results())
    rows = json.loads(path.read_text())
    assert rows[0] == before[0]
    assert {(row["wire"], row["metric"]): row["value"] for row in rows[1:]} == {
        ("http", "rss_per_1000_streams_mb"): 21.14,
        ("http", "rss_before_mb"): 80.4,
        ("grpc", "rss_per_1000_streams_mb"): 29.0,
    }


def test_memray_runs_the_gateway(tmp_path: Path) -> None:
    """The interpreter's arguments follow memray's; the gateway sees the same site."""
    memray = tmp_path / "memray.py"
    memray.write_text("import sys; print('memray was told:', ' '.join(sys.argv[1:]), flush=True)")
    with Processes() as processes:
        plain = GatewaySite(folder=tmp_path, upstream_http_port=1, upstream_grpc_port=None, processes=processes)
        site = MemraySite(site=plain, report=Path("report.bin"))
        site.spawn([sys.executable, "-m", "gateway", "serve"], environment={"PYTHONPATH": str(tmp_path)})
        told = site.wait_for_output("memray was told: (.*)$")
    assert told == "run -q -f -o report.bin -m gateway serve"
    assert (site.folder, site.upstream_http_port, site.upstream_grpc_port) == (tmp_path, 1, None)


@pytest.mark.slow
@pytest.mark.skipif(bool(find_missing()), reason="; ".join(find_missing()))
def test_a_short_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A twentieth of everything fills every row of the table, and 1,000 idle streams take at most 60 MB."""
    monkeypatch.setattr("sys.argv", ["memory", "--scale", "0.05", "--results", str(tmp_path)])
    assert main() == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in ROWS)
    rows = json.loads((tmp_path / "latest.json").read_text())
    assert {row["metric"] for row in rows} == set(ROWS.values())
    assert all(row["value"] <= 60 for row in rows if row["metric"] == "rss_per_1000_streams_mb")
