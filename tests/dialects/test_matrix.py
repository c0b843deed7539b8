# SPDX-License-Identifier: Apache-2.0
"""The golden matrix: each dialect, each scenario, whole and streamed, with the exact JSON towards the provider and towards the client.

tests/golden/matrix holds what is expected; `make golden` writes it anew. A dialect that cannot say something refuses it, and that stands in the file, too.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.answer_cuts import tell
from support.dialect_matrix import CELLS, Cell, fold, tell_cell
from support.golden import Golden

ANSWERED = [cell for cell in CELLS if cell.recording is not None]
CUT = [cell for cell in ANSWERED if not cell.is_over_grpc]
"""Those whose answers the network may cut anywhere."""


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_the_matrix(cell: Cell, golden: Golden) -> None:
    """What the provider gets, what is lost on the way, and what the client gets are as recorded."""
    golden.check_json(cell.golden, tell_cell(cell))


@pytest.mark.parametrize("cell", CUT, ids=str)
def test_byte_by_byte(cell: Cell) -> None:
    """An answer that comes in single bytes is the same answer."""
    body = cell.answer()
    whole, split = cell.play([body]), cell.play([body[place : place + 1] for place in range(len(body))])
    assert fold(split) == fold(whole)
    assert split.essence[1] == whole.essence[1]


@given(cell=st.sampled_from(CUT), data=st.data())
def test_any_split(cell: Cell, data: st.DataObject) -> None:
    """So is one that the network cuts anywhere."""
    body = cell.answer()
    places = sorted(data.draw(st.sets(st.integers(1, len(body) - 1), max_size=8)))
    blocks = [body[begin:end] for begin, end in zip([0, *places], [*places, len(body)], strict=True)]
    whole, split = cell.play([body]), cell.play(blocks)
    assert fold(split) == fold(whole)
    assert split.essence[1] == whole.essence[1]


@pytest.mark.parametrize("cell", [cell for cell in ANSWERED if not cell.streamed], ids=str)
def test_whole_and_streamed_say_the_same(cell: Cell) -> None:
    """The two forms of one answer say the same text, reasoning, calls and usage; both failed, or neither."""
    streamed = Cell(dialect=cell.dialect, scenario=cell.scenario, streamed=True)
    one, other = cell.play(cell.blocks()), streamed.play(streamed.blocks())
    assert tell(one) == tell(other) or (one.error is not None and other.error is not None)
