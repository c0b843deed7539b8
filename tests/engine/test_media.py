# SPDX-License-Identifier: Apache-2.0
"""Putting what a request names by URL into the request."""

import asyncio
from typing import Any

import pytest

from support.answer_cuts import make_codec
from support.builders import make_endpoint, make_provider
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.catalog.entry import Wire
from trunkline_server.core.errors import GatewayError, reason_name
from trunkline_server.dialects.openai_chat import OpenAiChat
from trunkline_server.dialects.registry import make_dialects
from trunkline_server.engine.media import Fetching, bring_media, find_reader

CODEC = make_codec()
CAT, DOG, PAPER, FILM = (f"https://example.com/{name}" for name in ("cat.png", "dog.png", "paper.pdf?x=1", "film.mp4"))


class Fetcher:
    """Brings a text for each URL, and remembers what was asked."""

    def __init__(self, *, pause_s: float = 0.0, failing: str = "") -> None:
        self.asked: list[tuple[str, str]] = []
        self._pause_s = pause_s
        self._failing = failing

    async def fetch(self, url: str, kind: str) -> str:
        """The text."""
        self.asked.append((url, kind))
        await asyncio.sleep(self._pause_s)
        if url == self._failing:
            raise GatewayError(ErrorReason.ERROR_REASON_IMAGE_NOT_FOUND, "gone")
        return f"data:x/y;base64,{kind}"


def image(url: str) -> dict[str, Any]:
    """An image part."""
    return {"type": "image_url", "image_url": {"url": url}}


def make_request(*parts: dict[str, Any]) -> ChatCompletionRequest:
    """A request with some parts in a user's message and in a tool's."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "Look."}, *parts]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": list(parts)},
    ]
    return CODEC.decode(ChatCompletionRequest, {"messages": messages})


PARTS = (
    image(CAT),
    image(CAT),
    image("data:image/png;base64,AAAA"),
    {"type": "file", "file": {"file_data": PAPER}},
    {"type": "file", "file": {"file_data": "JVBERg==", "filename": "a.pdf"}},
    {"type": "video_url", "video_url": {"url": FILM}},
)


async def test_what_is_brought() -> None:
    """Each URL is fetched once and stands as data in its places; the request itself is not changed."""
    request, fetcher = make_request(*PARTS), Fetcher()
    brought = await bring_media(request, lambda _url: False, Fetching(fetcher=fetcher, most=9), 5.0)
    for message in (brought.messages[0].user, brought.messages[2].tool):
        parts = [part for part in message.content if part.WhichOneof("part") != "text"]
        assert [part.image_url.url for part in parts[:3]] == ["data:x/y;base64,image"] * 2 + [
            "data:image/png;base64,AAAA"
        ]
        assert [(part.file.file_data, part.file.filename) for part in parts[3:5]] == [
            ("data:x/y;base64,file", "paper.pdf"),
            ("JVBERg==", "a.pdf"),
        ]
        assert parts[5].video_url.url == "data:x/y;base64,video"
    assert sorted(fetcher.asked) == [(CAT, "image"), (FILM, "video"), (PAPER, "file")]
    assert request == make_request(*PARTS)


async def test_nothing_to_fetch() -> None:
    """A request whose URLs are all read by the provider is itself."""
    request, fetcher = make_request(*PARTS), Fetcher()
    assert await bring_media(request, lambda _url: True, Fetching(fetcher=fetcher, most=9), 5.0) is request
    assert fetcher.asked == []


@pytest.mark.parametrize(
    ("fetcher", "most", "left_s", "reason"),
    [
        (Fetcher(), 1, 5.0, "INVALID_REQUEST"),
        (Fetcher(failing=DOG), 9, 5.0, "IMAGE_NOT_FOUND"),
        (Fetcher(pause_s=1.0), 9, 0.05, "DEADLINE_EXCEEDED"),
    ],
)
async def test_failures(fetcher: Fetcher, most: int, left_s: float, reason: str) -> None:
    """Too many, one that fails, and a call without time."""
    request = make_request(image(CAT), image(DOG))
    with pytest.raises(GatewayError) as caught:
        await bring_media(request, lambda _url: False, Fetching(fetcher=fetcher, most=most), left_s)
    assert reason_name(caught.value.reason) == reason


@pytest.mark.parametrize(
    ("dialect", "wire", "reads"),
    [("openai_chat", None, None), ("bedrock_converse", None, False), ("anthropic", Wire(reads_urls=False), False)],
)
def test_who_reads(dialect: str, wire: Wire | None, reads: bool | None) -> None:
    """The dialect and the provider's row tell together; a dialect that says nothing reads all."""
    endpoint = make_endpoint(make_provider("p", dialect=dialect, wire=wire))
    reader = find_reader(make_dialects(CODEC)[dialect], endpoint)
    assert (None if reader is None else reader(CAT)) == reads
    assert find_reader(OpenAiChat(CODEC), endpoint) is None


async def test_each_place_counts() -> None:
    """One URL in many places is as much data as many URLs are."""
    fetcher = Fetcher()
    with pytest.raises(GatewayError, match="at most 3 URLs"):
        await bring_media(make_request(image(CAT), image(CAT)), lambda _: False, Fetching(fetcher=fetcher, most=3), 5.0)
    assert fetcher.asked == []


async def test_one_url_of_two_kinds() -> None:
    """What stands for an image and for a file is fetched as both: each has to be one."""
    request = make_request(image(CAT), {"type": "file", "file": {"file_data": CAT}})
    brought = await bring_media(request, lambda _: False, Fetching(fetcher=Fetcher(), most=9), 5.0)
    parts = brought.messages[0].user.content
    assert (parts[1].image_url.url, parts[2].file.file_data) == ("data:x/y;base64,image", "data:x/y;base64,file")
