# SPDX-License-Identifier: Apache-2.0
"""The route that a call took, on all its ways out: both wires, whole and streamed, in answers and beside failures.

The gateway behind the edges is scripted: what the route says is the engine's business, here it must only arrive.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from grpc import aio

from support import grpc_edge, http_edge
from support.builders import make_request, make_route
from support.fake_gateway import Step
from trunkline.v1.chat_service_pb2_grpc import ChatServiceStub
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.router_metadata_pb2 import RouterMetadata
from trunkline_server.core.errors import GatewayError
from trunkline_server.core.ports import Batch

HEADER = {"x-openrouter-metadata": "enabled"}
METADATA = tuple(HEADER.items())
KEY = "openrouter_metadata"
TOLD = {
    "requested": "acme/one",
    "strategy": "direct",
    "region": None,
    "summary": "One endpoint.",
    "attempt": 0,
    "is_byok": False,
    "endpoints": {"total": 1, "available": [{"provider": "Acme", "model": "acme/one", "selected": False}]},
    "attempts": [{"provider": "Acme", "model": "acme/one", "status": 503}],
}
TEXT = http_edge.make_text_batch("hel")
# Reason of a failure -> whether its route is told.
FAILURES = [("PROVIDER_OVERLOADED", True), ("CONSTRAINT_FILTERED", True), ("SERVER", False), ("UNMAPPED", False)]


def last_batch() -> Batch:
    """The end of an answer, with the route."""
    (chunk,) = http_edge.make_last_batch()
    chunk.openrouter_metadata.CopyFrom(make_route())
    return [chunk]


def failure(reason: str) -> GatewayError:
    """A failure that knows the route."""
    error = GatewayError(ErrorReason.Value(f"ERROR_REASON_{reason}"), "It broke.")
    error.route = make_route()
    return error


async def post(*script: Step, stream: bool) -> tuple[int, list[Any], bool]:
    """What a call over HTTP is answered: the status, the body or the events, and whether the gateway was told to show the route."""
    async with (
        http_edge.running_edge(script) as edge,
        edge.client.post(http_edge.CHAT, json={**http_edge.MINIMAL, "stream": stream}, headers=HEADER) as answer,
    ):
        text = await answer.text()
        events = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {")]
        return (
            answer.status,
            [json.loads(event) for event in events or [text]],
            edge.gateway.calls[0].wants_router_metadata,
        )


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_an_http_answer(stream: bool) -> None:
    """A whole answer has the route; of a stream its last chunk and no other."""
    status, said, wanted = await post(TEXT, last_batch(), stream=stream)
    assert (status, wanted) == (200, True)
    assert [message.get(KEY) for message in said] == [None] * (len(said) - 1) + [TOLD]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("reason", "told"), FAILURES)
async def test_an_http_failure_before_content(reason: str, told: bool, stream: bool) -> None:
    """The body has the route beside `error`."""
    status, (body,), _ = await post(failure(reason), stream=stream)
    assert status == body["error"]["code"]
    assert body.get(KEY) == (TOLD if told else None)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("reason", "told"), FAILURES)
async def test_an_http_failure_after_content(reason: str, told: bool, stream: bool) -> None:
    """The partial answer, and the event that ends the stream, have the route beside `error`."""
    status, said, _ = await post(TEXT, failure(reason), stream=stream)
    assert (status, "error" in said[-1]) == (200, True)
    assert said[-1].get(KEY) == (TOLD if told else None)


def routes_of(error: aio.AioRpcError) -> list[RouterMetadata]:
    """The routes among the details of a status."""
    return [detail for detail in grpc_edge.details_of(error) if isinstance(detail, RouterMetadata)]


async def test_a_grpc_answer() -> None:
    """The whole answer has the route, and of a stream the last chunk; the metadata asks for it as the header does."""
    async with grpc_edge.running_edge(TEXT, last_batch()) as edge:
        stub = ChatServiceStub(edge.channel)
        whole = await stub.CreateChatCompletion(make_request(), metadata=METADATA)
        chunks = [chunk async for chunk in stub.StreamChatCompletion(make_request(), metadata=METADATA)]
        assert [call.wants_router_metadata for call in edge.gateway.calls] == [True, True]
    assert whole.openrouter_metadata == make_route()
    assert [chunk.HasField("openrouter_metadata") for chunk in chunks] == [False, True]


@pytest.mark.parametrize(("reason", "told"), FAILURES)
async def test_a_grpc_failure_before_content(reason: str, told: bool) -> None:
    """The route is a detail of the status, for both RPCs."""
    async with grpc_edge.running_edge(failure(reason)) as edge:
        stub = ChatServiceStub(edge.channel)
        with pytest.raises(aio.AioRpcError) as unary:
            await stub.CreateChatCompletion(make_request(), metadata=METADATA)
        with pytest.raises(aio.AioRpcError) as streamed:
            await stub.StreamChatCompletion(make_request(), metadata=METADATA).read()
    assert routes_of(unary.value) == routes_of(streamed.value) == ([make_route()] if told else [])


@pytest.mark.parametrize(("reason", "told"), FAILURES)
async def test_a_grpc_failure_after_content(reason: str, told: bool) -> None:
    """A unary answer has the route beside `error`; a stream ends in a status that has it among its details."""
    async with grpc_edge.running_edge(TEXT, failure(reason)) as edge:
        stub = ChatServiceStub(edge.channel)
        whole = await stub.CreateChatCompletion(make_request(), metadata=METADATA)
        call = stub.StreamChatCompletion(make_request(), metadata=METADATA)
        chunk = await call.read()
        with pytest.raises(aio.AioRpcError) as caught:
            await call.read()
    assert (whole.HasField("error"), whole.HasField("openrouter_metadata")) == (True, told)
    assert not chunk.HasField("openrouter_metadata")
    assert routes_of(caught.value) == ([make_route()] if told else [])


@pytest.mark.parametrize("headers", [{}, {"x-openrouter-metadata": "disabled"}], ids=["no header", "disabled"])
async def test_nobody_gets_it_unasked(headers: Mapping[str, str]) -> None:
    """Without the header the gateway is not told to show the route."""
    async with http_edge.running_edge([TEXT, http_edge.make_last_batch()]) as edge:
        async with edge.client.post(http_edge.CHAT, json=http_edge.MINIMAL, headers=headers) as answer:
            assert KEY not in await answer.json()
        assert not edge.gateway.calls[0].wants_router_metadata
