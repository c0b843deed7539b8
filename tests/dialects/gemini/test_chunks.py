# SPDX-License-Identifier: Apache-2.0
"""GenerateContentResponses as chunks."""

from typing import Any

import pytest

from support.gemini_wire import candidate, decode, events, fold, message_of, response
from trunkline.v1.chat_response_pb2 import FinishReason
from trunkline_server.core.errors import reason_name
from trunkline_server.dialects.gemini.chunks import ChunkReader

FORMAT = "google-gemini-v1"
USAGE = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}


def text(said: str, **rest: Any) -> dict[str, Any]:
    """A part of text."""
    return {"text": said, **rest}


def call(name: str, **rest: Any) -> dict[str, Any]:
    """A part with a call."""
    signature = {"thoughtSignature": rest.pop("sign")} if "sign" in rest else {}
    return {"functionCall": {"name": name, **rest}, **signature}


def inline(kind: str, data: str = "AAAA", **rest: Any) -> dict[str, Any]:
    """A part with data."""
    return {"inlineData": {"mimeType": kind, "data": data}, **rest}


def thought(index: int, said: str, **rest: str) -> dict[str, Any]:
    """A detail in the open."""
    return {"type": "reasoning.text", "text": said, **rest, "format": FORMAT, "index": index}


def proof(index: int, data: str, place: str) -> dict[str, Any]:
    """A detail with a signature."""
    return {"type": "reasoning.encrypted", "data": data, "id": place, "format": FORMAT, "index": index}


def tool_call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    """A call as clients get it."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


SAID: list[tuple[str, list[list[dict[str, Any]]], dict[str, Any]]] = [
    ("text in pieces", [[text("Hel")], [text("lo"), text("!")]], {"content": "Hello!"}),
    ("an empty text", [[text("Hi")], [text("")]], {"content": "Hi"}),
    (
        "thoughts, then text",
        [[text("h", thought=True)], [text("m", thought=True), text("Hi")]],
        {"content": "Hi", "reasoning": "hm", "reasoning_details": [thought(0, "hm")]},
    ),
    (
        "thoughts before and behind a text",
        [[text("a", thought=True)], [text("Hi")], [text("b", thought=True)]],
        {"content": "Hi", "reasoning": "ab", "reasoning_details": [thought(0, "a"), thought(1, "b")]},
    ),
    (
        "signed thoughts stand apart",
        [[text("a", thought=True, thoughtSignature="S"), text("b", thought=True)]],
        {"reasoning": "ab", "reasoning_details": [thought(0, "a", signature="S"), thought(1, "b")]},
    ),
    (
        "a signed text",
        [[text("Hel")], [text("lo", thoughtSignature="S")]],
        {"content": "Hello", "reasoning_details": [proof(0, "S", "text:3:5")]},
    ),
    (
        "a signature without text",
        [[text("Hi")], [text("", thoughtSignature="S"), {"thoughtSignature": "T"}]],
        {"content": "Hi", "reasoning_details": [proof(0, "S", "text:2:2"), proof(1, "T", "text:2:2")]},
    ),
    (
        "parallel calls, the first one signed",
        [[call("f", id="x", args={"a": 1.5}, sign="S"), call("g", id="y")]],
        {
            "reasoning_details": [proof(0, "S", "x")],
            "tool_calls": [tool_call("x", "f", '{"a":1.5}'), tool_call("y", "g", "{}")],
        },
    ),
    (
        "calls without an id",
        [[call("f", args={})], [call("f", args={"é": None})]],
        {
            "tool_calls": [
                tool_call("call_made_abc1_0_0", "f", "{}"),
                tool_call("call_made_abc1_0_1", "f", '{"é":null}'),
            ]
        },
    ),
    (
        "images, but no drafts",
        [
            [inline("image/png", thought=True), inline("image/png", thoughtSignature="S")],
            [inline("image/jpeg", "BBBB")],
        ],
        {
            "images": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}, "index": 0},
                {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,BBBB"}, "index": 1},
            ],
            "reasoning_details": [proof(0, "S", "image:0")],
        },
    ),
    (
        "sound in pieces",
        [[inline("audio/L16;rate=24000", "AAE=")], [inline("audio/L16;rate=24000", "AgM=")]],
        {"audio": {"data": "AAECAw==", "mime_type": "audio/L16;rate=24000"}},
    ),
    (
        "code that Google ran",
        [[{"executableCode": {"language": "PYTHON", "code": "1"}}, {"codeExecutionResult": {"outcome": "OUTCOME_OK"}}]],
        {
            "reasoning_details": [
                {
                    "type": "reasoning.server_tool_call",
                    "tool_name": "code_execution",
                    "arguments": '{"language":"PYTHON","code":"1"}',
                    "format": FORMAT,
                    "index": 0,
                },
                {
                    "type": "reasoning.server_tool_call",
                    "tool_name": "code_execution",
                    "result": '{"outcome":"OUTCOME_OK"}',
                    "format": FORMAT,
                    "index": 1,
                },
            ]
        },
    ),
    ("parts that are none", [[{}, text("Hi"), {"inlineData": {}}, {"videoMetadata": {}}]], {"content": "Hi"}),
]


@pytest.mark.parametrize(("turns", "expected"), [case[1:] for case in SAID], ids=[case[0] for case in SAID])
def test_parts(turns: list[list[dict[str, Any]]], expected: dict[str, Any]) -> None:
    """Each part goes where the contract has its kind, and each signature remembers where it stood."""
    stream = [response(candidate(*parts)) for parts in turns]
    assert message_of(*stream, response(candidate(finish="STOP"))) == expected


def test_calls_of_an_answer_without_an_id() -> None:
    """Where an answer has no id, the calls of two turns still differ by their arguments."""
    ids = []
    for city in ("Oslo", "Rome"):
        chunk = ChunkReader({}).read({"candidates": [candidate(call("f", args={"city": city}))]})
        assert chunk is not None
        ids.append(chunk.choices[0].delta.tool_calls[0].id)
    assert ids[0] != ids[1]
    assert all(made.startswith("call_made_") and made.endswith("_0_0") for made in ids)


def test_the_head_of_an_answer() -> None:
    """Id and model are Google's; the role comes once."""
    reader = ChunkReader({})
    first = reader.read(response(candidate(text("a"))))
    second = reader.read(response(candidate(text("b"))))
    assert first is not None
    assert second is not None
    assert (first.id, first.model, first.choices[0].delta.role) == ("abc-1", "gemini-3-flash-preview", "assistant")
    assert (second.id, second.model, second.choices[0].delta.HasField("role")) == (first.id, first.model, False)


