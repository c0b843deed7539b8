# SPDX-License-Identifier: Apache-2.0
"""The events of a Converse stream, one by one."""

from typing import Any

import pytest

from trunkline.v1.chat_response_pb2 import FinishReason
from trunkline_server.core.errors import reason_name
from trunkline_server.dialects.bedrock_converse.reader import FINISH_REASONS, EventReader

START = ("messageStart", {"role": "assistant"})


def text(piece: str, index: int = 0) -> tuple[str, dict[str, Any]]:
    """A piece of text."""
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": {"text": piece}}


def read(*events: tuple[str, Any]) -> tuple[EventReader, list[Any]]:
    """A reader that has read some events, and its chunks."""
    reader = EventReader({"x-amzn-requestid": "r-1"})
    return reader, [chunk for kind, value in events if (chunk := reader.read(kind, value)) is not None]


@pytest.mark.parametrize(
    ("native", "reason"),
    [*FINISH_REASONS.items(), ("something_new", FinishReason.FINISH_REASON_STOP)],
)
def test_finishes(native: str, reason: FinishReason.ValueType) -> None:
    """The reason is the contract's, beside the provider's own word; a call that nobody made is no reason."""
    _, chunks = read(START, text("a"), ("messageStop", {"stopReason": native}))
    choice = chunks[-1].choices[0]
    expected = FinishReason.FINISH_REASON_STOP if native == "tool_use" else reason
    assert (choice.finish_reason, choice.native_finish_reason) == (expected, native)


@pytest.mark.parametrize("native", ["malformed_model_output", "malformed_tool_use"])
def test_finishes_that_are_failures(native: str) -> None:
    """What Bedrock could not read is a failure: another attempt may do better."""
    reader, _ = read(START, text("a"), ("messageStop", {"stopReason": native}))
    assert reader.failure is not None
    assert (reason_name(reader.failure.reason), reader.failure.provider_code) == ("PROVIDER_INVALID_RESPONSE", native)


def test_order() -> None:
    """A choice begins with its role once, and adds nothing after its end; usage ends the answer."""
    stop = ("messageStop", {"stopReason": "end_turn"})
    usage = (
        "metadata",
        {"usage": {"inputTokens": 1, "outputTokens": 2}, "serviceTier": {"type": "flex"}, "trace": {"a": 1}},
    )
    reader, chunks = read(START, START, text("a"), stop, text("b"), stop, usage)
    assert [chunk.choices[0].delta.role for chunk in chunks if chunk.choices] == ["assistant", "", ""]
    assert [chunk.choices[0].delta.content for chunk in chunks if chunk.choices] == ["", "a", ""]
    assert (chunks[-1].usage.total_tokens, chunks[-1].service_tier, chunks[-1].id) == (3, "flex", "r-1")
    assert (reader.ended, chunks[-1].usage.extra["trace"]) == (True, '{"a":1}')


def test_text_without_a_start() -> None:
    """A server that leaves `messageStart` out is understood."""
    _, chunks = read(text("a"), text("b"))
    assert [(chunk.choices[0].delta.role, chunk.choices[0].delta.content) for chunk in chunks] == [
        ("assistant", "a"),
        ("", "b"),
    ]


@pytest.mark.parametrize(
    "event",
    [
        ("somethingNew", {"a": 1}),
        ("contentBlockDelta", None),
        ("contentBlockDelta", {"contentBlockIndex": -1, "delta": {"text": "a"}}),
        ("contentBlockDelta", {"contentBlockIndex": "0", "delta": {"text": "a"}}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": 5}),
        ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"toolResult": []}}),
        ("contentBlockStart", {"contentBlockIndex": 0, "start": {}}),
        ("contentBlockStop", {"contentBlockIndex": 7}),
        ("messageStop", {}),
        ("metadata", {}),
    ],
)
def test_events_that_add_nothing(event: tuple[str, Any]) -> None:
    """What is not known, or irregular, is passed over."""
    reader, chunks = read(START, event)
    assert (len(chunks), reader.failure, reader.ended) == (1, None, False)


@pytest.mark.parametrize(
    "answer", [{}, {"output": {}}, {"output": {"message": {"content": 5}}}, {"output": {"message": {"content": []}}}]
)
def test_whole_answers_that_are_none(answer: dict[str, Any]) -> None:
    """JSON without a message, or without a reason to stop, is a failure."""
    reader = EventReader({})
    reader.read_whole(answer)
    assert reader.failure is not None


def test_whole_citations() -> None:
    """Cited text of a whole answer is text with its citations."""
    cited = {
        "content": [{"text": "a"}, {"text": "b"}],
        "citations": [{"location": {"web": {"url": "https://a.example"}}}],
    }
    image = {"format": "png", "source": {"bytes": "AAAA"}}
    blocks = [{"citationsContent": cited}, {"image": image}]
    reader = EventReader({})
    chunks = reader.read_whole({"output": {"message": {"content": blocks}}, "stopReason": "end_turn"})
    delta = chunks[0].choices[0].delta
    assert (delta.content, delta.annotations[0].url_citation.url) == ("ab", "https://a.example")
    assert [one.image_url.url for one in delta.images] == ["data:image/png;base64,AAAA"]
