# SPDX-License-Identifier: Apache-2.0
"""Explaining routes through the whole gateway: both wires tell the same, and nobody is called, charged or remembered for it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from grpc import aio

from support.builders import make_request
from support.gateway import RunningGateway, key_row, offer, running_gateway
from trunkline.v1.provider_preferences_pb2 import ProviderPreferences
from trunkline.v1.route_service_pb2 import ExplainRouteResponse
from trunkline.v1.route_service_pb2_grpc import RouteServiceStub
from trunkline_server.jsonshape import Codec

KEY = "tl-" + "k" * 43
BODY = {"model": "acme/one", "messages": [{"role": "user", "content": "hello"}]}
SIGNED = {"authorization": f"Bearer {KEY}"}
NOBODY = {"provider": {"only": ["nobody"]}}


@dataclass(slots=True)
class Watched:
    """A gateway with one provider that answers nobody and counts who comes."""

    gateway: RunningGateway
    visits: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
async def watched() -> AsyncIterator[Watched]:
    """A gateway with a key."""
    visits: list[str] = []

    async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append("somebody came")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as provider:
        url = f"http://127.0.0.1:{provider.sockets[0].getsockname()[1]}/v1"
        async with running_gateway(keys=[key_row("tester", KEY)], **offer(url)) as gateway:
            yield Watched(gateway=gateway, visits=visits)


async def explain(at: RunningGateway, path: str = "/v1/route/explain", **fields: Any) -> tuple[int, Any, str]:
    """What a request is answered over HTTP: status, body, generation id."""
    async with (
        aiohttp.ClientSession() as http,
        http.post(at.http_url + path, json={**BODY, **fields}, headers=SIGNED) as answer,
    ):
        return answer.status, await answer.json(), answer.headers["x-generation-id"]


@pytest.mark.parametrize("path", ["/v1/route/explain", "/api/v1/route/explain"])
async def test_http(watched: Watched, path: str) -> None:
    """The plan of a chat request, below both bases."""
    status, body, _ = await explain(watched.gateway, path)
    assert status == 200
    assert [endpoint["tag"] for endpoint in body["data"]["endpoints"]] == ["acme"]
    assert (body["data"]["rejected"], body["data"]["error"]) == ([], None)


async def test_nothing_left_is_200(watched: Watched) -> None:
    """Where nobody may serve, the answer says who was left out and what the chat would be answered."""
    status, body, _ = await explain(watched.gateway, **NOBODY)
    async with (
        aiohttp.ClientSession() as http,
        http.post(watched.gateway.chat_url, json={**BODY, **NOBODY}, headers=SIGNED) as chat,
    ):
        assert (chat.status, (await chat.json())["error"]) == (404, body["data"]["error"])
    assert status == 200
    assert [rejected["excluded_by"] for rejected in body["data"]["rejected"]] == ["allowed_providers"]


@pytest.mark.parametrize("fields", [{}, NOBODY], ids=["one left", "nobody left"])
async def test_grpc_tells_the_same(watched: Watched, fields: dict[str, Any]) -> None:
    """The message over gRPC is the JSON over HTTP."""
    request = make_request(provider=ProviderPreferences(**fields.get("provider", {})))
    async with aio.insecure_channel(watched.gateway.grpc_target) as channel:
        answer = await RouteServiceStub(channel).ExplainRoute(request, metadata=tuple(SIGNED.items()))
    _, body, _ = await explain(watched.gateway, **fields)
    assert Codec.compile([ExplainRouteResponse.DESCRIPTOR]).encode(answer) == body


async def test_it_is_no_call(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    """No provider is called, the log has no line of a call, there is no record, and nothing is spent."""
    caplog.set_level(logging.INFO)
    watched.visits.clear()
    _, _, generation_id = await explain(watched.gateway)
    assert watched.visits == []
    assert [line.name for line in caplog.records if line.name == "trunkline.call"] == []
    async with aiohttp.ClientSession(watched.gateway.http_url, headers=SIGNED) as http:
        async with http.get("/v1/generation", params={"id": generation_id}) as record:
            assert record.status == 404
        async with http.get("/v1/key") as account:
            assert (await account.json())["data"]["usage"] == 0
