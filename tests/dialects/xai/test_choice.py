# SPDX-License-Identifier: Apache-2.0
"""What one choice says, output by output."""

from typing import Any

import pytest

from trunkline.v1.chat_response_pb2 import ChunkChoice
from trunkline_server.dialects.xai.choice import ChoiceReader
from trunkline_server.dialects.xai.stubs import chat_stubs

WHOLE, PIECE = "TOOL_CALL_STATUS_COMPLETED", "TOOL_CALL_STATUS_IN_PROGRESS"


def read(reader: ChoiceReader, index: int = 0, *, logprobs: Any = None, **delta: Any) -> ChunkChoice | None:
    """What an output says; None where it says nothing."""
    output = chat_stubs().CompletionOutputChunk(index=index, delta=delta, logprobs=logprobs)
    choice = ChunkChoice()
    return choice if reader.read(output, choice, choice.delta) else None


def call(call_id: str, arguments: str, status: str = WHOLE) -> dict[str, Any]:
    """A call of a function."""
    kind = "TOOL_CALL_TYPE_CLIENT_SIDE_TOOL"
    return {"id": call_id, "type": kind, "status": status, "function": {"name": "look", "arguments": arguments}}


def test_an_output_without_words() -> None:
    """A role alone says nothing, and the first words bring it."""
    reader = ChoiceReader(0)
    assert read(reader, role="ROLE_ASSISTANT") is None
    first, second = read(reader, content="a"), read(reader, content="b")
    assert first is not None
    assert second is not None
    assert (first.delta.role, second.delta.role) == ("assistant", "")


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([call("a", "{}"), call("b", "[1]")], [(0, "a", "{}"), (1, "b", "[1]")]),
        ([call("", "{}"), call("", "{}")], [(0, "call_0_0", "{}"), (1, "call_0_1", "{}")]),
        (
            [call("a", '{"x"', PIECE), call("a", ":1}", PIECE), call("a", '{"x":1}')],
            [(0, "a", '{"x"'), (0, "", ":1}")],
        ),
        ([call("a", '{"x"', PIECE), call("a", '{"x":1}')], [(0, "a", '{"x"'), (0, "", ":1}")]),
        ([call("a", "{}"), call("a", "[]")], [(0, "a", "{}")]),
    ],
)
def test_calls(calls: list[dict[str, Any]], expected: list[tuple[int, str, str]]) -> None:
    """A call comes whole, or in pieces and then whole once more; each has an index and an id."""
    reader = ChoiceReader(0)
    choices = [choice for choice in (read(reader, tool_calls=[one]) for one in calls) if choice is not None]
    pieces = [piece for choice in choices for piece in choice.delta.tool_calls]
    assert [(piece.index, piece.id, piece.function.arguments) for piece in pieces] == expected


def test_log_probabilities() -> None:
    """Tokens with their bytes and the likeliest others."""
    top = {"token": "b", "logprob": -2.5, "bytes": b"b"}
    choice = read(
        ChoiceReader(0),
        content="ä",
        logprobs={"content": [{"token": "ä", "logprob": -0.5, "bytes": "ä".encode(), "top_logprobs": [top]}]},
    )
    assert choice is not None
    (token,) = choice.logprobs.content
    assert (token.token, token.logprob, list(token.bytes)) == ("ä", -0.5, [195, 164])
    assert [(one.token, one.logprob, list(one.bytes)) for one in token.top_logprobs] == [("b", -2.5, [98])]


def test_details_of_reasoning() -> None:
    """Text and what only xAI can read have an index each, anew in each step."""
    reader = ChoiceReader(0)
    said = [
        read(reader, reasoning_content="a"),
        read(reader, reasoning_content="b", encrypted_content="X"),
        read(reader, 2, reasoning_content="c"),
    ]
    details = [detail for choice in said if choice is not None for detail in choice.delta.reasoning_details]
    assert [(one.index, one.text.text, one.encrypted.data) for one in details] == [
        (0, "a", ""),
        (0, "b", ""),
        (1, "", "X"),
        (2, "c", ""),
    ]
    assert {one.format for one in details} == {"xai-responses-v1"}


@pytest.mark.parametrize(("start", "end", "has_place"), [(0, 3, True), (3, 0, False), (-1, 2, False)])
def test_places_of_citations(start: int, end: int, has_place: bool) -> None:
    """A place that is none is left out."""
    cited = {"start_index": start, "end_index": end, "web_citation": {"url": "https://a.com"}}
    choice = read(ChoiceReader(0), citations=[cited])
    assert choice is not None
    assert choice.delta.annotations[0].url_citation.HasField("end_index") is has_place
