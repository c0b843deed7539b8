# SPDX-License-Identifier: Apache-2.0
"""Each row of the fault matrix is tested, or says what it waits for."""

import re
from pathlib import Path

import pytest

from faults.waiting import ELSEWHERE, WAITING
from support.fault_answers import ANSWERS
from support.fault_gateway import cells_of
from support.fault_rows import TRANSPORT, Breaks, Fails

FOLDER = Path(__file__).resolve().parent
ROWS = frozenset(f"F{number:02}" for number in range(1, 74))
IN_THE_MATRIX = frozenset(row.number for row in (*TRANSPORT, *ANSWERS)) & ROWS
OF_THE_WAY = frozenset(re.findall(r"\bF\d\d\b", (FOLDER / "test_ways.py").read_text(encoding="utf-8")))
BOTH_SIDES_OF_THE_FIRST_TOKEN = frozenset({"F07", "F11", "F12", "F13", "F22", "F25", "F26", "F37", "F39", "F49"})


def test_every_row_is_tested_or_waits() -> None:
    """All rows but those that wait wholly are tested here or elsewhere; those that wait wholly are not claimed to be."""
    tested = IN_THE_MATRIX | OF_THE_WAY | set(ELSEWHERE)
    assert tested == ROWS - {row.number for row in WAITING if not row.partly}


def test_the_waiting_rows_are_rows() -> None:
    """Each waiting row is one of the table, stands once and in order."""
    numbers = [row.number for row in WAITING]
    assert numbers == sorted(set(numbers) & ROWS)


@pytest.mark.parametrize("number", ELSEWHERE)
def test_what_is_tested_elsewhere_is_there(number: str) -> None:
    """The test that shows a row exists."""
    path, name = ELSEWHERE[number]
    assert f"def {name}(" in (FOLDER.parent / path).read_text(encoding="utf-8")


def test_faults_after_the_first_token_are_tested_on_both_sides_of_it() -> None:
    """Rows whose fault may come before or after the first content have both, alone and with another endpoint, on both wires."""
    cells = list(cells_of((*TRANSPORT, *ANSWERS)))
    before = {(cell.row.number, cell.wire, cell.spare) for cell in cells if isinstance(cell.row.outcome, Fails)}
    after = {(cell.row.number, cell.wire, cell.spare) for cell in cells if isinstance(cell.row.outcome, Breaks)}
    wanted = {
        (number, wire, spare)
        for number in BOTH_SIDES_OF_THE_FIRST_TOKEN
        for wire in ("http", "grpc")
        for spare in (False, True)
    }
    assert wanted <= before & after


def test_each_cell_has_a_name_of_its_own() -> None:
    """The upstream tells cells apart by the model's name."""
    names = [cell.model for cell in cells_of((*TRANSPORT, *ANSWERS))]
    assert len(names) == len(set(names))
