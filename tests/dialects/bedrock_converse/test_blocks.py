# SPDX-License-Identifier: Apache-2.0
"""One block of an answer under way."""

from typing import Any

import pytest

from trunkline.v1.chat_response_pb2 import Delta
from trunkline_server.dialects.anthropic.blocks import Said
from trunkline_server.dialects.bedrock_converse.blocks import Call, OpenBlock, Picture, Text, Thinking
from trunkline_server.dialects.schemas import ANSWER_TOOL


def say(block: OpenBlock, *pieces: dict[str, Any], delta: Delta | None = None) -> Delta:
    """What a block's pieces and its end add up to."""
    delta = Delta() if delta is None else delta
    for piece in pieces:
        block.add(piece, delta, Said())
    block.close(delta, Said())
    return delta


def test_text() -> None:
    """Pieces add up; citations come at the end, pages as such and places in documents as they are."""
    page = {
        "title": "T",
        "location": {"web": {"url": "https://a.example"}},
        "sourceContent": [{"text": "x"}, {"text": "y"}],
    }
    place = {"location": {"documentPage": {"documentIndex": 0, "start": 1, "end": 2}}}
    delta = say(Text(Said()), {"text": "a"}, {"text": "b"}, {"citation": page}, {"citation": place}, {"text": 5})
    cited = delta.annotations[0].url_citation
    assert (delta.content, cited.url, cited.title, cited.content) == ("ab", "https://a.example", "T", "xy")
    assert "documentPage" in delta.annotations[1].unknown


@pytest.mark.parametrize(
    ("pieces", "reasoning", "details"),
    [
        ([{"text": "a"}, {"signature": "s"}], "a", [("text", "a", ""), ("text", "", "s")]),
        ([{"reasoningText": {"text": "a", "signature": "s"}}], "a", [("text", "a", "s")]),
        ([{"redactedContent": "ZA=="}], "", [("encrypted", "ZA==", "")]),
        ([{}, {"text": ""}, {"text": 5}], "", []),
    ],
)
def test_thinking(pieces: list[dict[str, Any]], reasoning: str, details: list[tuple[str, str, str]]) -> None:
    """Text, signature and redacted content each become a detail of the block's place."""
    delta = say(Thinking(3), *({"reasoningContent": piece} for piece in pieces))
    told = [
        (str(detail.WhichOneof("detail")), detail.text.text or detail.encrypted.data, detail.text.signature)
        for detail in delta.reasoning_details
    ]
    assert (delta.reasoning, told) == (reasoning, details)
    assert {(detail.format, detail.index) for detail in delta.reasoning_details} <= {("anthropic-claude-v1", 3)}


@pytest.mark.parametrize(
    ("start", "pieces", "arguments"),
    [
        ({}, ['{"a"', ":1}"], '{"a":1}'),
        ({}, [], "{}"),
        ({"input": {"a": 1}}, [], '{"a":1}'),
        ({}, [""], "{}"),
    ],
)
def test_calls(start: dict[str, Any], pieces: list[str], arguments: str) -> None:
    """Arguments are a text, whether they came in pieces, whole, or not at all."""
    delta = Delta()
    call = Call(0, {"toolUseId": "t1", "name": "look", **start}, delta, Said(), "r1")
    say(call, *({"toolUse": {"input": piece}} for piece in pieces), delta=delta)
    assert (delta.tool_calls[0].id, delta.tool_calls[0].function.name) == ("t1", "look")
    assert "".join(one.function.arguments for one in delta.tool_calls) == arguments


def test_a_structured_answer() -> None:
    """Arguments of the forced tool are content, and no call."""
    delta, said = Delta(), Said()
    call = Call(0, {"toolUseId": "t1", "name": ANSWER_TOOL}, delta, said, "r1")
    say(call, {"toolUse": {"input": '{"a":1}'}}, delta=delta)
    assert (delta.content, len(delta.tool_calls), said.calls) == ('{"a":1}', 0, 0)


def test_a_picture() -> None:
    """An image is told when its bytes are whole."""
    delta = say(
        Picture({"format": "webp"}), {"image": {"source": {"bytes": "AA"}}}, {"image": {"source": {"bytes": "BB"}}}
    )
    assert [image.image_url.url for image in delta.images] == ["data:image/webp;base64,AABB"]
