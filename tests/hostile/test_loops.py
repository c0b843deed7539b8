# SPDX-License-Identifier: Apache-2.0
"""Gateways that are their own providers: row H95."""

from typing import Any

import aiohttp
import pytest

from support.gateway import RunningGateway, running_gateway


def body(model: str) -> dict[str, Any]:
    """A request to a model."""
    return {"model": model, "messages": [{"role": "user", "content": "hello"}]}


async def ask(gateway: RunningGateway, request: dict[str, Any], **headers: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON of a whole answer."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(gateway.chat_url, json=request, headers=headers) as answer,
    ):
        return answer.status, await answer.json()


@pytest.mark.parametrize("transport", ["grpc", "http"])
async def test_h95_a_gateway_that_is_its_own_provider(transport: str, unused_tcp_port: int) -> None:
    """The loop ends after a few rounds, with a 400 that says what it is."""
    wires = {
        "grpc": {"dialect": "trunkline", "transport": "grpc", "base_url": f"http://127.0.0.1:{unused_tcp_port}"},
        "http": {"takes_extensions": True, "base_url": f"http://127.0.0.1:{unused_tcp_port}/v1"},
    }
    listen = {transport: {"listen": f"127.0.0.1:{unused_tcp_port}"}}
    models = [{"slug": "east/echo", "endpoints": [{"provider": "east", "upstream_model": "east/echo"}]}]
    providers = [{"slug": "east", **wires[transport]}]
    async with running_gateway(**listen, providers=providers, models=models) as gateway:
        status, answer = await ask(gateway, body("east/echo"))
    assert status == 400
    assert answer["error"]["metadata"]["reason"] == "LOOP_DETECTED"


@pytest.mark.parametrize("hops", ["4", "99999999999999999999", "-1", "many"])
async def test_h95_too_many_hops_are_refused(hops: str) -> None:
    """A count beyond the limit, or one that is no count, ends here."""
    async with running_gateway() as gateway:
        status, answer = await ask(gateway, body("sim/echo"), **{"x-trunkline-hops": hops})
    assert status == 400
    assert answer["error"]["metadata"]["reason"] == "LOOP_DETECTED"


async def test_h95_three_hops_pass() -> None:
    """A chain of gateways may be as long as anybody has use for."""
    async with running_gateway() as gateway:
        status, _ = await ask(gateway, body("sim/echo"), **{"x-trunkline-hops": "3"})
    assert status == 200
