# SPDX-License-Identifier: Apache-2.0
"""Compares what the hot path costs with the committed baseline: `make guard`. With --update the baseline becomes what it costs now: `make guard-update`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Mapping
from typing import Final

from bench.guard.baseline import (
    BASELINE_FILE,
    Baseline,
    is_same_build,
    make_baseline,
    name_interpreter,
    read_baselines,
    write_baselines,
)
from bench.guard.compare import Report, compare, format_share, format_table, report
from bench.guard.measure import CALIBRATION, measure
from bench.guard.works import DECODING, PLANNING

_PROGRAMS: Final = ("valgrind", "cc")
_MOST_PLANNING: Final = 6
"""How many times the decoding of a request its planning may cost."""


def main() -> int:
    """The exit status: 1 where a figure is dearer than it may be, or where CI lacks a program."""
    parser = argparse.ArgumentParser(prog="bench.guard", description=__doc__)
    parser.add_argument("--update", action="store_true", help="write the baseline of this interpreter anew")
    update = parser.parse_args().update
    if missing := [name for name in _PROGRAMS if shutil.which(name) is None]:
        print(f"guard: nothing was compared, this machine lacks {' and '.join(missing)}")
        return int(update or os.environ.get("REQUIRE_TOOLCHAINS") == "1")
    name, baselines = name_interpreter(), read_baselines(BASELINE_FILE)
    if not update and name not in baselines:
        print(f"guard: nothing was compared: no baseline for {name}, only for {', '.join(baselines) or 'none'}")
        return 0
    figures = measure()
    now = make_baseline(figures, figures.pop(CALIBRATION))
    if update:
        before = baselines[name].figures if name in baselines else now.figures
        print(format_table(compare(before, now.figures)))
        write_baselines(BASELINE_FILE, {**baselines, name: now})
        print(f"guard: wrote {BASELINE_FILE.name}; the commit's body says why")
        return 0
    judgement = judge(baselines[name], now, os.environ)
    print(judgement.text)
    print(format_share(now.figures, f"{PLANNING}, instructions", f"{DECODING}, instructions", most=_MOST_PLANNING))
    return int(judgement.failed)


def judge(baseline: Baseline, now: Baseline, environment: Mapping[str, str]) -> Report:
    """Compares under the same interpreter; under another build of its version in CI alone, where somebody else chose it. What differs is said."""
    notes = []
    if baseline.locked != now.locked:
        notes.append(
            "guard: requirements/run.txt has changed since the baseline; a difference may come from a library."
        )
    if not is_same_build(baseline, now):
        ratio = now.calibration / baseline.calibration
        notes.append(
            f"guard: another build of Python, which needs {ratio:.2f} times the baseline's instructions for the same work.\n"
            f"  baseline  {baseline.interpreter}, {baseline.valgrind}\n  now       {now.interpreter}, {now.valgrind}"
        )
        if environment.get("CI") != "true":
            return Report(text="\n".join([*notes, "guard: nothing was compared."]), failed=False)
    compared = report(compare(baseline.figures, now.figures))
    return Report(text="\n".join([*notes, compared.text]), failed=compared.failed)


if __name__ == "__main__":
    sys.exit(main())
