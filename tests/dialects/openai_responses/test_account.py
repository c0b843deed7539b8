# SPDX-License-Identifier: Apache-2.0
"""The account of this language holds, field by field."""

from typing import Any

import pytest

from support.responses_wire import open_endpoint, plain_endpoint, render, sent
from trunkline_server.dialects.account import Kind, missing
from trunkline_server.dialects.openai_responses.account import ACCOUNT, EXTENSIONS

CACHE = {"type": "ephemeral"}
SAMPLES: dict[str, Any] = {
    "model": "acme/one",
    "models": ["acme/two"],
    "provider": {"order": ["acme"]},
    "plugins": [{"id": "web"}],
    "route": "fallback",
    "user": "u",
    "session_id": "s",
    "trace": {"trace_id": "t"},
    "metadata": {"k": "v"},
    "stream_options": {"include_obfuscation": False},
    "max_completion_tokens": 100,
    "max_tokens": 100,
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 40,
    "min_p": 0.1,
    "top_a": 0.2,
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
    "repetition_penalty": 1.1,
    "logit_bias": {"5": -100},
    "logprobs": True,
    "top_logprobs": 2,
    "n": 1,
    "seed": 7,
    "stop": ["END"],
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "max_tool_calls": 3,
    "stop_server_tools_when": [{"type": "step_count_is", "step_count": 2}],
    "functions": [{"name": "f"}],
    "function_call": {"name": "f"},
    "response_format": {"type": "json_object"},
    "structured_outputs": True,
    "reasoning": {"effort": "high"},
    "reasoning_effort": "high",
    "include_reasoning": False,
    "verbosity": "low",
    "modalities": ["text"],
    "audio": {"voice": "alloy"},
    "image_config": {"aspect_ratio": "16:9"},
    "prediction": {"type": "content", "content": "a"},
    "cache_control": CACHE,
    "prompt_cache_key": "p",
    "prompt_cache_options": {"mode": "explicit"},
    "service_tier": "flex",
    "web_search_options": {},
    "transforms": ["middle-out"],
    "usage": {"include": True},
    "store": True,
    "safety_identifier": "h",
    "debug": {"echo_upstream_body": True},
}
MARKED = plain_endpoint(cache_marks="prompt_cache_breakpoint")
ALWAYS = {"messages", "model", "stream"}


def test_every_field_stands_in_the_account() -> None:
    """No field of the contract is without its word, and every top-level one has a sample here."""
    assert missing(ACCOUNT) == ()
    assert {path for path in ACCOUNT if "." not in path} == SAMPLES.keys() | ALWAYS


@pytest.mark.parametrize("name", [name for name in SAMPLES if ACCOUNT[name].kind is Kind.GATEWAY])
def test_gateway(name: str) -> None:
    """What the gateway does itself changes nothing of what is sent, and is no loss."""
    sample = {name: SAMPLES[name]}
    assert sent(sample, MARKED) == sent({}, MARKED)
    assert render(sample, MARKED).dropped == ()


@pytest.mark.parametrize("name", [name for name in SAMPLES if ACCOUNT[name].kind is Kind.DROPPED])
def test_dropped(name: str) -> None:
    """What has no place is not sent, and is reported."""
    sample = {name: SAMPLES[name]}
    assert sent(sample, MARKED) == sent({}, MARKED)
    assert render(sample, MARKED).dropped == (name,)


@pytest.mark.parametrize(
    "name",
    [name for name in SAMPLES if ACCOUNT[name].kind in {Kind.SENT, Kind.RENAMED, Kind.CLAMPED} and name not in ALWAYS],
)
def test_sent(name: str) -> None:
    """What is sent, under whatever name, changes the request, and is not reported."""
    sample = {name: SAMPLES[name]}
    assert sent(sample, MARKED) != sent({}, MARKED)
    assert render(sample, MARKED).dropped == ()


@pytest.mark.parametrize("name", EXTENSIONS)
def test_extensions(name: str) -> None:
    """A provider with all extensions gets them as they are."""
    assert sent({name: SAMPLES[name]}, open_endpoint())[name] == SAMPLES[name]
