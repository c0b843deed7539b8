# SPDX-License-Identifier: Apache-2.0
"""The gateway as a whole: what it is composed of, how it starts, what it logs, how it stops."""

import asyncio
import json
import re
import signal
import socket
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from google.protobuf import descriptor_pool
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from support.builders import make_request
from support.gateway import key_row, running_gateway
from support.serving import Served, launch, serving
from support.source_tree import ROOT
from trunkline import text_of
from trunkline.v1.chat_service_pb2_grpc import ChatServiceStub
from trunkline_server.app import App, _grpc_options
from trunkline_server.config.settings import Settings
from trunkline_server.edge.grpc import EXEMPT_RPCS
from trunkline_server.edge.http.routes import SERVED_BASES, read_bindings

KEY = "tl-" + "k" * 43
PROMPT = "open sesame said the prompt"
SLOW = "sim/fault?tps=20"
GRACE_S = 5.0

# RPCs that our own HTTP edge does not route, though they have paths -> why.
UNROUTED_RPCS = {
    "trunkline.v1.ChatService.CreateChatCompletion": "its path is for stock transcoders, in canonical ProtoJSON; the facade's path serves it here",
    "trunkline.v1.ChatService.StreamChatCompletion": "as above",
}
PROTOS = sorted((ROOT / "proto" / "trunkline" / "v1").glob("*_service.proto"))
SERVICES = [
    service
    for path in PROTOS
    for service in import_module(f"trunkline.v1.{path.stem}_pb2").DESCRIPTOR.services_by_name.values()
]
RPCS = {method.full_name: method for service in SERVICES for method in service.methods}


def body(text: str = PROMPT, **fields: Any) -> dict[str, Any]:
    """The JSON of a request to the echo."""
    return {"model": "sim/echo", "messages": [{"role": "user", "content": text}], **fields}


@pytest.mark.parametrize("name", RPCS)
async def test_every_rpc_is_served_over_grpc(name: str) -> None:
    """An RPC of the contract is served, or exempted with a reason."""
    served = App(Settings())._grpc.served_rpcs
    assert (name in served) is not bool(EXEMPT_RPCS.get(name))


@pytest.mark.parametrize("name", RPCS)
async def test_every_rpc_is_routed_over_http(name: str) -> None:
    """An RPC's paths are routed below both bases, or exempted with a reason."""
    routes = set(App(Settings())._http.routes)
    wanted = {(binding.http_method, binding.path) for binding in read_bindings(RPCS[name])}
    assert wanted
    assert wanted <= routes if name not in UNROUTED_RPCS else not wanted & routes


def test_the_exemptions_are_current() -> None:
    """Every exempted RPC exists, and the walk above misses no service."""
    assert {*EXEMPT_RPCS, *UNROUTED_RPCS} <= RPCS.keys()
    texts = [path.read_text("utf-8") for path in (ROOT / "proto").rglob("trunkline/**/*.proto")]
    declared = {name for text in texts for name in re.findall(r"^service (\w+)", text, re.MULTILINE)}
    assert {service.name for service in SERVICES} == declared


@pytest.mark.parametrize(
    ("is_worker", "age_s", "expected_s"), [(False, None, None), (True, None, 60), (True, 5.0, 5), (False, 5.0, 5)]
)
def test_connections_of_workers_have_an_age(is_worker: bool, age_s: float | None, expected_s: float | None) -> None:
    """With several workers gRPC connections move on even where no age is set, and the port is shared."""
    options = _grpc_options(Settings.model_validate({"grpc": {"max_connection_age_s": age_s}}), is_worker=is_worker)
    assert (options.max_connection_age_s, options.so_reuseport) == (expected_s, is_worker)


async def test_nothing_else_is_routed() -> None:
    """What the HTTP edge serves beside health comes from the contract, but for the three faces in other vendors' languages (decision 0010)."""
    bound = {(binding.http_method, binding.path) for rpc in RPCS.values() for binding in read_bindings(rpc)}
    faces = {("POST", f"{base}/{name}") for base in SERVED_BASES for name in ("messages", "responses", "completions")}
    assert set(App(Settings())._http.routes) - bound == faces
    assert descriptor_pool.Default().FindServiceByName("trunkline.v1.ChatService")


