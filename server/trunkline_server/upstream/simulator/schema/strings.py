# SPDX-License-Identifier: Apache-2.0
"""Texts that a schema's string keywords allow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from trunkline_server.upstream.simulator.body import Json
from trunkline_server.upstream.simulator.dice import Dice
from trunkline_server.upstream.simulator.schema.pattern import parse_pattern, pattern_found
from trunkline_server.upstream.simulator.schema.pattern_text import write_match
from trunkline_server.upstream.simulator.schema.steps import Steps

_STRETCH: Final = 8
"""How much longer than it must be a text may get."""
_VARIED: Final = 256
"""Longer texts repeat themselves."""
_TRIES: Final = 3
_HEX_DIGITS: Final = "0123456789abcdef"


def write_text(node: Mapping[str, Json], dice: Dice, steps: Steps) -> str | None:
    """A text that fits pattern, format, minLength and maxLength; None where none was found.

    A format that is not in FORMATS is an annotation here: whether it is refused was decided when the schema was checked.
    """
    low, high = node.get("minLength", 0), node.get("maxLength")
    for text in _candidates(node, low, high, dice, steps):
        steps.spend(1 + len(text) // 8)
        if low <= len(text) and (high is None or len(text) <= high) and _pattern_fits(node, text, steps):
            return text
    return None


def _pattern_fits(node: Mapping[str, Json], text: str, steps: Steps) -> bool:
    if "pattern" not in node:
        return True
    steps.spend(len(node["pattern"]) // 8)
    return pattern_found(parse_pattern(node["pattern"], "pattern"), text, steps)


def _candidates(node: Mapping[str, Json], low: int, high: int | None, dice: Dice, steps: Steps) -> Iterator[str]:
    if node.get("format") in FORMATS:
        write = FORMATS[node["format"]]
        for _ in range(_TRIES):
            label = dice.hex(16)  # the longer text has the same words
            plain = write(dice.child(label), 0)
            yield plain
            yield write(dice.child(label), max(low - len(plain), 0))
    elif "pattern" in node:
        yield from _pattern_candidates(node["pattern"], low, high, dice, steps)
    else:
        steps.spend(low // 8)
        yield _prose(low, high, dice)


def _pattern_candidates(pattern: str, low: int, high: int | None, dice: Dice, steps: Steps) -> Iterator[str]:
    steps.spend(len(pattern) // 8)
    tree = parse_pattern(pattern, "pattern")
    least = max(low, tree.shortest)
    most = min(limit for limit in (high, tree.longest, least + _STRETCH) if limit is not None)
    lengths = range(least, most + 1) if least <= most else range(tree.shortest, tree.shortest + 1)
    start = dice.below(len(lengths))
    for position in range(len(lengths) * _TRIES):
        length = lengths[(start + position) % len(lengths)]
        text = write_match(tree, length - tree.shortest, dice, steps)
        if text is None:
            continue
        yield text
        missing = low - len(text)
        if missing > 0:  # a pattern without anchors may stand inside a longer text
            steps.spend(missing // 8)
            yield text + "x" * missing
            yield "x" * missing + text


def _prose(low: int, high: int | None, dice: Dice) -> str:
    text = dice.word()
    while len(text) < min(low, _VARIED) or (len(text) < low + _STRETCH and dice.below(2)):
        text += " " + dice.word()
    if len(text) < low:
        text = (text + " ") * (low // len(text) + 1)
        text = text[:low]
    return text if high is None else text[:high]


def _date(dice: Dice, _: int) -> str:
    return f"20{10 + dice.below(80)}-{1 + dice.below(12):02}-{1 + dice.below(28):02}"


def _time(dice: Dice, _: int) -> str:
    return f"{dice.below(24):02}:{dice.below(60):02}:{dice.below(60):02}Z"


def _uuid(dice: Dice, _: int) -> str:
    digits = dice.hex(32)
    variant = _HEX_DIGITS[8 + dice.below(4)]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _hostname(dice: Dice, pad: int) -> str:
    labels = ["x" * min(pad - start, 60) for start in range(0, pad, 60)]  # a label has at most 63 characters
    return ".".join([*labels, dice.word(), "example.com"])


FORMATS: Final[Mapping[str, Callable[[Dice, int], str]]] = {
    "date": _date,
    "time": _time,
    "date-time": lambda dice, pad: f"{_date(dice, pad)}T{_time(dice, pad)}",
    "duration": lambda dice, _: f"P{1 + dice.below(30)}DT{1 + dice.below(23)}H",
    "email": lambda dice, pad: f"{dice.word()}{'x' * pad}@example.com",
    "hostname": _hostname,
    "ipv4": lambda dice, _: f"192.0.2.{1 + dice.below(254)}",
    "ipv6": lambda dice, _: f"2001:db8::{1 + dice.below(0xFFFF):x}",
    "uuid": _uuid,
    "uri": lambda dice, pad: f"https://{dice.word()}.example.com/{dice.word()}{'x' * pad}",
}
"""Format to what writes a text of it, at least so many characters longer than the usual one where the format can stretch.

Names and addresses are those that RFC 2606, RFC 3849 and RFC 5737 set aside for examples.
"""
