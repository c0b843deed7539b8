# SPDX-License-Identifier: Apache-2.0
"""Messages as Converse's turns."""

from typing import Any

import pytest

from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.anthropic.report import Report
from trunkline_server.dialects.bedrock_converse.conversation import clean_id, is_thought, render_conversation

CALL = {"id": "c/1", "type": "function", "index": 0, "function": {"name": "look", "arguments": '{"a":1}'}}
USE = {"toolUse": {"toolUseId": "c_1", "name": "look", "input": {"a": 1}}}
MARK = {"type": "ephemeral"}


def test_turns() -> None:
    """Instructions stand apart, runs of one role are one turn, results come first in theirs and keep their mark."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "one"},
        {"role": "user", "content": [{"type": "text", "text": "two", "cache_control": MARK}]},
        {"role": "assistant", "content": "hm", "tool_calls": [CALL]},
        {"role": "user", "content": "wait"},
        {"role": "tool", "tool_call_id": "c/1", "content": [{"type": "text", "text": "4 C", "cache_control": MARK}]},
        {"role": "developer", "content": "In French."},
    ]
    report = Report()
    system, turns = render_conversation(messages, report)
    point = {"cachePoint": {"type": "default"}}
    assert system == [{"text": "Be brief."}, {"text": "In French."}]
    assert turns == [
        {"role": "user", "content": [{"text": "one"}, {"text": "two"}, point]},
        {"role": "assistant", "content": [{"text": "hm"}, USE]},
        {
            "role": "user",
            "content": [{"toolResult": {"toolUseId": "c_1", "content": [{"text": "4 C"}]}}, point, {"text": "wait"}],
        },
    ]
    assert [path for path, _ in report.changed] == ["messages"]


@pytest.mark.parametrize(
    ("message", "result"),
    [
        ({"content": ""}, {"content": [{"text": "(no output)"}]}),
        ({"content": "x", "is_error": True}, {"content": [{"text": "x"}], "status": "error"}),
        (
            {"content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
            {"content": [{"image": {"format": "png", "source": {"bytes": "AAAA"}}}]},
        ),
    ],
)
def test_results(message: dict[str, Any], result: dict[str, Any]) -> None:
    """A result may be an error or hold images, and is never empty."""
    _, turns = render_conversation([{"role": "tool", "tool_call_id": "a", **message}], Report())
    assert turns[0]["content"] == [{"toolResult": {"toolUseId": "a", **result}}]


def test_the_mark_of_an_empty_result() -> None:
    """A cached prefix ends behind it all the same."""
    content = [{"type": "text", "text": "\n", "cache_control": {**MARK, "ttl": "1h"}}]
    report = Report()
    _, turns = render_conversation([{"role": "tool", "tool_call_id": "a", "content": content}], report)
    result = {"toolResult": {"toolUseId": "a", "content": [{"text": "(no output)"}]}}
    assert turns[0]["content"] == [result, {"cachePoint": {"type": "default", "ttl": "1h"}}]
    assert report.dropped == ()


ASKED = {"role": "user", "content": [{"text": "x"}]}
SAID = {"role": "assistant", "content": [{"text": "x"}]}
CALLED = {"role": "assistant", "content": [USE]}
THOUGHT = {"role": "assistant", "content": [{"reasoningContent": {"redactedContent": "ZA=="}}, USE]}
GIVEN = {"role": "user", "content": [{"toolResult": {}}, {"text": "x"}]}


@pytest.mark.parametrize(
    ("turns", "may_think"),
    [
        ([], True),
        ([ASKED], True),
        ([ASKED, CALLED, GIVEN], False),
        ([ASKED, THOUGHT, GIVEN], True),
        ([ASKED, THOUGHT, GIVEN, CALLED, GIVEN], True),
        ([ASKED, CALLED, GIVEN, THOUGHT, GIVEN], True),
        ([ASKED, THOUGHT, GIVEN, SAID, ASKED, CALLED, GIVEN], False),
        ([ASKED, CALLED, GIVEN, SAID, ASKED], True),
        ([ASKED, SAID], False),
    ],
)
def test_thinking_on(turns: list[dict[str, Any]], may_think: bool) -> None:
    """An answer that goes on must have begun with thinking; earlier ones do not matter."""
    assert is_thought(turns) is may_think


def test_reasoning() -> None:
    """Signed and redacted thinking goes back as it came, in its order; what is another's, or unsigned, does not."""
    own = "anthropic-claude-v1"
    details = [
        {"type": "reasoning.text", "text": "a", "signature": "s1", "format": own},
        {"type": "reasoning.encrypted", "data": "ZA==", "format": own},
        {"type": "reasoning.text", "text": "b", "format": own},
        {"type": "reasoning.summary", "summary": "c", "format": "openai-responses-v1"},
    ]
    report = Report()
    turn = {"role": "assistant", "content": "x", "reasoning": "a", "reasoning_details": details}
    _, turns = render_conversation([turn], report)
    assert turns[0]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "a", "signature": "s1"}}},
        {"reasoningContent": {"redactedContent": "ZA=="}},
        {"text": "x"},
    ]
    assert report.dropped == ("messages.reasoning_details",)


def test_arguments_that_are_no_object() -> None:
    """They travel inside of one, and that is reported."""
    report = Report()
    call = {**CALL, "function": {"name": "look", "arguments": "[1"}}
    _, turns = render_conversation([{"role": "assistant", "content": None, "tool_calls": [call]}], report)
    assert turns[0]["content"][0]["toolUse"]["input"] == {"arguments": "[1"}
    assert [path for path, _ in report.changed] == ["messages.tool_calls.function.arguments"]


def test_images_in_instructions() -> None:
    """There is no block for them."""
    parts = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    with pytest.raises(GatewayError, match="nothing but text"):
        render_conversation([{"role": "system", "content": parts}], Report())


@pytest.mark.parametrize(
    ("given", "cleaned"), [("a:b.c-d_1", "a:b.c-d_1"), ("a b/c", "a_b_c"), ("", "_"), ("x" * 70, "x" * 64)]
)
def test_ids(given: str, cleaned: str) -> None:
    """Ids have the characters and the length that Bedrock takes."""
    assert clean_id(given) == cleaned
