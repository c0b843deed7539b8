# SPDX-License-Identifier: Apache-2.0
"""Clients' Messages requests, read, and given back unchanged."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.anthropic_wire import ADAPTIVE, BUDGETED, CODEC, REQUESTS, parse, render_again
from support.builders import make_endpoint, make_provider
from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.anthropic.inbound import parse_request
from trunkline_server.dialects.anthropic.report import Report
from trunkline_server.dialects.anthropic.request import render_body, thaw
from trunkline_server.jsonshape.faults import ShapeFaults

BASE: dict[str, Any] = {"model": "claude", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}


def chat(**members: Any) -> dict[str, Any]:
    """The chat request's JSON of a client's request with these members."""
    encoded: dict[str, Any] = CODEC.encode(parse({**BASE, **members}), answer=False)
    return encoded


KEYS = [
    *("type", "text", "source", "data", "media_type", "url", "file_id", "thinking", "signature", "id", "name", "input"),
    *("content", "tool_use_id", "is_error", "cache_control", "citations", "title", "budget_tokens", "effort", "format"),
    *("schema", "user_id", "display", "block", "model", "ttl", "input_schema"),
]
KINDS = [
    *("text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking", "server_tool_use"),
    *("web_search_tool_result", "search_result", "fresh", "enabled", "adaptive", "tool", "json_schema", "custom"),
]


@given(value=REQUESTS)
def test_what_is_parsed_renders_back(value: dict[str, Any]) -> None:
    """A request goes through the gateway to a provider of the same language unchanged."""
    rendered = render_again(value)
    assert rendered == {**value, "model": ADAPTIVE}
    assert parse({**rendered, "model": "x"}) == parse({**value, "model": "x"})


PLAIN = [
    ("a limit", {"max_tokens": 7}, {"max_completion_tokens": 7}),
    (
        "a top-level system text",
        {"system": "Be brief."},
        {"messages": [{"role": "system", "content": "Be brief."}, *BASE["messages"]]},
    ),
    ("stops", {"stop_sequences": ["END"]}, {"stop": ["END"]}),
    ("the user", {"metadata": {"user_id": "u"}}, {"user": "u"}),
    ("other metadata", {"metadata": {"team": "blue"}}, {"metadata": {"team": "blue"}}),
    ("the standard tier", {"service_tier": "standard_only"}, {"service_tier": "default"}),
    ("top_k", {"top_k": 5}, {"top_k": 5}),
    ("a stream", {"stream": True}, {"stream": True}),
    ("any tool", {"tool_choice": {"type": "any"}}, {"tool_choice": "required"}),
    (
        "one tool, alone",
        {"tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True}},
        {"tool_choice": {"type": "function", "function": {"name": "f"}}, "parallel_tool_calls": False},
    ),
    ("a budget", {"thinking": {"type": "enabled", "budget_tokens": 2000}}, {"reasoning": {"max_tokens": 2000}}),
    ("no thinking", {"thinking": {"type": "disabled"}}, {"reasoning": {"enabled": False}}),
    (
        "an effort of thinking",
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
        {"reasoning": {"effort": "low", "enabled": True}},
    ),
    ("an effort alone", {"output_config": {"effort": "low"}}, {"verbosity": "low"}),
    ("models to fall back to", {"fallbacks": [{"model": "a/b"}]}, {"models": ["a/b"]}),
    ("OpenRouter's fields", {"models": ["a/b"], "session_id": "s"}, {"models": ["a/b"], "session_id": "s"}),
]


@pytest.mark.parametrize(("what", "said", "meant"), PLAIN, ids=[row[0] for row in PLAIN])
def test_members(what: str, said: dict[str, Any], meant: dict[str, Any]) -> None:
    """Each member is what the contract has for it."""
    assert chat(**said).items() >= meant.items()


@pytest.mark.parametrize("form", [{"output_config": {"format": "F"}}, {"output_format": "F"}])
def test_a_form(form: dict[str, Any]) -> None:
    """A schema is read from its place of today and from its former one."""
    schema = {"type": "json_schema", "schema": {"type": "object"}}
    said = {"output_config": {"format": schema}} if "output_config" in form else {"output_format": schema}
    request = parse({**BASE, **said})
    assert request.response_format.json_schema.schema == '{"type":"object"}'


FAULTS = [
    ({"max_tokens": None}, {"max_tokens"}),
    ({"messages": "Hi"}, {"messages"}),
    ({"messages": [{"role": "robot", "content": "Hi"}]}, {"messages[0].role"}),
    ({"messages": [{"role": "user", "content": 5}]}, {"messages[0].content"}),
    ({"messages": [{"role": "user", "content": [{"text": "no type"}]}]}, {"messages[0].content[0]"}),
    ({"messages": [3]}, {"messages[0]"}),
    ({"max_tokens": -1}, {"max_tokens"}),
    ({"stop_sequences": [1]}, {"stop_sequences[0]"}),
    ({"system": "s", "messages": [{"role": "user", "content": [{"type": "text"}]}]}, {"messages[0].content[0].text"}),
    ({"tools": [{"name": "has spaces", "input_schema": {}}]}, {"tools[0].name"}),
    ({"tools": [{"name": "f", "input_schema": 5}]}, {"tools[0].input_schema"}),
    ({"temperature": 3}, {"temperature"}),
    (
        {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": 5}]}]},
        {"messages[0].content[0].tool_use_id"},
    ),
    ({"thinking": {"type": "enabled", "budget_tokens": "many"}}, {"thinking.budget_tokens"}),
]


@pytest.mark.parametrize(("said", "paths"), FAULTS)
def test_faults_stand_at_the_clients_paths(said: dict[str, Any], paths: set[str]) -> None:
    """What is wrong is told where the client wrote it."""
    with pytest.raises(ShapeFaults) as caught:
        parse_request(CODEC, {**BASE, **said})
    assert {fault.path for fault in caught.value.faults} == paths


def test_thinking_comes_back_with_its_display() -> None:
    """Adaptive thinking, its display and its effort reach the provider as they came."""
    said = {"thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "max"}}
    rendered = render_again({**BASE, **said})
    assert {name: rendered[name] for name in said} == said
    budget = {"thinking": {"type": "enabled", "budget_tokens": 1500}, "max_tokens": 4000}
    assert render_again({**BASE, **budget}, BUDGETED)["thinking"] == budget["thinking"]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
BLOCKS = st.fixed_dictionaries({"type": st.sampled_from(KINDS)}, optional={key: JUNK for key in KEYS if key != "type"})
TURNS = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system", "robot"]), "content": JUNK | st.lists(BLOCKS | JUNK)}
)
HOSTILE = st.fixed_dictionaries(
    {"messages": JUNK | st.lists(TURNS | JUNK), "max_tokens": JUNK | st.just(5)},
    optional={
        name: JUNK | st.lists(BLOCKS, max_size=2) | BLOCKS
        for name in (
            "system",
            "tools",
            "tool_choice",
            "thinking",
            "output_config",
            "metadata",
            "stop_sequences",
            "fallbacks",
        )
    },
)


@given(value=HOSTILE)
def test_any_json(value: dict[str, Any]) -> None:
    """Whatever a client sends is a request or has faults, and what is a request can be rendered or is refused."""
    try:
        request = parse(value)
    except ShapeFaults:
        return
    body = thaw(CODEC.encode(request, answer=False))
    with contextlib.suppress(GatewayError):
        render_body(body, make_endpoint(make_provider("anthropic", dialect="anthropic")), Report())