@pytest.mark.parametrize("edge", ["http", "grpc"])
async def test_a_taken_port_leaves_nothing_open(edge: str) -> None:
    """Where one address is taken, start fails and the other port is free again."""
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as other:
        address, free = (f"127.0.0.1:{held.getsockname()[1]}" for held in (taken, other))
        other.close()
        listen = {"http": free, "grpc": free, edge: address}
        app = App(Settings.model_validate({name: {"listen": where} for name, where in listen.items()}))
        with pytest.raises(OSError, match=address.rpartition(":")[2]):
            await app.start()
        with socket.create_server(("127.0.0.1", int(free.rpartition(":")[2]))):
            pass


async def test_a_gateway_can_stop_at_once() -> None:
    """A gateway that nobody called stops without waiting for the grace."""
    started_s = time.monotonic()
    async with running_gateway(drain={"grace_s": 30}) as gateway:
        assert gateway.http_url.startswith("http://127.0.0.1:")
    assert time.monotonic() - started_s < 2


@pytest.mark.parametrize("edge", ["--http", "--grpc"])
async def test_a_taken_port_is_told(edge: str) -> None:
    """`trunkline serve` on a taken port says which, what to do, and exits with 1."""
    other = {"--http": "--grpc", "--grpc": "--http"}[edge]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        process = await launch(edge, address, other, "127.0.0.1:0")
        async with asyncio.timeout(20):
            _, raw = await process.communicate()
    error = raw.decode()
    assert process.returncode == 1
    assert address.rpartition(":")[2] in error
    assert edge in error
    assert "Traceback" not in error


async def read_stream(http: aiohttp.ClientSession, at: Served, begun: asyncio.Event, **fields: Any) -> list[str]:
    """The events of a slow stream over HTTP; `begun` is set with the first one."""
    async with http.post(f"{at.http_url}/v1/chat/completions", json=body(stream=True, **fields)) as answer:
        events = []
        async for line in answer.content:
            begun.set()
            events += [line.decode().removeprefix("data: ").strip()] if line.strip() else []
        return events


async def read_grpc_stream(stub: ChatServiceStub, begun: asyncio.Event, model: str = SLOW) -> str:
    """The text of a slow stream over gRPC; `begun` is set with the first chunk."""
    text = ""
    async for chunk in stub.StreamChatCompletion(make_request(PROMPT, model=model)):
        begun.set()
        text += text_of(chunk)
    return text


async def test_sigterm_lets_streams_finish() -> None:
    """SIGTERM: streams under way on both wires finish, nothing new is taken, and the exit status is 0."""
    async with serving("--drain-grace-s", str(GRACE_S)) as at, aiohttp.ClientSession() as http:
        async with aio.insecure_channel(at.grpc_target) as channel, asyncio.TaskGroup() as group:
            one, two = asyncio.Event(), asyncio.Event()
            over_http = group.create_task(read_stream(http, at, one, model=SLOW))
            over_grpc = group.create_task(read_grpc_stream(ChatServiceStub(channel), two))
            await asyncio.gather(one.wait(), two.wait())
            at.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.1)
            with pytest.raises(aiohttp.ClientConnectionError):
                await http.get(f"{at.http_url}/healthz")
        _, error = await at.end()
    chunks = [json.loads(event) for event in over_http.result()[:-1]]
    assert over_http.result()[-1] == "[DONE]"
    assert "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]) == PROMPT
    assert over_grpc.result() == PROMPT
    assert (at.process.returncode, "Traceback" in error) == (0, False)
    assert error.count("status=ok") == 2


async def test_the_grace_has_an_end() -> None:
    """Streams that outlast the grace end in an error on both wires, and the exit status is still 0."""
    model = "sim/fault?tps=1"
    async with (
        serving("--drain-grace-s", "0.3") as at,
        aiohttp.ClientSession() as http,
        aio.insecure_channel(at.grpc_target) as channel,
    ):
        one, two = asyncio.Event(), asyncio.Event()
        over_http = asyncio.create_task(read_stream(http, at, one, model=model))
        over_grpc = asyncio.create_task(read_grpc_stream(ChatServiceStub(channel), two, model=model))
        await asyncio.gather(one.wait(), two.wait())
        _, error = await at.stop()
        last = json.loads((await over_http)[-1])
        with pytest.raises(aio.AioRpcError) as caught:
            await over_grpc
    assert (last["error"]["code"], last["choices"][0]["finish_reason"]) == (503, "error")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert (at.process.returncode, "Traceback" in error) == (0, False)


async def test_a_second_signal_ends_the_drain() -> None:
    """Whoever asks twice does not wait for the grace."""
    async with serving("--drain-grace-s", "30") as at, aiohttp.ClientSession() as http:
        begun = asyncio.Event()
        reading = asyncio.create_task(read_stream(http, at, begun, model="sim/fault?tps=1"))
        await begun.wait()
        at.process.send_signal(signal.SIGINT)
        await asyncio.sleep(0.2)
        at.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(5):
            await at.process.wait()
        with pytest.raises(aiohttp.ClientError):
            await reading
    assert at.process.returncode == -signal.SIGINT


