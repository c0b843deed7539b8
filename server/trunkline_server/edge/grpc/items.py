# SPDX-License-Identifier: Apache-2.0
"""How many fields and items a message has, counted in its encoding before anything is built from it.

An empty message takes two bytes, so 32 MiB may hold sixteen million of them, each many times as large once it is parsed. Only messages that are long
enough to hold too many are counted, and the count stops at the limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from google.protobuf.descriptor import Descriptor

_SMALLEST_ITEM: Final = 2
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_MORE, _LAST_SHIFT = 0x80, 63
_GROUPS: Final = frozenset({3, 4})


def has_more_items(raw: bytes, descriptor: Descriptor, limit: int) -> bool:
    """Whether a message in protobuf's encoding has more than `limit` fields and items in all. Of bytes that are no message, what can be read is counted."""
    if len(raw) < limit * _SMALLEST_ITEM:
        return False
    try:
        return _exceeds(raw, descriptor, limit)
    except IndexError:  # cut short, which the parser will say
        return False


def _exceeds(raw: bytes, descriptor: Descriptor, limit: int) -> bool:
    inner: dict[str, Mapping[int, Descriptor]] = {}
    waiting = [(0, len(raw), descriptor)]
    count = 0
    while waiting:
        place, end, message = waiting.pop()
        held = inner.get(message.full_name)
        if held is None:
            held = inner[message.full_name] = _messages_in(message)
        step = 0 if message.GetOptions().map_entry else 1
        while place < end:
            count += step
            if count > limit:
                return True
            tag, place = _read_varint(raw, place)
            kind = tag & 7
            if kind == _LENGTH:
                size, place = _read_varint(raw, place)
                if (field := held.get(tag >> 3)) is not None:
                    waiting.append((place, min(place + size, end), field))
                place += size
            elif kind == _VARINT:
                _, place = _read_varint(raw, place)
            elif kind in (_FIXED64, _FIXED32):
                place += 8 if kind == _FIXED64 else 4
            elif kind not in _GROUPS:
                return False
    return False


def _messages_in(message: Descriptor) -> Mapping[int, Descriptor]:
    """The fields that hold messages, by number. Of a map's entry its value counts, and the entry once, as in JSON; one of scalars is not looked into."""
    held = ((field.number, field.message_type) for field in message.fields)
    return {number: inner for number, inner in held if inner is not None and not _is_plain_entry(inner)}


def _is_plain_entry(message: Descriptor) -> bool:
    return bool(message.GetOptions().map_entry) and message.fields_by_name["value"].message_type is None


def _read_varint(raw: bytes, place: int) -> tuple[int, int]:
    """A number of at most ten bytes, and the place after it. Raises IndexError where the bytes end in it."""
    byte = raw[place]
    if byte < _MORE:
        return byte, place + 1
    value = shift = 0
    while True:
        value |= (byte & ~_MORE) << shift
        place, shift = place + 1, shift + 7
        if byte < _MORE or shift > _LAST_SHIFT:
            return value, place
        byte = raw[place]
