# SPDX-License-Identifier: Apache-2.0
"""Heads of requests, and writing on aiohttp's connections. What providers see of it stands in test_http.py."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp.connector import Connection
from yarl import URL

from trunkline_server.upstream.wire import Connector, Heads, ProviderConnection, write_request

OWN = {"user-agent": "trunkline", "authorization": "Bearer key"}


def test_a_head() -> None:
    """Path, host and headers in order: the dialect's, then the upstream's own, then the length of the body."""
    head = Heads("http://a.test:81/v1", OWN).head("/chat", {"Content-Type": "application/json"}, 7)
    assert head == (
        b"POST /v1/chat HTTP/1.1\r\nhost: a.test:81\r\naccept: */*\r\ncontent-type: application/json\r\n"
        b"user-agent: trunkline\r\nauthorization: Bearer key\r\ncontent-length: 7\r\n\r\n"
    )


def test_heads_differ_where_requests_do() -> None:
    """A head that was made once is not given to another path, other headers or another length."""
    heads = Heads("http://a.test", OWN)
    made = [
        heads.head("/one", {}, 1),
        heads.head("/two", {}, 1),
        heads.head("/one", {"accept": "x/y"}, 1),
        heads.head("/one", {}, 2),
    ]
    assert len(set(made)) == 4
    assert made[0] == heads.head("/one", {}, 1)


@pytest.mark.parametrize(
    "name", ["Authorization", "HOST", "Cookie", "Content-Length", "Transfer-Encoding", "User-Agent"]
)
def test_what_is_ours_stays_ours(name: str) -> None:
    """Nobody else frames the message, names the host or shows a key."""
    assert b"evil" not in Heads("http://a.test", OWN).head("/", {name: "evil"}, 1)


@pytest.mark.parametrize("headers", [{"x": "a\r\nhost: evil"}, {"x\n": "a"}, {"x": "a\x00"}])
def test_a_header_cannot_become_two(headers: dict[str, str]) -> None:
    """Control characters are refused, line breaks among them."""
    with pytest.raises(ValueError, match="control character"):
        Heads("http://a.test", OWN).head("/", headers, 1)


def test_the_heads_kept_are_bounded() -> None:
    """Paths may come from requests some day: old heads go."""
    heads = Heads("http://a.test", OWN)
    for number in range(1000):
        heads.head(f"/{number}", {}, 1)
    assert len(heads._made) <= 256


async def test_a_lost_connection_is_told_to_the_reader() -> None:
    """Writing where nobody is connected does nothing: whoever reads hears of it."""
    connection = ProviderConnection(asyncio.get_running_loop())
    assert write_request(connection, b"head", b"body") is None
    assert connection.was_used


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serves a connection until the other end closes it."""
    await reader.read()
    writer.close()
    await writer.wait_closed()


@asynccontextmanager
async def connected(connector: Connector, count: int) -> AsyncIterator[list[Connection]]:
    """So many connections to a server that says nothing."""
    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    target = aiohttp.ClientRequest("POST", URL(f"http://127.0.0.1:{port}/"), loop=asyncio.get_running_loop())
    opened = [await connector.open(target, 5) for _ in range(count)]
    try:
        yield opened
    finally:
        for connection in opened:
            connection.close()
        await connector.free()
        server.close()
        await asyncio.sleep(0.05)  # until the server has seen the ends


async def test_the_connection_kept_last_is_taken_first() -> None:
    """A kept connection is taken once; one whose transport has closed, or to which something was said unasked, is not taken."""
    connector = Connector(None, socket.getaddrinfo)
    async with connected(connector, 4) as (first, second, closed, spoken):
        for connection in (first, second, closed, spoken):
            connector.keep(connection)
        assert closed.transport is not None
        closed.transport.close()
        assert spoken.protocol is not None
        spoken.protocol.data_received(b"HTTP/1.1 200 OK")
        assert [connector.take() for _ in range(3)] == [second, first, None]


async def test_an_idle_connection_is_closed_after_its_time() -> None:
    """What nobody takes goes, each by its own time."""
    connector = Connector(None, socket.getaddrinfo, keep_alive_s=0.1)
    async with connected(connector, 2) as (first, second):
        connector.keep(first)
        await asyncio.sleep(0.06)
        connector.keep(second)
        await asyncio.sleep(0.07)
        assert (first.protocol is None, second.protocol is None) == (True, False)
        await asyncio.sleep(0.1)
        assert (second.protocol is None, connector.take()) == (True, None)


async def test_nothing_is_kept_after_the_end() -> None:
    """A connection that comes back when the connector is closed is closed, as those that it had are."""
    connector = Connector(None, socket.getaddrinfo)
    async with connected(connector, 2) as (kept, late):
        connector.keep(kept)
        await connector.free()
        connector.keep(late)
        assert (kept.protocol, late.protocol, connector.take()) == (None, None, None)


@pytest.mark.parametrize("path", ["/x", "//evil.test/x", "/@evil.test", "/../x", "/?next=http://evil.test/"])
def test_where_paths_lead(path: str) -> None:
    """A path stays with its provider, whatever it holds."""
    assert Heads("https://a.test:81/v1", OWN).url(path).origin() == URL("https://a.test:81")


@pytest.mark.parametrize("path", ["@evil.test/", ".evil.test/", ":443@evil.test/", "/x#y"])
def test_paths_that_lead_away(path: str) -> None:
    """What would make another host of the URL is refused, without being repeated."""
    with pytest.raises(ValueError, match="leads away") as caught:
        Heads("https://a.test", OWN).url(path)
    assert "evil" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "line"), [("/a", b"/a?key=k"), ("/a?alt=sse", b"/a?alt=sse&key=k"), ("/a?", b"/a?key=k")]
)
def test_a_key_in_the_query(path: str, line: bytes) -> None:
    """It follows what the path has of a query."""
    head = Heads("https://a.test", {}, "key=k").head(path, {}, 1)
    assert head.startswith(b"POST %b HTTP/1.1\r\n" % line)


def test_a_signed_head() -> None:
    """What shows the sender is made for one request: it is not kept, and wins over what a dialect says."""
    heads = Heads("http://a.test", {"user-agent": "trunkline"})
    one, other = (
        heads.signed_head("/a", {"X-Amz-Date": "evil"}, {"authorization": sign, "x-amz-date": sign}, 1) for sign in "12"
    )
    assert (b"authorization: 1\r\n" in one, b"x-amz-date: 2\r\n" in other, b"evil" in one + other) == (
        True,
        True,
        False,
    )
    assert b"authorization" not in heads.head("/a", {}, 1)
