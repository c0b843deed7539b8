# SPDX-License-Identifier: Apache-2.0
"""Who may call: every route and every RPC of the contract asks for a key, whatever is added to it."""

import re
from collections.abc import AsyncIterator
from importlib import import_module

import aiohttp
import grpc
import pytest
from grpc import aio

from support.gateway import RunningGateway, key_row, running_gateway
from support.source_tree import ROOT
from trunkline_server.app import App
from trunkline_server.config.settings import Settings

KEY = "tl-" + "k" * 43
WRONG = "tl-" + "w" * 43
PROTOS = sorted((ROOT / "proto" / "trunkline" / "v1").glob("*_service.proto"))
SERVICES = [
    service
    for path in PROTOS
    for service in import_module(f"trunkline.v1.{path.stem}_pb2").DESCRIPTOR.services_by_name.values()
]
RPCS = {method.full_name: method for service in SERVICES for method in service.methods}


@pytest.fixture(scope="module")
async def gateway() -> AsyncIterator[RunningGateway]:
    """A gateway with one key."""
    async with running_gateway(keys=[key_row("tester", KEY)]) as running:
        yield running


@pytest.fixture(scope="module")
async def app() -> App:
    """A gateway that does not listen, to look at what it serves."""
    return App(Settings())


@pytest.mark.parametrize("headers", [{}, {"authorization": f"Bearer {WRONG}"}], ids=["no key", "a wrong key"])
async def test_every_route_asks_for_a_key(gateway: RunningGateway, app: App, headers: dict[str, str]) -> None:
    """Whatever HTTP serves below its bases is a 401 without a known key."""
    routes = [route for route in app._http.routes if re.match(r"(/api)?/v1/", route[1])]
    assert len(routes) > 20
    statuses = {}
    async with aiohttp.ClientSession(gateway.http_url, headers=headers) as http:
        for method, path in routes:
            async with http.request(method, re.sub(r"\{\w+\}", "x", path)) as answer:
                statuses[method, path] = (answer.status, answer.headers.get("WWW-Authenticate"))
    assert {place: told for place, told in statuses.items() if told != (401, "Bearer")} == {}


@pytest.mark.parametrize("name", RPCS)
async def test_every_rpc_asks_for_a_key(gateway: RunningGateway, app: App, name: str) -> None:
    """Every RPC of the contract that gRPC serves is UNAUTHENTICATED without a known key, before its request is looked at."""
    method = RPCS[name]
    path = f"/{method.containing_service.full_name}/{method.name}"
    async with aio.insecure_channel(gateway.grpc_target) as channel:
        begin = channel.unary_stream(path) if method.server_streaming else channel.unary_unary(path)
        call = begin(b"\xff", metadata=[("authorization", f"Bearer {WRONG}")])
        served = name in app._grpc.served_rpcs
        wanted = grpc.StatusCode.UNAUTHENTICATED if served else grpc.StatusCode.UNIMPLEMENTED
        assert await call.code() is wanted
