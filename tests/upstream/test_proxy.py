# SPDX-License-Identifier: Apache-2.0
"""Connections through a proxy: a small real one over sockets, which sees hosts and bytes under TLS and nothing else."""

import asyncio
import base64
import ssl
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
import trustme

from support.fault_upstream import FaultUpstream, json_answer
from trunkline_server.core.errors import GatewayError, reason_name
from trunkline_server.core.ports import UpstreamRequest
from trunkline_server.core.secret import Secret
from trunkline_server.upstream.http import HttpUpstream
from trunkline_server.upstream.proxy import Proxy

KEY = "sk-canary-1234"
PASSWORD = "canary-password"


@dataclass(slots=True)
class Seen:
    """What a proxy saw: the heads sent to it, and every byte that went through it towards the provider."""

    port: int = 0
    heads: list[str] = field(default_factory=list)
    carried: bytearray = field(default_factory=bytearray)


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: bytearray | None) -> None:
    """Carries bytes one way until there are no more."""
    try:
        with suppress(OSError):
            while block := await reader.read(65536):
                if seen is not None:
                    seen += block
                writer.write(block)
                await writer.drain()
    finally:
        writer.close()


@asynccontextmanager
async def small_proxy(*, wanted: str | None = None) -> AsyncIterator[Seen]:
    """A proxy that knows CONNECT. With `wanted` it lets nobody through who does not say that in `proxy-authorization`."""
    seen = Seen()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        seen.heads.append(head)
        if wanted is not None and f"proxy-authorization: {wanted}".lower() not in head.lower():
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            writer.close()
            return
        host, _, port = head.split()[1].rpartition(":")
        there_reader, there_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        tasks.add(asyncio.create_task(carry(reader, there_writer, seen.carried)))
        tasks.add(asyncio.create_task(carry(there_reader, writer, None)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    seen.port = server.sockets[0].getsockname()[1]
    yield seen
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS for a provider on loopback, and for who trusts it."""
    authority = trustme.CA()
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    authority.configure_trust(ours)
    return theirs, ours


async def post(upstream: HttpUpstream, times: int = 1) -> list[bytes]:
    """The bodies of the answers to some requests, one after the other."""
    bodies = []
    for _ in range(times):
        request = UpstreamRequest(path="/chat", body=b"{}", deadline_s=time.monotonic() + 10)
        async with upstream.send(request) as answer:
            bodies.append(b"".join([block async for block in answer.blocks()]))
    return bodies


@pytest.mark.parametrize("credentials", [None, f"ann:{PASSWORD}"])
async def test_a_tunnel(credentials: str | None) -> None:
    """Requests go through one tunnel, which is kept; the proxy reads neither key nor prompt, and the provider hears nothing of the proxy."""
    theirs, ours = contexts()
    told = None if credentials is None else f"Basic {base64.b64encode(credentials.encode()).decode()}"
    async with FaultUpstream(json_answer({"ok": 1}), ssl=theirs) as server, small_proxy(wanted=told) as seen:
        proxy = Proxy(
            url=f"http://127.0.0.1:{seen.port}", credentials=None if credentials is None else Secret(credentials)
        )
        upstream = HttpUpstream(base_url=server.base_url, secret=Secret(KEY), ssl=ours, proxy=proxy)
        assert await post(upstream, 3) == [b'{"ok":1}'] * 3
        await upstream.close()
        received = server.requests
    assert [head.splitlines()[0] for head in seen.heads] == [f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"]
    assert (KEY in seen.heads[0], KEY.encode() in seen.carried) == (False, False)
    assert [request.headers["authorization"] for request in received] == [f"Bearer {KEY}"] * 3
    assert all("proxy-authorization" not in request.headers for request in received)


async def test_a_proxy_that_refuses() -> None:
    """Nothing reaches the provider, and the password is in no text of the failure."""
    theirs, ours = contexts()
    async with FaultUpstream(json_answer({}), ssl=theirs) as server, small_proxy(wanted="Basic other") as seen:
        proxy = Proxy(url=f"http://127.0.0.1:{seen.port}", credentials=Secret(f"ann:{PASSWORD}"))
        upstream = HttpUpstream(base_url=server.base_url, secret=Secret(KEY), ssl=ours, proxy=proxy)
        with pytest.raises(GatewayError) as caught:
            await post(upstream)
        await upstream.close()
    text = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__cause__)
    assert (reason_name(caught.value.reason), "407" in caught.value.message) == ("PROVIDER_UNAVAILABLE", True)
    assert [
        word for word in (KEY, PASSWORD, base64.b64encode(f"ann:{PASSWORD}".encode()).decode()) if word in text
    ] == []
    assert server.requests == []


async def test_a_proxy_that_is_away() -> None:
    """No connection is made around it."""
    theirs, ours = contexts()
    async with FaultUpstream(json_answer({}), ssl=theirs) as server:
        upstream = HttpUpstream(base_url=server.base_url, ssl=ours, proxy=Proxy(url="http://127.0.0.1:9"))
        with pytest.raises(GatewayError) as caught:
            await post(upstream)
        await upstream.close()
    assert (reason_name(caught.value.reason), server.requests) == ("PROVIDER_UNAVAILABLE", [])


async def test_no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment names is not used."""
    theirs, ours = contexts()
    async with FaultUpstream(json_answer({"ok": 1}), ssl=theirs) as server, small_proxy() as seen:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{seen.port}")
        upstream = HttpUpstream(base_url=server.base_url, ssl=ours)
        assert await post(upstream) == [b'{"ok":1}']
        await upstream.close()
    assert seen.heads == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "proxy:3128",
        "https://proxy:3128",
        "socks5://proxy:1080",
        "http://",
        "http://a:canary@proxy:1/",
        "http://p/x",
    ],
)
def test_what_is_no_proxy(url: str) -> None:
    """A proxy is a host and a port; a password in its place is not repeated."""
    with pytest.raises(ValueError, match="http://host:port") as caught:
        Proxy(url=url)
    assert "canary" not in str(caught.value)


def test_credentials_and_plain_http() -> None:
    """Credentials have a colon, and a provider without TLS is not reached through a proxy, which would read everything."""
    with pytest.raises(ValueError, match="user:password"):
        Proxy(url="http://proxy:1", credentials=Secret("ann"))
    with pytest.raises(ValueError, match="must be an https URL"):
        HttpUpstream(base_url="http://api.example.com", proxy=Proxy(url="http://proxy:1"))
