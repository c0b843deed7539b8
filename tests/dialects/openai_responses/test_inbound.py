# SPDX-License-Identifier: Apache-2.0
"""Requests of clients of POST /v1/responses."""

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.dialect_scenarios import SCENARIOS
from support.responses_wire import CODEC, DIALECT, plain_endpoint, read_request, render
from support.strategies import values
from trunkline_server.dialects.openai_responses.inbound import STATEFUL, parse_request
from trunkline_server.jsonshape import ShapeFaults

MODEL = "their-model"
USER = {"role": "user", "content": "hi"}


def parsed(**value: Any) -> Any:
    """The request of a client's JSON, as chat completions would have said it, without what is in all of them."""
    request = parse_request(CODEC, orjson.loads(orjson.dumps({"input": "hi", **value})))
    told = orjson.loads(CODEC.dump(request, answer=False))
    if told["messages"] == [USER]:
        del told["messages"]
    return told


def faults_of(value: Any) -> list[str]:
    """Where the faults of a client's JSON are."""
    with pytest.raises(ShapeFaults) as caught:
        parse_request(CODEC, value)
    return [fault.path for fault in caught.value.faults]


PARAMETERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"input": "hi"}, {}),
    ({"input": [USER]}, {}),
    ({"instructions": "Be brief."}, {"messages": [{"role": "system", "content": "Be brief."}, USER]}),
    ({"max_output_tokens": 5}, {"max_completion_tokens": 5}),
    (
        {"text": {"verbosity": "low", "format": {"type": "json_object"}}},
        {"verbosity": "low", "response_format": {"type": "json_object"}},
    ),
    (
        {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"b": 1, "a": 2}, "strict": True}}},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": {"b": 1, "a": 2}, "strict": True},
            }
        },
    ),
    ({"reasoning": {"effort": "low"}}, {"reasoning_effort": "low"}),
    ({"reasoning": {"effort": "low", "summary": None}}, {"reasoning_effort": "low"}),
    ({"reasoning": {"effort": "low", "summary": "auto"}}, {"reasoning": {"effort": "low", "summary": "auto"}}),
    ({"reasoning": {"generate_summary": "concise"}}, {"reasoning": {"summary": "concise"}}),
    ({"reasoning": {}}, {}),
    ({"include": ["reasoning.encrypted_content", "message.output_text.logprobs"]}, {"logprobs": True}),
    ({"include": ["file_search_call.results"]}, {"openai_responses": {"include": ["file_search_call.results"]}}),
    ({"top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}),
    ({"top_logprobs": 0}, {"top_logprobs": 0}),
    ({"truncation": "auto"}, {"transforms": ["middle-out"]}),
    ({"truncation": "disabled"}, {}),
    (
        {"tools": [{"type": "function", "name": "f", "parameters": None, "strict": None}]},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
    ),
    (
        {"tool_choice": {"type": "function", "name": "f"}},
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
    ),
    ({"store": True, "background": False, "previous_response_id": None, "n": None}, {}),
    (
        {"stream": True, "stream_options": {"include_obfuscation": False}},
        {"stream": True, "stream_options": {"include_obfuscation": False}},
    ),
    (
        {"prompt_cache_retention": "24h", "text": {"new": 1}},
        {"openai_responses": {"prompt_cache_retention": "24h", "text": {"new": 1}}},
    ),
    (
        {"models": ["a/b"], "provider": {"order": ["x"]}, "plugins": [{"id": "web"}], "session_id": "s", "top_k": 3},
        {"models": ["a/b"], "provider": {"order": ["x"]}, "plugins": [{"id": "web"}], "session_id": "s", "top_k": 3},
    ),
    (
        {"user": "u", "metadata": {"a": "b"}, "service_tier": "flex"},
        {"user": "u", "metadata": {"a": "b"}, "service_tier": "flex"},
    ),
]


@pytest.mark.parametrize(("given", "expected"), PARAMETERS)
def test_parameters(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """Each parameter is the contract's, by the contract's name; what the contract does not know is kept for this language."""
    assert parsed(**given) == expected


@pytest.mark.parametrize("name", STATEFUL)
def test_what_would_need_state_is_refused(name: str) -> None:
    """A clear fault names the parameter and what to do instead."""
    with pytest.raises(ShapeFaults, match="stateless"):
        parse_request(CODEC, {"input": "hi", name: True})


FAULTS: list[tuple[Any, list[str]]] = [
    ([], [""]),
    ({}, ["input"]),
    ({"input": 1}, ["input"]),
    ({"input": []}, ["input"]),
    ({"input": "hi", "instructions": ["x"]}, ["instructions"]),
    ({"input": "hi", "messages": [], "max_tokens": 5}, ["messages", "max_tokens"]),
    ({"input": "hi", "truncation": "middle"}, ["truncation"]),
    ({"input": "hi", "include": "all"}, ["include"]),
    ({"input": "hi", "text": "json"}, ["text"]),
    ({"input": "hi", "reasoning": "high"}, ["reasoning"]),
    ({"input": "hi", "max_output_tokens": 0}, ["max_output_tokens"]),
    ({"input": "hi", "text": {"verbosity": 1}}, ["text.verbosity"]),
    ({"input": "hi", "text": {"format": {"type": "magic"}}}, ["text.format.type"]),
    ({"input": "hi", "text": {"format": {"type": "json_schema"}}}, ["text.format.name"]),
    ({"input": "hi", "tools": [{"type": "function"}]}, ["tools[0].name"]),
    ({"input": "hi", "tools": "x"}, ["tools"]),
    ({"input": "hi", "api_key": "x"}, ["api_key"]),
    ({"input": [USER, {"type": "function_call_output", "output": "x"}]}, ["input[1].tool_call_id"]),
    ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, ["input[0].content[0].text"]),
    ({"input": [USER, {"role": "user"}]}, ["input[1].content"]),
    (
        {"input": [{"role": "assistant", "content": [{"type": "refusal", "refusal": 1}]}]},
        ["input[0].content[0].refusal"],
    ),
    ({"input": [{"type": "item_reference", "id": "x"}]}, ["input[0]"]),
]


@pytest.mark.parametrize(("value", "paths"), FAULTS)
def test_faults(value: Any, paths: list[str]) -> None:
    """A fault is told at its place in the client's JSON."""
    assert faults_of(value) == paths


@pytest.mark.parametrize("name", ["text", "system", "tools", "tool_results", "json_schema", "images", "pdf", "length"])
def test_scenarios_are_read_back(name: str) -> None:
    """What a provider gets of a request is, read as a client's, the same request, but for what has no place."""
    rendered = render(SCENARIOS[name])
    once = parse_request(CODEC, orjson.loads(rendered.body))
    again = DIALECT.render_request(once, plain_endpoint(), stream=True)
    assert again == rendered.__class__(path=rendered.path, headers=rendered.headers, body=rendered.body)


OWN = "openai-responses-v1"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
NAMES = st.sampled_from(["f", "look_up", "g-1"])
SCHEMAS = st.just({"type": "object", "properties": {"b": {"type": "string"}, "a": {}}})
MARKS = st.sampled_from([{}, {"prompt_cache_breakpoint": {"mode": "explicit"}}])
PARTS = st.one_of(
    st.builds(lambda text, mark: {"type": "text", "text": text, **mark}, TEXTS, MARKS),
    st.just({"type": "image_url", "image_url": {"url": "https://a.test/b.png", "detail": "low"}}),
    st.just({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}),
    st.sampled_from([{"file_id": "f"}, {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}]).map(
        lambda file: {"type": "file", "file": file}
    ),
)
CONTENTS = TEXTS | st.lists(PARTS, min_size=1, max_size=3)
OTHERS = st.builds(
    lambda role, content: {"role": role, "content": content}, st.sampled_from(["system", "developer", "user"]), CONTENTS
)
RESULTS = st.builds(lambda content: {"role": "tool", "tool_call_id": "c0", "content": content}, CONTENTS)
CALLS = st.builds(
    lambda name, arguments: {"id": "c0", "type": "function", "function": {"name": name, "arguments": arguments}},
    NAMES,
    TEXTS.filter(str.strip),  # without any, an empty object is sent
)


def details_of(groups: list[tuple[list[str], str]]) -> list[dict[str, Any]]:
    """The reasoning details of items, each with its summaries and what is encrypted."""
    details: list[dict[str, Any]] = []
    for number, (summaries, data) in enumerate(groups):
        pieces: list[dict[str, Any]] = [{"type": "reasoning.summary", "summary": text} for text in summaries]
        pieces.append({"type": "reasoning.encrypted", "data": f"x{data}"})
        details += ({**piece, "id": f"rs_{number}", "format": OWN} for piece in pieces)
    return [{**detail, "index": place} for place, detail in enumerate(details)]


def make_turn(
    texts: list[str], calls: list[dict[str, Any]], groups: list[tuple[list[str], str]], refusal: str | None
) -> dict[str, Any]:
    """A turn of the model that says something."""
    turn: dict[str, Any] = {"role": "assistant", "content": [{"type": "text", "text": f"a{text}"} for text in texts]}
    details = details_of(groups)
    more = {"tool_calls": calls, "reasoning_details": details, "refusal": refusal and f"n{refusal}"}
    return {**turn, **{key: item for key, item in more.items() if item}}


GROUPS = st.lists(st.tuples(st.lists(TEXTS, max_size=2), TEXTS), max_size=2)
TURNS = st.builds(
    make_turn, st.lists(TEXTS, min_size=1, max_size=2), st.lists(CALLS, max_size=2), GROUPS, st.none() | TEXTS
)
TURN_AND_REST = st.tuples(TURNS, RESULTS | OTHERS).map(list)
MESSAGES = st.lists(st.lists(OTHERS | RESULTS, min_size=1, max_size=2) | TURN_AND_REST, min_size=1, max_size=3).map(
    lambda groups: [message for group in groups for message in group]
)
TOOLS = st.one_of(
    st.builds(
        lambda name, schema, strict: {
            "type": "function",
            "function": {"name": name, "parameters": schema, "strict": strict},
        },
        NAMES,
        SCHEMAS,
        st.booleans(),
    ),
    st.just({"type": "custom", "custom": {"name": "c", "format": {"type": "text"}}}),
    st.just({"type": "mcp", "server_label": "x", "server_url": "https://a.test"}),
    st.just({"type": "web_search", "search_context_size": "low"}),
)
CHOICES = st.sampled_from(
    ["auto", "none", "required", {"type": "function", "function": {"name": "f"}}, {"type": "mcp", "server_label": "x"}]
)
FORMATS = st.sampled_from(
    [
        {"type": "text"},
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"name": "n", "schema": {"b": 1}, "strict": True}},
    ]
)
REASONING = st.sampled_from(
    [
        {"reasoning_effort": "low"},
        {"reasoning": {"effort": "high", "summary": "detailed"}},
        {"reasoning": {"summary": "auto"}},
    ]
)
LOGPROBS = st.sampled_from([{"logprobs": True}, {"logprobs": True, "top_logprobs": 4}])
REST = st.fixed_dictionaries(
    {},
    optional={
        "max_completion_tokens": st.integers(16, 9999),
        "temperature": st.sampled_from([0.0, 0.5, 2.0]),
        "top_p": st.sampled_from([0.0, 0.9]),
        "tools": st.lists(TOOLS, min_size=1, max_size=3),
        "tool_choice": CHOICES,
        "parallel_tool_calls": st.booleans(),
        "max_tool_calls": st.integers(1, 30),
        "response_format": FORMATS,
        "verbosity": st.sampled_from(["low", "high"]),
        "transforms": st.just(["middle-out"]),
        "user": TEXTS,
        "safety_identifier": TEXTS,
        "prompt_cache_key": TEXTS,
        "metadata": st.just({"a": "b"}),
        "service_tier": st.sampled_from(["auto", "flex", "priority"]),
        "openai_responses": st.just({"context_management": [{"type": "compaction"}]}),
    },
)


