# SPDX-License-Identifier: Apache-2.0
"""What fetched bytes are, by their first ones. What a server says of them is believed of text alone, which has no mark of its own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_STARTS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"ID3", "audio/mp3"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"FLV\x01", "video/x-flv"),
    (b"\x00\x00\x01\xba", "video/mpeg"),
    (b"\x00\x00\x01\xb3", "video/mpeg"),
)
_RIFF: Final[Mapping[bytes, str]] = MappingProxyType(
    {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/avi"}
)
_BRANDS: Final[Mapping[bytes, str]] = MappingProxyType(
    {
        **dict.fromkeys((b"heic", b"heix", b"mif1", b"msf1", b"heim", b"heis"), "image/heic"),
        b"avif": "image/avif",
        b"qt  ": "video/quicktime",
        b"M4A ": "audio/m4a",
        **dict.fromkeys((b"3gp4", b"3gp5", b"3gp6"), "video/3gpp"),
    }
)
"""Brands of the ISO container; any other is MP4."""
_EBML: Final = b"\x1a\x45\xdf\xa3"
_ZIP: Final = b"PK\x03\x04"
_OLD_OFFICE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OFFICE: Final = frozenset(
    {
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/msword",
        "application/vnd.ms-excel",
    }
)
_TEXTS: Final = frozenset(
    {"text/plain", "text/markdown", "text/csv", "text/html", "text/xml", "application/json", "application/xml"}
)
_KINDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "image": ("image/",),
        "file": ("application/", "text/", "image/"),
        "audio": ("audio/",),
        "video": ("video/", "image/gif"),
    }
)


def sniff(data: bytes, declared: str) -> str | None:
    """The media type of some bytes; None where it is none that is known. `declared` is the server's word, without parameters and in lower case."""
    for start, media_type in _STARTS:
        if data.startswith(start):
            return media_type
    if data.startswith(b"RIFF"):
        return _RIFF.get(data[8:12])
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "video/mp4")
    if data.startswith(_EBML):
        return "video/webm" if b"webm" in data[:64] else "video/x-matroska"
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE6 in (0xE2, 0xE4, 0xE6):
        return "audio/mp3"
    if data.startswith((_ZIP, _OLD_OFFICE)):
        return declared if declared in _OFFICE else None
    return _as_text(data, declared)


def fits(media_type: str, kind: str) -> bool:
    """Whether a media type is one of a kind: "image", "file", "audio" or "video"."""
    return media_type.startswith(_KINDS[kind])


def _as_text(data: bytes, declared: str) -> str | None:
    if b"\x00" in data[:1024]:
        return None
    try:
        data.decode()
    except UnicodeDecodeError:
        return None
    return declared if declared in _TEXTS else "text/plain"
