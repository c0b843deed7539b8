# SPDX-License-Identifier: Apache-2.0
"""`trunkline serve --workers N`: several processes on the same ports, as their clients see them."""

import asyncio
import os
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import aiohttp
import pytest
from grpc import aio

from support.builders import make_request
from support.serving import Served, launch, serving
from trunkline import text_of
from trunkline.v1.chat_service_pb2_grpc import ChatServiceStub
from trunkline.v1.generation_service_pb2 import GetGenerationRequest
from trunkline.v1.generation_service_pb2_grpc import GenerationServiceStub
from trunkline_server.cli.supervisor import become_supervisor
from trunkline_server.cli.terminal import CommandError
from trunkline_server.config.settings import Settings
from trunkline_server.workers.orders import Orders
from trunkline_server.workers.reserved import can_share_ports

pytestmark = pytest.mark.skipif(not can_share_ports(), reason="no SO_REUSEPORT that spreads connections")
# The chance that so many new connections all meet one of two workers is 1 in 10^12.
MANY = 40
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]
ANY_PORTS = {"http": {"listen": "127.0.0.1:0"}, "grpc": {"listen": "127.0.0.1:0"}}


def body(text: str = "hello", **fields: Any) -> dict[str, Any]:
    """The JSON of a request."""
    return {"model": "sim/echo", "messages": [{"role": "user", "content": text}], **fields}


def workers_of(supervisor: int) -> set[int]:
    """The processes that a supervisor started and that are alive."""
    return {int(pid) for pid in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text("ascii").split()}


async def until(condition: Callable[[], bool], limit_s: float = 20) -> None:
    """Waits until something is so."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - another process's doing
            await asyncio.sleep(0.05)


@asynccontextmanager
async def new_connections() -> AsyncIterator[aiohttp.ClientSession]:
    """A session that connects anew for each request."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        yield session


async def ask(session: aiohttp.ClientSession, at: Served, **fields: Any) -> str:
    """One call; the id of its generation."""
    async with session.post(f"{at.http_url}/v1/chat/completions", json=body(**fields)) as answer:
        assert answer.status == 200, await answer.text()
        generation_id: str = (await answer.json())["id"]
    return generation_id


async def look_up(session: aiohttp.ClientSession, at: Served, path: str) -> dict[str, Any]:
    """The `data` of an answer; its status is 200."""
    async with session.get(f"{at.http_url}/api/v1/{path}") as answer:
        assert answer.status == 200, await answer.text()
        data: dict[str, Any] = (await answer.json())["data"]
    return data


async def test_records_and_sums_are_those_of_all_workers() -> None:
    """A record is found, and the sums are the same, through any worker and on both wires."""
    async with serving("--workers", "2") as at, new_connections() as session:
        assert len(workers_of(at.process.pid)) == 2
        ids = await asyncio.gather(*(ask(session, at) for _ in range(MANY)))
        found = await asyncio.gather(*(look_up(session, at, f"generation?id={name}") for name in ids))
        assert [record["id"] for record in found] == list(ids)
        again = await asyncio.gather(*(look_up(session, at, f"generation?id={ids[0]}") for _ in range(MANY)))
        assert [record["id"] for record in again] == [ids[0]] * MANY
        sums = await asyncio.gather(*(look_up(session, at, "key") for _ in range(MANY)))
        assert len({key["usage"] for key in sums}) == 1
        for name in ids[:8]:
            async with aio.insecure_channel(at.grpc_target, options=OWN_CONNECTION) as channel:
                answer = await GenerationServiceStub(channel).GetGeneration(GetGenerationRequest(id=name))
                assert answer.data.id == name
        out, err = await at.stop()
    assert (at.process.returncode, out.count("Trunkline serves"), "Traceback" in err) == (0, 0, False)
    assert "ResourceWarning" not in err


async def test_a_killed_worker_is_replaced_and_calls_go_on() -> None:
    """After kill -9 of one worker every new connection is answered, and soon there are two again."""
    async with serving("--workers", "2") as at, new_connections() as session:
        before = workers_of(at.process.pid)
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        await until(lambda: killed not in workers_of(at.process.pid))
        for _ in range(MANY):
            await ask(session, at)
        await until(lambda: len(workers_of(at.process.pid)) == 2)
        assert killed not in workers_of(at.process.pid)
        _, err = await at.stop()
    assert f"(process {killed}) was ended by SIGKILL; another one starts" in err
    assert at.process.returncode == 0


async def keep_asking(
    ended: asyncio.Event, counts: Counter[str], wire: str, call: Callable[[], Awaitable[Any]]
) -> None:
    """Calls without a pause until told; whatever fails raises."""
    while not ended.is_set():
        await call()
        counts[wire] += 1


