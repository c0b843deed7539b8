# SPDX-License-Identifier: Apache-2.0
"""Host, Origin and content type: what a web page may not do to a gateway without keys. And what a client accepts."""

import json

import pytest

from support.http_edge import CHAT, KEY, MINIMAL, STREAMED, RunningEdge, post_bytes, running_edge
from trunkline_server.edge.http.guard import authority_name, is_loopback


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "LocalHost:8080"}, 200),
        ({"Host": "127.0.0.1:1"}, 200),
        ({"Host": "127.9.8.7"}, 200),
        ({"Host": "[::1]:8080"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:8080"}, 403),
        ({"Host": "192.168.1.7"}, 403),
        ({"Host": "[fe80::1]"}, 403),
        ({"Host": "0.0.0.0"}, 403),  # noqa: S104 - a name, not a binding
        ({"Host": "x/../admin"}, 400),
        ({"Host": "user@localhost"}, 400),
        ({"Host": ""}, 400),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Origin": "https://127.0.0.1"}, 200),
        ({"Origin": "http://[::1]:5173"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "http://evil.example@localhost"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "file://"}, 403),
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({"Content-Type": "APPLICATION/JSON"}, 200),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "multipart/form-data"}, 415),
        ({"Content-Type": "text/plain;application/json"}, 415),
    ],
)
async def test_without_keys(edge: RunningEdge, headers: dict[str, str], status: int) -> None:
    """A gateway without keys answers loopback names, loopback pages and JSON only."""
    given = {"Content-Type": "application/json", **headers}
    async with edge.client.post(CHAT, data=b'{"messages":[{"role":"user","content":"x"}]}', headers=given) as answer:
        assert answer.status == status, await answer.text()
    assert len(edge.gateway.calls) == int(status == 200)


async def test_a_body_without_content_type_is_refused(edge: RunningEdge) -> None:
    """No content type is not JSON either: a page can send that without asking."""
    async with edge.client.post(CHAT, data=b"{}", skip_auto_headers=["Content-Type"]) as answer:
        assert answer.status == 415


async def test_a_foreign_page_may_not_read_either(edge: RunningEdge) -> None:
    """Routes without a body are held to the same Origin; no answer allows another origin."""
    async with edge.client.get("/v1/models", headers={"Origin": "https://evil.example"}) as answer:
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_health_is_for_everybody(edge: RunningEdge) -> None:
    """A probe may use any name, but one that is a name."""
    async with edge.client.get("/healthz", headers={"Host": "pod.internal"}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    "headers", [{"Host": "gateway.example"}, {"Origin": "https://app.example"}, {"Content-Type": "text/plain"}]
)
async def test_with_keys_none_of_it_is_asked(headers: dict[str, str]) -> None:
    """With keys a page cannot call without knowing one, so names, origins and content types are free."""
    async with running_edge(keys=[KEY], loopback_only=False) as edge:
        given = {"Authorization": f"Bearer {KEY}", **headers}
        async with edge.client.post(CHAT, data=json.dumps(MINIMAL).encode(), headers=given) as answer:
            assert answer.status == 200


@pytest.mark.parametrize(("origin", "status"), [("http://box.lan:8080", 200), ("http://evil.example", 403)])
async def test_open_on_another_address(origin: str, status: int) -> None:
    """Told to serve another address without keys, the gateway still answers no page but its own."""
    async with running_edge(loopback_only=False) as edge:
        headers = {"Host": "box.lan:8080", "Origin": origin}
        async with edge.client.post(CHAT, json=MINIMAL, headers=headers) as answer:
            assert answer.status == status


