# SPDX-License-Identifier: Apache-2.0
"""docs/providers.md is made from the shipped rows."""

from support.golden import Golden
from support.source_tree import ROOT
from trunkline_server.catalog.load import list_builtin
from trunkline_server.catalog.page import render_providers_page


def test_the_page_is_current(golden: Golden) -> None:
    """The committed page is what the rows make; `make golden` writes it anew."""
    Golden(folder=ROOT / "docs", update=golden.update).check_text("providers.md", render_providers_page())


def test_the_page_has_every_provider() -> None:
    """Each shipped provider but the simulator has its line."""
    page = render_providers_page()
    assert [name for name in list_builtin() if f"| `{name}` |" not in page] == ["simulator"]
