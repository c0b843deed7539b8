# SPDX-License-Identifier: Apache-2.0
"""Requests as an openai_chat server gets them."""

from typing import Any

import orjson
import pytest

from support.answer_cuts import make_codec
from support.builders import make_endpoint, make_provider
from support.golden import Golden
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.dialects.base import RenderedRequest
from trunkline_server.dialects.openai_chat import OpenAiChat

CODEC = make_codec()
DIALECT = OpenAiChat(CODEC)
HELLO = {"messages": [{"role": "user", "content": "hello"}]}
CACHE = {"type": "ephemeral", "ttl": "1h"}

EVERYTHING: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": [{"type": "text", "text": "Be brief.", "cache_control": CACHE}]},
        {"role": "developer", "content": "Be kind.", "name": "dev"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?", "new_key": True},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                {"type": "file", "file": {"file_id": "file-1"}},
            ],
            "name": "ann",
        },
        {
            "role": "assistant",
            "content": "Let me look.",
            "refusal": "no",
            "reasoning": "hm",
            "reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": "s", "index": 0}],
            "tool_calls": [
                {"id": "c1", "type": "function", "index": 0, "function": {"name": "look", "arguments": '{"a": 1 }'}}
            ],
            "images": [{"image_url": {"url": "data:,"}}],
            "audio": {"id": "audio-1"},
            "annotations": [{"type": "url_citation", "url_citation": {"url": "https://example.com"}}],
            "model": "acme/other",
        },
        {"role": "tool", "tool_call_id": "c1", "content": "a cat"},
    ],
    "model": "acme/one",
    "models": ["acme/two"],
    "provider": {"order": ["acme"], "allow_fallbacks": False},
    "plugins": [{"id": "web", "enabled": False}],
    "route": "fallback",
    "user": "u",
    "session_id": "s",
    "trace": {"trace_id": "t", "mine": 1},
    "metadata": {"k": "v"},
    "stream": True,
    "stream_options": {"include_usage": False, "include_obfuscation": False},
    "max_completion_tokens": 100,
    "max_tokens": 100,
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 40,
    "min_p": 0.1,
    "top_a": 0.2,
    "frequency_penalty": 0.5,
    "presence_penalty": -0.5,
    "repetition_penalty": 1.1,
    "logit_bias": {"50256": -100.0},
    "logprobs": True,
    "top_logprobs": 2,
    "n": 1,
    "seed": 7,
    "stop": ["END"],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "look",
                "parameters": {"type": "object", "b": 1, "a": 12345678901234567},
                "strict": True,
            },
            "cache_control": CACHE,
        },
        {"type": "custom", "custom": {"name": "c"}},
    ],
    "tool_choice": {"type": "function", "function": {"name": "look"}},
    "parallel_tool_calls": False,
    "max_tool_calls": 3,
    "stop_server_tools_when": [{"type": "step_count_is", "step_count": 2}],
    "functions": [{"name": "old"}],
    "function_call": {"name": "old"},
    "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}},
    "structured_outputs": True,
    "reasoning": {"effort": "high", "exclude": True},
    "include_reasoning": False,
    "verbosity": "low",
    "modalities": ["text", "audio"],
    "audio": {"voice": "alloy", "format": "wav"},
    "image_config": {"aspect_ratio": "16:9"},
    "prediction": {"type": "content", "content": "a cat"},
    "cache_control": CACHE,
    "prompt_cache_key": "p",
    "prompt_cache_options": {"mode": "explicit"},
    "service_tier": "flex",
    "web_search_options": {"search_context_size": "low"},
    "transforms": ["middle-out"],
    "usage": {"include": True},
    "store": False,
    "safety_identifier": "h",
    "debug": {"echo_upstream_body": True},
    "my_own_key": {"b": [1, None], "a": 2},
}


def plain_endpoint(**fields: Any) -> Endpoint:
    """An endpoint of a server that knows OpenAI's fields only."""
    return make_endpoint(make_provider("plain"), upstream_model="their-model", **fields)


def render(body: dict[str, Any], endpoint: Endpoint | None = None, *, stream: bool = True) -> RenderedRequest:
    """The request of a caller's JSON as a server gets it."""
    request = CODEC.decode(ChatCompletionRequest, orjson.loads(orjson.dumps(body)))
    return DIALECT.render_request(request, endpoint or plain_endpoint(), stream=stream)


def sent(body: dict[str, Any], endpoint: Endpoint | None = None, *, stream: bool = True) -> Any:
    """The JSON that a server gets."""
    return orjson.loads(render({**HELLO, **body}, endpoint, stream=stream).body)


