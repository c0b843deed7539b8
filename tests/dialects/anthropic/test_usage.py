# SPDX-License-Identifier: Apache-2.0
"""Usage in both vocabularies."""

from typing import Any

import pytest

from trunkline_server.dialects.anthropic.usage import read_usage, write_usage

FULL: dict[str, Any] = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 20,
    "cache_read_input_tokens": 30,
    "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 15},
    "output_tokens": 40,
    "output_tokens_details": {"thinking_tokens": 25},
    "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
    "service_tier": "priority",
    "inference_geo": "eu",
    "speed": None,
}


def test_all_of_it() -> None:
    """Prompt tokens are all that the model read, and each kind is told."""
    usage = read_usage(FULL)
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (60, 40, 100)
    read = usage.prompt_tokens_details
    assert (read.cached_tokens, read.cache_write_tokens) == (30, 20)
    assert read.extra["cache_creation"] == '{"ephemeral_5m_input_tokens":5,"ephemeral_1h_input_tokens":15}'
    assert usage.completion_tokens_details.reasoning_tokens == 25
    tools = usage.server_tool_use_details
    assert (tools.web_search_requests, dict(tools.extra)) == (2, {"web_fetch_requests": "1"})
    assert dict(usage.extra) == {"inference_geo": '"eu"'}


def test_it_comes_back() -> None:
    """What was read is written as it was."""
    usage = read_usage(FULL)
    assert usage is not None
    assert write_usage(usage, "priority") == {name: value for name, value in FULL.items() if value is not None}


def test_little_is_said_of_little() -> None:
    """Counts that Anthropic does not name are not made up."""
    usage = read_usage({"input_tokens": 3, "output_tokens": 1.0})
    assert usage is not None
    assert not usage.HasField("prompt_tokens_details")
    assert write_usage(usage, "default")["service_tier"] == "standard"


BROKEN = [
    {},
    {"input_tokens": 3},
    {"output_tokens": 3},
    {"input_tokens": -1, "output_tokens": 3},
    {"input_tokens": "3", "output_tokens": 3},
    {"input_tokens": 3, "output_tokens": True},
    {"input_tokens": 3, "output_tokens": 3, "cache_read_input_tokens": -5},
    {"input_tokens": 2**50, "output_tokens": 3},
]


@pytest.mark.parametrize("said", BROKEN)
def test_what_is_not_believed(said: dict[str, Any]) -> None:
    """A broken count makes the whole report doubtful, so that the engine estimates."""
    assert read_usage(said) is None


def test_broken_details_are_left_out() -> None:
    """A detail that is no count is not told."""
    usage = read_usage({**FULL, "output_tokens_details": 5, "server_tool_use": {"x": -1}, "cache_creation": 7})
    assert usage is not None
    assert not usage.HasField("completion_tokens_details")
    assert not usage.HasField("server_tool_use_details")
