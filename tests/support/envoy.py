# SPDX-License-Identifier: Apache-2.0
"""The real Envoy with deploy/envoy/envoy.yaml on free ports of loopback, in front of a gateway's gRPC port."""

import asyncio
import json
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from support.source_tree import CLIENT, ROOT
from support.toolchains import require_test_program

CONFIG = ROOT / "deploy" / "envoy" / "envoy.yaml"


def read_config() -> dict[str, Any]:
    """The configuration as users have it."""
    config: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    return config


def http_filters(config: dict[str, Any]) -> dict[str, Any]:
    """The settings of the listener's HTTP filters, by name."""
    [chain] = config["static_resources"]["listeners"][0]["filter_chains"]
    manager = chain["filters"][0]["typed_config"]
    return {item["name"]: item["typed_config"] for item in manager["http_filters"]}


@asynccontextmanager
async def running_envoy(grpc_target: str, folder: Path) -> AsyncIterator[str]:
    """Envoy in front of HOST:PORT; gives its URL. Only addresses and the path of the descriptor set differ from what users have."""
    program = require_test_program("envoy")
    config = read_config()
    static = config["static_resources"]
    static["listeners"][0]["address"]["socket_address"]["port_value"] = 0
    endpoint = static["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    host, _, port = grpc_target.rpartition(":")
    endpoint["address"]["socket_address"] = {"address": host, "port_value": int(port)}
    transcoder = http_filters(config)["envoy.filters.http.grpc_json_transcoder"]
    transcoder["proto_descriptor"] = str(CLIENT / "descriptors.binpb")
    config["admin"] = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}
    (folder / "envoy.json").write_text(json.dumps(config), encoding="utf-8")
    admin = folder / "admin"
    arguments = ["-c", str(folder / "envoy.json"), "--admin-address-path", str(admin), "--use-dynamic-base-id"]
    process = await asyncio.create_subprocess_exec(
        program, *arguments, "--log-level", "error", "--concurrency", "1", stdin=DEVNULL
    )
    try:
        async with asyncio.timeout(20):
            yield await _find_url(admin)
    finally:
        process.terminate()
        await process.wait()


async def _find_url(admin: Path) -> str:
    """Where Envoy listens, once its listener is there and its cluster is healthy."""
    async with aiohttp.ClientSession() as http:
        while True:
            await asyncio.sleep(0.05)
            if not (address := _read_address(admin)):
                continue
            async with http.get(f"http://{address}/ready") as ready:
                if ready.status != 200:
                    continue
            async with http.get(f"http://{address}/listeners?format=json") as answer:
                [listener] = (await answer.json(content_type=None))["listener_statuses"]
            return f"http://127.0.0.1:{listener['local_address']['socket_address']['port_value']}"


def _read_address(admin: Path) -> str:
    """What Envoy has written, "" as long as that is nothing."""
    return admin.read_text(encoding="utf-8") if admin.exists() else ""
