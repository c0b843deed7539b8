# SPDX-License-Identifier: Apache-2.0
"""Describing parts."""

import base64
from typing import Any

import pytest

from support.simulator import ask_refused, ask_text
from trunkline_server.upstream.simulator.dice import Dice
from trunkline_server.upstream.simulator.image import data_url, draw_png
from trunkline_server.upstream.simulator.vision import image_size

GIF = b"GIF89a" + bytes([3, 0, 2, 1])
JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc2\x00\x11\x08\x00\x20\x00\x40" + b"\0" * 10
PNG_URL = data_url(draw_png(Dice(b"")))


def image(url: str) -> dict[str, Any]:
    """An image part."""
    return {"type": "image_url", "image_url": {"url": url}}


def encode(content: bytes, kind: str) -> str:
    """A data URL."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ({"type": "text", "text": "hé🙂"}, "text: 3 characters"),
        (image(PNG_URL), f"image: image/png, 16x16, {len(draw_png(Dice(b'')))} bytes"),
        (image(encode(GIF, "image/gif")), "image: image/gif, 3x258, 10 bytes"),
        (image(encode(JPEG, "image/jpeg")), "image: image/jpeg, 64x32, 27 bytes"),
        (image(encode(b"RIFF", "image/webp")), "image: image/webp, 4 bytes"),
        (image("DATA:,a%20b"), "image: text/plain, 3 bytes"),
        (image("data:,%4g%é%2"), "image: text/plain, 8 bytes"),
        (image("data:x/y," + "%41%e9a" * 2000), "image: x/y, 6000 bytes"),
        (image("data:x/y;base64," + "AAAA" * 500_000 + "AA=="), "image: x/y, 1500001 bytes"),
        (image("data:x/y;base64,"), "image: x/y, 0 bytes"),
        (image("https://user:secret@Example.com:8443/a.png?b=c"), "image: remote, example.com"),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, "audio: wav, 3 bytes"),
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": encode(b"%PDF", "application/pdf")}},
            "file: a.pdf, application/pdf, 4 bytes",
        ),
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "https://example.com/a.pdf"}},
            "file: a.pdf, remote, example.com",
        ),
        ({"type": "file", "file": {"file_id": "file-1"}}, "file: id file-1"),
        ({"type": "file", "file": {}}, "file: empty"),
        ({"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}, "video: remote, example.com"),
        ({"type": "input_video", "video_url": {"url": encode(b"abc", "video/mp4")}}, "video: video/mp4, 3 bytes"),
        ({"type": "hologram", "hologram": 1}, "hologram: unknown"),
    ],
)
def test_parts_are_described(part: Any, line: str) -> None:
    """Kind, media type, size in pixels and bytes, or the host of what is elsewhere; never the rest of a URL."""
    assert ask_text("sim/vision", [part]) == f"1 part:\n1. {line}"


def test_parts_are_counted_in_order() -> None:
    """Several parts are numbered as they were sent, and only the last user message counts."""
    messages = [
        {"role": "user", "content": [image(PNG_URL)]},
        {"role": "user", "content": [{"type": "text", "text": "a"}, image("https://a.b/")]},
    ]
    assert ask_text("sim/vision", messages=messages) == "2 parts:\n1. text: 1 characters\n2. image: remote, a.b"


@pytest.mark.parametrize(
    ("part", "path"),
    [
        (image("data:image/png;base64,!!!"), ".image_url.url"),
        (image("data:image/png;base64"), ".image_url.url"),
        (image("no url"), ".image_url.url"),
        (image("https://[::1/"), ".image_url.url"),
        ({"type": "image_url"}, ".image_url.url"),
        ({"type": "image_url", "image_url": "x"}, ".image_url"),
        ({"type": "input_audio", "input_audio": {"data": "AAAA"}}, ".input_audio.format"),
        ({"type": "input_audio", "input_audio": {"data": "é", "format": "wav"}}, ".input_audio.data"),
        ({"type": "file", "file": {"file_data": "x"}}, ".file.file_data"),
        ({"type": "video_url"}, ".video_url.url"),
    ],
)
def test_parts_that_cannot_be_read_are_refused(part: Any, path: str) -> None:
    """Broken base64, URLs without a host and missing keys are named."""
    assert ask_refused("sim/vision", [{"type": "text", "text": "a"}, part]) == (
        400,
        f"messages[0].content[1]{path}",
        None,
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"\xff\xd8",
        b"\xff\xd8\xff\xe0\xff\xff",
        b"\xff\xd8" + b"\xff\xe0\x00\x02" * 3,
        b"BM",
    ],
)
def test_broken_headers_have_no_size(content: bytes) -> None:
    """A header that ends early or is of another kind gives None."""
    assert image_size(content) is None
