# SPDX-License-Identifier: Apache-2.0
"""The guard on what the hot path costs: its judgement, its reading of callgrind's files, and that its calls are the ones meant."""

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from bench.guard.__main__ import judge
from bench.guard.baseline import (
    BASELINE_FILE,
    Baseline,
    is_same_build,
    name_interpreter,
    read_baselines,
    write_baselines,
)
from bench.guard.compare import compare, format_share, report
from bench.guard.counted import ROOT, Counts, parse_counts
from bench.guard.payload import CHUNK_BYTES, make_answer, make_event, make_request
from bench.guard.planning import ENDPOINTS, make_planning
from bench.guard.works import DECODING, PLANNING, make_works
from support.toolchains import require_program
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.app import make_codec
from trunkline_server.jsonshape import parse_json

WORKS = make_works()
LOCAL: Mapping[str, str] = {}
CI = {"CI": "true"}
BASELINE = Baseline(
    interpreter="CPython 3.11.7",
    valgrind="valgrind-3.19.0",
    locked="0" * 64,
    calibration=600_000,
    figures={"http: a call, instructions": 2_000_000, "http: a chunk alone, system calls": 8.0},
)
FILE_OF_CALLGRIND = """\
version: 1
creator: callgrind-3.19.0
part: 1
thread: 1

desc: Trigger: Client Request: http: a call

events: Ir sysCount sysTime
summary: 72890 16 331

fn=(1) f
12 72000
totals: 72890 16 331
"""
# Prints what a request of the guard's costs through the codec, and the same with a loop beside it that nobody wanted.
COUNT_A_SLOWER_WORK = """\
import ctypes, sys
from bench.guard.works import make_works
switch = ctypes.CDLL(sys.argv[1])
decode = make_works()["codec: decode a chunk"]
def slower():
    decode()
    sum(range(1000))
switch.start_counting()
for work in (decode, slower):
    for times in (10, 30):
        [work() for _ in range(10)]
        switch.set_to_zero()
        [work() for _ in range(times)]
        switch.write_counts(b"work")
"""


def with_call(instructions: float) -> Baseline:
    """The figures of now, where a call needs so many instructions."""
    return replace(BASELINE, figures={**BASELINE.figures, "http: a call, instructions": instructions})


@pytest.mark.parametrize(
    ("instructions", "verdict", "fails"),
    [
        (2_000_000, "even", False),
        (2_299_000, "even", False),
        (2_301_000, "dearer", True),
        (9_000_000, "dearer", True),
        (1_701_000, "even", False),
        (1_699_000, "cheaper", False),
    ],
)
def test_fifteen_parts_in_a_hundred_are_borne(instructions: float, verdict: str, fails: bool) -> None:
    """A figure fails when it is more than 15 % above its baseline, and is praised when it is more than 15 % below."""
    (call, chunk) = compare(BASELINE.figures, with_call(instructions).figures)
    assert (call.verdict, chunk.verdict) == (verdict, "even")
    assert report([call, chunk]).failed is fails


def test_a_failure_says_the_numbers_and_what_to_do() -> None:
    """A dearer figure is named with its baseline, its count and its ratio, and with the way to raise it."""
    text = report(compare(BASELINE.figures, with_call(2_500_000).figures)).text
    below = text.partition("More than 15% above the baseline:")[2]
    assert re.search(r"http: a call, instructions +2,000,000 +2,500,000 +1\.250  dearer", below)
    assert "chunk" not in below
    assert "`make guard-update`" in below
    assert "the commit's body" in below


def test_a_gain_says_how_to_hold_it() -> None:
    """Where a figure fell by more than 15 %, the report passes and asks for a lower baseline."""
    judgement = report(compare(BASELINE.figures, with_call(1_000_000).figures))
    assert not judgement.failed
    assert "More than 15% below the baseline" in judgement.text
    assert "Hold what was won: `make guard-update`" in judgement.text


@pytest.mark.parametrize(
    ("baseline", "now", "verdict"),
    [
        ({}, {"a": 1.0}, "not in the baseline"),
        ({"a": 1.0}, {}, "not measured"),
        ({"a": 0.0}, {"a": 1.0}, "not in the baseline"),
    ],
)
def test_both_sides_must_hold_the_same_figures(
    baseline: Mapping[str, float], now: Mapping[str, float], verdict: str
) -> None:
    """A figure that stands on one side only fails: nothing would guard it."""
    comparisons = compare(baseline, now)
    assert [row.verdict for row in comparisons] == [verdict]
    assert report(comparisons).failed


def test_other_libraries_are_named() -> None:
    """Where the lock has changed since the baseline, the figures are compared all the same, and the report says so."""
    judgement = judge(BASELINE, replace(with_call(2_500_000), locked="1" * 64), LOCAL)
    assert judgement.failed
    assert "requirements/run.txt has changed" in judgement.text


@pytest.mark.parametrize(
    ("environment", "instructions", "fails", "says"),
    [
        (LOCAL, 9_000_000, False, "nothing was compared"),
        (CI, 2_200_000, False, "another build of Python"),
        (CI, 1_000_000, False, "1.25 times"),
        (CI, 2_500_000, True, "dearer"),
    ],
)
def test_another_build_of_python(environment: Mapping[str, str], instructions: float, fails: bool, says: str) -> None:
    """An interpreter that needs other counts for the same Python is compared only in CI, and named."""
    figures = {"http: a call, instructions": instructions}
    baseline = replace(BASELINE, figures={"http: a call, instructions": 2_000_000})
    judgement = judge(baseline, replace(baseline, calibration=750_000, figures=figures), environment)
    assert judgement.failed is fails
    assert says in judgement.text


