# SPDX-License-Identifier: Apache-2.0
"""Answers of xAI's; its own client is the referee of what they say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xai_sdk.chat import Response
from xai_sdk.proto import chat_pb2

from support.answer_cuts import Outcome, play, tell
from support.dialect_matrix import CELLS, Cell, fold
from support.message_frames import write_chunk
from trunkline_server.core.errors import reason_name
from trunkline_server.dialects.xai.stream import XaiDecoder

RECORDED = [
    cell
    for cell in CELLS
    if cell.dialect == "xai" and cell.streamed and cell.recording is not None
    if cell.scenario not in {"error", "content_filter"}
]


def chunk(*outputs: dict[str, Any], **more: Any) -> bytes:
    """A message."""
    return write_chunk({"id": "r-1", "model": "grok-4.6", "outputs": list(outputs), **more})


def out(index: int = 0, finish: str | None = None, role: str = "ROLE_ASSISTANT", **delta: Any) -> dict[str, Any]:
    """An output of a message."""
    return {"index": index, "delta": {"role": role, **delta}, **({"finish_reason": finish} if finish else {})}


def decode(*messages: bytes) -> Outcome:
    """What an answer says."""
    return play(XaiDecoder(), messages)


@pytest.mark.parametrize("cell", RECORDED, ids=str)
def test_as_their_client_reads_it(cell: Cell) -> None:
    """The maker's client joins the recorded messages to the same text, reasoning, calls and encrypted content."""
    theirs = Response(chat_pb2.GetChatCompletionResponse(), None)
    for block in cell.blocks():
        theirs.process_chunk(chat_pb2.GetChatCompletionChunk.FromString(block))
    (choice,) = fold(cell.play(cell.blocks())).choices
    outputs = [output.message for output in theirs.proto.outputs if output.message.role == chat_pb2.ROLE_ASSISTANT]
    details = choice.message.reasoning_details
    said = "".join(part.text for part in choice.message.content)
    assert said == "".join(output.content for output in outputs)
    assert choice.message.reasoning == "".join(output.reasoning_content for output in outputs)
    assert [detail.encrypted.data for detail in details if detail.HasField("encrypted")] == [
        output.encrypted_content for output in outputs if output.encrypted_content
    ]
    assert [(call.id, call.function.name, call.function.arguments) for call in choice.message.tool_calls] == [
        (call.id, call.function.name, call.function.arguments)
        for output in outputs
        for call in output.tool_calls
        if call.type == chat_pb2.TOOL_CALL_TYPE_CLIENT_SIDE_TOOL
    ]


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [chunk()],
        [chunk(usage={"prompt_tokens": 3})],
        [chunk(out(content="a"))],
        [chunk(out(0, "REASON_STOP", content="a"), out(1, content="b"))],
        # A step ended, and the next one did not.
        [chunk(out(0, "REASON_TOOL_CALLS", tool_calls=[{"id": "s", "type": 2}])), chunk(out(2, content="b"))],
    ],
)
def test_an_answer_that_breaks_off(messages: list[bytes]) -> None:
    """Without a finish for each choice, an answer is cut, and says so."""
    assert tell(decode(*messages)).get("error") == "PROVIDER_UNAVAILABLE"


@pytest.mark.parametrize(
    ("word", "finish"),
    [
        ("REASON_STOP", "stop"),
        ("REASON_MAX_LEN", "length"),
        ("REASON_MAX_CONTEXT", "length"),
        ("REASON_TOOL_CALLS", "tool_calls"),
        ("REASON_TIME_LIMIT", "length"),
        (99, "stop"),
    ],
)
def test_finish_reasons(word: Any, finish: str) -> None:
    """The provider's word is kept beside the contract's; a word that is newer than the package is its number."""
    told = tell(decode(chunk(out(content="a")), chunk(out(finish=word))))
    assert told == {"choice 0": {"text": "a", "finish": finish, "native": str(word)}}


def test_several_answers() -> None:
    """Each answer has its index, its role and its end."""
    outcome = decode(
        chunk(out(0, content="a"), out(1, content="b")), chunk(out(1, "REASON_STOP")), chunk(out(0, "REASON_MAX_LEN"))
    )
    assert tell(outcome) == {
        "choice 0": {"text": "a", "finish": "length", "native": "REASON_MAX_LEN"},
        "choice 1": {"text": "b", "finish": "stop", "native": "REASON_STOP"},
    }
    assert [[choice.delta.role for choice in one.choices] for one in outcome.chunks] == [["assistant"]] * 2 + [[""]] * 2


