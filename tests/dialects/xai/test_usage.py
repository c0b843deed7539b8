# SPDX-License-Identifier: Apache-2.0
"""What xAI counts."""

from typing import Any

import pytest

from trunkline_server.dialects.xai.stubs import chat_stubs
from trunkline_server.dialects.xai.usage import read_usage


def counted(**counts: Any) -> Any:
    """A report of xAI's."""
    return chat_stubs().GetChatCompletionChunk(usage=counts).usage


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}, (10, 5, 15, 0, 0)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "reasoning_tokens": 7, "total_tokens": 22}, (10, 12, 22, 0, 7)),
        # The total says that reasoning is among the text's tokens.
        ({"prompt_tokens": 10, "completion_tokens": 9, "reasoning_tokens": 7, "total_tokens": 19}, (10, 9, 19, 0, 7)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "reasoning_tokens": 7}, (10, 12, 22, 0, 7)),
        ({"prompt_tokens": 10, "cached_prompt_text_tokens": 8}, (10, 0, 10, 8, 0)),
        ({"prompt_tokens": 10, "cached_prompt_text_tokens": 80}, (10, 0, 10, 10, 0)),
        ({"prompt_tokens": 10, "cached_prompt_text_tokens": -1}, (10, 0, 10, 0, 0)),
    ],
)
def test_counts(counts: dict[str, int], told: tuple[int, ...]) -> None:
    """Completion tokens hold those of reasoning, prompt tokens those of the cache."""
    usage = read_usage(counted(**counts))
    assert usage is not None
    assert told == (
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.total_tokens,
        usage.prompt_tokens_details.cached_tokens,
        usage.completion_tokens_details.reasoning_tokens,
    )


@pytest.mark.parametrize("counts", [{}, {"prompt_tokens": -1, "completion_tokens": 3}, {"total_tokens": 9}])
def test_no_counts(counts: dict[str, int]) -> None:
    """A report without numbers, or with impossible ones, counts as missing: the gateway estimates."""
    assert read_usage(counted(**counts)) is None


def test_searches() -> None:
    """Searches of the web and of X are counted, other tools are not."""
    tools = ["SERVER_SIDE_TOOL_WEB_SEARCH", "SERVER_SIDE_TOOL_X_SEARCH", "SERVER_SIDE_TOOL_CODE_EXECUTION"]
    usage = read_usage(counted(prompt_tokens=1, server_side_tools_used=tools))
    assert usage is not None
    assert usage.server_tool_use_details.web_search_requests == 2
