# SPDX-License-Identifier: Apache-2.0
"""Plain Python values into messages: what each kind of field takes, and how faults are named."""

from decimal import Decimal
from typing import Any

import pytest

from trunkline import build_request
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest, ReasoningConfig, StreamOptions
from trunkline.v1.message_pb2 import ContentPart, UserMessage
from trunkline.v1.provider_preferences_pb2 import DataCollection, MaxPrice
from trunkline.values import fill

CIRCLE: dict[str, object] = {}
CIRCLE["self"] = CIRCLE
DEEP: list[object] = []
for _ in range(100_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"seed": 5.0}, ChatCompletionRequest(seed=5)),
        ({"seed": -(2**63)}, ChatCompletionRequest(seed=-(2**63))),
        ({"temperature": 1}, ChatCompletionRequest(temperature=1.0)),
        ({"stop": "a"}, ChatCompletionRequest(stop=["a"])),
        ({"stop": ("a", "b")}, ChatCompletionRequest(stop=["a", "b"])),
        ({"stop": (text for text in "ab")}, ChatCompletionRequest(stop=["a", "b"])),
        ({"stop": []}, ChatCompletionRequest()),
        ({"metadata": {"a": "b", "c": None}}, ChatCompletionRequest(metadata={"a": "b"})),
        ({"stream_options": {}}, ChatCompletionRequest(stream_options=StreamOptions())),
        (
            {"reasoning": {"effort": "low", "enabled": None}},
            ChatCompletionRequest(reasoning=ReasoningConfig(effort="low")),
        ),
        ({"reasoning": ReasoningConfig(effort="low")}, ChatCompletionRequest(reasoning=ReasoningConfig(effort="low"))),
    ],
)
def test_kinds_of_values(fields: dict[str, Any], expected: ChatCompletionRequest) -> None:
    """Integral floats, single items, any iterable and None go where the JSON API takes them too."""
    assert build_request(**fields) == expected


@pytest.mark.parametrize(
    ("price", "pusd"),
    [(1, 10**12), (0.000001, 10**6), ("0.5", 5 * 10**11), (Decimal("1e-12"), 1), ("1e-3", 10**9), (0, 0)],
)
def test_money(price: object, pusd: int) -> None:
    """Prices in USD become integers of 1e-12 USD, without rounding."""
    assert build_request(provider={"max_price": {"prompt": price}}).provider.max_price == MaxPrice(prompt_pusd=pusd)


@pytest.mark.parametrize("value", ["deny", DataCollection.DATA_COLLECTION_DENY])
def test_enums(value: object) -> None:
    """An enum's value is its JSON word or its number."""
    request = build_request(provider={"data_collection": value})
    assert request.provider.data_collection == DataCollection.DATA_COLLECTION_DENY