@pytest.mark.slow
async def test_a_reload_under_load_fails_no_call() -> None:
    """SIGHUP under load: calls on old and new connections of both wires go through, a stream that began before it ends after it, and records stay."""
    ended, counts = asyncio.Event(), Counter[str]()
    async with (
        # Nobody reads the log before the end, and a full pipe would hold up the workers.
        serving("--workers", "2", "--grpc-max-connection-age-s", "1", "--log-level", "error") as at,
        aiohttp.ClientSession() as kept,
        new_connections() as fresh,
        aio.insecure_channel(at.grpc_target, options=OWN_CONNECTION) as one,
        aio.insecure_channel(at.grpc_target, options=OWN_CONNECTION) as two,
    ):
        before, first = workers_of(at.process.pid), await ask(fresh, at)
        text = "word " * 60
        streams = [
            asyncio.create_task(read_stream(ChatServiceStub(channel), text, model="sim/fault?tps=15"))
            for channel in (one, two)
        ]
        calls: list[tuple[str, Callable[[], Awaitable[Any]]]] = [
            ("kept", lambda: ask(kept, at)),
            ("fresh", lambda: ask(fresh, at)),
            ("fresh", lambda: ask(fresh, at)),
            *(("grpc", stub_call(ChatServiceStub(channel))) for channel in (one, one, two, two)),
        ]
        async with asyncio.TaskGroup() as group:
            for wire, call in calls:
                group.create_task(keep_asking(ended, counts, wire, call))
            await asyncio.sleep(0.5)
            at.process.send_signal(signal.SIGHUP)
            await until(lambda: before.isdisjoint(workers_of(at.process.pid)), 30)
            await asyncio.sleep(0.3)
            ended.set()
        assert [await stream for stream in streams] == [text, text]
        assert len(workers_of(at.process.pid)) == 2
        for _ in range(8):
            assert (await look_up(fresh, at, f"generation?id={first}"))["id"] == first
        _, err = await at.stop()
    assert min(counts[wire] for wire in ("kept", "fresh", "grpc")) > 10
    assert (at.process.returncode, "Traceback" in err) == (0, False)


def stub_call(stub: Any) -> Callable[[], Awaitable[Any]]:
    """A unary call over gRPC."""
    return lambda: stub.CreateChatCompletion(make_request("hello", model="sim/echo"))


async def read_stream(stub: Any, text: str, *, model: str) -> str:
    """The text of a stream that echoes."""
    return "".join([text_of(chunk) async for chunk in stub.StreamChatCompletion(make_request(text, model=model))])


async def test_a_taken_port_is_told() -> None:
    """Also where the one who has it would share it."""
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        process = await launch("--workers", "2", "--grpc", address, "--http", "127.0.0.1:0")
        async with asyncio.timeout(20):
            _, err = await process.communicate()
    assert process.returncode == 1
    assert address in err.decode()
    assert "--grpc HOST:PORT" in err.decode()


@pytest.mark.slow
async def test_a_killed_supervisor_takes_the_gateway_along() -> None:
    """Workers without a supervisor drain and end, and the ports are free."""
    async with serving("--workers", "2", "--drain-grace-s", "1") as at:
        workers = workers_of(at.process.pid)
        at.process.kill()
        await at.process.wait()
        await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
        host, _, port = at.http_url.removeprefix("http://").partition(":")
        socket.create_server((host, int(port))).close()


def test_where_ports_cannot_be_shared() -> None:
    """Systems that would give all connections to one process are refused, with the way out."""
    settings = Settings.model_validate({"workers": 2, **ANY_PORTS})
    with pytest.raises(CommandError, match="--workers needs Linux"):
        become_supervisor(settings, None, {}, lambda *_addresses: "", may_share=lambda: False)


def test_what_the_supervisor_is_told() -> None:
    """The workers get the same file and flags, and addresses with real ports; the banner has them too."""
    seen: list[list[str]] = []

    def execute(program: str, command: list[str]) -> NoReturn:
        seen.append([program, *command])
        raise SystemExit(0)

    settings = Settings.model_validate({"workers": 3, **ANY_PORTS, "drain": {"delay_s": 1.0, "grace_s": 2.0}})
    flags = {"--log-level": "debug", "--insecure": False, "--simulator": True, "--http": "127.0.0.1:0"}
    with pytest.raises(SystemExit):
        become_supervisor(settings, "g.toml", flags, lambda http, grpc: f"{http} {grpc}", execute=execute)
    orders = Orders.read(seen[0][-1])
    for number in orders.reserved_fds:
        os.close(number)
    http, grpc = (address.removeprefix("http://") for address in orders.banner.split())
    words = list(orders.command)
    begin = words.index("serve")
    assert words[begin:] == [
        *("serve", "--config", "g.toml", "--log-level", "debug", "--no-insecure", "--simulator"),
        *("--http", http, "--grpc", grpc),
    ]
    assert (orders.workers, orders.stop_limit_s, len(orders.reserved_fds)) == (3, 13.0, 2)
    assert not {http, grpc} & {"127.0.0.1:0"}
