# SPDX-License-Identifier: Apache-2.0
"""Texts for string keywords."""

from typing import Any

import pytest

from trunkline_server.upstream.simulator.dice import Dice
from trunkline_server.upstream.simulator.schema.steps import Steps
from trunkline_server.upstream.simulator.schema.strings import write_text


def draw(node: dict[str, Any]) -> set[str | None]:
    """What twenty dice write."""
    return {write_text(node, Dice(b"%d" % seed), Steps()) for seed in range(20)}


@pytest.mark.parametrize(
    ("node", "low", "high"),
    [
        ({}, 1, 40),
        ({"minLength": 100}, 100, 130),
        ({"minLength": 3000, "maxLength": 3000}, 3000, 3000),
        ({"maxLength": 2}, 2, 2),
        ({"pattern": "^[a-z]*$", "minLength": 5, "maxLength": 7}, 5, 7),
        ({"pattern": "^(ab)*$", "minLength": 5, "maxLength": 6}, 6, 6),
        ({"pattern": "a$", "minLength": 9}, 9, 9),
        ({"pattern": "^a", "minLength": 9}, 9, 9),
        ({"format": "uri", "minLength": 80}, 80, 120),
        ({"format": "hostname", "minLength": 150}, 150, 200),
        ({"format": "unheard-of", "minLength": 4}, 4, 40),
    ],
)
def test_lengths_are_kept(node: dict[str, Any], low: int, high: int) -> None:
    """Texts are as long as they must and may be."""
    assert {low <= len(text or "") <= high for text in draw(node)} == {True}


@pytest.mark.parametrize(
    "node",
    [
        {"minLength": 2, "maxLength": 1},
        {"format": "date", "maxLength": 9},
        {"format": "ipv4", "minLength": 20},
        {"pattern": "^a$", "minLength": 2},
        {"format": "uuid", "pattern": "z"},
    ],
)
def test_what_cannot_be_is_not_written(node: dict[str, Any]) -> None:
    """None says that nothing was found."""
    assert draw(node) == {None}


@pytest.mark.parametrize("node", [{}, {"format": "email"}, {"pattern": "^(red|green|blue)$"}, {"pattern": "[a-z]{3,}"}])
def test_draws_differ(node: dict[str, Any]) -> None:
    """Other dice write other texts."""
    assert len(draw(node)) > 1
