# SPDX-License-Identifier: Apache-2.0
"""Media in a request: what they must look like, at their place and no further."""

import pytest

from support.builders import make_message
from trunkline.v1.message_pb2 import ChatMessage, ContentPart, File, ImageUrl, InputAudio, VideoUrl
from trunkline_server.core.media import find_media_faults, is_base64


def fault_fields(*parts: ContentPart) -> list[str]:
    """The places of the faults of a request whose second message has the parts."""
    message = ChatMessage()
    message.user.content.extend(parts)
    contents = [(0, make_message().user.content), (1, message.user.content)]
    return [fault.field for fault in find_media_faults(contents)]


def image(url: str) -> ContentPart:
    """A part with an image."""
    return ContentPart(image_url=ImageUrl(url=url))


@pytest.mark.parametrize(
    "part",
    [
        image("https://example.com/a.png"),
        image("HTTP://127.0.0.1/a.png"),
        image("data:image/png;base64,iVBORw0KGgo="),
        image("data:image/png;charset=x;base64,iVBORw0KGgo="),
        image("DATA:image/png;base64,"),
        ContentPart(video_url=VideoUrl(url="https://example.com/a.mp4")),
        ContentPart(input_audio=InputAudio(data="UklGRg==", format="wav")),
        ContentPart(file=File(file_data="JVBERg==")),
        ContentPart(file=File(file_data="data:application/pdf;base64,JVBERg==")),
        ContentPart(file=File(file_data="https://example.com/a.pdf")),
        ContentPart(file=File(file_id="file-1")),
        ContentPart(text="file:///etc/passwd"),
    ],
    ids=str,
)
def test_media_that_are_fine(part: ContentPart) -> None:
    """Addresses on the web, data URLs and base64 are taken."""
    assert fault_fields(part) == []


@pytest.mark.parametrize(
    ("part", "field"),
    [
        (image("file:///etc/passwd"), "image_url.url"),
        (image("//example.com/a"), "image_url.url"),
        (image("https:example.com"), "image_url.url"),
        (image("data:image/png,abcd"), "image_url.url"),
        (image("data:image/png;base64,abc"), "image_url.url"),
        (image("data:" + "x" * 300 + ";base64,abcd"), "image_url.url"),
        (ContentPart(video_url=VideoUrl(url="gopher://x")), "video_url.url"),
        (ContentPart(input_audio=InputAudio(data="a b=", format="wav")), "input_audio.data"),
        (ContentPart(file=File(file_data="x")), "file.file_data"),
    ],
    ids=str,
)
def test_media_that_are_not(part: ContentPart, field: str) -> None:
    """Anything else is a fault at its place."""
    assert fault_fields(ContentPart(text="see"), part) == [f"messages[1].content[1].{field}"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("abcd", True),
        ("ab+/", True),
        ("abc=", True),
        ("ab==", True),
        ("a===", False),
        ("====", False),
        ("abc", False),
        ("ab=c", False),
        ("ab-_", False),
        ("ab\nc", False),
        ("äbcd", False),
    ],
)
def test_base64(text: str, expected: bool) -> None:
    """The standard alphabet, padded at the end, with nothing between."""
    assert is_base64(text) is expected
