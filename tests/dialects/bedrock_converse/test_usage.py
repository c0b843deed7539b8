# SPDX-License-Identifier: Apache-2.0
"""Usage in Converse's words."""

from typing import Any

import pytest

from trunkline_server.dialects.bedrock_converse.usage import read_usage

CACHED = {
    "inputTokens": 9,
    "outputTokens": 7,
    "totalTokens": 3564,
    "cacheReadInputTokens": 2048,
    "cacheWriteInputTokens": 1500,
    "cacheDetails": [{"ttl": "1h", "inputTokens": 1024}, {"ttl": "5m", "inputTokens": 476}],
}


def test_cached_tokens() -> None:
    """Prompt tokens include what was read from the cache and what was written into it, for how long is kept."""
    usage = read_usage(CACHED)
    assert usage is not None
    details = usage.prompt_tokens_details
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (3557, 7, 3564)
    assert (details.cached_tokens, details.cache_write_tokens) == (2048, 1500)
    assert details.extra["cache_creation"] == '{"ephemeral_1h_input_tokens":1024,"ephemeral_5m_input_tokens":476}'


def test_plain() -> None:
    """Without a cache nothing is said of one; an unknown count is kept."""
    usage = read_usage({"inputTokens": 3.0, "outputTokens": 4, "newTokens": 5})
    assert usage is not None
    assert (usage.prompt_tokens, usage.HasField("prompt_tokens_details"), dict(usage.extra)) == (
        3,
        False,
        {"newTokens": "5"},
    )


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"inputTokens": 1},
        {"inputTokens": -1, "outputTokens": 1},
        {"inputTokens": "1", "outputTokens": 1},
        {"inputTokens": 1, "outputTokens": 2**50},
        {"inputTokens": 1, "outputTokens": 1, "cacheReadInputTokens": -5},
        {"inputTokens": True, "outputTokens": 1},
    ],
)
def test_reports_that_are_not_believed(said: dict[str, Any]) -> None:
    """A broken count makes the whole report count as missing, so that the engine estimates."""
    assert read_usage(said) is None


@pytest.mark.parametrize(
    "details", [None, 5, [5], [{"ttl": "1d", "inputTokens": 3}], [{"ttl": "5m", "inputTokens": "x"}]]
)
def test_broken_details(details: object) -> None:
    """A broken detail is only left out."""
    usage = read_usage({**CACHED, "cacheDetails": details})
    assert usage is not None
    assert dict(usage.prompt_tokens_details.extra) == {}
