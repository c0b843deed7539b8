# SPDX-License-Identifier: Apache-2.0
"""Content parts as Converse's blocks."""

from typing import Any

import pytest

from trunkline_server.core.errors import GatewayError, reason_name
from trunkline_server.dialects.anthropic.report import Report
from trunkline_server.dialects.bedrock_converse.parts import blocks_of_parts, number_documents

PDF = "data:application/pdf;base64,JVBERg=="


def image(url: str, **more: Any) -> dict[str, Any]:
    """An image part."""
    return {"type": "image_url", "image_url": {"url": url, **more}}


def file(**fields: Any) -> dict[str, Any]:
    """A file part."""
    return {"type": "file", "file": fields}


def document(form: str, name: str, data: str = "JVBERg==", **more: Any) -> dict[str, Any]:
    """A document block."""
    return {"document": {"format": form, "name": name, "source": {"bytes": data}, **more}}


@pytest.mark.parametrize(
    ("part", "blocks"),
    [
        ({"type": "text", "text": "a"}, [{"text": "a"}]),
        ({"type": "text", "text": ""}, []),
        ({"type": "text", "text": " \n"}, []),
        ({"type": "refusal", "refusal": "\n"}, []),
        ({"type": "refusal", "refusal": "no"}, [{"text": "no"}]),
        ({"type": "text", "text": "x", "bedrock_block": {"guardContent": {"text": {"text": "x"}}}},
         [{"guardContent": {"text": {"text": "x"}}}]),
        ({"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
         [{"text": "a"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]),
        (image("data:image/png;base64,AAAA"), [{"image": {"format": "png", "source": {"bytes": "AAAA"}}}]),
        (image("data:image/jpg;base64,AAAA"), [{"image": {"format": "jpeg", "source": {"bytes": "AAAA"}}}]),
        (image("s3://bucket/cat.webp"), [{"image": {"format": "webp", "source": {"s3Location": {"uri": "s3://bucket/cat.webp"}}}}]),
        (file(filename="My paper_v2.pdf", file_data=PDF), [document("pdf", "My paper v2")]),
        (file(file_data=PDF), [document("pdf", "document")]),
        (file(filename="a.csv", file_data="QQ=="), [document("csv", "a", "QQ==")]),
        (file(filename="a.pdf", file_data=PDF, citations={"enabled": True}, context="c"),
         [document("pdf", "a", citations={"enabled": True}, context="c")]),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
         [{"audio": {"format": "wav", "source": {"bytes": "AAAA"}}}]),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "pcm16"}},
         [{"audio": {"format": "pcm", "source": {"bytes": "AAAA"}}}]),
        ({"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}},
         [{"video": {"format": "mp4", "source": {"bytes": "AAAA"}}}]),
        ({"type": "video_url", "video_url": {"url": "s3://b/c.mov"}},
         [{"video": {"format": "mov", "source": {"s3Location": {"uri": "s3://b/c.mov"}}}}]),
    ],
)  # fmt: skip
def test_blocks(part: dict[str, Any], blocks: list[dict[str, Any]]) -> None:
    """Each part has its block, and the mark of a cached prefix a block behind it."""
    assert blocks_of_parts([part], Report()) == blocks


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (image("https://example.com/cat.jpg"), "IMAGE_DOWNLOAD_FAILED"),
        (image("data:image/tiff;base64,AAAA"), "UNSUPPORTED_IMAGE_FORMAT"),
        (file(file_id="file_1"), "UNPROCESSABLE"),
        (file(filename="a.exe", file_data="data:application/x-msdownload;base64,AAAA"), "UNPROCESSABLE"),
        (file(file_data="https://example.com/a.pdf"), "IMAGE_DOWNLOAD_FAILED"),
        ({"type": "video_url", "video_url": {"url": "data:video/ogg;base64,AAAA"}}, "UNPROCESSABLE"),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "amr"}}, "UNPROCESSABLE"),
        ({"type": "hologram"}, "UNPROCESSABLE"),
    ],
)
def test_content_that_no_block_holds(part: dict[str, Any], reason: str) -> None:
    """Content is never left out: it is an error."""
    with pytest.raises(GatewayError) as caught:
        blocks_of_parts([part], Report())
    assert reason_name(caught.value.reason) == reason


def test_what_is_reported() -> None:
    """A detail of an image, and unknown keys, are knobs: they are dropped and reported."""
    report = Report()
    blocks_of_parts([image("data:image/png;base64,AAAA", detail="low"), {"type": "text", "text": "a", "x": 1}], report)
    assert report.dropped == ("messages.content.image_url.detail", "messages.content.x")


def test_names_of_documents() -> None:
    """Two documents of one name get names of their own."""
    blocks = [document("pdf", "a"), {"text": "b"}, document("pdf", "a"), document("pdf", "c"), document("pdf", "a")]
    number_documents(blocks)
    assert [block["document"]["name"] for block in blocks if "document" in block] == ["a", "a (2)", "c", "a (3)"]


@pytest.mark.parametrize(
    ("texts", "blocks", "dropped"),
    [
        (["a", " "], [{"text": "a"}, {"cachePoint": {"type": "default"}}], ()),
        (["\n"], [], ("messages.content.cache_control",)),
    ],
)
def test_a_mark_on_a_blank_text(texts: list[str], blocks: list[dict[str, Any]], dropped: tuple[str, ...]) -> None:
    """It ends the cached prefix at the block before it, once; where there is none it is lost, and reported."""
    report = Report()
    parts = [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}} for text in texts]
    assert blocks_of_parts(parts, report) == blocks
    assert report.dropped == dropped
