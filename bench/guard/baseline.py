# SPDX-License-Identifier: Apache-2.0
"""The committed figures, one set for each minor version of Python, and what they were measured with."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from bench.guard.counted import ROOT

BASELINE_FILE: Final = Path(__file__).with_name("baseline.json")
_LOCK: Final = ROOT / "requirements" / "run.txt"
_SAME_BUILD: Final = 0.05
"""How far the calibration of one and the same build may be off, as a part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """Figures and where they are from.

    `calibration` is the number of instructions of work that has nothing of ours: by it two builds of one Python are told apart. `locked` is the SHA-256
    of requirements/run.txt.
    """

    interpreter: str
    valgrind: str
    locked: str
    calibration: float
    figures: Mapping[str, float]


def make_baseline(figures: Mapping[str, float], calibration: float) -> Baseline:
    """The baseline of what was measured just now, by this interpreter."""
    version = subprocess.run(["valgrind", "--version"], check=True, capture_output=True, text=True)
    return Baseline(
        interpreter=f"{platform.python_implementation()} {sys.version}".replace("\n", " "),
        valgrind=version.stdout.strip(),
        locked=hashlib.sha256(_LOCK.read_bytes()).hexdigest(),
        calibration=round(calibration),
        figures={name: round(value) if value >= 1000 else round(value, 1) for name, value in figures.items()},
    )


def name_interpreter() -> str:
    """Which set of figures is for this interpreter, such as cpython-3.11-x86_64."""
    return f"{sys.implementation.name}-{sys.version_info.major}.{sys.version_info.minor}-{platform.machine()}"


def read_baselines(path: Path) -> dict[str, Baseline]:
    """The baselines by the name of their interpreter; none where the file is missing."""
    if not path.exists():
        return {}
    return {name: Baseline(**fields) for name, fields in json.loads(path.read_text(encoding="utf-8")).items()}


def write_baselines(path: Path, baselines: Mapping[str, Baseline]) -> None:
    """Writes all baselines, sorted by interpreter."""
    fields = {name: asdict(baselines[name]) for name in sorted(baselines)}
    path.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")


def is_same_build(one: Baseline, other: Baseline) -> bool:
    """Whether the two interpreters need as many instructions for the same Python, so that their figures may be compared as they are."""
    return abs(other.calibration / one.calibration - 1) <= _SAME_BUILD
