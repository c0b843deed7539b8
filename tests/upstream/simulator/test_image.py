# SPDX-License-Identifier: Apache-2.0
"""PNG files."""

import struct
import zlib

from trunkline_server.upstream.simulator.dice import Dice
from trunkline_server.upstream.simulator.image import SIDE, data_url, draw_png
from trunkline_server.upstream.simulator.vision import image_size


def read_chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """The chunks of a PNG, after checking their sums."""
    chunks, at = [], 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        name, content, checksum = (
            png[at + 4 : at + 8],
            png[at + 8 : at + 8 + length],
            png[at + 8 + length : at + 12 + length],
        )
        assert zlib.crc32(name + content) == int.from_bytes(checksum, "big")
        chunks.append((name, content))
        at += 12 + length
    return chunks


def test_pictures_are_well_formed() -> None:
    """The chunks are the four that are due, and the pixels are as many as the header says."""
    png = draw_png(Dice(b"x"))
    chunks = dict(read_chunks(png))
    assert list(chunks) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    assert image_size(png) == (SIDE, SIDE)
    assert len(chunks[b"PLTE"]) == 6
    assert len(zlib.decompress(chunks[b"IDAT"])) == SIDE * (SIDE + 1)


def test_pictures_follow_from_the_dice() -> None:
    """The same dice draw the same bytes, and others draw others."""
    assert draw_png(Dice(b"x")) == draw_png(Dice(b"x")) != draw_png(Dice(b"y"))


def test_data_urls_hold_the_bytes() -> None:
    """The URL names the type and holds base64."""
    assert data_url(b"\0\xff") == "data:image/png;base64,AP8="
