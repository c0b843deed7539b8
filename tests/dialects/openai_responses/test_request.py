# SPDX-License-Identifier: Apache-2.0
"""Requests as a provider of the Responses API gets them."""

from typing import Any

import orjson
import pytest

from support.builders import make_endpoint, make_provider
from support.responses_wire import HELLO, HELLO_ITEM, open_endpoint, plain_endpoint, render, sent
from trunkline_server.core.errors import GatewayError

CACHE = {"type": "ephemeral"}
MARKED = plain_endpoint(cache_marks="prompt_cache_breakpoint")
ENCRYPTED = ["reasoning.encrypted_content"]


def test_the_least_request() -> None:
    """Nothing is stored at the provider, and nothing is said that need not be."""
    assert sent({}, stream=False) == {"model": "their-model", "input": [HELLO_ITEM], "store": False, "stream": False}


def test_path_and_headers() -> None:
    """The body goes to /responses, its answer wanted as events or as JSON."""
    streamed, whole = render({}), render({}, stream=False)
    assert (streamed.path, whole.path) == ("/responses", "/responses")
    assert (streamed.headers["accept"], whole.headers["accept"]) == ("text/event-stream", "application/json")


PARAMETERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"max_completion_tokens": 100, "max_tokens": 50}, {"max_output_tokens": 100}),
    ({"max_tokens": 50}, {"max_output_tokens": 50}),
    ({"logprobs": True, "top_logprobs": 2}, {"top_logprobs": 2, "include": ["message.output_text.logprobs"]}),
    ({"logprobs": False}, {}),
    ({"verbosity": "low"}, {"text": {"verbosity": "low"}}),
    ({"response_format": {"type": "json_object"}}, {"text": {"format": {"type": "json_object"}}}),
    ({"response_format": {"type": "text"}}, {"text": {"format": {"type": "text"}}}),
    (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": {"b": 1, "a": 2}, "strict": True},
            }
        },
        {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"b": 1, "a": 2}, "strict": True}}},
    ),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}},
        {"text": {"format": {"type": "json_schema", "name": "n", "schema": {}}}},
    ),
    ({"transforms": ["middle-out"]}, {"truncation": "auto"}),
    ({"transforms": []}, {}),
    ({"function_call": "none"}, {"tool_choice": "none"}),
    ({"function_call": {"name": "f"}}, {"tool_choice": {"type": "function", "name": "f"}}),
    ({"service_tier": "fast"}, {"service_tier": "priority"}),
    (
        {"stream_options": {"include_usage": True, "include_obfuscation": False}},
        {"stream_options": {"include_obfuscation": False}},
    ),
    ({"store": True}, {}),
]


@pytest.mark.parametrize(("given", "expected"), PARAMETERS)
def test_parameters(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """A parameter is sent by this language's name, in its place."""
    assert sent(given) == {**sent({}), **expected}


def test_few_tokens_are_raised() -> None:
    """OpenAI refuses a limit below 16."""
    rendered = render({"max_tokens": 1})
    assert sent({"max_tokens": 1})["max_output_tokens"] == 16
    assert rendered.changed == (("max_tokens", "raised to 16"),)


REASONING: list[tuple[dict[str, Any], dict[str, Any] | None]] = [
    ({"reasoning_effort": "low"}, {"effort": "low"}),
    ({"reasoning": {"effort": "high"}}, {"effort": "high", "summary": "auto"}),
    ({"reasoning": {"effort": "high", "summary": "detailed"}}, {"effort": "high", "summary": "detailed"}),
    ({"reasoning": {"effort": "high", "exclude": True}}, {"effort": "high"}),
    ({"reasoning": {"enabled": True}}, {"summary": "auto"}),
    ({"reasoning": {"enabled": False}}, {"effort": "none"}),
    ({"reasoning": {"effort": "none"}}, {"effort": "none"}),
    ({"reasoning": {"max_tokens": 800}, "max_tokens": 1000}, {"effort": "high", "summary": "auto"}),
    (
        {"reasoning": {"effort": "low", "context": "all_turns"}},
        {"context": "all_turns", "effort": "low", "summary": "auto"},
    ),
    ({}, None),
]


@pytest.mark.parametrize(("given", "expected"), REASONING)
def test_reasoning(given: dict[str, Any], expected: dict[str, Any] | None) -> None:
    """Reasoning is said in OpenAI's words; who asks for it in OpenRouter's wants to see it."""
    assert sent(given).get("reasoning") == expected


@pytest.mark.parametrize(
    ("given", "supported", "expected"),
    [
        ({"reasoning_effort": "low"}, [], ENCRYPTED),
        ({}, [], None),
        ({}, ["reasoning"], ENCRYPTED),
        ({}, ["temperature"], None),
        ({"reasoning_effort": "low"}, ["temperature"], None),
        ({"reasoning": {"enabled": False}}, ["reasoning"], None),
    ],
)
def test_reasoning_comes_back_encrypted(
    given: dict[str, Any], supported: list[str], expected: list[str] | None
) -> None:
    """So that the next turn can go on with it; not from a model that does not reason, which would refuse."""
    endpoint = plain_endpoint(supported_parameters=frozenset(supported))
    assert sent(given, endpoint).get("include") == expected


def test_a_model_that_does_not_reason_is_not_told_to() -> None:
    """The effort is reported instead; to switch off what is not there is no loss."""
    endpoint = plain_endpoint(supported_parameters=frozenset({"temperature"}))
    assert "reasoning" not in sent({"reasoning_effort": "low"}, endpoint)
    assert render({"reasoning_effort": "low"}, endpoint).dropped == ("reasoning_effort",)
    assert render({"reasoning": {"enabled": False}}, endpoint).dropped == ()


def test_a_budget_is_an_effort() -> None:
    """OpenAI knows no budgets."""
    assert render({"reasoning": {"max_tokens": 2000}}).changed == (
        ("reasoning.max_tokens", 'sent as the effort "minimal"'),
    )


def test_tools_of_all_kinds() -> None:
    """Functions, legacy functions and the search of chat completions are tools here."""
    body = {
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "functions": [{"name": "g"}],
        "web_search_options": {},
    }
    assert [tool.get("name") or tool["type"] for tool in sent(body)["tools"]] == ["f", "g", "web_search"]


def test_a_choice_without_tools() -> None:
    """Where none of the tools is OpenAI's, nothing is chosen."""
    rendered = render({"tools": [{"type": "bash_20250124", "name": "bash"}], "tool_choice": "required"})
    assert not {"tools", "tool_choice"} & orjson.loads(rendered.body).keys()
    assert rendered.dropped == ("tools.bash_20250124", "tool_choice")


def test_how_anthropic_shows_reasoning() -> None:
    """A word of Anthropic's about reasoning is left out and reported."""
    rendered = render({"reasoning": {"effort": "low", "display": "summarized"}})
    assert orjson.loads(rendered.body)["reasoning"] == {"effort": "low", "summary": "auto"}
    assert rendered.dropped == ("reasoning.display",)


def test_forms_that_nobody_takes() -> None:
    """A grammar has no place but in custom tools."""
    assert render({"response_format": {"type": "grammar", "grammar": "x"}}).dropped == ("response_format",)


def test_cache_marks() -> None:
    """Anthropic's marks become OpenAI's where the endpoint takes them, the one at the top on the last part."""
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}], "cache_control": CACHE}
    mark = {"prompt_cache_breakpoint": {"mode": "explicit"}}
    assert sent(body, MARKED)["input"][0]["content"] == [{"type": "input_text", "text": "a", **mark}]
    assert sent(body)["input"][0]["content"] == [{"type": "input_text", "text": "a"}]
    assert render(body).dropped == ("cache_control",)


