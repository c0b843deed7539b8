# SPDX-License-Identifier: Apache-2.0
"""Usage and its price: exact integers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.builders import (
    make_assistant_calls,
    make_function,
    make_message,
    make_request,
    make_tool_result,
    make_usage,
)
from trunkline.v1.message_pb2 import ChatMessage, ContentPart
from trunkline.v1.usage_pb2 import CompletionTokensDetails, CostDetails, PromptTokensDetails, Usage
from trunkline_server.core.usage import (
    count_images,
    count_prompt_bytes,
    estimate_tokens,
    estimate_usage,
    price_usage,
    waive_cost,
)

# 2.50 and 10 USD per million tokens, and so on: 1e-12 USD per token.
PRICES = {
    "prompt": 2_500_000,
    "completion": 10_000_000,
    "request": 7,
    "input_cache_read": 250_000,
    "input_cache_write": 3_125_000,
    "audio": 40_000_000,
    "audio_output": 80_000_000,
    "internal_reasoning": 12_000_000,
}
WRITTEN = {"cache_creation": '{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20}'}
PLAIN_PRICES = {"prompt": 3, "completion": 5}
TOP = 2**63 - 1


def make_split_usage(prompt: int, completion: int, *, read: dict[str, int], made: dict[str, int]) -> Usage:
    """Usage with details of the prompt and the answer."""
    return make_usage(
        prompt,
        completion,
        prompt_tokens_details=PromptTokensDetails(**read),
        completion_tokens_details=CompletionTokensDetails(**made),
    )


@pytest.mark.parametrize(
    ("usage", "prices", "prompt_pusd", "completion_pusd"),
    [
        pytest.param(make_usage(1000, 200), PLAIN_PRICES, 3000, 1000, id="plain"),
        pytest.param(make_usage(0, 0), PLAIN_PRICES, 0, 0, id="nothing used"),
        pytest.param(make_usage(10, 0), PRICES, 25_000_007, 0, id="a price per request"),
        pytest.param(make_usage(10, 2), {"completion": 5}, 0, 10, id="a price unnamed is none"),
        pytest.param(
            make_split_usage(100, 0, read={"cached_tokens": 80, "cache_write_tokens": 15}, made={}),
            PRICES,
            80 * 250_000 + 15 * 3_125_000 + 5 * 2_500_000 + 7,
            0,
            id="cached parts",
        ),
        pytest.param(
            make_split_usage(10, 50, read={"audio_tokens": 4}, made={"reasoning_tokens": 30, "audio_tokens": 5}),
            PRICES,
            4 * 40_000_000 + 6 * 2_500_000 + 7,
            30 * 12_000_000 + 5 * 80_000_000 + 15 * 10_000_000,
            id="reasoning and sound",
        ),
        pytest.param(
            make_split_usage(100, 0, read={"cached_tokens": 80, "audio_tokens": 60}, made={}),
            PRICES,
            80 * 250_000 + 20 * 40_000_000 + 7,
            0,
            id="sound that was cached is charged once",
        ),
        pytest.param(
            make_split_usage(100, 0, read={"cached_tokens": 50, "cache_write_tokens": 70, "audio_tokens": 60}, made={}),
            PRICES,
            50 * 250_000 + 70 * 3_125_000 + 7,
            0,
            id="sound beside more parts than the prompt has",
        ),
        pytest.param(
            make_split_usage(100, 50, read={"cached_tokens": 60}, made={"reasoning_tokens": 20}),
            PLAIN_PRICES,
            300,
            250,
            id="parts without prices of their own",
        ),
        pytest.param(
            make_split_usage(10, 10, read={"cached_tokens": 25}, made={"reasoning_tokens": 15}),
            PRICES,
            25 * 250_000 + 7,
            15 * 12_000_000,
            id="parts beyond the total",
        ),
        pytest.param(
            make_split_usage(0, 50, read={}, made={"image_tokens": 40}),
            {**PLAIN_PRICES, "image_token": 7},
            0,
            40 * 7 + 10 * 5,
            id="tokens of images",
        ),
        pytest.param(
            make_split_usage(0, 50, read={}, made={"image_tokens": 40}),
            PLAIN_PRICES,
            0,
            250,
            id="tokens of images without a price of their own",
        ),
        pytest.param(
            make_split_usage(100, 0, read={"cache_write_tokens": 30, "extra": WRITTEN}, made={}),
            {**PLAIN_PRICES, "input_cache_write": 4, "input_cache_write_1h": 6},
            20 * 6 + 10 * 4 + 70 * 3,
            0,
            id="written for an hour",
        ),
        pytest.param(
            make_split_usage(100, 0, read={"cache_write_tokens": 30, "extra": WRITTEN}, made={}),
            {**PLAIN_PRICES, "input_cache_write": 4},
            30 * 4 + 70 * 3,
            0,
            id="written for an hour at one price",
        ),
        pytest.param(
            make_split_usage(100, 0, read={"cache_write_tokens": 30, "extra": {"cache_creation": "[}"}}, made={}),
            {**PLAIN_PRICES, "input_cache_write_1h": 6},
            300,
            0,
            id="a broken split",
        ),
        pytest.param(
            make_split_usage(-5, -1, read={"cached_tokens": -9}, made={"reasoning_tokens": -2}),
            PLAIN_PRICES,
            0,
            0,
            id="counts below zero cost nothing",
        ),
    ],
)
def test_usage_is_priced_exactly(usage: Usage, prices: dict[str, int], prompt_pusd: int, completion_pusd: int) -> None:
    """Each token costs what its kind costs, and the sum is exact."""
    price_usage(usage, prices)
    assert usage.cost_details == CostDetails(
        upstream_inference_cost_pusd=prompt_pusd + completion_pusd,
        upstream_inference_prompt_cost_pusd=prompt_pusd,
        upstream_inference_completions_cost_pusd=completion_pusd,
    )
    assert usage.cost_pusd == prompt_pusd + completion_pusd


def test_images_and_searches_have_prices() -> None:
    """A picture read, one made, and a search cost what they cost; a picture made costs nothing by its tokens."""
    usage = make_split_usage(10, 50, read={}, made={"image_tokens": 40})
    usage.server_tool_use_details.web_search_requests = 3
    price_usage(
        usage, {**PLAIN_PRICES, "image": 11, "image_output": 100, "web_search": 1000}, images_read=2, images_made=1
    )
    assert usage.cost_details == CostDetails(
        upstream_inference_prompt_cost_pusd=30 + 22,
        upstream_inference_completions_cost_pusd=50 + 100,
        upstream_inference_cost_pusd=30 + 22 + 50 + 100 + 3000,
    )


def test_pictures_are_counted() -> None:
    """Every message's pictures count, and nothing else does."""
    picture = ContentPart(image_url={"url": "data:,"})
    message = make_message("look")
    message.user.content.extend([picture, picture])
    assert count_images(make_request(messages=[message, make_message(), make_assistant_calls("a")])) == 2
    assert count_images(make_request(messages=[ChatMessage()])) == 0


