# SPDX-License-Identifier: Apache-2.0
"""Requests as an openai_chat server gets them."""

from typing import Any

import orjson
import pytest
from google.protobuf.descriptor import Descriptor

from support.answer_cuts import make_codec
from support.builders import make_endpoint, make_provider
from support.golden import Golden
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.message_pb2 import AssistantMessage, ContentPart, ToolCall
from trunkline.v1.tool_pb2 import Tool
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.dialects.base import RenderedRequest
from trunkline_server.dialects.openai_chat import OpenAiChat
from trunkline_server.dialects.openai_chat.request import (
    ASSISTANT_FIELDS,
    CACHE_MARK,
    CALL_INDEX,
    GATEWAY_FIELDS,
    SAMPLING_EXTENSIONS,
    SENT_FIELDS,
)

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


def test_every_field_is_in_a_table() -> None:
    """A field of the request is sent, is the gateway's own, or is a sampling parameter that most servers take; a new field must be given its place."""
    tables = [
        [name for name, _ in GATEWAY_FIELDS],
        [name for name, _ in SAMPLING_EXTENSIONS],
        sorted(SENT_FIELDS),
        ["extra"],
    ]
    assert sorted(name for table in tables for name in table) == sorted(ChatCompletionRequest.DESCRIPTOR.fields_by_name)


MESSAGE_FIELDS: list[tuple[Descriptor, set[str], set[str]]] = [
    (
        AssistantMessage.DESCRIPTOR,
        {name for name, _ in ASSISTANT_FIELDS},
        {"role", "content", "refusal", "tool_calls", "function_call", "audio", "name", "extra"},
    ),
    (
        ContentPart.DESCRIPTOR,
        {CACHE_MARK[0]},
        {
            "text",
            "image_url",
            "input_audio",
            "video_url",
            "file",
            "refusal",
            "unknown",
            "prompt_cache_breakpoint",
            "extra",
        },
    ),
    (ToolCall.DESCRIPTOR, {CALL_INDEX[0]}, {"id", "type", "function", "extra"}),
]


@pytest.mark.parametrize(
    ("descriptor", "own", "sent_fields"), MESSAGE_FIELDS, ids=lambda value: getattr(value, "name", "")
)
def test_every_field_of_a_message_has_its_place(descriptor: Descriptor, own: set[str], sent_fields: set[str]) -> None:
    """What stands in a message is sent to a plain server or is in a table of what is not."""
    assert own | sent_fields == set(descriptor.fields_by_name)
    assert own & sent_fields == set()


def test_the_cache_mark_of_tools_has_its_place() -> None:
    """A tool's own fields beside its kind are the cache mark and unknown keys."""
    kinds = {field.name for field in Tool.DESCRIPTOR.oneofs_by_name["tool"].fields}
    assert set(Tool.DESCRIPTOR.fields_by_name) - kinds == {CACHE_MARK[0], "extra"}


@pytest.mark.parametrize("table", [GATEWAY_FIELDS, SAMPLING_EXTENSIONS, ASSISTANT_FIELDS, (CACHE_MARK,), (CALL_INDEX,)])
def test_every_row_has_its_reason(table: tuple[tuple[str, str], ...]) -> None:
    """Nothing is left out without a word why."""
    assert [name for name, reason in table if len(reason.split()) < 3] == []


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
    ("body", "effort"),
    [
        ({"reasoning": {"effort": "low"}}, "low"),
        ({"reasoning_effort": "low"}, "low"),
        ({"reasoning_effort": "low", "reasoning": {"effort": "low"}}, "low"),
        ({"reasoning": {"max_tokens": 100}}, None),
        ({"reasoning": {"enabled": True}}, None),
    ],
)
def test_reasoning(body: dict[str, Any], effort: str | None) -> None:
    """A plain server is told the effort in OpenAI's word and nothing else of OpenRouter's object."""
    got = sent(body)
    assert got.get("reasoning_effort") == effort
    assert "reasoning" not in got


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
    assert render({"messages": [turn, turn], "route": "fallback"}).dropped == ("route", "messages.reasoning")


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