@pytest.mark.parametrize(("calibration", "same"), [(600_000, True), (629_000, True), (571_000, True), (631_000, False)])
def test_builds_are_told_apart_by_the_calibration(calibration: float, same: bool) -> None:
    """Five parts in a hundred are borne."""
    assert is_same_build(BASELINE, replace(BASELINE, calibration=calibration)) is same


def test_the_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Baselines survive the file, sorted by interpreter; a missing file holds none."""
    file = tmp_path / "baseline.json"
    assert read_baselines(file) == {}
    write_baselines(file, {"cpython-3.12": with_call(1.0), "cpython-3.11": BASELINE})
    assert list(read_baselines(file).items()) == [("cpython-3.11", BASELINE), ("cpython-3.12", with_call(1.0))]


def test_the_committed_baseline_is_whole() -> None:
    """Each set names an interpreter and holds figures above zero, for each work of the codec and for both wires."""
    baselines = read_baselines(BASELINE_FILE)
    assert baselines
    wanted = {name for name in WORKS if name != "calibration"}
    wanted |= {"http: a call", "http: a chunk alone", "grpc: a call", "grpc: a chunk alone"}
    held = {name.rpartition(", ")[0] for baseline in baselines.values() for name in baseline.figures}
    assert wanted <= held
    assert all(value > 0 for baseline in baselines.values() for value in baseline.figures.values())


def test_the_name_of_an_interpreter_has_its_minor_version() -> None:
    """Figures belong to an implementation, a minor version and a kind of processor."""
    assert re.fullmatch(rf"cpython-3\.{sys.version_info.minor}-\w+", name_interpreter())


@pytest.mark.parametrize(
    ("totals", "expected"),
    [("72890 16 331", (72890, 16)), ("72890 16", (72890, 16)), ("72890", (72890, 0)), ("0", (0, 0))],
)
def test_counts_are_read_from_callgrinds_file(totals: str, expected: tuple[int, int]) -> None:
    """The totals are instructions, system calls and their time; zeros at the end are left out."""
    text = FILE_OF_CALLGRIND.replace("totals: 72890 16 331", f"totals: {totals}")
    assert parse_counts(text, "http: a call") == Counts(instructions=expected[0], syscalls=expected[1])


@pytest.mark.parametrize("text", ["", FILE_OF_CALLGRIND.replace("http: a call", "http: another"), "totals: 1\n"])
def test_a_file_of_another_count_is_refused(text: str) -> None:
    """A count that was lost must not be taken for the next one."""
    with pytest.raises(ValueError, match="not the one of 'http: a call'"):
        parse_counts(text, "http: a call")


def test_the_payload_is_the_one_that_was_meant() -> None:
    """A request of 2 KB with two tools, an answer of 600 bytes, a chunk of 200 bytes."""
    request = make_request(stream=True)
    assert 1900 < len(request) < 2300
    assert len(orjson.loads(request)["tools"]) == 2
    assert 500 < len(make_answer()) < 800
    assert len(make_event()) == CHUNK_BYTES


@pytest.mark.parametrize("name", WORKS)
def test_every_work_does_something(name: str) -> None:
    """A work can be repeated, and answers the same."""
    assert WORKS[name]() == WORKS[name]()


def test_the_plan_is_the_one_that_was_meant() -> None:
    """All fifty endpoints may serve the request; the stable ones come first, and the ones that are out last."""
    request = make_codec().decode(ChatCompletionRequest, parse_json(make_request(stream=True)))
    tags = [endpoint.tag for endpoint in make_planning(request)()]
    assert len(set(tags)) == ENDPOINTS
    assert set(tags[-3:]) == {"p0", "p17", "p34"}
    assert not set(tags[:40]) & {"p0", "p10", "p20", "p30", "p40"}


def test_planning_is_told_beside_decoding() -> None:
    """The report says how many times the decoding a plan costs, and how many it may."""
    figures = {f"{DECODING}, instructions": 300_000.0, f"{PLANNING}, instructions": 1_050_000.0}
    told = format_share(figures, f"{PLANNING}, instructions", f"{DECODING}, instructions", most=6)
    assert told == f"  {PLANNING}, instructions are 3.50 times {DECODING}, instructions (at most 6)"


@pytest.mark.slow
def test_a_slowdown_is_seen_by_its_count(tmp_path: Path) -> None:
    """A loop beside the codec's work, of which nothing is left in the result, makes the count so much larger that the guard fails."""
    valgrind, compiler = require_program("valgrind"), require_program("cc")
    switch = tmp_path / "switch.so"
    source = ROOT / "bench" / "guard" / "switch.c"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", switch, source], check=True)
    options = ["--quiet", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={tmp_path / 'counts'}"]
    program = [sys.executable, "-c", COUNT_A_SLOWER_WORK, str(switch)]
    subprocess.run([valgrind, *options, *program], check=True, cwd=ROOT, timeout=120)
    ten, thirty, slower_ten, slower_thirty = (
        parse_counts((tmp_path / f"counts.{number}").read_text(encoding="utf-8"), "work").instructions
        for number in (1, 2, 3, 4)
    )
    judgement = report(compare({"a chunk": (thirty - ten) / 20}, {"a chunk": (slower_thirty - slower_ten) / 20}))
    assert judgement.failed
    assert "dearer" in judgement.text