def test_a_plain_server_gets_openais_fields(golden: Golden) -> None:
    """Of a request with every field, a plain OpenAI server gets what OpenAI documents, the caller's own keys, and what most servers take."""
    rendered = render(EVERYTHING)
    golden.check_json("openai_chat/request_plain.json", orjson.loads(rendered.body))
    golden.check_json("openai_chat/request_plain_dropped.json", list(rendered.dropped))


def test_a_server_with_extensions_gets_everything() -> None:
    """An upstream that takes all extensions gets the caller's JSON, save model and stream_options."""
    endpoint = make_endpoint(make_provider("wide", takes_extensions=True), upstream_model="their-model")
    rendered = render(EVERYTHING, endpoint)
    expected = {
        **EVERYTHING,
        "model": "their-model",
        "stream_options": {"include_usage": True, "include_obfuscation": False},
    }
    assert orjson.loads(rendered.body) == expected
    assert rendered.dropped == ()


def test_the_head() -> None:
    """A stream is asked for as events, a whole answer as JSON; neither head holds a key."""
    whole, stream = render(HELLO, stream=False), render(HELLO)
    assert (whole.path, stream.path) == ("/chat/completions", "/chat/completions")
    assert whole.headers == {"content-type": "application/json", "accept": "application/json"}
    assert stream.headers == {"content-type": "application/json", "accept": "text/event-stream"}


@pytest.mark.parametrize(
    ("body", "stream", "expected"),
    [
        pytest.param({}, True, {"stream": True, "stream_options": {"include_usage": True}}, id="asks for usage"),
        pytest.param(
            {"stream": False},
            True,
            {"stream": True, "stream_options": {"include_usage": True}},
            id="the gateway decides",
        ),
        pytest.param(
            {"stream_options": {"include_usage": False, "x": 1}},
            True,
            {"stream": True, "stream_options": {"include_usage": True, "x": 1}},
            id="keeps other options",
        ),
        pytest.param({}, False, {}, id="whole"),
        pytest.param(
            {"stream": True, "stream_options": {"x": 1}},
            False,
            {"stream": False},
            id="whole, though streamed to the caller",
        ),
    ],
)
def test_streaming(body: dict[str, Any], stream: bool, expected: dict[str, Any]) -> None:
    """Streams always ask for usage; a whole answer is asked for without stream_options, which servers refuse there."""
    assert sent(body, stream=stream) == {**HELLO, "model": "their-model", **expected}


@pytest.mark.parametrize(
    ("body", "effort", "changed"),
    [
        ({"reasoning": {"effort": "low"}}, "low", {}),
        ({"reasoning_effort": "low"}, "low", {}),
        ({"reasoning_effort": "low", "reasoning": {"effort": "low"}}, "low", {}),
        ({"reasoning": {"enabled": True}}, "medium", {}),
        ({"reasoning": {"enabled": False}}, "none", {}),
        ({"reasoning": {"exclude": True}}, None, {}),
        (
            {"reasoning": {"max_tokens": 2000}, "max_tokens": 10000},
            "low",
            {"reasoning.max_tokens": 'sent as the effort "low"'},
        ),
        ({"reasoning": {"max_tokens": 8000}}, "medium", {"reasoning.max_tokens": 'sent as the effort "medium"'}),
        ({"reasoning": {"max_tokens": 0}}, "none", {}),
    ],
)
def test_reasoning(body: dict[str, Any], effort: str | None, changed: dict[str, str]) -> None:
    """A plain server is told the effort in OpenAI's word; a budget becomes the nearest effort, and that is reported."""
    rendered = render({**HELLO, **body})
    got = orjson.loads(rendered.body)
    assert got.get("reasoning_effort") == effort
    assert "reasoning" not in got
    assert dict(rendered.changed) == changed
    assert rendered.dropped == ()


@pytest.mark.parametrize(
    ("reasoning", "dropped"),
    [({"enabled": False}, ()), ({"effort": "high"}, ("reasoning",)), ({"summary": "auto"}, ("reasoning.summary",))],
)
def test_reasoning_where_the_model_has_none(reasoning: dict[str, Any], dropped: tuple[str, ...]) -> None:
    """An endpoint whose row lists its parameters without reasoning is not told to reason, nor not to."""
    rendered = render({**HELLO, "reasoning": reasoning}, plain_endpoint(supported_parameters=frozenset({"seed"})))
    assert orjson.loads(rendered.body).keys() == {"messages", "model", "stream", "stream_options"}
    assert rendered.dropped == dropped


@pytest.mark.parametrize(
    ("supported", "expected"),
    [(frozenset(), {"top_k", "min_p"}), (frozenset({"top_k"}), {"top_k"}), (frozenset({"temperature"}), set())],
    ids=["unknown", "one of them", "none of them"],
)
def test_sampling_extensions(supported: frozenset[str], expected: set[str]) -> None:
    """Sampling parameters beyond OpenAI's are sent unless the endpoint's row says that it lacks them."""
    rendered = render({**HELLO, "top_k": 1, "min_p": 0.5}, plain_endpoint(supported_parameters=supported))
    assert {"top_k", "min_p"} & orjson.loads(rendered.body).keys() == expected
    assert set(rendered.dropped) == {"top_k", "min_p"} - expected


