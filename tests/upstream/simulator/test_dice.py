# SPDX-License-Identifier: Apache-2.0
"""Draws that follow from a key."""

from trunkline_server.upstream.simulator.dice import WORDS, Dice


def test_the_same_key_gives_the_same_draws() -> None:
    """Draws repeat for equal keys and differ for others."""
    one, again, other = ([dice.below(10**6) for _ in range(3)] for dice in (Dice(b"a"), Dice(b"a"), Dice(b"b")))
    assert one == again != other


def test_draws_are_those_of_every_version() -> None:
    """The very numbers are fixed, since golden files hang on them."""
    dice = Dice(b"trunkline")
    assert (dice.below(100), dice.word(), dice.hex(8)) == (44, "zephyr", "9aa43091")


def test_children_do_not_move_their_parent() -> None:
    """A child's draws depend on its label, and the parent's do not depend on the child's."""
    dice, alone = Dice(b"a"), Dice(b"a")
    assert dice.child("x").hex(64) == dice.child("x").hex(64) != dice.child("y").hex(64)
    assert dice.hex(64) == alone.hex(64)


def test_draws_stay_in_range() -> None:
    """Numbers are below their bound, words are of the list."""
    dice = Dice(b"")
    assert {dice.below(3) for _ in range(50)} == {0, 1, 2}
    assert {dice.word() for _ in range(50)} <= set(WORDS)
