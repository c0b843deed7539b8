# SPDX-License-Identifier: Apache-2.0
"""Texts that match a pattern, of a wanted length where the pattern can stretch to it."""

from __future__ import annotations

from typing import Final

from trunkline_server.upstream.simulator.dice import Dice
from trunkline_server.upstream.simulator.schema.pattern import Anchor, Chars, Choice, Part, Repeat, Sequence
from trunkline_server.upstream.simulator.schema.steps import Steps

_SURROGATES: Final = (0xD800, 0xDFFF)
_LIKED: Final = ((97, 122), (48, 57), (65, 90), (32, 126))
"""Small letters, digits, capitals, then all of printable ASCII: the first of these that a class shares is drawn from."""


def write_match(part: Part, room: int, dice: Dice, steps: Steps) -> str | None:
    """A text that the part matches, up to `room` characters longer than its shortest; None where a class holds no character.

    Anchors write nothing: whether the whole matches is for the caller to see.
    """
    steps.spend()
    if isinstance(part, Chars):
        return _write_character(part, dice)
    if isinstance(part, Anchor):
        return ""
    if isinstance(part, Sequence):
        return _write_sequence(part, room, dice, steps)
    if isinstance(part, Choice):
        spare = room + part.shortest
        option = dice.pick([option for option in part.options if option.shortest <= spare])
        return write_match(option, spare - option.shortest, dice, steps)
    return _write_repeat(part, room, dice, steps)


def _write_sequence(part: Sequence, room: int, dice: Dice, steps: Steps) -> str | None:
    pieces = []
    for item in part.parts:
        piece = write_match(item, room, dice, steps)
        if piece is None:
            return None
        room -= len(piece) - item.shortest
        pieces.append(piece)
    return "".join(pieces)


def _write_repeat(part: Repeat, room: int, dice: Dice, steps: Steps) -> str | None:
    pieces: list[str] = []
    while len(pieces) < part.low:
        piece = write_match(part.part, room, dice, steps)
        if piece is None:
            return None
        room -= len(piece) - part.part.shortest
        pieces.append(piece)
    while room >= max(part.part.shortest, 1) and (part.high is None or len(pieces) < part.high):
        piece = write_match(part.part, room - part.part.shortest, dice, steps)
        if not piece:
            break
        room -= len(piece)
        pieces.append(piece)
    return "".join(pieces)


def _write_character(part: Chars, dice: Dice) -> str | None:
    for liked in (*_LIKED, (0, _SURROGATES[0] - 1), (_SURROGATES[1] + 1, 0x10FFFF)):
        shared = [(max(low, liked[0]), min(high, liked[1])) for low, high in part.ranges]
        shared = [(low, high) for low, high in shared if low <= high]
        if shared:
            low, high = dice.pick(shared)
            return chr(low + dice.below(high - low + 1))
    return None