def test_dropped_names_each_path_once() -> None:
    """What was left out is reported by its path without indices."""
    turn = {"role": "assistant", "content": "a", "reasoning": "hm"}
    rendered = render({"messages": [turn, turn], "route": "fallback", "image_config": {"aspect_ratio": "16:9"}})
    assert rendered.dropped == ("image_config", "messages.reasoning")


def test_what_the_gateway_does_is_not_dropped() -> None:
    """Fields that the gateway acts on itself are not sent, and are no loss."""
    rendered = render({**HELLO, "models": ["acme/two"], "provider": {"order": ["acme"]}, "usage": {"include": True}})
    assert orjson.loads(rendered.body).keys() == {"messages", "model", "stream", "stream_options"}
    assert rendered.dropped == ()


MARKED: dict[str, Any] = {
    "messages": [{"role": "user", "content": [{"type": "text", "text": "a", "cache_control": CACHE}]}],
    "tools": [{"type": "function", "function": {"name": "look"}, "cache_control": CACHE}],
    "cache_control": CACHE,
}


@pytest.mark.parametrize(
    ("marks", "part", "tool", "dropped"),
    [
        (None, {}, {}, ("cache_control", "messages.content.cache_control", "tools.cache_control")),
        (
            "prompt_cache_breakpoint",
            {"prompt_cache_breakpoint": {"mode": "explicit"}},
            {},
            ("tools.cache_control",),
        ),
        ("cache_control", {"cache_control": CACHE}, {"cache_control": CACHE}, ()),
    ],
)
def test_cache_marks(marks: str | None, part: dict[str, Any], tool: dict[str, Any], dropped: tuple[str, ...]) -> None:
    """A provider gets the mark that its row says it takes, else none; what is lost is reported."""
    rendered = render(MARKED, plain_endpoint(cache_marks=marks))
    body = orjson.loads(rendered.body)
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "a", **part}]}]
    assert body["tools"] == [{"type": "function", "function": {"name": "look"}, **tool}]
    assert "cache_control" not in body
    assert rendered.dropped == dropped


