# SPDX-License-Identifier: Apache-2.0
"""The fault matrix: what a provider does × {stream, whole} × {HTTP, gRPC} × {alone, with another endpoint}, at a running gateway over real sockets."""

from collections.abc import Mapping, Sequence

import pytest

from support.fault_answers import ANSWERS
from support.fault_gateway import Cell, cells_of, complaints, run_cells
from support.fault_rows import TRANSPORT

ROWS = (*TRANSPORT, *ANSWERS)
SMALL = [cell for cell in cells_of(ROWS) if not cell.row.large]
LARGE = [cell for cell in cells_of(ROWS) if cell.row.large]


@pytest.fixture(scope="module")
async def found() -> Mapping[str, Sequence[str]]:
    """What is wrong with each cell, by its model."""
    results = {**await run_cells(SMALL), **await run_cells(LARGE, at_once=4)}
    return {model: complaints(result) for model, result in results.items()}


@pytest.mark.parametrize("cell", [*SMALL, *LARGE], ids=lambda cell: cell.model)
def test_cell(cell: Cell, found: Mapping[str, Sequence[str]]) -> None:
    """What the client sees, what the upstream was asked, and the record are as the row says."""
    assert found[cell.model] == []
