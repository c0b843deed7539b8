# SPDX-License-Identifier: Apache-2.0
"""Small PNG files that follow from dice, byte for byte (PNG, third edition, W3C 2025)."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Final

from trunkline_server.upstream.simulator.dice import Dice

SIDE: Final = 16
"""Width and height in pixels."""


def draw_png(dice: Dice) -> bytes:
    """A picture of two colours, mirrored left to right. It is not compressed, because compressed bytes differ between versions of zlib."""
    colours = bytes(dice.below(256) for _ in range(6))
    rows = []
    for _ in range(SIDE):
        left = bytes(dice.below(2) for _ in range(SIDE // 2))
        rows.append(b"\0" + left + left[::-1])  # each row begins with its filter: none
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 3, 0, 0, 0)  # 8 bits a pixel, colours from the palette
    pixels = zlib.compress(b"".join(rows), 0)
    chunks = ((b"IHDR", header), (b"PLTE", colours), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def data_url(png: bytes) -> str:
    """The picture as a URL that holds it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
