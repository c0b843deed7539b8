# SPDX-License-Identifier: Apache-2.0
"""Heads of requests, and writing on aiohttp's connections. What providers see of it stands in test_http.py."""

import asyncio

import pytest

from trunkline_server.upstream.wire import Heads, ProviderConnection, write_request

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
