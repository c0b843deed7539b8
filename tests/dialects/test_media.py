# SPDX-License-Identifier: Apache-2.0
"""Media types and data URLs."""

import pytest

from trunkline_server.dialects.media import (
    AUDIO_TYPES,
    DataUrl,
    audio_format,
    guess_type,
    read_data_url,
    write_data_url,
)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("data:image/png;base64,AAAA", DataUrl(media_type="image/png", data="AAAA")),
        ("DATA:Image/PNG;charset=utf-8;BASE64,AAAA", DataUrl(media_type="image/png", data="AAAA")),
        ("data:image/jpg;base64,AAAA", DataUrl(media_type="image/jpeg", data="AAAA")),
        ("data:image/PJPEG;base64,AAAA", DataUrl(media_type="image/jpeg", data="AAAA")),
        ("data:image/x-png;base64,AAAA", DataUrl(media_type="image/png", data="AAAA")),
        ("data:;base64,AAAA", DataUrl(media_type="text/plain", data="AAAA")),
        ("data:text/plain,hello", None),
        ("data:", None),
        ("https://example.com/a.png", None),
        ("AAAA", None),
    ],
)
def test_read_data_url(url: str, expected: DataUrl | None) -> None:
    """A data URL of base64 is taken apart; anything else is none."""
    assert read_data_url(url) == expected


def test_write_data_url() -> None:
    """What is written is read back."""
    assert read_data_url(write_data_url("application/pdf", "AAAA")) == DataUrl(
        media_type="application/pdf", data="AAAA"
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.png", "image/png"),
        ("report.final.PDF", "application/pdf"),
        ("https://example.com/a%20b.jpg?size=1#top", "image/jpeg"),
        ("https://example.com/photo", None),
        ("https://example.com", None),
        ("noending", None),
        ("a.unheard-of", None),
    ],
)
def test_guess_type(name: str, expected: str | None) -> None:
    """The end of a name tells the media type, of a URL the end of its path."""
    assert guess_type(name) == expected


@pytest.mark.parametrize("word", AUDIO_TYPES)
def test_audio_formats_read_back(word: str) -> None:
    """The media type of each format means that format."""
    assert audio_format(AUDIO_TYPES[word]) == word


@pytest.mark.parametrize(
    ("media_type", "word"), [("audio/mpeg", "mp3"), ("audio/L16;codec=pcm;rate=24000", "pcm16"), ("image/png", None)]
)
def test_audio_format(media_type: str, word: str | None) -> None:
    """Other names of a media type are understood, parameters do not count, and what is no sound has no format."""
    assert audio_format(media_type) == word
