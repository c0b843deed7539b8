# SPDX-License-Identifier: Apache-2.0
"""A gateway whose provider is another gateway, over gRPC: nothing is lost on the way, failures keep their meaning, and loops end."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from support.gateway import RunningGateway, running_gateway
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest


def provider(target: str, **more: Any) -> dict[str, Any]:
    """A provider that is a gateway at an address."""
    row = {"slug": "east", "dialect": "trunkline", "transport": "grpc", "base_url": f"http://{target}"}
    return {**row, **more}


def model(upstream_model: str) -> dict[str, Any]:
    """A model of that provider."""
    endpoint = {
        "provider": "east",
        "upstream_model": upstream_model,
        "prices": {"prompt": "0.000001", "completion": "0"},
    }
    return {"slug": f"east/{upstream_model.partition('/')[2]}", "endpoints": [endpoint]}


@pytest.fixture(scope="module")
async def east() -> AsyncIterator[RunningGateway]:
    """The gateway behind, which has the simulator."""
    async with running_gateway() as gateway:
        yield gateway


@pytest.fixture(scope="module")
async def west(east: RunningGateway) -> AsyncIterator[RunningGateway]:
    """The gateway in front."""
    models = [model(name) for name in ("sim/echo", "sim/tools", "sim/reasoner", "sim/image", "sim/json", "sim/nothing")]
    async with running_gateway(providers=[provider(east.grpc_target)], models=models) as gateway:
        yield gateway


def body(name: str, **more: Any) -> dict[str, Any]:
    """A request to a model of the gateway in front."""
    return {"model": name, "messages": [{"role": "user", "content": "say one two three"}], **more}


async def ask(gateway: RunningGateway, request: dict[str, Any], **headers: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON of a whole answer."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(gateway.chat_url, json=request, headers=headers) as answer,
    ):
        return answer.status, await answer.json()


TOOL = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}},
}


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("echo", {}),
        ("echo", {"n": 2, "logprobs": True, "top_logprobs": 2}),
        ("tools", {"tools": [TOOL], "tool_choice": "required"}),
        ("reasoner", {"reasoning": {"effort": "high"}}),
        ("image", {"modalities": ["text", "image"]}),
        ("json", {"response_format": {"type": "json_object"}}),
        ("echo", {"max_tokens": 1}),
    ],
)
async def test_an_answer_is_the_same_through_one_gateway_more(
    east: RunningGateway, west: RunningGateway, name: str, more: dict[str, Any]
) -> None:
    """Choices and usage of a whole answer are what the gateway behind gives itself; the money is what this gateway charges."""
    _, near = await ask(west, body(f"east/{name}", **more))
    _, far = await ask(east, body(f"sim/{name}", **more))
    assert near["choices"] == far["choices"]
    assert near["usage"]["completion_tokens"] == far["usage"]["completion_tokens"]
    assert near["usage"]["cost"] == pytest.approx(near["usage"]["prompt_tokens"] * 1e-6)
    assert near["provider"] == "east"


async def test_a_stream_arrives_as_it_comes(east: RunningGateway, west: RunningGateway) -> None:
    """The texts of a stream's chunks, joined, are the answer; the last chunk has usage."""
    request = ChatCompletionRequest(model="east/echo")
    request.messages.add().user.content.add().text = "say one two three"
    async with west.connect() as stub:
        chunks = [chunk async for chunk in stub.StreamChatCompletion(request)]
    assert "".join(choice.delta.content for chunk in chunks for choice in chunk.choices) == "say one two three"
    assert len(chunks) > 2
    assert chunks[-1].usage.total_tokens > 0


async def test_the_upstream_body_is_shown_as_json(west: RunningGateway) -> None:
    """`debug.echo_upstream_body` shows what was sent in JSON, although it travelled as a message."""
    request = body(
        "east/echo",
        stream=True,
        debug={"echo_upstream_body": True},
        models=["east/echo"],
        provider={"only": ["east"], "zdr": False},
    )
    async with aiohttp.ClientSession() as session, session.post(west.chat_url, json=request) as answer:
        first = (await answer.text()).partition("\n")[0]
    assert '"model":"sim/echo"' in first
    assert '"provider":{"zdr":false}' in first
    assert '"models"' not in first


async def test_a_model_that_the_other_gateway_lacks(west: RunningGateway) -> None:
    """Its MODEL_NOT_FOUND is about this gateway's catalog, not about the caller's request."""
    status, answer = await ask(west, body("east/nothing"))
    assert status == 404
    assert answer["error"]["availability"]["code"] == "model_unavailable_upstream"
    assert answer["error"]["metadata"]["provider_code"] == "MODEL_NOT_FOUND"


async def test_a_key_that_the_other_gateway_refuses() -> None:
    """The caller is not told that its own key is wrong."""
    keys = [{"name": "team", "sha256": "0" * 64}]
    async with (
        running_gateway(keys=keys) as far,
        running_gateway(providers=[provider(far.grpc_target, api_key="wrong")], models=[model("sim/echo")]) as near,
    ):
        status, answer = await ask(near, body("east/echo"))
    assert status == 502
    assert answer["error"]["metadata"]["reason"] == "PROVIDER_AUTHENTICATION"
    assert "wrong" not in str(answer)


async def test_a_gateway_that_is_not_there() -> None:
    """A refused connection is the provider's failure."""
    async with running_gateway(providers=[provider("127.0.0.1:1")], models=[model("sim/echo")]) as near:
        status, answer = await ask(near, body("east/echo"), **{"x-request-timeout": "3"})
    assert status == 502
    assert answer["error"]["metadata"]["reason"] == "PROVIDER_UNAVAILABLE"


async def test_leaving_ends_the_call_behind(west: RunningGateway, caplog: pytest.LogCaptureFixture) -> None:
    """A caller who leaves in the middle ends the stream of the gateway behind as well: both log the call as left."""
    caplog.set_level(logging.INFO, "trunkline.call")
    request = ChatCompletionRequest(model="east/echo")
    request.messages.add().user.content.add().text = "word " * 2000
    async with west.connect() as stub:
        call = stub.StreamChatCompletion(request)
        await call.read()
        call.cancel()
    async with asyncio.timeout(5):
        while len(caplog.messages) < 2:  # noqa: ASYNC110 - a log has no event
            await asyncio.sleep(0.01)
    assert all("status=cancelled" in message for message in caplog.messages)
