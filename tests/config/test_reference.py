# SPDX-License-Identifier: Apache-2.0
"""docs/configuration.md is made from the settings."""

from support.golden import Golden
from support.source_tree import ROOT
from trunkline_server.config.reference import render_reference
from trunkline_server.config.scalars import find_scalars


def test_the_page_is_current(golden: Golden) -> None:
    """The committed page is what the settings make; `make golden` writes it anew."""
    Golden(folder=ROOT / "docs", update=golden.update).check_text("configuration.md", render_reference())


def test_the_page_has_every_setting() -> None:
    """Each setting of one value stands there with its flag and its variable."""
    page = render_reference()
    assert [scalar.name for scalar in find_scalars() if f"| `{scalar.flag}` | `{scalar.variable}` |" not in page] == []