def test_openais_mark_for_a_host_of_anthropics() -> None:
    """OpenAI's mark becomes Anthropic's where the provider takes that one, of which it takes four."""
    parts = [{"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}} for _ in range(5)]
    rendered = render({"messages": [{"role": "user", "content": parts}]}, plain_endpoint(cache_marks="cache_control"))
    content = orjson.loads(rendered.body)["messages"][0]["content"]
    assert content == [
        {"type": "text", "text": "a"},
        *[{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}] * 4,
    ]
    assert rendered.dropped == ("messages.content.cache_control",)


def test_what_one_provider_names_otherwise() -> None:
    """A provider's row renames and refuses fields; what is refused is reported."""
    provider = make_provider(
        "odd",
        renames={
            "max_tokens": "max_completion_tokens",
            "seed": "random_seed",
            "messages.reasoning": "reasoning_content",
        },
        refuses=frozenset({"logit_bias", "user"}),
    )
    turn = {"role": "assistant", "content": "a", "reasoning": "hm"}
    body = {"messages": [turn], "max_tokens": 5, "seed": 7, "user": "u"}
    rendered = render(body, make_endpoint(provider), stream=False)
    assert orjson.loads(rendered.body) == {
        "messages": [{"role": "assistant", "content": "a", "reasoning_content": "hm"}],
        "model": "one",
        "max_completion_tokens": 5,
        "random_seed": 7,
    }
    assert rendered.dropped == ("user",)


@pytest.mark.parametrize(
    ("turn", "expected"),
    [
        ({"reasoning": "hm"}, "hm"),
        ({"reasoning_content": "hm"}, "hm"),
        ({"reasoning_details": [{"type": "reasoning.text", "text": "h", "format": "unknown"}, {"type": "reasoning.text", "text": "m"}]}, "hm"),
        ({"reasoning_details": [{"type": "reasoning.text", "text": "hm", "format": "anthropic-claude-v1", "signature": "s"}]}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_reasoning_of_past_turns(turn: dict[str, Any], expected: str | None) -> None:
    """A provider that wants it back gets it under its own key, from the text or from open details; signed details of others are not it."""
    provider = make_provider("thinker", renames={"messages.reasoning": "reasoning_content"})
    body = {"messages": [{"role": "assistant", "content": "a", **turn}]}
    message = orjson.loads(render(body, make_endpoint(provider)).body)["messages"][0]
    assert message.get("reasoning_content") == expected
    assert message.keys() <= {"role", "content", "reasoning_content"}


def test_a_renamed_field_gives_way() -> None:
    """Where a request has the field under both names, the provider's own wins."""
    provider = make_provider("odd", renames={"max_tokens": "max_completion_tokens"})
    rendered = render({**HELLO, "max_tokens": 5, "max_completion_tokens": 6}, make_endpoint(provider))
    assert orjson.loads(rendered.body)["max_completion_tokens"] == 6


@pytest.mark.parametrize(
    ("asked", "fields", "told", "is_dropped"),
    [
        pytest.param(None, {"service_tier": "flex"}, "flex", False, id="a tier that a variant means"),
        pytest.param("flex", {"service_tier": "flex"}, "flex", False, id="the same tier"),
        pytest.param("fast", {"service_tier": "priority"}, "priority", False, id="another word for it"),
        pytest.param("flex", {"service_tier": "priority"}, "priority", True, id="another tier"),
        pytest.param("default", {"service_tier": "priority"}, "priority", True, id="the standard tier"),
        pytest.param("priority", {"beside_tiers": True}, None, True, id="falls back to standard"),
        pytest.param("fast", {"beside_tiers": True}, None, True, id="so does fast"),
        pytest.param("flex", {"beside_tiers": True}, None, True, id="so does flex"),
        pytest.param("default", {"beside_tiers": True}, "default", False, id="no tier of its own"),
        pytest.param("priority", {}, "priority", False, id="nobody sells tiers"),
        pytest.param("flex", {}, "flex", False, id="nor flex"),
        pytest.param(None, {"beside_tiers": True}, None, False, id="nothing asked"),
    ],
)
@pytest.mark.parametrize("wide", [False, True], ids=["plain", "extensions"])
def test_the_tier_is_the_endpoints(
    asked: str | None, fields: dict[str, Any], told: str | None, is_dropped: bool, wide: bool
) -> None:
    """The provider is asked for the tier that the caller is charged for, whichever tier the caller named."""
    endpoint = make_endpoint(make_provider("p", takes_extensions=wide), **fields)
    rendered = render(HELLO if asked is None else {**HELLO, "service_tier": asked}, endpoint)
    assert orjson.loads(rendered.body).get("service_tier") == told
    assert rendered.dropped == (("service_tier",) if is_dropped else ())


@pytest.mark.parametrize(("wide", "told"), [(False, "priority"), (True, "fast")], ids=["plain", "extensions"])
def test_a_plain_server_never_hears_of_fast(wide: bool, told: str) -> None:
    """Where the catalog knows no tiers either, OpenAI's word for it is sent: it refuses OpenRouter's."""
    rendered = render({**HELLO, "service_tier": "fast"}, make_endpoint(make_provider("p", takes_extensions=wide)))
    assert (orjson.loads(rendered.body)["service_tier"], rendered.dropped) == (told, ())


@pytest.mark.parametrize(("known", "role"), [(True, "developer"), (False, "system")])
def test_the_role_developer(*, known: bool, role: str) -> None:
    """Where a provider does not know it, its messages have the older role."""
    request = {"messages": [{"role": "developer", "content": "Be kind."}, *HELLO["messages"]]}
    provider = make_provider("old", takes_developer_role=known)
    body = orjson.loads(render(request, make_endpoint(provider)).body)
    assert [message["role"] for message in body["messages"]] == [role, "user"]


@pytest.mark.parametrize(("asked", "dropped"), [({}, ()), ({"include_usage": False}, ("stream_options",))])
def test_a_provider_without_stream_options(asked: dict[str, Any], dropped: tuple[str, ...]) -> None:
    """It gets none, and only a caller who sent some hears of it."""
    provider = make_provider("old", refuses=frozenset({"stream_options"}))
    request = {**HELLO, **({"stream_options": asked} if asked else {})}
    rendered = render(request, make_endpoint(provider), stream=True)
    assert "stream_options" not in orjson.loads(rendered.body)
    assert rendered.dropped == dropped


def test_what_is_kept_for_openais_responses_is_not_sent() -> None:
    """OpenAI's chat completions would refuse the key under which their sister keeps its own."""
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "f", "arguments": "{}"},
        "openai_responses": "custom_tool_call",
    }
    turn = {"role": "assistant", "tool_calls": [call], "openai_responses": {"phase": "final"}}
    body = {
        "messages": [*HELLO["messages"], turn, {"role": "tool", "tool_call_id": "c1", "content": "x"}],
        "openai_responses": {"a": 1},
    }
    rendered = DIALECT.render_request(CODEC.decode(ChatCompletionRequest, body), make_endpoint(), stream=False)
    assert b"openai_responses" not in rendered.body
    assert rendered.dropped == ("openai_responses", "messages.openai_responses")