@pytest.mark.parametrize(
    ("parts", "word", "expected"),
    [
        ([text("Hi")], "STOP", FinishReason.FINISH_REASON_STOP),
        ([call("f")], "STOP", FinishReason.FINISH_REASON_TOOL_CALLS),
        ([call("f")], "MAX_TOKENS", FinishReason.FINISH_REASON_LENGTH),
        ([], "SAFETY", FinishReason.FINISH_REASON_CONTENT_FILTER),
        ([], "SOMETHING_NEW", FinishReason.FINISH_REASON_STOP),
    ],
)
def test_finishes(parts: list[dict[str, Any]], word: str, expected: FinishReason.ValueType) -> None:
    """The finish is normalised, and Google's own word kept."""
    choice = decode(events(response(candidate(*parts, finish=word)))).choices[0]
    assert (choice.finish_reason, choice.native_finish_reason) == (expected, word)


def test_nothing_follows_the_finish() -> None:
    """What comes behind the end of a candidate does not count; usage does, the last one."""
    stream = [
        response(candidate(text("Hi"), finish="STOP"), usageMetadata={**USAGE, "candidatesTokenCount": 1}),
        response(candidate(text("no"), finish="MAX_TOKENS"), usageMetadata=USAGE),
    ]
    answer = decode(events(*stream))
    assert (answer.choices[0].message.content[0].text, answer.choices[0].native_finish_reason) == ("Hi", "STOP")
    assert answer.usage.completion_tokens == 2


def test_usage_comes_with_the_end() -> None:
    """Reports before the end are not passed on, so that texts can be merged; without one at the end the last counts."""
    reader = ChunkReader({"x-gemini-service-tier": "priority"})
    first = reader.read(response(candidate(text("Hi")), usageMetadata=USAGE))
    last = reader.read(response(candidate(finish="STOP")))
    assert first is not None
    assert last is not None
    assert (first.HasField("usage"), last.usage.total_tokens) == (False, 5)
    assert (first.service_tier, last.HasField("service_tier")) == ("priority", False)