async def test_health_says_that_it_stops() -> None:
    """During the delay before the drain both health checks say no, and calls are still served."""
    async with serving("--drain-delay-s", "1") as at, aiohttp.ClientSession() as http:
        async with aio.insecure_channel(at.grpc_target) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            before = (await health.Check(health_pb2.HealthCheckRequest())).status
            async with http.get(f"{at.http_url}/readyz") as ready:
                assert ready.status == 200
            at.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.2)
            after = (await health.Check(health_pb2.HealthCheckRequest())).status
            async with http.get(f"{at.http_url}/readyz") as ready, http.get(f"{at.http_url}/healthz") as alive:
                assert (ready.status, alive.status) == (503, 200)
            async with http.post(f"{at.http_url}/v1/chat/completions", json=body()) as answer:
                assert answer.status == 200
            await ChatServiceStub(channel).CreateChatCompletion(make_request(PROMPT, model="sim/echo"))
        await at.end()
    assert (before, after) == (health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING)
    assert at.process.returncode == 0


async def make_calls(at: Served) -> None:
    """Calls that end in every way, with the prompt in all of them."""
    signed = {"authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession() as http:
        for fields, headers in (
            ({}, {**signed, "x-request-id": "req-mine"}),
            ({"stream": True}, signed),
            ({"model": "sim/fault?status=503"}, signed),
            ({"model": "sim/fault?cut_after=2", "stream": True}, signed),
            ({"model": f"no/{PROMPT}"}, signed),
            ({"temperature": PROMPT}, signed),
            ({PROMPT: PROMPT}, signed),
            ({}, {"authorization": f"Bearer {PROMPT}"}),
        ):
            async with http.post(f"{at.http_url}/v1/chat/completions", json=body(**fields), headers=headers) as answer:
                await answer.read()
        async with http.post(f"{at.http_url}/v1/chat/completions", data=PROMPT.encode(), headers=signed) as answer:
            await answer.read()
    async with aio.insecure_channel(at.grpc_target) as channel:
        metadata = [("authorization", f"Bearer {KEY}")]
        await ChatServiceStub(channel).CreateChatCompletion(make_request(PROMPT, model="sim/echo"), metadata=metadata)


@pytest.fixture
def settings_file(tmp_path: Path) -> str:
    """Settings with a client's key and a provider's key."""
    key = key_row("tester", KEY)
    text = f"""
[[keys]]
name = "{key["name"]}"
sha256 = "{key["sha256"]}"

[[providers]]
slug = "acme"
base_url = "http://127.0.0.1:9/v1"
api_key = "sk-of-the-provider"
"""
    path = tmp_path / "gateway.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("form", ["text", "json"])
async def test_the_log_holds_no_secrets(form: str, settings_file: str) -> None:
    """No prompt, answer or key is in the log, in either form, whatever became of the call."""
    async with serving("--config", settings_file, "--log-format", form, "--log-level", "debug") as at:
        await make_calls(at)
        out, error = await at.stop()
    # The words apart too: an echo tells the prompt word by word. A model's name is not the prompt's, though a client may write anything there.
    told = "\n".join(line for line in (out + error).splitlines() if "no/open" not in line)
    assert [word for word in (PROMPT, "sesame", KEY, "sk-of-the-provider") if word in told] == []
    assert "Traceback" not in error


async def test_one_line_a_call(settings_file: str) -> None:
    """The log has one JSON line for each call that reached the engine, with all that an operator needs."""
    async with serving("--config", settings_file, "--log-format", "json") as at:
        await make_calls(at)
        _, error = await at.stop()
    lines = [json.loads(line) for line in error.splitlines()]
    calls = [line for line in lines if line["logger"] == "trunkline.call"]
    assert [line["status"] for line in calls][:2] == ["ok", "ok"]
    assert {line["principal"] for line in calls} == {"tester"}
    assert {line["wire"] for line in calls} == {"http", "grpc"}
    first = calls[0]
    assert first["request"] == "req-mine"
    assert first["generation"].startswith("gen-")
    assert (first["model"], first["attempts"], first["completion_tokens"]) == ("sim/echo", 1, 5)
    assert {"endpoint", "prompt_tokens", "ms", "stream", "first_token_ms", "time", "level"} <= first.keys()
    assert len({line["generation"] for line in calls}) == len(calls)
