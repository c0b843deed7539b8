# SPDX-License-Identifier: Apache-2.0
"""Google's models by their names."""

import pytest

from trunkline_server.dialects.gemini.families import family_of


@pytest.mark.parametrize(
    ("model", "levels", "budget", "can_stop", "is_current"),
    [
        ("gemini-1.5-flash-002", (), None, False, False),
        ("gemini-2.0-flash", (), None, False, False),
        ("gemma-3-27b-it", (), None, False, False),
        ("gemini-2.5-flash-image", (), None, False, False),
        ("gemini-2.5-pro", (), (128, 32_768), False, False),
        ("gemini-2.5-flash", (), (1, 24_576), True, False),
        ("gemini-2.5-flash-lite-preview-09-2025", (), (512, 24_576), True, False),
        ("models/Gemini-2.5-Flash", (), (1, 24_576), True, False),
        ("gemini-3-pro-image", ("high",), None, False, True),
        ("gemini-3-pro-preview", ("low", "high"), None, False, True),
        ("gemini-3.1-pro-preview", ("low", "medium", "high"), None, False, True),
        ("gemini-3-flash-preview", ("minimal", "low", "medium", "high"), None, False, True),
        ("gemini-3.5-flash-lite", ("minimal", "low", "medium", "high"), None, False, True),
        ("gemini-3.7-flash", ("low", "medium", "high"), None, False, True),
        ("gemini-flash-latest", ("low", "medium", "high"), None, False, True),
        ("gemini-4-pro", ("low", "medium", "high"), None, False, True),
    ],
)
def test_families(
    model: str, levels: tuple[str, ...], budget: tuple[int, int] | None, can_stop: bool, is_current: bool
) -> None:
    """A name tells how its model is told to think; an unknown one is taken for a newer model."""
    family = family_of(model)
    found = (family.levels, family.budget, family.can_stop_thinking, family.is_current)
    assert found == (levels, budget, can_stop, is_current)
    assert family.thinks == bool(levels or budget)
