# SPDX-License-Identifier: Apache-2.0
"""Each row of the hostile table is tested, or says what it waits for."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from hostile.waiting import WAITING

ROWS = frozenset(f"H{number:02}" for number in range(1, 96))
FOLDER = Path(__file__).resolve().parent
NOT_A_ROW = Path(__file__).name
ROW = re.compile(r"(?:_|\[|-)[Hh](\d\d)(?!\d)")


@pytest.fixture(scope="module")
def test_ids() -> Sequence[str]:
    """The ids of all tests of this folder, whatever part of them this run was asked for."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", str(FOLDER)]
    listed = subprocess.run(command, cwd=FOLDER.parent.parent, capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if "::" in line and NOT_A_ROW not in line]


def test_every_test_names_its_row(test_ids: Sequence[str]) -> None:
    """A test's id holds the number of the row that it tests."""
    assert [name for name in test_ids if not ROW.search(name)] == []


def test_every_row_is_tested_or_waits(test_ids: Sequence[str]) -> None:
    """All rows but those that wait wholly are tested; those that wait are not claimed to be."""
    tested = {f"H{number}" for name in test_ids for number in ROW.findall(name)}
    assert tested == ROWS - {row.number for row in WAITING if not row.partly}


def test_the_waiting_rows_are_rows() -> None:
    """Each waiting row is one of the table, stands once and in order."""
    numbers = [row.number for row in WAITING]
    assert numbers == sorted(set(numbers) & ROWS)
