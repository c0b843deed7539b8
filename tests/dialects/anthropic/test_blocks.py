# SPDX-License-Identifier: Apache-2.0
"""Blocks of answers: thinking, calls, citations, server tools, and blocks nobody knows."""

from typing import Any

import orjson
import pytest

from support.answer_cuts import play
from support.anthropic_wire import START, block, fold, render, stop, text_block
from trunkline.v1.message_pb2 import AssistantMessage
from trunkline_server.dialects.anthropic.stream import StreamDecoder
from trunkline_server.jsonshape import Codec


def read(*blocks: bytes) -> AssistantMessage:
    """The message that blocks make."""
    outcome = play(StreamDecoder({}), [START, *blocks, stop("end_turn")])
    assert outcome.error is None
    message: AssistantMessage = fold(outcome.chunks).choices[0].message
    return message


CODEC = Codec.compile([AssistantMessage.DESCRIPTOR])


def details(message: AssistantMessage) -> list[dict[str, Any]]:
    """The reasoning details as clients get them."""
    value: list[dict[str, Any]] = orjson.loads(orjson.dumps(CODEC.encode(message)))["reasoning_details"]
    return value


OWN = {"format": "anthropic-claude-v1"}


def test_thinking() -> None:
    """Thinking is reasoning in the open, with the signature as it came; a redacted one is opaque."""
    message = read(
        block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "Let me "},
            {"type": "thinking_delta", "thinking": "see."},
            {"type": "signature_delta", "signature": "c2ln"},
        ),
        block(1, {"type": "redacted_thinking", "data": "ZGF0YQ=="}),
        text_block(2, "So."),
    )
    assert message.reasoning == "Let me see."
    assert details(message) == [
        {"type": "reasoning.text", "text": "Let me see.", "signature": "c2ln", **OWN, "index": 0},
        {"type": "reasoning.encrypted", "data": "ZGF0YQ==", **OWN, "index": 1},
    ]


def use(*pieces: str, **start: Any) -> bytes:
    """The events of a call."""
    said = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}, **start}
    return block(0, said, *({"type": "input_json_delta", "partial_json": piece} for piece in pieces))


CALLS = [
    ("in pieces", use("", '{"a"', ":1}"), '{"a":1}'),
    ("empty", use(), "{}"),
    ("empty in a piece", use(""), "{}"),
    ("with the start", use(input={"a": 1}), '{"a":1}'),
    ("cut in the middle", use('{"a":'), '{"a":'),
]


@pytest.mark.parametrize(("what", "events", "arguments"), CALLS, ids=[row[0] for row in CALLS])
def test_calls(what: str, events: bytes, arguments: str) -> None:
    """Arguments are what came, and an object where nothing came."""
    call = read(events).tool_calls[0]
    assert (call.id, call.function.name, call.function.arguments) == ("toolu_1", "look", arguments)


def test_irregular_calls() -> None:
    """A call without an id gets one; what else Anthropic says of a call is kept."""
    assert read(use(id=None)).tool_calls[0].id == "toolu_msg_1_0"
    assert read(use(caller={"type": "direct"})).tool_calls[0].extra == {"caller": '{"type":"direct"}'}


CITED = {
    "type": "web_search_result_location",
    "cited_text": "It is so.",
    "url": "https://a.example",
    "title": "A",
    "encrypted_index": "eio",
}
PLACE = {"type": "page_location", "cited_text": "so", "document_index": 0, "start_page_number": 1, "end_page_number": 2}


def test_citations() -> None:
    """A cited page names its text's place in the content; a place in a document is kept as it came."""
    message = read(
        text_block(0, "äß: "),
        block(
            1,
            {"type": "text", "text": "", "citations": []},
            {"type": "text_delta", "text": "so."},
            {"type": "citations_delta", "citation": CITED},
            {"type": "citations_delta", "citation": PLACE},
        ),
    )
    cited = message.annotations[0].url_citation
    assert (cited.url, cited.title, cited.content) == ("https://a.example", "A", "It is so.")
    assert (cited.start_index, cited.end_index, cited.extra["encrypted_index"]) == (4, 7, '"eio"')
    assert orjson.loads(message.annotations[1].unknown) == PLACE


SERVER_BLOCKS: list[dict[str, Any]] = [
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "claude"}},
    {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": [{"type": "web_search_result", "url": "https://a.example", "title": "A", "encrypted_content": "x"}],
    },
    {"type": "mcp_tool_use", "id": "m1", "name": "f", "server_name": "s", "input": {"a": 1}},
    {"type": "container_upload", "file_id": "file_1"},
]


def test_server_tools_come_back() -> None:
    """What server tools did is told as reasoning, and goes back to Anthropic as it came, in its order."""
    query = orjson.dumps(SERVER_BLOCKS[0]["input"]).decode()
    message = read(
        block(0, {**SERVER_BLOCKS[0], "input": {}}, {"type": "input_json_delta", "partial_json": query}),
        *(block(index, said) for index, said in enumerate(SERVER_BLOCKS[1:], start=1)),
        text_block(4, "So."),
    )
    told = details(message)
    assert [item["type"] for item in told] == ["reasoning.server_tool_call"] * 2 + ["anthropic.block"] * 2
    assert (told[0]["tool_name"], told[0]["arguments"], told[1]["tool_call_id"]) == ("web_search", query, "srvtoolu_1")
    turn = {"role": "assistant", "content": "So.", "reasoning_details": told}
    body, report = render({"messages": [{"role": "user", "content": "Hi"}, turn, {"role": "user", "content": "Go on"}]})
    assert body["messages"][1]["content"] == [*SERVER_BLOCKS, {"type": "text", "text": "So."}]
    assert report.dropped == ()


def test_blocks_that_grow_by_unknown_deltas() -> None:
    """The deltas of a block of tomorrow are added to it."""
    message = read(
        block(
            0,
            {"type": "compaction", "content": None},
            {"type": "compaction_delta", "content": "a"},
            {"type": "x", "content": "b"},
        ),
        block(
            1,
            {"type": "server_tool_use", "id": "s", "name": "n", "input": {}},
            {"type": "input_json_delta", "partial_json": "{"},
        ),
    )
    told = details(message)
    assert told[0]["block"] == {"type": "compaction", "content": "ab"}
    assert told[1]["arguments"] == '{"arguments":"{"}'
