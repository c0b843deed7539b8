# SPDX-License-Identifier: Apache-2.0
"""docs/errors.md is made from the error vocabulary."""

import pytest

from support.golden import Golden
from support.source_tree import CLIENT, ROOT
from trunkline.v1.error_pb2 import ErrorReason, Recourse
from trunkline_server.core.error_page import render_page
from trunkline_server.core.errors import ERROR_SHAPES, reason_name
from trunkline_server.jsonshape.openapi_comments import read_comments

REASONS = [ErrorReason.ValueType(number) for number in ERROR_SHAPES]


@pytest.fixture(scope="module")
def page() -> str:
    """The page as the vocabulary makes it."""
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    return render_page(read_comments(FileDescriptorSet.FromString((CLIENT / "descriptors.binpb").read_bytes())))


def test_the_page_is_current(golden: Golden, page: str) -> None:
    """The committed page is what the vocabulary makes; `make golden` writes it anew."""
    Golden(folder=ROOT / "docs", update=golden.update).check_text("errors.md", page)


@pytest.mark.parametrize("reason", REASONS, ids=reason_name)
def test_each_reason_has_its_row(page: str, reason: "ErrorReason.ValueType") -> None:
    """A reason stands there once, with its meaning, both codes and its word."""
    shape = ERROR_SHAPES[reason]
    (row,) = (line for line in page.splitlines() if line.startswith(f"| `{reason_name(reason)}` |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert len(cells) == 8
    assert cells[1].endswith(".")
    assert cells[3:5] == [str(shape.http_status), f"`{shape.error_type}`"]


def test_each_recourse_has_a_word(page: str) -> None:
    """Every recourse that a reason has is told in words."""
    used = {shape.recourse for shape in ERROR_SHAPES.values()}
    assert used == set(Recourse.values()) - {Recourse.RECOURSE_UNSPECIFIED}