def test_a_mark_on_a_part_that_nobody_takes() -> None:
    """It is reported like any key without a place."""
    part = {"type": "text", "text": "a", "cache_control": CACHE}
    assert render({"messages": [{"role": "user", "content": [part]}]}).dropped == ("messages.content.cache_control",)


@pytest.mark.parametrize(
    ("fields", "asked", "expected", "dropped"),
    [
        ({}, "flex", "flex", ()),
        ({"service_tier": "priority"}, None, "priority", ()),
        ({"service_tier": "priority"}, "fast", "priority", ()),
        ({"service_tier": "priority"}, "flex", "priority", ("service_tier",)),
        ({"beside_tiers": True}, "flex", None, ("service_tier",)),
    ],
)
def test_tiers(fields: dict[str, Any], asked: str | None, expected: str | None, dropped: tuple[str, ...]) -> None:
    """The provider is asked for the tier that the endpoint is priced at."""
    endpoint = plain_endpoint(**fields)
    assert sent({"service_tier": asked}, endpoint).get("service_tier") == expected
    assert render({"service_tier": asked}, endpoint).dropped == dropped


def test_what_was_meant_for_this_language() -> None:
    """Parameters kept from a client of the Responses API travel along, but for those that make the provider keep something."""
    own = {
        "prompt_cache_retention": "24h",
        "include": ["web_search_call.action.sources"],
        "text": {"new": 1},
        "background": True,
        "api_key": "x",
        "store": True,
    }
    body = sent({"openai_responses": own, "verbosity": "low", "reasoning_effort": "low"})
    assert body["prompt_cache_retention"] == "24h"
    assert body["include"] == [*ENCRYPTED, "web_search_call.action.sources"]
    assert body["text"] == {"new": 1, "verbosity": "low"}
    assert body["store"] is False
    assert body.keys().isdisjoint({"background", "api_key", "openai_responses"})


def test_unknown_keys() -> None:
    """Keys of another language stay behind and are reported; a provider with extensions gets them."""
    assert render({"my_own_key": 1}).dropped == ("my_own_key",)
    assert sent({"my_own_key": 1}, open_endpoint())["my_own_key"] == 1


def test_a_provider_that_refuses_parameters() -> None:
    """What its row refuses is not sent."""
    endpoint = make_endpoint(make_provider("picky", refuses=frozenset({"temperature"})))
    rendered = render({"temperature": 1.0}, endpoint)
    assert rendered.dropped == ("temperature",)
    assert "temperature" not in sent({"temperature": 1.0}, endpoint)


def test_extensions() -> None:
    """OpenRouter takes budgets, and the mark at the top."""
    body = sent({"reasoning": {"max_tokens": 2000, "enabled": True}, "cache_control": CACHE}, open_endpoint())
    assert body["reasoning"] == {"max_tokens": 2000, "enabled": True, "summary": "auto"}
    assert body["cache_control"] == CACHE


def test_video_is_refused() -> None:
    """Content that the provider does not take ends the request."""
    part = {"type": "video_url", "video_url": {"url": "https://a.test/b.mp4"}}
    with pytest.raises(GatewayError):
        render({**HELLO, "messages": [{"role": "user", "content": [part]}]})
