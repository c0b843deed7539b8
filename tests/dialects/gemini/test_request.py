# SPDX-License-Identifier: Apache-2.0
"""Requests as the body of generateContent."""

from typing import Any

import orjson
import pytest

from support.builders import make_endpoint, make_provider
from support.gemini_wire import CURRENT, DIALECT, HELLO, read, render, sent
from trunkline_server.dialects.gemini.request import path_of

CONTENTS = [{"role": "user", "parts": [{"text": "hello"}]}]


def test_the_least_request() -> None:
    """A greeting is a content and nothing else; the model stands in the path."""
    whole, streamed = render({}), render({"stream": True, "stream_options": {"include_usage": True}}, stream=True)
    assert orjson.loads(whole.body) == orjson.loads(streamed.body) == {"contents": CONTENTS}
    assert whole.path == f"/models/{CURRENT}:generateContent"
    assert streamed.path == f"/models/{CURRENT}:streamGenerateContent?alt=sse"
    assert whole.headers == {"content-type": "application/json", "accept": "application/json"}
    assert streamed.headers == {"content-type": "application/json", "accept": "text/event-stream"}
    assert whole.dropped == streamed.dropped == ()


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("models/gemini-3-flash", "/models/gemini-3-flash:generateContent"),
        ("tunedModels/mine", "/tunedModels/mine:generateContent"),
        ("gemini-3@001", "/models/gemini-3@001:generateContent"),
        ("../files/x?key=1", "/models/..%2Ffiles%2Fx%3Fkey%3D1:generateContent"),
    ],
)
def test_paths(model: str, path: str) -> None:
    """A model's name cannot lead anywhere else."""
    assert path_of(model, stream=False) == path


def test_googles_own_keys() -> None:
    """Keys that Google's request has are passed on, in either spelling; others are reported."""
    body = {"safety_settings": [{"a": 1}], "cachedContent": "cachedContents/x", "labels": {"a": "b"}, "my_key": 1}
    rendered = render(body)
    assert orjson.loads(rendered.body) == {
        "contents": CONTENTS,
        "safetySettings": [{"a": 1}],
        "cachedContent": "cachedContents/x",
        "labels": {"a": "b"},
    }
    assert rendered.dropped == ("my_key",)


def test_what_is_dropped_and_what_the_gateway_does() -> None:
    """What Google has no word for is reported; what the gateway does itself is not."""
    rendered = render(
        {
            "provider": {"order": ["google"]},
            "models": ["acme/two"],
            "session_id": "s",
            "logit_bias": {"1": 2.0},
            "min_p": 0.1,
            "user": "u",
            "store": False,
            "parallel_tool_calls": False,
            "verbosity": "low",
        }
    )
    assert orjson.loads(rendered.body) == {"contents": CONTENTS}
    assert sorted(rendered.dropped) == ["logit_bias", "min_p", "parallel_tool_calls", "store", "user", "verbosity"]


TIERS: list[tuple[str | None, dict[str, Any], str | None, tuple[str, ...]]] = [
    (None, {}, None, ()),
    ("auto", {}, None, ()),
    ("default", {}, "standard", ()),
    ("fast", {}, "priority", ()),
    ("flex", {}, "flex", ()),
    ("scale", {}, None, ("service_tier",)),
    ("flex", {"beside_tiers": True}, None, ("service_tier",)),
    ("default", {"beside_tiers": True}, "standard", ()),
    (None, {"service_tier": "flex"}, "flex", ()),
    ("fast", {"service_tier": "priority"}, "priority", ()),
    ("default", {"service_tier": "flex"}, "flex", ("service_tier",)),
]


@pytest.mark.parametrize(("asked", "offer", "expected", "dropped"), TIERS)
def test_tiers(asked: str | None, offer: dict[str, Any], expected: str | None, dropped: tuple[str, ...]) -> None:
    """The tier is the one that the endpoint is priced at."""
    rendered = render({} if asked is None else {"service_tier": asked}, **offer)
    assert (orjson.loads(rendered.body).get("serviceTier"), rendered.dropped) == (expected, dropped)


def test_what_a_provider_refuses() -> None:
    """A field that the provider's row refuses is left out, and reported."""
    provider = make_provider("vertex", dialect="gemini", refuses=frozenset({"service_tier", "seed"}))
    endpoint = make_endpoint(provider, upstream_model=CURRENT)
    request = read({**HELLO, "service_tier": "flex", "top_k": 1})
    rendered = DIALECT.render_request(request, endpoint, stream=False)
    assert orjson.loads(rendered.body) == {"contents": CONTENTS, "generationConfig": {"topK": 1}}
    assert rendered.dropped == ("service_tier",)


def test_schemas_are_sent_as_they_are_written() -> None:
    """JSON text of the caller's, such as a schema, reaches Google byte for byte."""
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"b": 1, "a": 12345678901234567}}}]
    assert b'"parametersJsonSchema":{"b":1,"a":12345678901234567}' in render({"tools": tools}).body
    assert sent({"tools": tools})["tools"][0]["functionDeclarations"][0]["name"] == "f"