@pytest.mark.parametrize(
    "hosts", [b"Host: localhost\r\nHost: evil.example\r\n", b"", b"Host: localhost, evil.example\r\n"]
)
async def test_one_host_is_due(edge: RunningEdge, hosts: bytes) -> None:
    """Two Hosts, or none, are no HTTP/1.1 request."""
    answer = await edge.raw(b"GET /v1/models HTTP/1.1\r\n" + hosts + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_http_1_0_needs_no_host(edge: RunningEdge) -> None:
    """HTTP/1.0 knows no Host; no page speaks it."""
    answer = await edge.raw(b"GET /v1/models HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


ACCEPTS = [
    (None, True, True),
    ("", True, True),
    ("*/*", True, True),
    ("application/json", True, True),
    ("APPLICATION/JSON; charset=utf-8", True, True),
    ("application/*;q=0.1", True, True),
    ("text/html, application/json;q=0.9", True, True),
    ("text/event-stream", False, True),
    ("text/*", False, True),
    ("application/json, text/event-stream", True, True),
    ("text/html", False, False),
    ("image/*, text/html;level=1", False, False),
    ("application/json;q=0", False, False),
    ("application/json;q=0, */*", False, True),
    ("*/*;q=0.000", False, False),
    ("*/*;q=0, application/json", True, True),
    ("application/*;q=0, */*;q=1", False, True),
    ("json", True, True),
    ("json, text/html", False, False),
    (",,;", True, True),
    ("application/json;q=nonsense", True, True),
]


@pytest.mark.parametrize(("accept", "whole", "streamed"), ACCEPTS)
async def test_what_the_client_accepts(edge: RunningEdge, accept: str | None, whole: bool, streamed: bool) -> None:
    """An answer that the Accept header excludes is a 406 and no call. A stream may come as events or, where it fails, as JSON; so may it be asked for."""
    headers = {} if accept is None else {"Accept": accept}
    skipped = ["Accept"] if accept is None else []
    for body, wanted in ((MINIMAL, whole), (STREAMED, streamed)):
        async with edge.client.post(CHAT, json=body, headers=headers, skip_auto_headers=skipped) as answer:
            assert answer.status == (200 if wanted else 406)
            assert answer.content_type == ("text/event-stream" if wanted and body is STREAMED else "application/json")
    async with edge.client.get("/v1/models/count", headers=headers, skip_auto_headers=skipped) as answer:
        assert answer.status == (200 if whole else 406)
    assert len(edge.gateway.calls) == whole + streamed


async def test_several_accept_headers_are_one_list(edge: RunningEdge) -> None:
    """A list may come in several lines."""
    head = b"GET /v1/models/count HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept: text/html\r\nAccept: "
    assert (await edge.raw(head + b"application/json\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    assert (await edge.raw(head + b"text/plain\r\n\r\n")).startswith(b"HTTP/1.1 406 ")


@pytest.mark.parametrize(
    ("authority", "name"),
    [
        ("Example.COM:80", "example.com"),
        ("[::1]", "[::1]"),
        ("a b", None),
        ("localhost:", None),
        ("localhost:123456", None),
        ("-x", None),
        ("::1", None),
    ],
)
def test_authority_name(authority: str, name: str | None) -> None:
    """The name of an authority, or nothing where it is none."""
    assert authority_name(authority) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("localhost", True),
        ("127.255.0.1", True),
        ("[0:0::1]", True),
        ("0x7f.1", False),
        ("127.1", False),
        ("::", False),
    ],
)
def test_is_loopback(name: str, expected: bool) -> None:
    """Only addresses in full and the one name that every system keeps for itself."""
    assert is_loopback(name) is expected


@pytest.mark.parametrize("name", ["X_Request_Id", "Content_Length", "_", "Authorization_"])
async def test_no_underscore_in_a_name(edge: RunningEdge, name: str) -> None:
    """A name with an underscore, which some servers take for another header, is refused."""
    answer = await edge.raw(post_bytes(b"{}", f"{name}: 1", "Connection: close"))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert name.encode() in answer


async def test_post_bytes_are_a_request(edge: RunningEdge) -> None:
    """The raw requests of these tests are good ones: what they are refused for is what they change."""
    body = b'{"messages":[{"role":"user","content":"x"}]}'
    assert (await edge.raw(post_bytes(body, "Connection: close"))).startswith(b"HTTP/1.1 200 OK\r\n")