def test_steps_are_one_answer() -> None:
    """What a tool of xAI's found is no content; the places of citations count from the beginning of the whole."""
    searched = {"id": "s-1", "type": "TOOL_CALL_TYPE_WEB_SEARCH_TOOL", "function": {"name": "web_search"}}
    cited = {"start_index": 2, "end_index": 5, "x_citation": {"url": "https://x.com/1"}}
    filed = {"collections_citation": {"file_id": "f-1"}}
    outcome = decode(
        chunk(out(content="I look. ", encrypted_content="X")),
        chunk(out(0, "REASON_TOOL_CALLS", tool_calls=[searched])),
        chunk(out(1, role="ROLE_TOOL", content="found", tool_calls=[searched])),
        chunk(out(2, content="b [1]")),
        chunk(out(2, "REASON_STOP", citations=[cited, filed], encrypted_content="Y"), citations=["https://a.com"]),
        chunk(out(0), usage={"prompt_tokens": 3, "completion_tokens": 4}, service_tier="SERVICE_TIER_DEFAULT"),
    )
    answer = fold(outcome)
    (choice,) = answer.choices
    assert tell(outcome)["choice 0"]["text"] == "I look. b [1]"
    assert [detail.encrypted.data for detail in choice.message.reasoning_details] == ["X", "Y"]
    places = [(one.url_citation.url, one.url_citation.start_index) for one in choice.message.annotations]
    assert places == [("https://x.com/1", 10), ("https://a.com", 0)]
    assert (answer.service_tier, answer.usage.total_tokens) == ("default", 7)


PICTURE = '{"__type":"image_generation_result","result":"data:image/jpeg;base64,AAAA","image_uuid":"u"}'


@pytest.mark.parametrize(
    ("content", "kind", "images"),
    [
        (PICTURE, "TOOL_CALL_TYPE_IMAGE_GENERATION_TOOL", ["data:image/jpeg;base64,AAAA"]),
        (PICTURE, "TOOL_CALL_TYPE_WEB_SEARCH_TOOL", []),
        ("no picture", "TOOL_CALL_TYPE_IMAGE_GENERATION_TOOL", []),
        ("[]", "TOOL_CALL_TYPE_IMAGE_GENERATION_TOOL", []),
        ('{"result":"x"}', "TOOL_CALL_TYPE_IMAGE_GENERATION_TOOL", []),
    ],
)
def test_images_that_a_tool_made(content: str, kind: str, images: list[str]) -> None:
    """An image is part of the answer; what other tools found is not."""
    made = out(1, role="ROLE_TOOL", content=content, tool_calls=[{"id": "i-1", "type": kind}])
    (choice,) = fold(decode(chunk(made), chunk(out(2, "REASON_STOP", content="There.")))).choices
    assert [image.image_url.url for image in choice.message.images] == images
    assert "".join(part.text for part in choice.message.content) == "There."


def test_the_head() -> None:
    """Id, model, time and fingerprint are those of the first message, in every chunk."""
    first = chunk(out(content="a"), created="2026-11-22T10:00:00Z", system_fingerprint="fp")
    outcome = decode(first, chunk(out(finish="REASON_STOP"), created="2026-11-22T10:00:01Z"))
    heads = {(one.id, one.model, one.created, one.system_fingerprint) for one in outcome.chunks}
    assert heads == {("r-1", "grok-4.6", 1795341600, "fp")}


@pytest.mark.parametrize("message", [b"\xff", chunk(out(128, content="a")), chunk(out(-1, content="a"))])
def test_what_is_no_answer(message: bytes) -> None:
    """Bytes that are no message, and outputs that nobody can have asked for."""
    assert tell(decode(message)) == {"error": "PROVIDER_INVALID_RESPONSE"}


@given(st.lists(st.binary(max_size=40) | st.sampled_from([chunk(out(content="a")), chunk(out(finish="REASON_STOP"))])))
def test_whatever_comes(messages: list[bytes]) -> None:
    """Nothing but GatewayError is raised, and no choice says anything after its end."""
    outcome = decode(*messages)
    reason = "" if outcome.error is None else reason_name(outcome.error.reason)
    ends = [choice.index for one in outcome.chunks for choice in one.choices if choice.finish_reason]
    assert reason in {"", "PROVIDER_INVALID_RESPONSE", "PROVIDER_UNAVAILABLE"}
    assert len(ends) == len(set(ends))
