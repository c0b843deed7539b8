# SPDX-License-Identifier: Apache-2.0
"""Requests as xAI gets them."""

from typing import Any

import orjson
import pytest
from xai_sdk import AsyncClient
from xai_sdk.chat import required_tool, system, tool, user

from support.answer_cuts import make_codec
from support.builders import make_endpoint, make_provider
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.dialects.base import RenderedRequest
from trunkline_server.dialects.xai.request import CONVERSATION, PATH, render_request
from trunkline_server.dialects.xai.stubs import chat_stubs

CODEC = make_codec()
HI = {"messages": [{"role": "user", "content": "hi"}]}


def render(body: dict[str, Any], *, refuses: frozenset[str] = frozenset(), **fields: Any) -> RenderedRequest:
    """A caller's JSON for an endpoint at xAI."""
    request = CODEC.decode(ChatCompletionRequest, {**HI, **body})
    provider = make_provider("xai", dialect="xai", refuses=refuses)
    return render_request(CODEC, request, make_endpoint(provider, upstream_model="grok-4.6", **fields))


def sent(body: dict[str, Any], **fields: Any) -> Any:
    """The message that is sent."""
    return chat_stubs().GetCompletionsRequest.FromString(render(body, **fields).body)


async def test_a_request_as_their_client_writes_it() -> None:
    """A request that xAI's own client can make is the same message."""
    schema = {"type": "object", "properties": {}}
    client = AsyncClient(api_key="key")
    chat = client.chat.create(
        model="grok-4.6",
        messages=[system("Be brief."), user("hi")],
        user="ann",
        safety_identifier="h-1",
        max_tokens=100,
        seed=7,
        stop=["END"],
        temperature=0.5,
        top_p=0.75,
        logprobs=True,
        top_logprobs=3,
        tools=[tool("look", "Looks.", schema)],
        tool_choice=required_tool("look"),
        parallel_tool_calls=False,
        response_format="json_object",
        frequency_penalty=0.5,
        presence_penalty=0.25,
        reasoning_effort="high",
        use_encrypted_content=True,
        service_tier="priority",
    )
    expected = chat.proto
    expected.tools[0].function.parameters = expected.tools[0].function.parameters.replace(" ", "")
    await client.close()
    made = sent(
        {
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
            "user": "ann",
            "safety_identifier": "h-1",
            "max_completion_tokens": 100,
            "seed": 7,
            "stop": "END",
            "temperature": 0.5,
            "top_p": 0.75,
            "logprobs": True,
            "top_logprobs": 3,
            "tools": [
                {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": schema}}
            ],
            "tool_choice": {"type": "function", "function": {"name": "look"}},
            "parallel_tool_calls": False,
            "response_format": {"type": "json_object"},
            "frequency_penalty": 0.5,
            "presence_penalty": 0.25,
            "reasoning_effort": "high",
            "service_tier": "priority",
            "store": True,
        }
    )
    assert made.SerializeToString(deterministic=True) == expected.SerializeToString(deterministic=True)


def test_where_it_goes() -> None:
    """One method serves all; a cache key is metadata of printable ASCII."""
    rendered = render({"prompt_cache_key": "kö 1"})
    assert (rendered.path, dict(rendered.headers), rendered.echo) == (PATH, {CONVERSATION: "k%C3%B6%201"}, None)
    assert render({}).headers == {}
    assert len(render({"prompt_cache_key": "x" * 5000}).headers[CONVERSATION]) == 128


def test_the_echo_is_json() -> None:
    """A caller who wants to see the upstream's body gets JSON."""
    echo = render({"debug": {"echo_upstream_body": True}}).echo
    assert echo is not None
    assert orjson.loads(echo)["messages"] == [{"role": "ROLE_USER", "content": [{"text": "hi"}]}]


@pytest.mark.parametrize(
    ("body", "name", "value", "changed"),
    [
        ({"max_tokens": 5}, "max_tokens", 5, ()),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens", 6, ()),
        ({"logprobs": True, "top_logprobs": 20}, "top_logprobs", 8, (("top_logprobs", "clamped to 8"),)),
        ({"seed": 2**31 + 3}, "seed", 3, (("seed", "sent as 3"),)),
        ({"seed": -1}, "seed", 2**31 - 1, (("seed", "sent as 2147483647"),)),
        ({"n": 3}, "n", 3, ()),
        ({"max_turns": 2}, "max_turns", 2, ()),
        ({"agent_count": "AGENT_COUNT_4"}, "agent_count", 1, ()),
    ],
)
def test_values(body: dict[str, Any], name: str, value: object, changed: tuple[tuple[str, str], ...]) -> None:
    """A value arrives, or the nearest that xAI takes, which is told."""
    assert getattr(sent(body), name) == value
    assert render(body).changed == changed
    assert render(body).dropped == ()


@pytest.mark.parametrize(
    ("body", "lost"),
    [
        ({"n": 2, "web_search_options": {}}, ("n",)),
        ({"n": 1, "web_search_options": {}}, ()),
        ({"n": 2, "search_parameters": {"mode": "ON_SEARCH_MODE"}}, ("n",)),
        (
            {"n": 2, "messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f-1"}}]}]},
            ("n",),
        ),
        ({"max_turns": "many"}, ("max_turns",)),
        ({"guidelines": [{"policy": {"category": "strange"}}]}, ("guidelines",)),
        ({"previous_response_id": "r-1"}, ("previous_response_id",)),
        ({"store_messages": True}, ("store_messages",)),
        ({"response_format": {"type": "grammar", "grammar": "x"}}, ("response_format",)),
        ({"metadata": {"a": "b"}, "top_k": 3}, ("metadata", "top_k")),
        ({"service_tier": "flex"}, ("service_tier",)),
        ({"service_tier": "auto"}, ()),
        ({"service_tier": "default"}, ()),
        ({"stream_options": {"include_usage": True}, "session_id": "s"}, ()),
        ({"reasoning": {"summary": "auto"}}, ("reasoning.summary",)),
    ],
)
def test_losses(body: dict[str, Any], lost: tuple[str, ...]) -> None:
    """What xAI does not get is reported; nothing is ever stored there."""
    assert set(render(body).dropped) == set(lost)
    made = sent(body)
    assert (made.store_messages, made.previous_response_id) == (False, "")


