# SPDX-License-Identifier: Apache-2.0
"""Requests of clients of POST /v1/completions."""

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.answer_cuts import make_codec
from support.strategies import values
from trunkline_server.dialects.openai_completions.inbound import parse_request
from trunkline_server.jsonshape import ShapeFaults

CODEC = make_codec()
HELLO = {"messages": [{"role": "user", "content": "hello"}]}


def parsed(value: dict[str, Any]) -> tuple[Any, str]:
    """The request as chat completions would have said it, and what an answer echoes."""
    request, prompt = parse_request(CODEC, value)
    return orjson.loads(CODEC.dump(request, answer=False)), prompt.echoed


REQUESTS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"prompt": "hello"}, {}, ""),
    ({"prompt": ["hello"]}, {}, ""),
    ({"prompt": "hello", "echo": True}, {}, "hello"),
    ({"prompt": "hello", "echo": False, "suffix": None, "best_of": 1}, {}, ""),
    ({"prompt": "hello", "n": 2, "best_of": 2}, {"n": 2}, ""),
    ({"prompt": "hello", "logprobs": 3}, {"logprobs": True, "top_logprobs": 3}, ""),
    ({"prompt": "hello", "logprobs": 0}, {"logprobs": True, "top_logprobs": 0}, ""),
    (
        {
            "prompt": "hello",
            "model": "a/b",
            "max_tokens": 5,
            "stop": "x",
            "seed": 1,
            "user": "u",
            "provider": {"order": ["x"]},
        },
        {"model": "a/b", "max_tokens": 5, "stop": "x", "seed": 1, "user": "u", "provider": {"order": ["x"]}},
        "",
    ),
]


@pytest.mark.parametrize(("value", "expected", "echoed"), REQUESTS)
def test_requests(value: dict[str, Any], expected: dict[str, Any], echoed: str) -> None:
    """The prompt is a user's message; parameters of the same name are the contract's."""
    request, echo = parsed(value)
    assert request.pop("stop", None) in (expected.get("stop"), [expected.get("stop")])
    assert request == {**HELLO, **{key: item for key, item in expected.items() if key != "stop"}}
    assert echo == echoed


@pytest.mark.parametrize(
    ("value", "paths"),
    [
        ([], [""]),
        ({}, ["prompt"]),
        ({"prompt": ""}, ["prompt"]),
        ({"prompt": None}, ["prompt"]),
        ({"prompt": ["a", "b"]}, ["prompt"]),
        ({"prompt": [1, 2]}, ["prompt"]),
        ({"prompt": [[1, 2]]}, ["prompt"]),
        ({"prompt": "a", "suffix": "b"}, ["suffix"]),
        ({"prompt": "a", "best_of": 3}, ["best_of"]),
        ({"prompt": "a", "echo": 1}, ["echo"]),
        ({"prompt": "a", "logprobs": 6}, ["logprobs"]),
        ({"prompt": "a", "logprobs": True}, ["logprobs"]),
        ({"prompt": "a", "messages": [], "tools": []}, ["messages", "tools"]),
        ({"prompt": "a", "temperature": 5}, ["temperature"]),
    ],
)
def test_faults(value: Any, paths: list[str]) -> None:
    """What a chat model cannot do, and what has the wrong form, is a fault in its place."""
    with pytest.raises(ShapeFaults) as caught:
        parse_request(CODEC, value)
    assert [fault.path for fault in caught.value.faults] == paths


def test_several_prompts_are_refused_clearly() -> None:
    """The fault says what to do instead."""
    with pytest.raises(ShapeFaults, match="one prompt a call"):
        parse_request(CODEC, {"prompt": ["a", "b"]})


KEYS = st.sampled_from(["prompt", "suffix", "best_of", "echo", "logprobs", "n", "stop", "temperature", "new"])


@given(value=st.dictionaries(KEYS, values, max_size=5) | values)
def test_anything_may_come(value: Any) -> None:
    """Whatever a client writes, it is a request or has faults."""
    with suppress(ShapeFaults):
        parse_request(CODEC, value)
