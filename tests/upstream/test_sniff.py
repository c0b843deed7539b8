# SPDX-License-Identifier: Apache-2.0
"""What fetched bytes are."""

import pytest

from trunkline_server.upstream.sniff import fits, sniff

WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize(
    ("data", "declared", "found"),
    [
        (b"\x89PNG\r\n\x1a\n...", "text/html", "image/png"),
        (b"\xff\xd8\xff\xe0", "", "image/jpeg"),
        (b"GIF89a", "", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "", "audio/wav"),
        (b"%PDF-1.7", "application/octet-stream", "application/pdf"),
        (b"\x00\x00\x00\x18ftypisom", "", "video/mp4"),
        (b"\x00\x00\x00\x18ftypheic", "", "image/heic"),
        (b"\x00\x00\x00\x14ftypqt  ", "", "video/quicktime"),
        (b"\x1a\x45\xdf\xa3....webm", "", "video/webm"),
        (b"\x1a\x45\xdf\xa3....matroska", "", "video/x-matroska"),
        (b"ID3\x04", "", "audio/mp3"),
        (b"\xff\xfb\x90", "", "audio/mp3"),
        (b"OggS", "", "audio/ogg"),
        (b"PK\x03\x04...", WORD, WORD),
        (b"PK\x03\x04...", "application/zip", None),
        (b"hello", "text/markdown", "text/markdown"),
        (b"hello", "image/png", "text/plain"),
        (b"<svg>", "image/svg+xml", "text/plain"),
        (b"\x7fELF\x00", "image/png", None),
        (b"\x80\x81", "text/plain", None),
        (b"", "image/png", "text/plain"),
    ],
)
def test_first_bytes(data: bytes, declared: str, found: str | None) -> None:
    """The bytes tell, not the server; text alone is taken at its word."""
    assert sniff(data, declared) == found


@pytest.mark.parametrize(
    ("media_type", "kind", "expected"),
    [
        ("image/png", "image", True),
        ("text/plain", "image", False),
        ("application/pdf", "file", True),
        ("image/png", "file", True),
        ("video/mp4", "file", False),
        ("video/mp4", "video", True),
        ("audio/wav", "audio", True),
        ("audio/wav", "image", False),
    ],
)
def test_kinds(media_type: str, kind: str, expected: bool) -> None:
    """A text is no image, whatever the request calls it."""
    assert fits(media_type, kind) is expected
