# SPDX-License-Identifier: Apache-2.0
"""What a call used, and what that costs. Integers of 1e-12 USD; no floats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.usage_pb2 import Usage

_BYTES_PER_TOKEN: Final = 4
_HIGHEST_PUSD: Final = 2**63 - 1
_NO_PARTS: Final[tuple[tuple[int, int], ...]] = ()


def estimate_tokens(size_bytes: int) -> int:
    """A rough count for text of that many UTF-8 bytes: one token for every four, at least one for any text at all."""
    return -(-size_bytes // _BYTES_PER_TOKEN)


def count_prompt_bytes(request: ChatCompletionRequest) -> int:
    """The UTF-8 bytes of the texts that the model reads: messages, calls and tools. Pictures, sound and files count nothing: nobody can tell their tokens."""
    size = 0
    for message in request.messages:
        turn = getattr(message, message.WhichOneof("message") or "user")
        size += sum(len(part.text.encode()) for part in turn.content)
        for call in getattr(turn, "tool_calls", ()):
            size += len(call.function.name.encode()) + len(call.function.arguments.encode())
    for tool in request.tools:
        function = tool.function
        size += len(function.name.encode()) + len(function.description.encode()) + len(function.parameters.encode())
    return size


def estimate_usage(*, prompt_bytes: int, completion_bytes: int) -> Usage:
    """Usage for an answer whose provider reported none, marked as estimated."""
    prompt, completion = estimate_tokens(prompt_bytes), estimate_tokens(completion_bytes)
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion, estimated=True)


def price_usage(usage: Usage, prices_pusd: Mapping[str, int]) -> None:
    """Sets cost and cost details from an endpoint's prices; without prices, what the provider said stays.

    `prices_pusd` has the keys of `trunkline.v1.Pricing` without unit. Cached, audio and reasoning tokens have prices of their own where the endpoint
    names them, else those of the prompt or completion. Counts below 0 cost nothing, and a cost beyond 64 bits is the highest one: a provider's nonsense
    must not end a call whose answer has come.
    """
    if not prices_pusd:
        return
    prompt_price = prices_pusd.get("prompt", 0)
    completion_price = prices_pusd.get("completion", 0)
    prompt_parts = completion_parts = _NO_PARTS
    if usage.HasField("prompt_tokens_details"):
        read = usage.prompt_tokens_details
        prompt_parts = (
            (read.cached_tokens, prices_pusd.get("input_cache_read", prompt_price)),
            (read.cache_write_tokens, prices_pusd.get("input_cache_write", prompt_price)),
            (read.audio_tokens, prices_pusd.get("audio", prompt_price)),
        )
    if usage.HasField("completion_tokens_details"):
        made = usage.completion_tokens_details
        completion_parts = (
            (made.reasoning_tokens, prices_pusd.get("internal_reasoning", completion_price)),
            (made.audio_tokens, prices_pusd.get("audio_output", completion_price)),
        )
    prompt_pusd = _price_parts(usage.prompt_tokens, prompt_price, prompt_parts) + prices_pusd.get("request", 0)
    completion_pusd = _price_parts(usage.completion_tokens, completion_price, completion_parts)
    cost_pusd = min(prompt_pusd + completion_pusd, _HIGHEST_PUSD)
    usage.cost_pusd = cost_pusd
    details = usage.cost_details
    details.upstream_inference_cost_pusd = cost_pusd
    details.upstream_inference_prompt_cost_pusd = min(prompt_pusd, _HIGHEST_PUSD)
    details.upstream_inference_completions_cost_pusd = min(completion_pusd, _HIGHEST_PUSD)


def waive_cost(usage: Usage) -> None:
    """The caller is charged nothing. What the provider charged stays in the details."""
    usage.cost_pusd = 0


def _price_parts(total_tokens: int, base_price: int, parts: tuple[tuple[int, int], ...]) -> int:
    """The cost of tokens of which some parts have prices of their own. Parts beyond the total do not make the rest negative."""
    if not parts:
        return max(0, total_tokens) * base_price
    counted = [(max(0, count), price) for count, price in parts]
    rest = max(0, total_tokens - sum(count for count, _ in counted))
    return rest * base_price + sum(count * price for count, price in counted)
