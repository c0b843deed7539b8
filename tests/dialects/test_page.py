# SPDX-License-Identifier: Apache-2.0
"""docs/dialects.md is made from the dialects' accounts."""

from support.golden import Golden
from support.source_tree import ROOT
from trunkline_server.dialects.account import FIELDS, SENT, clamped, dropped, renamed
from trunkline_server.dialects.page import render_page
from trunkline_server.dialects.registry import ACCOUNTS


def test_the_page_is_current(golden: Golden) -> None:
    """The committed page is what the accounts make; `make golden` writes it anew."""
    Golden(folder=ROOT / "docs", update=golden.update).check_text("dialects.md", render_page(ACCOUNTS))


def test_the_page_has_every_field_once() -> None:
    """Each field stands in a row of one table, with a cell for each dialect."""
    account = dict.fromkeys(FIELDS, SENT)
    rows = [
        line for line in render_page({"one": account, "two": account}).splitlines() if line.endswith("| sent | sent |")
    ]
    assert len(rows) == len(FIELDS)


def test_cells() -> None:
    """A cell says what becomes of the field, under which name or within which range, and why."""
    account = {
        **dict.fromkeys(FIELDS, SENT),
        "stop": renamed("stop_sequences", "no blanks"),
        "seed": dropped("it has no seed | none"),
        "temperature": clamped("0 to 1"),
    }
    page = render_page({"one": account})
    assert "| `stop` | renamed: `stop_sequences`; no blanks |" in page
    assert "| `seed` | dropped: it has no seed \\| none |" in page
    assert "| `temperature` | clamped to 0 to 1 |" in page
