# SPDX-License-Identifier: Apache-2.0
"""Every provider's recorded stream told by the faces that are dialects, too, and read back: clients of any language are told the same."""

import json
from typing import Any

import orjson
import pytest

from support.answer_cuts import play
from support.builders import make_call
from support.dialect_matrix import CELLS, DIALECTS, Cell, fold
from support.faces import ALL, COMPLETIONS
from trunkline.v1.chat_response_pb2 import ChatCompletion
from trunkline_server.app import make_codec
from trunkline_server.edge.http.server import make_faces

CODEC = make_codec()
FACES = {face.path: face for face in make_faces(CODEC, lambda: 0.0)}
# Face -> the dialect that reads it back.
SPOKEN = {"messages": "anthropic", "responses": "openai_responses"}
RECORDED = [cell for cell in CELLS if cell.streamed and cell.recording and cell.scenario != "error"]


def essence(answer: ChatCompletion) -> dict[str, Any]:
    """What an answer says, apart from ids, counts and what only its maker's language can say."""
    choices = CODEC.encode(answer)["choices"]
    message = choices[0]["message"] if choices else {}
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    return {
        "text": message.get("content")
        or message.get("refusal")
        or (message.get("audio") or {}).get("transcript")
        or "",
        # Parts of a summary may stand in blocks of their own, or in one.
        "reasoning": (message.get("reasoning") or "").replace("\n", ""),
        "calls": [(call["name"], json.loads(call["arguments"] or "{}")) for call in calls],
    }


@pytest.mark.parametrize("face", SPOKEN)
@pytest.mark.parametrize("cell", RECORDED, ids=str)
def test_recorded_streams(cell: Cell, face: str) -> None:
    """Text, thoughts and calls come through, and a client of the face's language takes the stream for whole unless it failed."""
    outcome = cell.play(cell.blocks())
    expected = essence(fold(outcome))
    events = FACES[ALL[face].path].read(dict(ALL[face].asked)).begin(make_call())
    told = b"".join(events.feed([chunk]) for chunk in outcome.chunks)
    told += events.end() if outcome.error is None else events.fail(outcome.error)
    decoder = DIALECTS[SPOKEN[face]].decoder(status=200, headers={"content-type": "text/event-stream"})
    again = play(decoder, [told])
    assert (again.error is None) == (outcome.error is None)
    assert essence(fold(again)) == expected


@pytest.mark.parametrize("face", SPOKEN)
@pytest.mark.parametrize("cell", RECORDED, ids=str)
def test_whole_answers(cell: Cell, face: str) -> None:
    """A whole answer says what the stream says."""
    answer = fold(cell.play(cell.blocks()))
    answer.model = answer.model or "acme/one"
    told = FACES[ALL[face].path].read(dict(ALL[face].asked)).render(answer)
    decoder = DIALECTS[SPOKEN[face]].decoder(status=200, headers={"content-type": "application/json"})
    again = play(decoder, [told])
    assert again.error is None
    assert essence(fold(again)) == essence(answer)


@pytest.mark.parametrize("cell", RECORDED, ids=str)
def test_text_completions(cell: Cell) -> None:
    """Text completions have the text, whole and streamed, and leave out what is none."""
    outcome = cell.play(cell.blocks())
    answer = fold(outcome)
    asked = FACES[COMPLETIONS.path].read(dict(COMPLETIONS.asked))
    whole = orjson.loads(asked.render(answer))
    events = asked.begin(make_call()).feed(outcome.chunks).split(b"\n\n")[:-1]
    chunks = [orjson.loads(event.removeprefix(b"data: ")) for event in events]
    streamed = "".join(choice["text"] for chunk in chunks for choice in chunk["choices"] if choice["index"] == 0)
    assert "".join(choice["text"] for choice in whole["choices"][:1]) == streamed == essence(answer)["text"]
