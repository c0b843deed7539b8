# SPDX-License-Identifier: Apache-2.0
"""Fetching what a request names by URL: what is brought, and which connections are never made.

The listener stands on loopback. Tests of refusals let it count connections; tests of fetching allow its address.
"""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from support.fault_upstream import Answer, FaultUpstream, Hang
from trunkline_server.core.errors import GatewayError, reason_name
from trunkline_server.upstream.addresses import is_public
from trunkline_server.upstream.fetch import FetchRules, MediaFetcher

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 40
REDIRECT_CODES = (301, 302, 303, 307, 308)


class Listener:
    """A server on loopback that counts the connections to it, and a way of looking up names that counts, too."""

    def __init__(self) -> None:
        self.connections = 0
        self.looked_up: list[str] = []
        self.answers: list[list[str]] = []
        self.port = 0

    def look_up(self, host: str, port: int, **_kinds: Any) -> list[tuple[Any, ...]]:
        """The scripted addresses, the last of them for ever; for an address, itself."""
        self.looked_up.append(host)
        try:
            socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
            found = [host]
        except OSError:
            found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found
        ]


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    """A listener that hangs up on everybody."""
    here = Listener()

    async def take(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here.connections += 1
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    here.port = server.sockets[0].getsockname()[1]
    yield here
    server.close()
    await server.wait_closed()


async def failure(fetcher: MediaFetcher, url: str, kind: str = "image") -> tuple[str, int]:
    """The reason for which fetching fails, and its HTTP status."""
    with pytest.raises(GatewayError) as caught:
        await fetcher.fetch(url, kind)
    return reason_name(caught.value.reason), caught.value.shape.http_status


FAILED = ("IMAGE_DOWNLOAD_FAILED", 400)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "0", "0.0.0.0", "0x7f.1", "0x7f000001", "017700000001", "2130706433", "127.1", "127.0.0.1."),  # noqa: S104 - nothing is bound
        *("[::1]", "[::ffff:127.0.0.1]", "[::]", "[64:ff9b::7f00:1]", "[fe80::1]", "[fd00:ec2::254]", "[ff02::1]"),
        *("10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254", "100.100.100.200", "192.0.0.192"),
    ],
)
async def test_addresses_that_are_refused(listener: Listener, host: str) -> None:
    """No way of writing a private address leads to a connection."""
    listener.answers = [["127.0.0.1"]]
    fetcher = MediaFetcher(FetchRules(), look_up=listener.look_up)
    assert await failure(fetcher, f"http://{host}:{listener.port}/a.png") == FAILED
    assert listener.connections == 0


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["93.184.216.34", "127.0.0.1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::a9fe:a9fe"],
        ["fe80::1%eth0"],
        [],
    ],
)
@pytest.mark.parametrize("name", ["localhost", "localhost.", "metadata.google.internal", "rebind.example"])
async def test_names_that_lead_inside(listener: Listener, name: str, addresses: list[str]) -> None:
    """A name with one address that is not public is refused, whatever its others are."""
    listener.answers = [addresses]
    fetcher = MediaFetcher(FetchRules(), look_up=listener.look_up)
    assert await failure(fetcher, f"http://{name}:{listener.port}/a.png") == FAILED
    assert listener.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        *(
            "file:///etc/passwd",
            "ftp://example.com/a.png",
            "gopher://example.com/",
            "data:text/plain,a",
            "//example.com",
        ),
        *("http://", "http://user:pw@example.com/a.png", "http://user@example.com/", "http://example.com:0/", "a.png"),
        *("http://exa mple.com/", "http://[::1", "http://example.com:99999/"),
    ],
)
async def test_urls_that_are_refused(listener: Listener, url: str) -> None:
    """Only http and https, without a user, to a real port."""
    listener.answers = [["127.0.0.1"]]
    fetcher = MediaFetcher(FetchRules(), look_up=listener.look_up, is_allowed=lambda _address: True)
    assert await failure(fetcher, url) == FAILED
    assert (listener.connections, listener.looked_up) == (0, [])


async def test_a_name_is_looked_up_once(listener: Listener) -> None:
    """A second answer, inside the network this time, is never asked for: the connection goes to what was checked."""
    listener.answers = [["192.0.2.1"], ["127.0.0.1"]]
    allowed: list[str] = []

    def judge(address: str) -> bool:
        allowed.append(address)
        return address == "192.0.2.1"

    fetcher = MediaFetcher(FetchRules(timeout_s=0.3), look_up=listener.look_up, is_allowed=judge)
    assert await failure(fetcher, f"http://rebind.example:{listener.port}/a.png") == FAILED
    assert (listener.looked_up, allowed, listener.connections) == (["rebind.example"], ["192.0.2.1"], 0)


