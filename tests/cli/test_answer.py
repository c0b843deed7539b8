# SPDX-License-Identifier: Apache-2.0
"""Showing an answer as it comes."""

from typing import Any

import pytest

from support.terminals import make_terminal, shown
from trunkline.v1.chat_response_pb2 import ChatCompletionChunk, ChunkChoice, Delta, FinishReason, ToolCallDelta
from trunkline.v1.message_pb2 import OutputImage
from trunkline.v1.usage_pb2 import Usage
from trunkline_server.cli.answer import AnswerScreen

PIXEL = "data:image/png;base64,AAAA"


def delta_json(**delta: Any) -> dict[str, Any]:
    """An event with one delta."""
    return {
        "id": "gen-1",
        "model": "m",
        "provider": "P",
        "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
    }


def tool_json(name: str | None, arguments: str) -> dict[str, Any]:
    """A piece of a tool call."""
    return delta_json(tool_calls=[{"index": 0, "function": {"name": name, "arguments": arguments}}])


def delta_chunk(**delta: Any) -> ChatCompletionChunk:
    """The same as a message."""
    return ChatCompletionChunk(id="gen-1", model="m", provider="P", choices=[ChunkChoice(delta=Delta(**delta))])


def tool_chunk(name: str, arguments: str) -> ChatCompletionChunk:
    """A piece of a tool call as a message."""
    call = ToolCallDelta()
    call.function.name, call.function.arguments = name, arguments
    return delta_chunk(tool_calls=[call])


def image_chunk() -> ChatCompletionChunk:
    """A picture as a message."""
    image = OutputImage()
    image.image_url.url = PIXEL
    return delta_chunk(images=[image])


LAST_JSON = {
    "choices": [{"delta": {}, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 4},
}
LAST_CHUNK = ChatCompletionChunk(
    choices=[ChunkChoice(finish_reason=FinishReason.FINISH_REASON_LENGTH)],
    usage=Usage(prompt_tokens=3, completion_tokens=4),
)
EVENTS = [
    delta_json(role="assistant", content=""),
    delta_json(reasoning="Let me "),
    delta_json(reasoning="think."),
    delta_json(content="So\x1b: "),
    delta_json(content="yes"),
    tool_json("look_up", ""),
    tool_json(None, '{"a":'),
    tool_json(None, "1}"),
    tool_json("other", "{}"),
    delta_json(images=[{"image_url": {"url": PIXEL}}]),
    LAST_JSON,
]
CHUNKS = [
    delta_chunk(role="assistant", content=""),
    delta_chunk(reasoning="Let me "),
    delta_chunk(reasoning="think."),
    delta_chunk(content="So\x1b: "),
    delta_chunk(content="yes"),
    tool_chunk("look_up", ""),
    tool_chunk("", '{"a":'),
    tool_chunk("", "1}"),
    tool_chunk("other", "{}"),
    image_chunk(),
    LAST_CHUNK,
]
PIPED = 'So\x1b: yes\nlook_up({"a":1})\nother({})\n[image/png, 26 characters]\n'
LIVE = (
    'Let me think.\n\nSo: yes\nlook_up({"a":1})\nother({})\n[image/png, 26 characters]\n'
    "m at P  3 + 4 tokens  0.2 s  ended by length  gen-1\n"
)


def show(pieces: list[Any], *, live: bool) -> str:
    """What a terminal without colours shows of an answer."""
    terminal = make_terminal(live=live, environment={"NO_COLOR": "1"})
    screen = AnswerScreen(terminal)
    for piece in pieces:
        screen.event(piece) if isinstance(piece, dict) else screen.chunk(piece)
    screen.close(0.2)
    return shown(terminal)


@pytest.mark.parametrize("pieces", [EVENTS, CHUNKS])
def test_a_pipe_gets_the_answer_alone(pieces: list[Any]) -> None:
    """No reasoning, no facts, and the text as it came, from either wire."""
    assert show(pieces, live=False) == PIPED


@pytest.mark.parametrize("pieces", [EVENTS, CHUNKS])
def test_a_screen_gets_everything(pieces: list[Any]) -> None:
    """Reasoning first, then the answer, then what it was made of, from either wire."""
    assert show(pieces, live=True) == LIVE


def test_reasoning_is_paler() -> None:
    """Where colours can be seen."""
    terminal = make_terminal(live=True)
    AnswerScreen(terminal).event(delta_json(reasoning="hm"))
    assert shown(terminal) == "\x1b[2mhm\x1b[0m"


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ([], ""),
        ([delta_json(content="line\n")], "line\n"),
        ([delta_json(refusal="I will not.")], "I will not.\n"),
        ([{"choices": None}, {"choices": [5, {"delta": None}, {"delta": {"content": 5, "tool_calls": [{}]}}]}], ""),
        ([delta_json(images=[{}])], "[image, 0 characters]\n"),
    ],
)
def test_odd_answers(pieces: list[dict[str, Any]], text: str) -> None:
    """A line is ended once, and what is not of the expected type is passed over."""
    assert show(pieces, live=False) == text
