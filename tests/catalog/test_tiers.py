# SPDX-License-Identifier: Apache-2.0
"""The words for service tiers."""

import pytest

from trunkline_server.catalog.tiers import served_tier


@pytest.mark.parametrize(
    ("word", "tier"),
    [
        ("default", "default"),
        ("standard", "default"),
        ("on_demand", "default"),
        ("priority", "priority"),
        ("fast", "priority"),
        ("flex", "flex"),
        ("auto", None),
        ("scale", None),
        ("", None),
    ],
)
def test_what_was_served(word: str, tier: str | None) -> None:
    """A provider's word means a tier with a price, or says nothing of one."""
    assert served_tier(word) == tier
