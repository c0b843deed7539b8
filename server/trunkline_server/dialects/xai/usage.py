# SPDX-License-Identifier: Apache-2.0
"""What xAI counts, as usage.

`completion_tokens` of xAI's are those of the text, and reasoning stands beside them; the total holds both, so it tells whether reasoning is counted already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trunkline.v1.usage_pb2 import Usage

if TYPE_CHECKING:
    from xai_sdk.proto.v6.usage_pb2 import SamplingUsage

_SEARCHES: Final = frozenset({1, 2})
"""SERVER_SIDE_TOOL_WEB_SEARCH and SERVER_SIDE_TOOL_X_SEARCH."""


def read_usage(counted: SamplingUsage) -> Usage | None:
    """The usage of an answer; None where nothing is counted, or what is counted cannot be."""
    prompt, text, reasoning = counted.prompt_tokens, counted.completion_tokens, counted.reasoning_tokens
    if min(prompt, text, reasoning) < 0 or not prompt + text + reasoning:
        return None
    completion = text + reasoning
    if counted.total_tokens == prompt + text and reasoning <= text:
        completion = text
    usage = Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)
    usage.prompt_tokens_details.cached_tokens = min(max(counted.cached_prompt_text_tokens, 0), prompt)
    usage.completion_tokens_details.reasoning_tokens = reasoning
    searches = sum(tool in _SEARCHES for tool in counted.server_side_tools_used)
    if searches:
        usage.server_tool_use_details.web_search_requests = searches
    return usage