def test_unions() -> None:
    """Tags choose variants, nested under their key, beside it, or under `parameters`; a bare string is the shorthand."""
    request = build_request(
        messages=[
            {"role": "user", "content": ["hi", {"type": "input_video", "video_url": {"url": "u"}}], "name": "ann"}
        ],
        tools=[
            {"type": "openrouter:web_search", "parameters": {"max_results": 3}},
            {"type": "openrouter:datetime"},
            {"type": "web_search_preview", "engine": "exa"},
            {"type": "of tomorrow", "a": 1},
        ],
        plugins=[{"id": "web", "enabled": False, "max_results": 2}],
        tool_choice="auto",
        response_format={"type": "json_object"},
        stop_server_tools_when=[{"type": "max_cost", "max_cost_in_dollars": 0.5}],
    )
    text, video = request.messages[0].user.content
    search, clock, shorthand, unknown = request.tools
    assert (text.text, video.video_url.url, video.video_url.received_type) == ("hi", "u", "input_video")
    assert request.messages[0].user.name == "ann"
    assert search.web_search.max_results == 3
    assert clock.WhichOneof("tool") == "datetime"
    assert shorthand.web_search_shorthand.settings.engine == "exa"
    assert shorthand.web_search_shorthand.received_type == "web_search_preview"
    assert unknown.unknown == '{"type":"of tomorrow","a":1}'
    assert (request.plugins[0].enabled, request.plugins[0].web.max_results) == (False, 2)
    assert request.tool_choice.mode == "auto"
    assert request.response_format.WhichOneof("format") == "json_object"
    assert request.stop_server_tools_when[0].max_cost_pusd == 5 * 10**11


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"temperature": "1"}, "temperature must be a number, not str"),
        ({"temperature": True}, "temperature must be a number, not bool"),
        ({"seed": "1"}, "seed must be an integer, not str"),
        ({"logprobs": 1}, "logprobs must be True or False, not int"),
        ({"model": b"x"}, "model must be a string, not bytes"),
        ({"messages": "hi"}, "messages must be a list, not str"),
        ({"messages": {"role": "user"}}, "messages must be a list, not dict"),
        ({"messages": [None]}, r"messages\[0\] must be a dict or a ChatMessage, not None"),
        ({"messages": [ContentPart(text="a")]}, r"messages\[0\] must be a dict or a ChatMessage, not a ContentPart"),
        ({"messages": [{"role": 5}]}, r"messages\[0\].role must be a string, not int"),
        ({"messages": [{"role": "user", "content": 5}]}, r"messages\[0\].content must be a list or a string, not int"),
        ({"messages": [{"role": "user", 5: 6}]}, r"messages\[0\]: keys must be strings, not int"),
        ({"metadata": ["a"]}, "metadata must be a dict, not list"),
        ({"metadata": {"a": 1}}, "metadata.a must be a string, not int"),
        ({"logit_bias": {None: 1}}, "a key of logit_bias must be a string, not None"),
        ({"stop": [None]}, r"stop\[0\] must be a string, not None"),
        ({"reasoning": "low"}, "reasoning must be a dict or a ReasoningConfig, not str"),
        ({"tool_choice": 5}, "tool_choice.* must be a string, not int"),
        ({"extra": {"a": object()}}, "extra.a must be a JSON value: .*object"),
        (
            {"provider": {"max_price": {"prompt": []}}},
            "provider.max_price.prompt must be a number or its text, not list",
        ),
    ],
)
def test_values_of_the_wrong_kind(fields: dict[str, Any], complaint: str) -> None:
    """A value of the wrong type is a TypeError that names its place."""
    with pytest.raises(TypeError, match=f"^{complaint}"):
        build_request(**fields)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"seed": 2**63}, "seed: "),
        ({"seed": 1.5}, "seed must be an integer, not 1.5"),
        ({"seed": float("nan")}, "seed must be an integer, not nan"),
        ({"max_tokens": 2**31}, "max_tokens: "),
        ({"model": "\ud800"}, "model: "),
        ({"stop": ["\ud800"]}, r"stop\[0\]: "),
        ({"metadata": {"a": "\ud800"}}, "metadata.a: "),
        ({"messages": [{"content": "hi"}]}, r"messages\[0\].role is missing"),
        ({"messages": [{"role": "usr"}]}, r"messages\[0\].role must be one of system, user, .*, not 'usr'"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            r"messages\[0\].content\[0\].image_url is missing",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            r"messages\[0\].content\[0\].text is missing",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "x"}]}]},
            r"messages\[0\].content\[0\].type must be one of text,",
        ),
        ({"cache_control": {"type": "forever"}}, "cache_control.type must be 'ephemeral', not 'forever'"),
        ({"provider": {"ordr": ["a"]}}, "provider.ordr is not known here; known are allow_fallbacks, .*order"),
        (
            {"provider": {"data_collection": "maybe"}},
            "provider.data_collection must be one of allow, deny, not 'maybe'",
        ),
        ({"provider": {"max_price": {"prompt": "cheap"}}}, "provider.max_price.prompt must be a number, not 'cheap'"),
        ({"provider": {"max_price": {"prompt": float("inf")}}}, "provider.max_price.prompt must be a number, not inf"),
        (
            {"provider": {"max_price": {"prompt": "1e-13"}}},
            "provider.max_price.prompt must have at most 12 decimal places",
        ),
        ({"provider": {"max_price": {"prompt": "1e20"}}}, "provider.max_price.prompt: "),
        ({"extra": {"a": float("nan")}}, "extra.a must be a JSON value"),
        ({"extra": {"a": CIRCLE}}, "extra.a must be a JSON value"),
        ({"extra": {"a": DEEP}}, "extra.a must be a JSON value"),
    ],
)
def test_values_that_are_wrong(fields: dict[str, Any], complaint: str) -> None:
    """A value of the right type that cannot be is a ValueError that names its place."""
    with pytest.raises(ValueError, match=f"^{complaint}"):
        build_request(**fields)


def test_a_message_of_any_type() -> None:
    """A dict fills any message; the path of a fault begins at the dict."""
    message = UserMessage()
    fill(message, {"content": "hi", "new": 1}, "")
    assert message == UserMessage(content=[ContentPart(text="hi")], extra={"new": "1"})
    with pytest.raises(TypeError, match=r"^content must be"):
        fill(message, {"content": 5}, "")
