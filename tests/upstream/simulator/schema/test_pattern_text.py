# SPDX-License-Identifier: Apache-2.0
"""Writing texts that match."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.schemas import PATTERNS
from trunkline_server.upstream.simulator.dice import Dice
from trunkline_server.upstream.simulator.schema.pattern import parse_pattern, pattern_found
from trunkline_server.upstream.simulator.schema.pattern_text import write_match
from trunkline_server.upstream.simulator.schema.steps import Steps


@pytest.mark.parametrize("pattern", PATTERNS)
@given(room=st.integers(0, 20), seed=st.binary(max_size=3))
def test_texts_match_and_keep_to_their_room(pattern: str, room: int, seed: bytes) -> None:
    """What is written matches, and is at most as long as was allowed."""
    tree = parse_pattern(pattern, "p")
    text = write_match(tree, room, Dice(seed), Steps())
    assert text is not None
    assert pattern_found(tree, text, Steps())
    assert tree.shortest <= len(text) <= tree.shortest + room


@pytest.mark.parametrize(
    ("pattern", "room", "length"),
    [
        ("a", 5, 1),
        ("a*", 5, 5),
        ("a+b", 5, 7),
        ("(ab){2,}", 5, 8),
        ("a{2,3}", 5, 3),
        ("(a|bbb)", 0, 1),
        ("x(a*)*", 4, 5),
        ("(a?)*", 3, 3),
    ],
)
def test_room_is_used_where_the_pattern_stretches(pattern: str, room: int, length: int) -> None:
    """Repeats grow into the room, as far as their unit divides it."""
    assert len(write_match(parse_pattern(pattern, "p"), room, Dice(b"x"), Steps()) or "") == length


@pytest.mark.parametrize(
    ("pattern", "text"), [(r"[^\s\S]", None), (r"[^\s\S]*", ""), (r"a[^\s\S]", None), ("[\u00e9]", "é"), ("", "")]
)
def test_classes_without_characters_write_nothing(pattern: str, text: str | None) -> None:
    """A class that holds no character cannot be written; one that holds no usual one can."""
    assert write_match(parse_pattern(pattern, "p"), 0, Dice(b"x"), Steps()) == text
