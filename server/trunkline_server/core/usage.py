# SPDX-License-Identifier: Apache-2.0
"""What a call used, and what that costs. Integers of 1e-12 USD; no floats."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, TypeAlias

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.usage_pb2 import PromptTokensDetails, Usage

_BYTES_PER_TOKEN: Final = 4
_HIGHEST_PUSD: Final = 2**63 - 1
_Parts: TypeAlias = tuple[tuple[int, int], ...]
"""Counts of tokens, each with its price."""
_NO_PARTS: Final[_Parts] = ()
CACHE_CREATION: Final = "cache_creation"
"""The unknown key of a prompt's details under which Anthropic's split of cache writes stands: `{ephemeral_5m_input_tokens, ephemeral_1h_input_tokens}`."""


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


def price_usage(usage: Usage, prices_pusd: Mapping[str, int], *, images_read: int = 0, images_made: int = 0) -> None:
    """Sets cost and cost details from an endpoint's prices; without prices, what the provider said stays.

    `prices_pusd` has the keys of `trunkline.v1.Pricing` without unit. Tokens that were read from a cache or written to it, of sound, of reasoning and of
    images have prices of their own where the endpoint names them, else those of the prompt or completion; an image that has a price costs nothing by its
    tokens. Requests, images and searches of the web have theirs. Counts below 0 cost nothing, and a cost beyond 64 bits is the highest one: a provider's
    nonsense must not end a call whose answer has come.
    """
    if not prices_pusd:
        return
    prompt_price = prices_pusd.get("prompt", 0)
    completion_price = prices_pusd.get("completion", 0)
    prompt_pusd = _price_parts(usage.prompt_tokens, prompt_price, _prompt_parts(usage, prices_pusd, prompt_price))
    prompt_pusd += prices_pusd.get("request", 0) + images_read * prices_pusd.get("image", 0)
    parts = _completion_parts(usage, prices_pusd, completion_price)
    completion_pusd = _price_parts(usage.completion_tokens, completion_price, parts)
    completion_pusd += images_made * prices_pusd.get("image_output", 0)
    searches = usage.server_tool_use_details.web_search_requests if usage.HasField("server_tool_use_details") else 0
    searches_pusd = max(0, searches) * prices_pusd.get("web_search", 0)
    cost_pusd = min(prompt_pusd + completion_pusd + searches_pusd, _HIGHEST_PUSD)
    usage.cost_pusd = cost_pusd
    details = usage.cost_details
    details.upstream_inference_cost_pusd = cost_pusd
    details.upstream_inference_prompt_cost_pusd = min(prompt_pusd, _HIGHEST_PUSD)
    details.upstream_inference_completions_cost_pusd = min(completion_pusd, _HIGHEST_PUSD)


def count_images(request: ChatCompletionRequest) -> int:
    """The pictures among the parts of all messages."""
    images = 0
    for message in request.messages:
        content = getattr(message, message.WhichOneof("message") or "user").content
        images += sum(part.WhichOneof("part") == "image_url" for part in content)
    return images


def waive_cost(usage: Usage) -> None:
    """The caller is charged nothing. What the provider charged stays in the details."""
    usage.cost_pusd = 0


def _prompt_parts(usage: Usage, prices_pusd: Mapping[str, int], base_price: int) -> _Parts:
    if not usage.HasField("prompt_tokens_details"):
        return _NO_PARTS
    read = usage.prompt_tokens_details
    write_price = prices_pusd.get("input_cache_write", base_price)
    written, for_an_hour = read.cache_write_tokens, 0
    if "input_cache_write_1h" in prices_pusd and read.extra:
        for_an_hour = min(_written_for_an_hour(read), max(0, written))
    # Google counts sound that it read from its cache in both; it is charged as what the cache gave.
    sound = min(read.audio_tokens, max(0, usage.prompt_tokens - max(0, read.cached_tokens) - max(0, written)))
    return (
        (read.cached_tokens, prices_pusd.get("input_cache_read", base_price)),
        (written - for_an_hour, write_price),
        (for_an_hour, prices_pusd.get("input_cache_write_1h", write_price)),
        (sound, prices_pusd.get("audio", base_price)),
    )


def _completion_parts(usage: Usage, prices_pusd: Mapping[str, int], base_price: int) -> _Parts:
    if not usage.HasField("completion_tokens_details"):
        return _NO_PARTS
    made = usage.completion_tokens_details
    by_image = 0 if "image_output" in prices_pusd else base_price
    return (
        (made.reasoning_tokens, prices_pusd.get("internal_reasoning", base_price)),
        (made.audio_tokens, prices_pusd.get("audio_output", base_price)),
        (made.image_tokens, prices_pusd.get("image_token", by_image)),
    )


def _written_for_an_hour(read: PromptTokensDetails) -> int:
    """The tokens that were written to the cache for an hour, as Anthropic tells them; 0 where nobody does."""
    try:
        said = json.loads(read.extra.get(CACHE_CREATION) or "{}")
        count = said.get("ephemeral_1h_input_tokens") if isinstance(said, dict) else None
    except ValueError:
        return 0
    return max(0, count) if type(count) is int else 0


def _price_parts(total_tokens: int, base_price: int, parts: _Parts) -> int:
    """The cost of tokens of which some parts have prices of their own. Parts beyond the total do not make the rest negative."""
    if not parts:
        return max(0, total_tokens) * base_price
    counted = [(max(0, count), price) for count, price in parts]
    rest = max(0, total_tokens - sum(count for count, _ in counted))
    return rest * base_price + sum(count * price for count, price in counted)