def test_several_candidates() -> None:
    """Candidates keep their index; the first one's is left out by Google."""
    stream = [
        response(candidate(text("a")), candidate(text("b"), index=1)),
        response(candidate(text("B"), index=1, finish="STOP"), usageMetadata=USAGE),
        response(candidate(text("A"), finish="MAX_TOKENS"), usageMetadata=USAGE),
    ]
    answer = decode(events(*stream))
    assert [choice.message.content[0].text for choice in answer.choices] == ["aA", "bB"]
    assert [choice.native_finish_reason for choice in answer.choices] == ["MAX_TOKENS", "STOP"]
    assert answer.usage.total_tokens == 5


def test_what_stands_beside_the_content() -> None:
    """Citations come with the end, once, though events repeat them; log probabilities as they come; the rest is kept."""
    grounding = {"webSearchQueries": ["q"], "groundingChunks": [{"web": {"uri": "https://example.com"}}]}
    logprobs = {"chosenCandidates": [{"token": "Hi", "logProbability": -0.5}]}
    stream = [
        response(candidate(text("Hi"), groundingMetadata=grounding, logprobsResult=logprobs)),
        response(
            candidate(finish="STOP", groundingMetadata=grounding, safetyRatings=[], avgLogprobs=-1),
            usageMetadata=USAGE,
        ),
    ]
    answer = decode(events(*stream))
    choice = answer.choices[0]
    assert [annotation.url_citation.url for annotation in choice.message.annotations] == ["https://example.com"]
    assert [token.token for token in choice.logprobs.content] == ["Hi"]
    assert sorted(choice.extra) == ["groundingMetadata", "safetyRatings"]
    assert answer.usage.server_tool_use_details.web_search_requests == 1


FAILURES: list[tuple[str, list[Any], str, str]] = [
    ("no object", [3], "PROVIDER_INVALID_RESPONSE", ""),
    ("a blocked prompt", [{"promptFeedback": {"blockReason": "SAFETY"}}], "CONTENT_POLICY_VIOLATION", ""),
    (
        "an error in the stream",
        [response(candidate(text("Hi"))), {"error": {"code": 503, "status": "UNAVAILABLE", "message": "x"}}],
        "PROVIDER_OVERLOADED",
        "Hi",
    ),
    (
        "a malformed call",
        [response(candidate(text("Hi"), finish="MALFORMED_FUNCTION_CALL"))],
        "PROVIDER_INVALID_RESPONSE",
        "Hi",
    ),
    ("a call without a name", [response(candidate(call("", args={}), finish="STOP"))], "PROVIDER_INVALID_RESPONSE", ""),
    (
        "a call in pieces",
        [response(candidate(call("f", partialArgs=[]), finish="STOP"))],
        "PROVIDER_INVALID_RESPONSE",
        "",
    ),
    ("an index that is none", [response(candidate(text("Hi"), index=-1))], "PROVIDER_INVALID_RESPONSE", ""),
    ("an index beyond all", [response(candidate(text("Hi"), index=500))], "PROVIDER_INVALID_RESPONSE", ""),
]


@pytest.mark.parametrize(
    ("values", "reason", "said"), [case[1:] for case in FAILURES], ids=[case[0] for case in FAILURES]
)
def test_failures(values: list[Any], reason: str, said: str) -> None:
    """A failure is told, and what came before it counts."""
    reader = ChunkReader({})
    chunks = [chunk for value in values if (chunk := reader.read(value)) is not None]
    assert reader.failure is not None
    assert reason_name(reader.failure.reason) == reason
    answer = fold(chunks)
    assert "".join(part.text for choice in answer.choices for part in choice.message.content) == said
    assert not any(choice.finish_reason for choice in answer.choices)


@pytest.mark.parametrize(
    "value",
    [{}, {"usageMetadata": USAGE}, {"promptFeedback": {}}, {"candidates": [3]}, {"candidates": {}}],
    ids=repr,
)
def test_responses_that_add_nothing(value: dict[str, Any]) -> None:
    """A response without a candidate is no chunk."""
    reader = ChunkReader({})
    assert reader.read(value) is None
    assert reader.failure is None
    assert not reader.has_begun
    assert not reader.is_complete
