# SPDX-License-Identifier: Apache-2.0
"""Large requests go through worker threads: other calls go on meanwhile, and nothing else about them is different. Row F73."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from grpc import aio

from support.gateway import RunningGateway, running_gateway
from trunkline import build_request
from trunkline.v1.chat_response_pb2 import ChatCompletion
from trunkline_server.core.call import LARGE_REQUEST_BYTES

CREATE = "/trunkline.v1.ChatService/CreateChatCompletion"
MANY = {"model": "sim/echo", "messages": [{"role": "user", "content": "x"}] * 8_000}
LONG = {"model": "sim/echo", "messages": [{"role": "user", "content": "word " * LARGE_REQUEST_BYTES}]}


@pytest.fixture(scope="module")
async def gateway() -> AsyncIterator[RunningGateway]:
    """A gateway with the simulator, on this loop."""
    async with running_gateway() as running:
        yield running


async def ask_http(gateway: RunningGateway, request: object) -> tuple[int, bytes]:
    """The status and the body of an answer over HTTP."""
    body = json.dumps(request).encode()
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession() as http, http.post(gateway.chat_url, data=body, headers=headers) as answer:
        return answer.status, await answer.read()


async def ask_grpc(gateway: RunningGateway, raw: bytes) -> bytes:
    """The answer over gRPC."""
    async with aio.insecure_channel(gateway.grpc_target) as channel:
        answer: bytes = await channel.unary_unary(CREATE)(raw)
        return answer


@asynccontextmanager
async def watched_loop() -> AsyncIterator[list[float]]:
    """The times between the loop's turns inside, in seconds."""
    turns_s: list[float] = []

    async def turn() -> None:
        before_s = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now_s = time.perf_counter()
            turns_s.append(now_s - before_s)
            before_s = now_s

    task = asyncio.create_task(turn())
    try:
        yield turns_s
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_the_requests_here_are_large() -> None:
    """Both of them, on both wires."""
    assert all(len(build_request(request).SerializeToString()) > LARGE_REQUEST_BYTES for request in (MANY, LONG))


@pytest.mark.parametrize("wire", ["http", "grpc"])
async def test_the_loop_goes_on_beside_a_large_request(gateway: RunningGateway, wire: str) -> None:
    """No turn of the loop takes a third of the time that 8,000 messages do; read and written on the loop, they take nearly all of it."""
    raw = build_request(MANY).SerializeToString()
    begun_s = time.perf_counter()
    async with watched_loop() as turns_s:
        await (ask_http(gateway, MANY) if wire == "http" else ask_grpc(gateway, raw))
    assert max(turns_s) < (time.perf_counter() - begun_s) / 3


async def test_a_large_request_is_answered(gateway: RunningGateway) -> None:
    """The echo of it comes back whole, over both wires."""
    status, body = await ask_http(gateway, LONG)
    assert status == 200
    assert json.loads(body)["choices"][0]["message"]["content"].startswith("word word")
    answer = ChatCompletion.FromString(await ask_grpc(gateway, build_request(LONG).SerializeToString()))
    assert answer.choices[0].message.content[0].text.startswith("word word")


@pytest.mark.parametrize(
    ("field", "request_json"),
    [
        ("temperature", {**LONG, "temperature": "hot"}),
        ("reasoning", {**LONG, "reasoning": {"effort": "low", "max_tokens": 5}}),
    ],
    ids=["found by the decoder", "found by the checks"],
)
async def test_faults_of_a_large_request(gateway: RunningGateway, field: str, request_json: object) -> None:
    """What is wrong is said as for any other."""
    status, body = await ask_http(gateway, request_json)
    assert status == 400
    assert field in json.loads(body)["error"]["message"]
