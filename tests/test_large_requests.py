# SPDX-License-Identifier: Apache-2.0
"""Large requests go through worker threads: other calls go on meanwhile, and nothing else about them is different. Row F73."""

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import pytest
from grpc import aio

from support.fault_upstream import Answer, FaultUpstream, json_answer
from support.gateway import RunningGateway, offer, running_gateway
from trunkline import build_request
from trunkline.v1.chat_response_pb2 import ChatCompletion
from trunkline_server.core.call import LARGE_REQUEST_BYTES

CREATE = "/trunkline.v1.ChatService/CreateChatCompletion"
SMALL: dict[str, Any] = {"model": "sim/echo", "messages": [{"role": "user", "content": "x"}]}
MANY: dict[str, Any] = {"model": "sim/echo", "messages": [{"role": "user", "content": "x"}] * 8_000}
LONG: dict[str, Any] = {"model": "sim/echo", "messages": [{"role": "user", "content": "word " * LARGE_REQUEST_BYTES}]}


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


class Threads(ThreadPoolExecutor):
    """Worker threads that count what they are given."""

    def __init__(self) -> None:
        super().__init__()
        self.given = 0
        self.names: list[str] = []

    def submit(self, *arguments: Any, **named: Any) -> Any:
        self.given += 1
        # asyncio.to_thread wraps what it is given into a context.
        self.names.extend(repr(wrapped) for wrapped in getattr(arguments[0], "args", ())[:1])
        return super().submit(*arguments, **named)


@pytest.fixture
async def threads() -> AsyncIterator[Threads]:
    """The worker threads of the loop."""
    counting = Threads()
    asyncio.get_running_loop().set_default_executor(counting)
    yield counting
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
    counting.shutdown()


def test_the_requests_here_are_large() -> None:
    """Both of them, on both wires."""
    assert all(len(build_request(request).SerializeToString()) > LARGE_REQUEST_BYTES for request in (MANY, LONG))


async def ask(gateway: RunningGateway, wire: str, request: dict[str, Any]) -> None:
    """A call whose answer does not matter."""
    await (
        ask_http(gateway, request) if wire == "http" else ask_grpc(gateway, build_request(request).SerializeToString())
    )


@pytest.mark.parametrize("wire", ["http", "grpc"])
async def test_a_large_request_is_read_and_written_beside_the_loop(
    gateway: RunningGateway, threads: Threads, wire: str
) -> None:
    """What takes long goes to worker threads, so that the loop goes on; `make memory` says how long it waits all the same. A small request goes to none."""
    await ask(gateway, wire, SMALL)
    assert threads.given == 0
    await ask(gateway, wire, MANY)
    assert threads.given >= 2


async def test_what_was_fetched_is_written_beside_the_loop(threads: Threads) -> None:
    """A small request that names an image may be a large one once that has come."""
    picture = Answer(headers={"content-type": "image/png"}, steps=[b"\x89PNG\r\n\x1a\n" + bytes(16)])
    answer = {"output": {"message": {"role": "assistant", "content": [{"text": "x"}]}}, "stopReason": "end_turn"}
    async with (
        FaultUpstream(picture) as host,
        FaultUpstream(json_answer(answer)) as upstream,
        running_gateway(
            **offer(upstream.base_url, dialect="bedrock_converse", api_key="k"), fetch={"networks": ["127.0.0.0/8"]}
        ) as gateway,
    ):
        part = {"type": "image_url", "image_url": {"url": f"http://127.0.0.1:{host.port}/cat"}}
        status, _ = await ask_http(gateway, {"model": "acme/one", "messages": [{"role": "user", "content": [part]}]})
    assert (status, "._render of " in "".join(threads.names)) == (200, True)


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
