# SPDX-License-Identifier: Apache-2.0
"""Content parts as Google's parts."""

from typing import Any

import pytest

from support.builders import make_endpoint, make_provider
from support.gemini_wire import CURRENT, DIALECT, OLDER
from trunkline_server.core.errors import GatewayError, reason_name
from trunkline_server.dialects.gemini.families import family_of
from trunkline_server.dialects.gemini.parts import render_content
from trunkline_server.dialects.gemini.report import Report

FILES = "https://generativelanguage.googleapis.com/v1beta/files/abc"
YOUTUBE = "https://www.youtube.com/watch?v=9hE5-98ZeCg"

PARTS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "text", "text": "hi"}, {"text": "hi"}),
    ({"type": "refusal", "refusal": "no"}, {"text": "no"}),
    (
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
    ),
    (
        {"type": "image_url", "image_url": {"url": "https://example.com/a.JPG?x=1"}},
        {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://example.com/a.JPG?x=1"}},
    ),
    (
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
        {"inlineData": {"mimeType": "audio/mp3", "data": "AAAA"}},
    ),
    (
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "opus"}},
        {"inlineData": {"mimeType": "audio/opus", "data": "AAAA"}},
    ),
    (
        {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}},
        {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}},
    ),
    ({"type": "input_video", "video_url": {"url": YOUTUBE}}, {"fileData": {"fileUri": YOUTUBE}}),
    (
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}},
    ),
    (
        {"type": "file", "file": {"file_data": "AAAA", "filename": "notes.txt"}},
        {"inlineData": {"mimeType": "text/plain", "data": "AAAA"}},
    ),
    (
        {"type": "file", "file": {"file_data": "AAAA"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}},
    ),
    ({"type": "file", "file": {"file_id": "files/abc"}}, {"fileData": {"fileUri": FILES}}),
    (
        {"type": "file", "file": {"file_id": "gs://bucket/a.pdf"}},
        {"fileData": {"mimeType": "application/pdf", "fileUri": "gs://bucket/a.pdf"}},
    ),
]


@pytest.mark.parametrize(("part", "expected"), PARTS, ids=[str(place) for place in range(len(PARTS))])
def test_parts(part: dict[str, Any], expected: dict[str, Any]) -> None:
    """Data goes inline; what Google reads itself is named."""
    assert render_content([part], family_of(CURRENT), Report()) == [expected]


def test_what_is_left_out() -> None:
    """Marks, names, details beyond the table and texts without a letter are left out, and reported."""
    report = Report()
    parts = [
        {"type": "text", "text": "", "cache_control": {"type": "ephemeral"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "x": 1}},
        {"type": "input_audio", "input_audio": {"data": "", "format": "wav", "x": 1}},
        {"type": "video_url", "video_url": {"url": YOUTUBE, "x": 1}},
        {"type": "file", "file": {"file_data": "AAAA", "filename": "a.pdf"}},
        {"type": "new_kind"},
    ]
    assert len(render_content(parts, family_of(CURRENT), report)) == 4
    assert report.dropped == (
        "messages.content.cache_control",
        "messages.content.image_url.x",
        "messages.content.input_audio.x",
        "messages.content.video_url.x",
        "messages.content.file.filename",
        "messages.content.new_kind",
    )


UNREAD: list[tuple[str, dict[str, Any], str]] = [
    (OLDER, {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}, "image_url.url"),
    (CURRENT, {"type": "image_url", "image_url": {"url": "https://example.com/a"}}, "image_url.url"),
    (CURRENT, {"type": "image_url", "image_url": {"url": "http://example.com/a.png"}}, "image_url.url"),
    (CURRENT, {"type": "file", "file": {"file_data": "https://example.com/"}}, "file.file_data"),
    (CURRENT, {"type": "file", "file": {"file_id": "file-1"}}, "file.file_id"),
    (CURRENT, {"type": "file", "file": {}}, "file.file_id"),
]


@pytest.mark.parametrize(("model", "part", "field"), UNREAD)
def test_what_google_cannot_read(model: str, part: dict[str, Any], field: str) -> None:
    """A URL that is no data, and that Google does not read for the model, is an error that names its place."""
    with pytest.raises(GatewayError, match="The provider cannot fetch") as caught:
        render_content([part], family_of(model), Report())
    assert reason_name(caught.value.reason) == "INVALID_REQUEST"
    assert [fault.field for fault in caught.value.faults] == [f"messages.content.{field}"]


def test_who_reads_a_url() -> None:
    """The dialect says beforehand which URLs need not be fetched by the gateway."""
    older, current = (make_endpoint(make_provider("google"), upstream_model=model) for model in (OLDER, CURRENT))
    asked = [YOUTUBE, FILES, "https://example.com/a.png", "https://example.com/a", "http://example.com/a.png"]
    assert [DIALECT.reads_url(url, older) for url in asked] == [True, True, False, False, False]
    assert [DIALECT.reads_url(url, current) for url in asked] == [True, True, True, False, False]
    assert all(DIALECT.reads_url(url, older) for url in DIALECT.fetches)