async def test_a_switch_and_a_list_of_hosts(listener: Listener) -> None:
    """Nothing is looked up where fetching is off, or the host is not on the list."""
    listener.answers = [["127.0.0.1"]]
    off = MediaFetcher(FetchRules(enabled=False), look_up=listener.look_up, is_allowed=lambda _address: True)
    listed = MediaFetcher(FetchRules(hosts=["*.example.com"]), look_up=listener.look_up, is_allowed=lambda _a: True)
    for fetcher, host in ((off, "a.example.com"), (listed, "example.com"), (listed, "a.example.com.evil.test")):
        assert await failure(fetcher, f"http://{host}:{listener.port}/") == FAILED
    assert (listener.connections, listener.looked_up) == (0, [])


def local(**rules: Any) -> MediaFetcher:
    """A fetcher that may connect to loopback."""
    return MediaFetcher(FetchRules(**rules), is_allowed=lambda address: address == "127.0.0.1")


def file_answer(body: bytes, content_type: str = "image/png", status: int = 200, **headers: str) -> Answer:
    """An answer with some bytes."""
    return Answer(steps=[body], status=status, headers={"content-type": content_type, **headers})


async def test_what_is_brought() -> None:
    """Bytes come as a data URL of what they are; no key, cookie or language goes along."""
    async with FaultUpstream(file_answer(PNG, "application/octet-stream")) as server:
        url = f"http://127.0.0.1:{server.port}/cat.png?size=1#top"
        data = await local().fetch(url, "image")
        received = server.requests[0]
    assert data == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert (received.method, received.path) == ("GET", "/cat.png?size=1")
    assert set(received.headers) == {"host", "user-agent", "accept", "accept-encoding"}


@pytest.mark.parametrize(
    ("answer", "rules", "expected"),
    [
        (file_answer(PNG, status=404), {}, "IMAGE_NOT_FOUND"),
        (file_answer(PNG, status=500), {}, "IMAGE_DOWNLOAD_FAILED"),
        (file_answer(b"<html>", "image/png"), {}, "UNSUPPORTED_IMAGE_FORMAT"),
        (file_answer(PNG, **{"content-encoding": "gzip"}), {}, "IMAGE_DOWNLOAD_FAILED"),
        (file_answer(PNG * 100), {"max_bytes": 1024}, "IMAGE_TOO_LARGE"),
        (
            Answer(steps=[PNG, b"x" * 2000], headers={"content-type": "image/png"}),
            {"max_bytes": 1024},
            "IMAGE_TOO_LARGE",
        ),
        (Answer(steps=[Hang()]), {"timeout_s": 0.2}, "IMAGE_DOWNLOAD_FAILED"),
    ],
)
async def test_what_is_not_brought(answer: Answer, rules: dict[str, Any], expected: str) -> None:
    """What is missing, too large, too slow, compressed or no image fails as what it is."""
    async with FaultUpstream(answer) as server:
        assert (await failure(local(**rules), f"http://127.0.0.1:{server.port}/a"))[0] == expected


@pytest.mark.parametrize("status", REDIRECT_CODES)
async def test_a_redirect_inside_the_network(listener: Listener, status: int) -> None:
    """Where a public host redirects to is judged anew: nothing connects to what is not public."""
    async with FaultUpstream(file_answer(b"", status=status, location=f"http://10.0.0.1:{listener.port}/")) as server:
        assert await failure(local(), f"http://127.0.0.1:{server.port}/a") == FAILED
        assert len(server.requests) == 1
    assert listener.connections == 0


@pytest.mark.parametrize("location", ["", "file:///etc/passwd", "http://user:pw@127.0.0.1/", "http://[::1"])
async def test_redirects_to_nowhere(location: str) -> None:
    """A redirect is no way around what a URL may be."""
    async with FaultUpstream(file_answer(b"", status=302, location=location)) as server:
        assert await failure(local(), f"http://127.0.0.1:{server.port}/a") == FAILED


@pytest.mark.parametrize(("redirects", "is_brought"), [(0, True), (3, True), (4, False)])
async def test_how_many_redirects(redirects: int, is_brought: bool) -> None:
    """Three are followed, each to where it leads; the fourth is one too many."""
    hops = [file_answer(b"", status=302, location=f"/{count}") for count in range(redirects)]
    async with FaultUpstream(*hops, file_answer(PNG)) as server:
        fetching = local().fetch(f"http://127.0.0.1:{server.port}/a", "image")
        brought = [item for item in await asyncio.gather(fetching, return_exceptions=True) if isinstance(item, str)]
    assert (len(brought), len(server.requests)) == (int(is_brought), min(redirects, 3) + 1)


async def test_the_usual_judge(listener: Listener) -> None:
    """Without a word about it, addresses are judged by `is_public`."""
    judge: Callable[[str], bool] = MediaFetcher(FetchRules())._is_allowed
    assert judge is is_public


@pytest.mark.parametrize("host", ["a..b", ".example.com", "a" * 64 + ".com", "xn--" + "9" * 60])
async def test_names_that_are_none(host: str) -> None:
    """A host with an empty or a long part is not known, and no accident: the system's own look-up refuses to ask for it."""
    assert await failure(MediaFetcher(FetchRules()), f"http://{host}/a.png") == FAILED