@pytest.mark.parametrize(
    ("asked", "sold", "beside", "tier", "lost"),
    [
        ("priority", None, False, 2, False),
        ("fast", None, False, 2, False),
        ("default", None, False, 1, False),
        (None, None, False, 0, False),
        (None, "priority", False, 2, False),
        ("default", "priority", False, 2, True),
        ("fast", "priority", False, 2, False),
        ("priority", None, True, 0, True),
        ("strange", None, False, 0, True),
    ],
)
def test_tiers(asked: str | None, sold: str | None, beside: bool, tier: int, lost: bool) -> None:
    """The tier is the one that the endpoint is priced at; a word that gives way is reported."""
    body = {} if asked is None else {"service_tier": asked}
    fields = {"service_tier": sold, "beside_tiers": beside}
    assert sent(body, **fields).service_tier == tier
    assert ("service_tier" in render(body, **fields).dropped) is lost


@pytest.mark.parametrize(
    ("body", "effort", "encrypted", "changed"),
    [
        ({}, 0, False, ()),
        ({"reasoning": {"effort": "none"}}, 4, False, ()),
        ({"reasoning": {"enabled": False}}, 4, False, ()),
        ({"reasoning": {"effort": "minimal"}}, 1, True, (("reasoning.effort", 'sent as the effort "low"'),)),
        ({"reasoning": {"effort": "low"}}, 1, True, ()),
        ({"reasoning_effort": "xhigh"}, 5, True, ()),
        ({"reasoning_effort": "max"}, 5, True, (("reasoning.effort", 'sent as the effort "xhigh"'),)),
        ({"reasoning": {"enabled": True}}, 2, True, ()),
        (
            {"reasoning": {"max_tokens": 8000}, "max_tokens": 10_000},
            3,
            True,
            (("reasoning.max_tokens", 'sent as the effort "high"'),),
        ),
        ({"reasoning": {"exclude": True}}, 0, True, ()),
    ],
)
def test_reasoning(body: dict[str, Any], effort: int, encrypted: bool, changed: tuple[tuple[str, str], ...]) -> None:
    """How hard to reason; where it is spoken of, the reasoning comes in the form in which it can go back."""
    made = sent(body)
    assert (made.reasoning_effort, made.use_encrypted_content) == (effort, encrypted)
    assert render(body).changed == changed


def test_a_model_that_does_not_reason() -> None:
    """It is not told to, and that is reported; one that does is asked for its reasoning without a word of the caller."""
    plain = {"supported_parameters": frozenset({"temperature"})}
    made = render({"reasoning": {"effort": "high"}}, **plain)
    assert made.dropped == ("reasoning",)
    assert not sent({"reasoning": {"effort": "high"}}, **plain).HasField("reasoning_effort")
    assert render({"reasoning": {"effort": "none"}}, **plain).dropped == ()
    assert sent({}, supported_parameters=frozenset({"reasoning"})).use_encrypted_content


def test_what_a_row_refuses() -> None:
    """A quirk of the provider's row is left out and reported."""
    rendered = render({"seed": 1}, refuses=frozenset({"seed"}))
    assert rendered.dropped == ("seed",)


@pytest.mark.parametrize(
    ("form", "kind", "schema", "lost"),
    [
        ({"type": "text"}, 1, "", ()),
        ({"type": "json_object"}, 2, "", ()),
        (
            {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
            3,
            '{"type":"object"}',
            (),
        ),
        (
            {"type": "json_schema", "json_schema": {"name": "a", "description": "A."}},
            3,
            "{}",
            ("response_format.json_schema.description",),
        ),
    ],
)
def test_forms(form: dict[str, Any], kind: int, schema: str, lost: tuple[str, ...]) -> None:
    """The form of the answer."""
    made = sent({"response_format": form}).response_format
    assert (made.format_type, made.schema) == (kind, schema)
    assert render({"response_format": form}).dropped == lost
