# SPDX-License-Identifier: Apache-2.0
"""Dialects as those speak them who offer another maker's wire."""

from typing import Any

import orjson
import pytest

from support.answer_cuts import make_codec
from support.builders import make_endpoint, make_provider
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.catalog.entry import Wire
from trunkline_server.dialects.aws_events import Unframed
from trunkline_server.dialects.base import RenderedRequest
from trunkline_server.dialects.registry import make_dialects
from trunkline_server.dialects.shape import Shaped

CODEC = make_codec()
DIALECTS = make_dialects(CODEC)
VERTEX = Wire(
    path="/models/{model}:rawPredict",
    stream_path="/models/{model}:streamRawPredict",
    adds={"anthropic_version": "vertex-2023-10-16"},
    removes=frozenset({"model"}),
    removes_headers=frozenset({"anthropic-version"}),
    reads_urls=False,
)
BEDROCK = Wire(
    path="/model/{model}/invoke",
    stream_path="/model/{model}/invoke-with-response-stream",
    adds={"anthropic_version": "bedrock-2023-05-31"},
    removes=frozenset({"model", "stream"}),
    removes_headers=frozenset({"anthropic-version"}),
)
AZURE = "/deployments/{model}/chat/completions?api-version=2024-10-21"
FRAMED = {"content-type": "application/vnd.amazon.eventstream"}


def render(dialect: str, wire: Wire | None, model: str, *, stream: bool) -> tuple[RenderedRequest, dict[str, Any]]:
    """A short request for a model at a provider with a wire of its own, and its body."""
    request = CODEC.decode(ChatCompletionRequest, {"messages": [{"role": "user", "content": "Hi."}]})
    endpoint = make_endpoint(make_provider("p", dialect=dialect, wire=wire), upstream_model=model)
    rendered = DIALECTS[dialect].render_request(request, endpoint, stream=stream)
    return rendered, orjson.loads(rendered.body)


@pytest.mark.parametrize(
    ("dialect", "wire", "model", "stream", "path"),
    [
        ("anthropic", VERTEX, "claude-opus-4-5@20251101", False, "/models/claude-opus-4-5@20251101:rawPredict"),
        ("anthropic", VERTEX, "claude-opus-4-5@20251101", True, "/models/claude-opus-4-5@20251101:streamRawPredict"),
        ("anthropic", BEDROCK, "anthropic.claude-x-v1:0", False, "/model/anthropic.claude-x-v1:0/invoke"),
        ("anthropic", BEDROCK, "arn:aws:x/y", True, "/model/arn:aws:x%2Fy/invoke-with-response-stream"),
        ("anthropic", BEDROCK, "../x?y#z", False, "/model/..%2Fx%3Fy%23z/invoke"),
        ("openai_chat", Wire(path=AZURE, stream_path=AZURE), "my-gpt", True, AZURE.replace("{model}", "my-gpt")),
        ("openai_chat", Wire(), "gpt", True, "/chat/completions"),
        ("openai_chat", None, "gpt", True, "/chat/completions"),
    ],
)
def test_paths(dialect: str, wire: Wire | None, model: str, stream: bool, path: str) -> None:
    """The model is part of a path, and leads nowhere else."""
    assert render(dialect, wire, model, stream=stream)[0].path == path


@pytest.mark.parametrize(
    ("wire", "stream", "adds", "removes"),
    [
        (VERTEX, True, {"anthropic_version": "vertex-2023-10-16"}, {"model"}),
        (BEDROCK, True, {"anthropic_version": "bedrock-2023-05-31"}, {"model", "stream"}),
        (BEDROCK, False, {"anthropic_version": "bedrock-2023-05-31"}, {"model"}),
    ],
)
def test_bodies(wire: Wire, stream: bool, adds: dict[str, Any], removes: set[str]) -> None:
    """What the row says is added and removed, and nothing else."""
    plain, before = render("anthropic", None, "claude", stream=stream)
    shaped, after = render("anthropic", wire, "claude", stream=stream)
    assert after == {**{name: value for name, value in before.items() if name not in removes}, **adds}
    assert dict(shaped.headers) == {name: text for name, text in plain.headers.items() if name != "anthropic-version"}


def test_long_integers() -> None:
    """Arguments of past calls stay as they were written, a number beyond 64 bits too."""
    arguments = '{"id":12345678901234567890123}'
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": arguments}}
    messages = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": None, "tool_calls": [call]}]
    request = CODEC.decode(ChatCompletionRequest, {"messages": messages})
    provider = make_provider("p", dialect="gemini", wire=Wire(adds={"labels": "a"}))
    endpoint = make_endpoint(provider, upstream_model="gemini-2.5-pro")
    rendered = DIALECTS["gemini"].render_request(request, endpoint, stream=False)
    assert arguments.encode() in rendered.body


def test_framing() -> None:
    """An answer in AWS's framing is taken out of it, except by a dialect that reads it itself, and where the answer is an error."""
    told = [
        isinstance(DIALECTS[name].decoder(status=status, headers=headers), Unframed)
        for name, status, headers in [
            ("anthropic", 200, FRAMED),
            ("anthropic", 429, FRAMED),
            ("anthropic", 200, {"content-type": "text/event-stream"}),
            ("bedrock_converse", 200, FRAMED),
        ]
    ]
    assert told == [True, False, False, False]


@pytest.mark.parametrize(
    ("dialect", "wire", "expected"),
    [
        ("openai_chat", None, None),
        ("openai_chat", Wire(), None),
        ("anthropic", VERTEX, False),
        ("bedrock_converse", None, False),
        ("gemini", None, True),
    ],
)
def test_who_reads_urls(dialect: str, wire: Wire | None, expected: bool | None) -> None:
    """The row and the dialect tell together; None: everything is read."""
    shaped = DIALECTS[dialect]
    assert isinstance(shaped, Shaped)
    endpoint = make_endpoint(make_provider("p", dialect=dialect, wire=wire), upstream_model="gemini-3-pro-preview")
    reader = shaped.url_reader(endpoint)
    assert (None if reader is None else reader("https://example.com/cat.jpg")) == expected
