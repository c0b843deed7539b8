# SPDX-License-Identifier: Apache-2.0
"""Content parts as blocks."""

from typing import Any

import pytest

from support.anthropic_wire import CODEC, render
from support.builders import make_endpoint
from support.dialect_scenarios import PDF, PNG, WAV
from trunkline_server.core.errors import GatewayError, reason_name
from trunkline_server.dialects.anthropic import Anthropic

MARK = {"type": "ephemeral", "ttl": "1h"}


def file(**members: Any) -> dict[str, Any]:
    """A document part."""
    return {"type": "file", "file": members}


def image(url: str, **members: Any) -> dict[str, Any]:
    """An image part."""
    return {"type": "image_url", "image_url": {"url": url, **members}}


def document(**source: Any) -> dict[str, Any]:
    """A document block."""
    return {"type": "document", "source": source}


PARTS = [
    ("text", {"type": "text", "text": "a"}, {"type": "text", "text": "a"}),
    (
        "a mark",
        {"type": "text", "text": "a", "cache_control": MARK},
        {"type": "text", "text": "a", "cache_control": MARK},
    ),
    ("a refusal", {"type": "refusal", "refusal": "no"}, {"type": "text", "text": "no"}),
    (
        "an image's data",
        image(f"data:image/png;base64,{PNG}"),
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
    ),
    (
        "an image's data by a name that many write",
        image(f"data:image/jpg;base64,{PNG}"),
        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": PNG}},
    ),
    (
        "an image's URL",
        image("https://a.example/b.png"),
        {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
    ),
    (
        "a PDF's data",
        file(file_data=f"data:application/pdf;base64,{PDF}"),
        document(type="base64", media_type="application/pdf", data=PDF),
    ),
    ("bare base64", file(file_data=PDF), document(type="base64", media_type="application/pdf", data=PDF)),
    ("a PDF's URL", file(file_data="https://a.example/b.pdf"), document(type="url", url="https://a.example/b.pdf")),
    ("a file of the provider's", file(file_id="file_1"), document(type="file", file_id="file_1")),
    (
        "a text",
        file(file_data="data:text/plain;base64,aGVqIMOl"),
        document(type="text", media_type="text/plain", data="hej å"),
    ),
    (
        "a text by its name",
        file(file_data="aGVq", filename="a.md"),
        {**document(type="text", media_type="text/plain", data="hej"), "title": "a.md"},
    ),
]


@pytest.mark.parametrize(("what", "part", "block"), PARTS, ids=[row[0] for row in PARTS])
def test_parts(what: str, part: dict[str, Any], block: dict[str, Any]) -> None:
    """Each part is a block of its kind."""
    body, report = render({"messages": [{"role": "user", "content": [part]}]})
    assert body["messages"] == [{"role": "user", "content": [block]}]
    assert (report.dropped, report.changed) == ((), ())


@pytest.mark.parametrize(
    ("url", "reads"),
    [("https://a.example/b.png", True), ("HTTPS://a.example", True), ("http://a.example/b.png", False)],
)
def test_who_reads_urls(url: str, reads: bool) -> None:
    """Anthropic opens nothing but https, so anything else is fetched here."""
    assert Anthropic(CODEC).reads_url(url, make_endpoint()) == reads


REFUSED = [
    ("sound", {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}, "UNPROCESSABLE"),
    ("video", {"type": "video_url", "video_url": {"url": "https://a.example/b.mp4"}}, "UNPROCESSABLE"),
    ("legacy video", {"type": "input_video", "video_url": {"url": "https://a.example/b.mp4"}}, "UNPROCESSABLE"),
    ("an image of another kind", image("data:image/tiff;base64,QUJD"), "UNSUPPORTED_IMAGE_FORMAT"),
    ("an image that is not base64", image("data:image/png,abc"), "UNPROCESSABLE"),
    ("a document of another kind", file(file_data="data:application/zip;base64,QUJD"), "UNPROCESSABLE"),
    ("a text that is none", file(file_data="data:text/plain;base64,/w=="), "INVALID_REQUEST"),
    ("a file that is nowhere", file(filename="a.pdf"), "INVALID_REQUEST"),
]


@pytest.mark.parametrize(("what", "part", "reason"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_no_block_holds(what: str, part: dict[str, Any], reason: str) -> None:
    """Content is never left out in silence: another model may take it."""
    with pytest.raises(GatewayError) as caught:
        render({"messages": [{"role": "user", "content": [part]}]})
    assert reason_name(caught.value.reason) == reason


BLANKS: list[tuple[list[dict[str, Any]], list[dict[str, Any]], tuple[str, ...]]] = [
    ([{"type": "text", "text": "  \n"}, {"type": "text", "text": "a"}], [{"type": "text", "text": "a"}], ()),
    ([{"type": "refusal", "refusal": " "}, {"type": "text", "text": "a"}], [{"type": "text", "text": "a"}], ()),
    (
        [{"type": "text", "text": "a"}, {"type": "text", "text": " ", "cache_control": MARK}],
        [{"type": "text", "text": "a", "cache_control": MARK}],
        (),
    ),
    (
        [
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "", "cache_control": MARK},
        ],
        [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}],
        (),
    ),
    (
        [{"type": "text", "text": "", "cache_control": MARK}, {"type": "text", "text": "a"}],
        [{"type": "text", "text": "a"}],
        ("messages.content.cache_control",),
    ),
]


@pytest.mark.parametrize(("parts", "blocks", "dropped"), BLANKS)
def test_blank_texts(parts: list[dict[str, Any]], blocks: list[dict[str, Any]], dropped: tuple[str, ...]) -> None:
    """Anthropic refuses texts of white space alone. The mark of one moves to the block before it, or its loss is told."""
    body, report = render({"messages": [{"role": "user", "content": parts}]})
    assert body["messages"] == [{"role": "user", "content": blocks}]
    assert report.dropped == dropped


@pytest.mark.parametrize("raw", [{}, {"type": 1}, "x", None])
def test_a_raw_block_that_is_none(raw: Any) -> None:
    """What a caller writes under the key may be anything; without a type it is no block."""
    part = {"type": "text", "text": "a", "anthropic_block": raw}
    body, _ = render({"messages": [{"role": "user", "content": [part]}]})
    assert body["messages"][0]["content"] == [{"type": "text", "text": "a"}]


def test_what_is_left_out() -> None:
    """Empty texts are no blocks; details that Anthropic does not know are reported."""
    parts = [
        {"type": "text", "text": ""},
        {"type": "text", "text": "a", "mine": 1},
        image("https://a.example", detail="low"),
        file(file_id="f", mine=1),
    ]
    body, report = render({"messages": [{"role": "user", "content": parts}]})
    assert len(body["messages"][0]["content"]) == 3
    assert set(report.dropped) == {
        "messages.content.mine",
        "messages.content.image_url.detail",
        "messages.content.file.mine",
    }
