# SPDX-License-Identifier: Apache-2.0
"""A provider's stream that is cut after any byte: the client gets all of the answer, or is told that it did not. Never a silent truncation (P-10)."""

from collections.abc import Sequence

import pytest

from support.answer_cuts import make_codec, play
from support.fault_cuts import STREAM, TEXTS, outcome_of, row_of
from support.fault_gateway import cells_of, complaints, run_cells
from support.fault_rows import Breaks, Says
from trunkline_server.dialects.openai_chat import OpenAiChat
from trunkline_server.jsonshape import Codec

OFFSETS = range(len(STREAM) + 1)


@pytest.fixture(scope="module")
def codec() -> Codec:
    """The codec of the decoder."""
    return make_codec()


def decode(codec: Codec, blocks: Sequence[bytes]) -> tuple[str, bool]:
    """The text that comes out of the decoder, and whether it says that this was all."""
    outcome = play(OpenAiChat(codec).decoder(status=200, headers={"content-type": "text/event-stream"}), blocks)
    text = "".join(choice.delta.content for chunk in outcome.chunks for choice in chunk.choices)
    return text, outcome.error is None


def said(offset: int) -> tuple[str, bool]:
    """What must come out after so many bytes."""
    outcome = outcome_of(offset)
    return (outcome.text if isinstance(outcome, Breaks | Says) else ""), isinstance(outcome, Says)


def test_the_stream_is_about_one_kilobyte() -> None:
    """As the promise says; and its texts are in it."""
    assert 900 <= len(STREAM) <= 1300
    assert said(len(STREAM)) == ("".join(TEXTS), True)
    assert [said(offset)[1] for offset in OFFSETS] == sorted(said(offset)[1] for offset in OFFSETS)


def test_the_decoder_at_every_byte(codec: Codec) -> None:
    """The decoder hands out what was whole, and fails unless the finish had come; in one block, and byte by byte."""
    cuts = [STREAM[:offset] for offset in OFFSETS]
    assert [cut for cut in cuts if decode(codec, [cut]) != said(len(cut))] == []
    assert [cut for cut in cuts if decode(codec, [bytes([byte]) for byte in cut]) != said(len(cut))] == []


@pytest.mark.parametrize("offsets", [OFFSETS[::16], pytest.param(OFFSETS, marks=pytest.mark.slow)], ids=["some", "all"])
async def test_over_sockets(offsets: range) -> None:
    """The same at a running gateway, on both wires: what the client sees, what the upstream was asked, and the record."""
    cells = [cell for cell in cells_of(map(row_of, offsets)) if not cell.spare]
    results = await run_cells(cells)
    assert [complaint for result in results.values() for complaint in complaints(result)] == []


@pytest.mark.slow
async def test_over_sockets_with_another_endpoint() -> None:
    """A cut before the first content is made good by another endpoint; one after it is told, as without."""
    cells = [cell for cell in cells_of(map(row_of, OFFSETS[::8])) if cell.spare]
    results = await run_cells(cells)
    assert [complaint for result in results.values() for complaint in complaints(result)] == []
