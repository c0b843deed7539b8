# SPDX-License-Identifier: Apache-2.0
"""Requests in Converse's language; the matrix has whole ones."""

from typing import Any

import orjson
import pytest

from support.answer_cuts import make_codec
from support.builders import make_endpoint
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.dialects.base import RenderedRequest
from trunkline_server.dialects.bedrock_converse import BedrockConverse

CODEC = make_codec()
CLAUDE = "anthropic.claude-opus-4-5-20251101-v1:0"


def render(body: dict[str, Any], model: str = CLAUDE, *, stream: bool = True, **endpoint: Any) -> RenderedRequest:
    """A request with one message and more, as Bedrock gets it."""
    request = CODEC.decode(ChatCompletionRequest, {"messages": [{"role": "user", "content": "Hi."}], **body})
    return BedrockConverse(CODEC).render_request(
        request, make_endpoint(upstream_model=model, **endpoint), stream=stream
    )


@pytest.mark.parametrize(
    ("model", "stream", "path"),
    [
        (CLAUDE, True, f"/model/{CLAUDE}/converse-stream"),
        (CLAUDE, False, f"/model/{CLAUDE}/converse"),
        (
            "arn:aws:bedrock:eu-west-1:1:inference-profile/x",
            False,
            "/model/arn:aws:bedrock:eu-west-1:1:inference-profile%2Fx/converse",
        ),
    ],
)
def test_paths(model: str, stream: bool, path: str) -> None:
    """The model and the way of answering stand in the path."""
    assert render({}, model, stream=stream).path == path


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {}),
        ({"max_tokens": 9, "stop": ["a", " "]}, {"inferenceConfig": {"maxTokens": 9, "stopSequences": ["a"]}}),
        ({"temperature": 2.0}, {"inferenceConfig": {"temperature": 1.0}}),
        ({"metadata": {"team": "blue"}}, {"requestMetadata": {"team": "blue"}}),
        ({"service_tier": "flex"}, {"serviceTier": {"type": "flex"}}),
        (
            {"guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"}},
            {"guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"}},
        ),
        ({"performanceConfig": {"latency": "optimized"}}, {"performanceConfig": {"latency": "optimized"}}),
        (
            {"additionalModelRequestFields": {"anthropic_beta": ["x"]}, "top_k": 5},
            {"additionalModelRequestFields": {"anthropic_beta": ["x"], "top_k": 5}},
        ),
    ],
)
def test_fields(body: dict[str, Any], fields: dict[str, Any]) -> None:
    """Fields stand where Converse has them; its own, which the contract has no words for, pass as they are."""
    rendered = render(body)
    assert orjson.loads(rendered.body) == {"messages": [{"role": "user", "content": [{"text": "Hi."}]}], **fields}
    assert rendered.dropped == ()


@pytest.mark.parametrize(
    ("asked", "endpoint", "sent", "dropped"),
    [
        (None, {}, None, ()),
        ("auto", {}, None, ()),
        ("priority", {"beside_tiers": True}, "default", ("service_tier",)),
        ("flex", {"service_tier": "priority"}, "priority", ("service_tier",)),
        (None, {"service_tier": "flex"}, "flex", ()),
        ("scale", {}, None, ("service_tier",)),
    ],
)
def test_tiers(asked: str | None, endpoint: dict[str, Any], sent: str | None, dropped: tuple[str, ...]) -> None:
    """The tier is the one that the endpoint is priced at."""
    rendered = render({} if asked is None else {"service_tier": asked}, **endpoint)
    told = orjson.loads(rendered.body).get("serviceTier", {}).get("type")
    assert (told, rendered.dropped) == (sent, dropped)


def test_marks() -> None:
    """Only the last four marks of cached prefixes are sent."""
    parts = [{"type": "text", "text": str(count), "cache_control": {"type": "ephemeral"}} for count in range(6)]
    rendered = render({"messages": [{"role": "user", "content": parts}]})
    content = orjson.loads(rendered.body)["messages"][0]["content"]
    assert [place for place, block in enumerate(content) if "cachePoint" in block] == [3, 5, 7, 9]
    assert dict(rendered.changed).keys() == {"cache_control"}


def test_who_reads_urls() -> None:
    """Bedrock reads none."""
    assert not BedrockConverse(CODEC).reads_url("https://example.com/cat.jpg", make_endpoint())


def test_a_history_of_calls_alone() -> None:
    """Summing up a conversation with another provider's calls: they are declared, blank texts are not sent, and Claude does not think in the middle."""
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "Hi."},
        {"role": "assistant", "content": "\n", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "x"},
        {"role": "user", "content": " "},
    ]
    rendered = render({"messages": messages, "reasoning": {"max_tokens": 2000}, "max_tokens": 9000})
    body = orjson.loads(rendered.body)
    assert [[next(iter(block)) for block in turn["content"]] for turn in body["messages"]] == [
        ["text"],
        ["toolUse"],
        ["toolResult"],
    ]
    assert body["toolConfig"]["tools"][0]["toolSpec"]["name"] == "f"
    assert "additionalModelRequestFields" not in body
    assert dict(rendered.changed).keys() == {"tools", "reasoning"}


@pytest.mark.parametrize(
    ("stop", "sent", "dropped", "changed"),
    [
        (["\n\n", "END"], ["END"], (), {"stop"}),
        (["END"], ["END"], (), set()),
        ("END", ["END"], (), set()),
        (["\n"], None, ("stop",), set()),
    ],
)
def test_blank_stops(stop: object, sent: object, dropped: tuple[str, ...], changed: set[str]) -> None:
    """Bedrock refuses them; what is left out is told."""
    rendered = render({"stop": stop})
    assert orjson.loads(rendered.body).get("inferenceConfig", {}).get("stopSequences") == sent
    assert (rendered.dropped, dict(rendered.changed).keys()) == (dropped, changed)