@given(
    messages=MESSAGES,
    rest=REST,
    reasoning=st.just({}) | REASONING,
    logprobs=st.just({}) | LOGPROBS,
    stream=st.booleans(),
)
def test_a_request_is_read_back_as_it_was(
    messages: list[dict[str, Any]],
    rest: dict[str, Any],
    reasoning: dict[str, Any],
    logprobs: dict[str, Any],
    stream: bool,
) -> None:
    """What this language can say of a request is, read as a client's, the very same request."""
    body = {"model": MODEL, "messages": messages, **rest, **reasoning, **logprobs, "stream": stream}
    request = read_request(body)
    rendered = DIALECT.render_request(request, plain_endpoint(), stream=stream)
    assert rendered.dropped == rendered.changed == ()
    assert parse_request(CODEC, orjson.loads(rendered.body)) == request


KEYS = st.sampled_from(
    [
        "input",
        "instructions",
        "text",
        "tools",
        "tool_choice",
        "reasoning",
        "include",
        "truncation",
        "top_logprobs",
        "model",
    ]
)
ITEMS = st.dictionaries(
    st.sampled_from(["type", "role", "content", "output", "summary", "call_id", "name", "arguments", "id"]),
    values
    | st.sampled_from(["message", "assistant", "user", "reasoning", "function_call", "function_call_output", "x"]),
    max_size=5,
)


@given(value=st.dictionaries(KEYS, values | st.lists(ITEMS, max_size=3), max_size=5) | values)
def test_anything_may_come(value: Any) -> None:
    """Whatever a client writes, it is a request or has faults."""
    with suppress(ShapeFaults):
        parse_request(CODEC, value)
