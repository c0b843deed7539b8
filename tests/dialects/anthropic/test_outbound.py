# SPDX-License-Identifier: Apache-2.0
"""Answers and failures as clients of the Messages API get them."""

from typing import Any

import orjson
import pytest
from hypothesis import given

from support.anthropic_wire import CODEC, MESSAGES, fold, parse, read_message
from trunkline.v1.chat_response_pb2 import ChatCompletion, Choice, FinishReason
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.message_pb2 import (
    AssistantMessage,
    ContentPart,
    ReasoningDetail,
    ReasoningEncrypted,
    ReasoningSummary,
    ReasoningText,
    ToolCall,
)
from trunkline.v1.usage_pb2 import Usage
from trunkline_server.core.errors import ERROR_SHAPES, GatewayError
from trunkline_server.dialects.anthropic.outbound import error_status, render_answer, render_error

FINISH = FinishReason


@given(message=MESSAGES)
def test_an_answer_comes_back(message: dict[str, Any]) -> None:
    """A message of Anthropic's reaches a client of Anthropic's API as it came."""
    message = {name: item for name, item in message.items() if name != "stop_sequence" or item is not None}
    assert {"stop_sequence": None, **render_answer(fold(read_message(message)))} == {"stop_sequence": None, **message}


def answer(**message: Any) -> dict[str, Any]:
    """A message with these fields as a client gets it."""
    choice = Choice(message=AssistantMessage(**message), finish_reason=FINISH.FINISH_REASON_STOP)
    return render_answer(ChatCompletion(id="gen-1", model="acme/one", choices=[choice], provider="acme"))


def detail(kind: str, value: Any, **rest: Any) -> ReasoningDetail:
    """A reasoning detail."""
    return ReasoningDetail(**{kind: value}, **rest)


FOREIGN = [
    detail("text", ReasoningText(text="hm"), format="google-gemini-v1", index=0),
    detail("summary", ReasoningSummary(summary="thought"), format="openai-responses-v1", id="rs_1", index=0),
    detail("encrypted", ReasoningEncrypted(data="QUJD"), format="google-gemini-v1", id="call_1", index=1),
    detail("text", ReasoningText(text="hm", signature="s"), format="xai-responses-v1"),
]