def test_without_prices_the_provider_has_the_word() -> None:
    """An endpoint without prices leaves cost and details as the provider said them."""
    usage = make_usage(cost_pusd=42)
    price_usage(usage, {})
    assert usage == make_usage(cost_pusd=42)


def test_a_cost_is_waived() -> None:
    """The caller is charged nothing; what the provider charged is still told."""
    usage = make_usage(10, 2)
    price_usage(usage, PLAIN_PRICES)
    waive_cost(usage)
    assert (usage.cost_pusd, usage.cost_details.upstream_inference_cost_pusd) == (0, 40)


def test_an_endpoint_priced_at_nothing_is_free() -> None:
    """A price of 0 is a price: the cost is 0, not unknown."""
    usage = make_usage()
    price_usage(usage, {"prompt": 0, "completion": 0})
    assert usage.HasField("cost_pusd")
    assert usage.cost_pusd == 0


@given(
    counts=st.lists(st.integers(min_value=-(2**63), max_value=TOP), min_size=7, max_size=7),
    prices=st.dictionaries(st.sampled_from(sorted(PRICES)), st.integers(min_value=0, max_value=TOP), min_size=1),
)
def test_any_usage_has_a_price(counts: list[int], prices: dict[str, int]) -> None:
    """Whatever a provider reports, the cost is an integer of 64 bits that is not negative, and raises nothing."""
    usage = make_split_usage(
        0,
        counts[1],
        read=dict(zip(("cached_tokens", "cache_write_tokens", "audio_tokens"), counts[2:5], strict=True)),
        made=dict(zip(("reasoning_tokens", "audio_tokens"), counts[5:], strict=True)),
    )
    usage.prompt_tokens = counts[0]
    price_usage(usage, prices)
    assert 0 <= usage.cost_pusd <= TOP


@pytest.mark.parametrize(("size_bytes", "tokens"), [(0, 0), (1, 1), (4, 1), (5, 2), (400, 100)])
def test_tokens_are_estimated_upwards(size_bytes: int, tokens: int) -> None:
    """Four bytes make a token, and any text at all makes one."""
    assert estimate_tokens(size_bytes) == tokens


def test_estimated_usage_is_marked() -> None:
    """Usage that the gateway counted by itself says so."""
    assert estimate_usage(prompt_bytes=9, completion_bytes=8) == make_usage(3, 2, estimated=True)


def test_the_prompt_is_measured_by_its_texts() -> None:
    """Messages, calls and tools count with the bytes of their texts; a picture, the model's name and the knobs count nothing."""
    picture = make_message("look")
    picture.user.content.add().image_url.url = "data:image/png;base64," + "A" * 10_000
    request = make_request(
        model="acme/a-long-name",
        messages=[make_message("hé", "system"), picture, make_assistant_calls("c1"), make_tool_result("c1", "done")],
        tools=[make_function("look_up", "{}")],
        stream=True,
    )
    assert count_prompt_bytes(request) == len("hé".encode()) + 4 + len("look_up{}") + 4 + len("look_up{}")
