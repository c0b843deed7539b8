# SPDX-License-Identifier: Apache-2.0
"""Messages and the prompt's tokens."""

from typing import Any

import pytest

from support.simulator import ask, ask_refused

IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}


@pytest.mark.parametrize(
    ("message", "path"),
    [
        ("hi", "messages[0]"),
        ({"content": "hi"}, "messages[0].role"),
        ({"role": "robot", "content": "hi"}, "messages[0].role"),
        ({"role": "user", "content": 1}, "messages[0].content"),
        ({"role": "user", "content": {"type": "text"}}, "messages[0].content"),
        ({"role": "user", "content": ["hi"]}, "messages[0].content[0]"),
        ({"role": "user", "content": [{"text": "hi"}]}, "messages[0].content[0].type"),
        ({"role": "user", "content": [IMAGE, {"type": "text"}]}, "messages[0].content[1].text"),
        ({"role": "assistant", "tool_calls": {}}, "messages[0].tool_calls"),
        ({"role": "assistant", "tool_calls": [1]}, "messages[0].tool_calls[0]"),
        ({"role": "assistant", "tool_calls": [{"function": {"name": 1}}]}, "messages[0].tool_calls[0].function.name"),
        ({"role": "assistant", "reasoning": 1}, "messages[0].reasoning"),
        ({"role": "assistant", "reasoning_details": 1}, "messages[0].reasoning_details"),
        ({"role": "tool", "tool_call_id": 1}, "messages[0].tool_call_id"),
    ],
)
def test_malformed_messages_are_refused_by_their_path(message: Any, path: str) -> None:
    """The error names what is wrong in which message."""
    assert ask_refused("sim/echo", messages=[message]) == (400, path, None)


@pytest.mark.parametrize(
    ("keys", "tokens"),
    [
        ({"messages": [{"role": "user", "content": ""}]}, 1),
        ({"messages": [{"role": "user", "content": "one two three"}]}, 4),
        ({"messages": [{"role": "system", "content": "one"}, {"role": "user", "content": "two"}]}, 4),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "one"}, IMAGE]}]}, 66),
        (
            {
                "messages": [
                    {"role": "assistant", "content": None, "reasoning": "a b"},
                    {"role": "user", "content": "c"},
                ]
            },
            5,
        ),
        (
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [{"id": "x", "function": {"name": "f", "arguments": "{}"}}]}
                ]
            },
            3,
        ),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, 7),
        ({"response_format": {"type": "text"}}, 5),
        ({"tools": [], "response_format": None}, 4),
    ],
)
def test_prompt_tokens_are_counted_by_rule(keys: dict[str, Any], tokens: int) -> None:
    """Usage reports what the rule says, and the total adds up."""
    usage = ask("sim/echo", **keys)["usage"]
    assert usage["prompt_tokens"] == tokens
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