@pytest.mark.parametrize("foreign", FOREIGN)
def test_foreign_reasoning_comes_back(foreign: ReasoningDetail) -> None:
    """Other makers' reasoning goes to the client inside Anthropic's blocks, and is what it was in the next turn."""
    content = answer(reasoning_details=[foreign])["content"]
    turn = {"role": "assistant", "content": content}
    request = parse({"max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}, turn]})
    assert list(request.messages[1].assistant.reasoning_details) == [foreign]


def test_reasoning_without_details_is_shown() -> None:
    """Plain reasoning is a thinking block that nobody signed."""
    assert answer(reasoning="hm")["content"] == [{"type": "thinking", "thinking": "hm", "signature": ""}]


def test_an_answer_of_another_maker() -> None:
    """Text, calls and their arguments become blocks; arguments that are no object are kept."""
    calls = [ToolCall(id="a"), ToolCall(id="b")]
    calls[0].function.name, calls[0].function.arguments = "f", '{"x": 1}'
    calls[1].function.name, calls[1].function.arguments = "g", "{broken"
    rendered = answer(content=[ContentPart(text="Hi")], tool_calls=calls)
    assert rendered["content"] == [
        {"type": "text", "text": "Hi"},
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "g", "input": {"arguments": "{broken"}},
    ]
    assert (rendered["id"], rendered["model"], rendered["provider"]) == ("gen-1", "acme/one", "acme")


def test_a_stop_beside_calls() -> None:
    """The client has to run the tool, whatever the server said."""
    call = ToolCall(id="a")
    call.function.name, call.function.arguments = "f", '{"id": 12345678901234567890123}'
    rendered = answer(tool_calls=[call])
    assert rendered["stop_reason"] == "tool_use"
    assert answer(content=[ContentPart(text="Hi")])["stop_reason"] == "end_turn"
    assert b'"input":{"id": 12345678901234567890123}' in orjson.dumps(rendered)


def test_citations_stand_in_the_text() -> None:
    """A cited page, and a place in a document of the request's, are citations of the text."""
    citations = [
        {
            "type": "web_search_result_location",
            "cited_text": "so",
            "url": "https://a.example",
            "title": "A",
            "encrypted_index": "xyz",
        },
        {"type": "char_location", "cited_text": "so", "document_index": 0, "start_char_index": 1, "end_char_index": 3},
        {
            "type": "search_result_location",
            "cited_text": "so",
            "source": "https://b.example",
            "title": None,
            "search_result_index": 0,
            "start_block_index": 0,
            "end_block_index": 1,
        },
    ]
    message = {
        "id": "msg_1",
        "model": "claude",
        "content": [{"type": "text", "text": "It is so.", "citations": citations}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    assert render_answer(fold(read_message(message)))["content"][0]["citations"] == citations


def test_usage_has_its_cost() -> None:
    """The gateway's cost stands beside Anthropic's counts."""
    usage = Usage(prompt_tokens=5, completion_tokens=2, total_tokens=7, cost_pusd=1_500_000)
    rendered = render_answer(ChatCompletion(usage=usage))
    assert rendered["usage"] == {
        "input_tokens": 5,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 2,
        "cost": 1.5e-06,
    }
    assert (rendered["content"], rendered["stop_reason"]) == ([], None)


ERRORS = [
    ("INVALID_REQUEST", "invalid_request_error", 400),
    ("AUTHENTICATION", "authentication_error", 401),
    ("PAYMENT_REQUIRED", "billing_error", 402),
    ("PERMISSION_DENIED", "permission_error", 403),
    ("NOT_FOUND", "not_found_error", 404),
    ("PAYLOAD_TOO_LARGE", "request_too_large", 413),
    ("UNPROCESSABLE", "invalid_request_error", 422),
    ("RATE_LIMIT_EXCEEDED", "rate_limit_error", 429),
    ("SERVER", "api_error", 500),
    ("PROVIDER_UNAVAILABLE", "api_error", 500),
    ("PROVIDER_OVERLOADED", "overloaded_error", 529),
    ("PROVIDER_TIMEOUT", "timeout_error", 504),
]


@pytest.mark.parametrize(("name", "kind", "status"), ERRORS)
def test_errors(name: str, kind: str, status: int) -> None:
    """Each reason has Anthropic's word and status."""
    error = GatewayError(ErrorReason.Value(f"ERROR_REASON_{name}"), "It failed.")
    body = render_error(error, "req-1")
    message = body["error"].pop("message")
    assert body == {"type": "error", "error": {"type": kind}, "request_id": "req-1"}
    assert (error_status(error), message) == (status, error.public_message)


@pytest.mark.parametrize("reason", sorted(ERROR_SHAPES))
def test_every_reason_has_an_error(reason: int) -> None:
    """No reason is without a type of Anthropic's and a status of failure."""
    error = GatewayError(ErrorReason.ValueType(reason), "It failed.")
    assert render_error(error, "")["error"]["type"]
    assert 400 <= error_status(error) <= 529


def test_a_long_prompt_is_called_so() -> None:
    """Clients know by Anthropic's words that the conversation must be shortened."""
    error = GatewayError(ErrorReason.ERROR_REASON_CONTEXT_LENGTH_EXCEEDED, "Too many tokens.")
    assert render_error(error, "")["error"]["message"] == "prompt is too long: Too many tokens."


def test_codec_is_shared() -> None:
    """Details survive the codec, too: what is unknown to the contract is kept as it came."""
    chunks = read_message(
        {
            "id": "m",
            "model": "c",
            "content": [{"type": "container_upload", "file_id": "f"}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
    )
    details = [item for chunk in chunks for choice in chunk.choices for item in choice.delta.reasoning_details]
    again = CODEC.encode(chunks[-2])
    assert len(details) == 1
    assert again["choices"][0]["delta"]["reasoning_details"]
