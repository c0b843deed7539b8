# SPDX-License-Identifier: Apache-2.0
"""The soak: what it makes of its samples, and a short run of it."""

import json
import re
from pathlib import Path

import pytest

from bench.gateways import BenchError
from bench.loads import find_missing
from bench.soak import Sample, format_report, judge, main, make_results, summarise_load
from bench.trend import Trend

TREND = Trend(slope_mb_h=0.5, margin_mb_h=0.25, window_s=1200)


def make_samples(*sizes_mb: float) -> list[Sample]:
    """One each 60 s."""
    return [Sample(at_s=60.0 * n, rss_mb=size_mb, files=40, threads=12) for n, size_mb in enumerate(sizes_mb)]


def test_the_warm_up_does_not_count() -> None:
    """What fills in the first fifth of the time is no growth."""
    trend = judge(make_samples(80, 100, 110, 110, 110, 110, 110, 110, 110, 110), 600)
    assert trend.slope_mb_h == pytest.approx(0)
    assert trend.window_s == 420


def test_a_short_run_is_not_judged() -> None:
    """Two samples are no trend."""
    with pytest.raises(BenchError, match="the run was too short"):
        judge(make_samples(80, 81, 82), 120)


def test_the_report_shows_five_moments_and_the_verdict() -> None:
    """The first and the last sample among them."""
    text = format_report(make_samples(80, 90, 100, 101, 102, 103, 104, 105, 106), TREND, 0.48)
    lines = text.splitlines()
    assert lines[2].split() == ["0.0", "80.0", "40", "12"]
    assert lines[6].split() == ["8.0", "106.0", "40", "12"]
    assert "load: 48% of a core" in lines
    assert "slope after the warm-up: +0.50 MB/hour, 95 % within ±0.25 (flat: up to 3.0 over 20.0 minutes)" in lines
    assert lines[-1] == "verdict: flat"


def test_the_rows_of_the_results() -> None:
    """The slope with its interval, and how long it was watched."""
    slope, minutes = (result.to_json() for result in make_results(TREND))
    assert slope == {
        "gateway": "trunkline",
        "wire": "http",
        "metric": "soak_slope_mb_h",
        "value": 0.5,
        "unit": "MB/h",
        "spread": [0.25, 0.75],
    }
    assert minutes["metric"] == "soak_minutes"
    assert minutes["value"] == 20


@pytest.mark.parametrize(
    ("output", "said", "good"),
    [
        ('x\n{"streams": 1200, "lost_chunks": 0, "errors": 0}\n', "1,200 streams, 0 chunks lost, 0 errors", True),
        ('{"streams": 5, "lost_chunks": 2, "errors": 0}', "5 streams, 2 chunks lost, 0 errors", False),
        (
            '{"streams": 5, "lost_chunks": 0, "errors": 1, "first_error": "cut"}',
            "5 streams, 0 chunks lost, 1 errors, the first: cut",
            False,
        ),
        (
            "a\nrequests: 5 total, 5 done, 0 failed, 0 errored, 0 timeout\nstatus codes: 5 2xx\nb\n",
            "requests: 5 total, 5 done, 0 failed, 0 errored, 0 timeout; status codes: 5 2xx",
            True,
        ),
        (
            "requests: 5 total, 4 done, 1 failed, 0 errored, 0 timeout",
            "requests: 5 total, 4 done, 1 failed, 0 errored, 0 timeout",
            False,
        ),
        ("", "no report", False),
    ],
)
def test_the_end_of_a_load(output: str, said: str, good: bool) -> None:
    """The last words of each of the two programs, and whether all calls went well."""
    assert summarise_load(output) == (said, good)


@pytest.mark.slow
@pytest.mark.skipif(bool(find_missing()), reason="; ".join(find_missing()))
def test_a_short_soak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Half a minute is too short to be flat, and long enough to see that every part runs and nothing fails."""
    monkeypatch.setattr("sys.argv", ["soak", "--minutes", "0.5", "--results", str(tmp_path)])
    assert main() in (0, 1)
    printed = capsys.readouterr()
    assert re.search(r"^slope after the warm-up: \S+ MB/hour", printed.out, re.MULTILINE)
    assert len(re.findall(r" 0 errors$| 0 errored, 0 timeout;", printed.err, re.MULTILINE)) == 4
    assert "soak_slope_mb_h" in {row["metric"] for row in json.loads((tmp_path / "latest.json").read_text())}
