# SPDX-License-Identifier: Apache-2.0
"""Request lines and heads, byte by byte: rows H08 to H16."""

import asyncio
import socket

import pytest
from grpc import aio

from support import raw_http2
from support.builders import make_request
from support.gateway import RunningGateway
from support.hostile import CREATE, EXHAUSTED, body_of, check_lives, check_reply, failure_of_call, send_raw
from support.http_edge import post_bytes, running_edge

GOOD = body_of()
CLOSE = b"Connection: close\r\n"
HOST = b"Host: localhost\r\n"


def get(path: bytes, *, method: bytes = b"GET", heads: bytes = HOST + CLOSE) -> bytes:
    """A request without a body."""
    return method + b" " + path + b" HTTP/1.1\r\n" + heads + b"\r\n"


def post(*heads: bytes, body: bytes = GOOD) -> bytes:
    """The call with raw header lines of its own, which say how long the body is."""
    lines = [b"POST /v1/chat/completions HTTP/1.1", b"Host: localhost", b"Content-Type: application/json", *heads]
    return b"\r\n".join(lines) + b"\r\nConnection: close\r\n\r\n" + body


SIZED = b"Content-Length: %d" % len(GOOD)
CHUNKED = b"Transfer-Encoding: chunked"
ONE_CHUNK = b"%x\r\n%b\r\n0\r\n\r\n" % (len(GOOD), GOOD)
NO_HTTP = frozenset({400})

HEADS: dict[str, tuple[bytes, frozenset[int]]] = {
    # name -> request, statuses
    "H08 a path as Host": (get(b"/v1/models", heads=b"Host: x/../admin\r\n" + CLOSE), NO_HTTP),
    "H08 a user in Host": (get(b"/v1/models", heads=b"Host: localhost@evil.example\r\n" + CLOSE), NO_HTTP),
    "H08 absolute form": (get(b"http://localhost/v1/models"), NO_HTTP),
    "H08 absolute form of another host": (get(b"http://evil.example/v1/models"), NO_HTTP),
    "H08 two Hosts": (get(b"/v1/models", heads=HOST + b"Host: evil.example\r\n" + CLOSE), NO_HTTP),
    "H08 twice the same Host": (get(b"/v1/models", heads=HOST + HOST + CLOSE), NO_HTTP),
    "H08 no Host": (get(b"/v1/models", heads=CLOSE), NO_HTTP),
    "H08 a foreign Host": (get(b"/v1/models", heads=b"Host: evil.example\r\n" + CLOSE), frozenset({403})),
    "H08 a foreign Host, forwarded": (
        get(b"/v1/models", heads=b"Host: evil.example\r\nX-Forwarded-Host: localhost\r\n" + CLOSE),
        frozenset({403}),
    ),
    **{
        f"H09 {path.decode()}": (get(path), frozenset({404}))
        for path in (
            b"//v1/models",
            b"/v1//models",
            b"/v1/./models",
            b"/v1/../v1/models",
            b"/v1/%2e%2e/v1/models",
            b"/v1%2fmodels",
            b"/v1/models;x=1",
            b"/v1/models/",
            b"/v1\\models",
            b"/V1/models",
            b"/v1/Models",
            b"/v1/mode%6cs",
            b"/v1/models%00",
            b"/api/v1/../../v1/models",
            b"/v1/model/%2e%2e/x",
            b"/v1/model/sim/%ff",
        )
    },
    "H09 a blank": (get(b"/v1/mod els"), NO_HTTP),
    "H10 an override": (
        get(b"/v1/chat/completions", heads=HOST + b"X-HTTP-Method-Override: POST\r\n" + CLOSE),
        frozenset({405}),
    ),
    "H10 another override": (
        get(b"/v1/chat/completions", heads=HOST + b"X-Method-Override: POST\r\n" + CLOSE),
        frozenset({405}),
    ),
    "H10 TRACE": (get(b"/v1/models", method=b"TRACE"), frozenset({405})),
    "H10 CONNECT": (get(b"localhost:443", method=b"CONNECT"), frozenset({400, 405})),
    "H10 DELETE": (get(b"/v1/models", method=b"DELETE"), frozenset({405})),
    "H10 a word": (get(b"/v1/models", method=b"BREW"), frozenset({400, 405})),
    "H10 lower case": (get(b"/v1/models", method=b"get"), frozenset({400, 405})),
    "H11 length and chunks": (post(SIZED, CHUNKED, body=ONE_CHUNK), NO_HTTP),
    "H11 chunks and length": (post(CHUNKED, SIZED, body=ONE_CHUNK), NO_HTTP),
    "H11 chunked twice": (post(b"Transfer-Encoding: chunked, chunked", body=ONE_CHUNK), NO_HTTP),
    "H11 chunked in two headers": (post(CHUNKED, CHUNKED, body=ONE_CHUNK), NO_HTTP),
    "H11 a blank before the colon": (post(b"Transfer-Encoding : chunked", body=ONE_CHUNK), NO_HTTP),
    "H11 a vertical tab": (post(b"Transfer-Encoding: \x0bchunked", body=ONE_CHUNK), NO_HTTP),
    "H11 xchunked": (post(b"Transfer-Encoding: xchunked", body=ONE_CHUNK), NO_HTTP),
    "H11 chunked, then identity": (post(b"Transfer-Encoding: chunked, identity", body=ONE_CHUNK), NO_HTTP),
    "H11 chunked in quotes": (post(b'Transfer-Encoding: "chunked"', body=ONE_CHUNK), NO_HTTP),
    "H11 a signed length": (post(b"Content-Length: +%d" % len(GOOD)), NO_HTTP),
    "H11 a negative length": (post(b"Content-Length: -5"), NO_HTTP),
    "H11 a hexadecimal length": (post(b"Content-Length: 0x10"), NO_HTTP),
    "H11 a length of 30 digits": (post(b"Content-Length: " + b"9" * 30), NO_HTTP),
    "H11 two lengths": (post(SIZED, b"Content-Length: 5"), NO_HTTP),
    "H11 twice the same length": (post(SIZED, SIZED), NO_HTTP),
    "H11 a list of lengths": (post(SIZED + b", %d" % len(GOOD)), NO_HTTP),
    "H12 a bare LF between headers": (post(SIZED + b"\nX-A: b"), NO_HTTP),
    "H12 a bare CR in a value": (post(SIZED, b"X-A: a\rb"), NO_HTTP),
    "H12 a folded line": (post(SIZED, b"X-A: a\r\n b"), NO_HTTP),
    "H12 a NUL in a value": (post(SIZED, b"X-A: a\0b"), NO_HTTP),
    "H12 a NUL in a name": (post(SIZED, b"X-\0A: b"), NO_HTTP),
    "H12 an underscore": (post(SIZED, b"X_Request_Id: b"), NO_HTTP),
    "H12 an underscore in a length": (post(SIZED, b"Content_Length: 3"), NO_HTTP),
    "H12 no name": (post(SIZED, b": b"), NO_HTTP),
    "H12 no colon": (post(SIZED, b"X-A"), NO_HTTP),
    "H12 a name that is no token": (post(SIZED, b"X(A): b"), NO_HTTP),
    "H13 a chunk's size overflows": (post(CHUNKED, body=b"FFFFFFFFFFFFFFFFF\r\n"), NO_HTTP),
    "H13 a signed size": (post(CHUNKED, body=b"+5\r\nhello\r\n0\r\n\r\n"), NO_HTTP),
    "H13 a size with 0x": (post(CHUNKED, body=b"0x5\r\nhello\r\n0\r\n\r\n"), NO_HTTP),
    "H13 no size": (post(CHUNKED, body=b"\r\nhello\r\n0\r\n\r\n"), NO_HTTP),
    "H13 a bad extension": (post(CHUNKED, body=b"5;\0=\1\r\nhello\r\n0\r\n\r\n"), NO_HTTP),
    "H13 a bare LF after an extension": (post(CHUNKED, body=b"5;a\nhello\r\n0\r\n\r\n"), NO_HTTP),
    "H13 an extension of 64 kB": (post(CHUNKED, body=b"5;" + b"a" * 65_536 + b"\r\nhello\r\n0\r\n\r\n"), NO_HTTP),
    "H13 a chunk longer than said": (post(CHUNKED, body=b"2\r\nhello\r\n0\r\n\r\n"), NO_HTTP),
    "H13 a bare LF after a chunk": (post(CHUNKED, body=b"5\r\nhello\n0\r\n\r\n"), NO_HTTP),
    "H13 64 kB of trailers": (post(CHUNKED, body=b"0\r\nX: " + b"a" * 65_536 + b"\r\n\r\n"), NO_HTTP),
    "H14 101 headers": (post(SIZED, *(b"X-%d: a" % number for number in range(101))), frozenset({400, 431})),
    "H14 a header of 64 kB": (post(SIZED, b"X-A: " + b"a" * 65_536), frozenset({400, 431})),
    "H14 a name of 64 kB": (post(SIZED, b"a" * 65_536 + b": a"), frozenset({400, 431})),
    "H15 a path of 64 kB": (get(b"/" + b"a" * 65_536), frozenset({400, 414})),
    "H15 a query of 64 kB": (get(b"/v1/models?" + b"a" * 65_536), frozenset({400, 414})),
    "H15 a query of 15 kB": (get(b"/v1/models?" + b"a&" * 7_000), frozenset({400, 414})),
}


@pytest.mark.parametrize("name", HEADS)
async def test_heads(gateway: RunningGateway, name: str) -> None:
    """A head that is none, or too large, or names what is not served, is refused; what is no HTTP ends its connection."""
    request, statuses = HEADS[name]
    reply = await send_raw(gateway.http_url, request)
    check_reply(reply, statuses)
    assert reply.closed


async def test_h08_the_next_calls_work(gateway: RunningGateway) -> None:
    """After all of these heads the gateway serves as before."""
    await check_lives(gateway)


@pytest.mark.parametrize("row", ["H11"])
async def test_a_smuggled_request_is_not_served(gateway: RunningGateway, row: str) -> None:
    """What hides behind an ambiguous length is never taken for a request: there is one answer, and the end."""
    del row
    hidden = get(b"/healthz")
    request = post(b"Content-Length: 4", CHUNKED, body=b"0\r\n\r\n" + hidden)
    host, port = gateway.http_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("size", [100_000, 1_000_000], ids=lambda size: f"H14 {size}")
async def test_much_metadata(gateway: RunningGateway, size: int) -> None:
    """Too much metadata is refused by grpc core, and the channel lives on."""
    async with gateway.connect() as stub:
        request = make_request("hi", model="sim/echo")
        error = await failure_of_call(stub.CreateChatCompletion(request, metadata=[("x-much", "x" * size)]))
        assert error.code() is EXHAUSTED
        assert (await stub.CreateChatCompletion(request)).choices[0].message.content[0].text == "hi"


@pytest.mark.parametrize("row", ["H14"])
async def test_many_metadata(gateway: RunningGateway, row: str) -> None:
    """So are many small ones."""
    del row
    async with gateway.connect() as stub:
        request = make_request("hi", model="sim/echo")
        many = [(f"x-{number}", "x") for number in range(2000)]
        assert (await failure_of_call(stub.CreateChatCompletion(request, metadata=many))).code() is EXHAUSTED
        assert (await stub.CreateChatCompletion(request)).choices[0].message.content[0].text == "hi"


@pytest.mark.parametrize("row", ["H10"])
async def test_another_method_over_http2(gateway: RunningGateway, row: str) -> None:
    """A gRPC call is a POST. Of another method grpc core says itself that it is none, before any code of ours; nothing else ends."""
    del row
    head = raw_http2.Frame(
        kind=raw_http2.HEADERS,
        flags=raw_http2.END_HEADERS,
        stream=1,
        payload=raw_http2.call_block(CREATE, method=b"TRACE"),
    )
    came = await raw_http2.exchange(gateway.grpc_target, head.to_bytes(), wait_s=1)
    assert came.headers["grpc-message"] == "Error parsing ':method' metadata"
    await check_lives(gateway)


@pytest.mark.parametrize(
    "start",
    [b"GET /", b"GET /healthz HTTP/1.1\r\nX-", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: ", b"\r\nGET /"],
    ids=lambda start: f"H16 {start[-10:]!r}",
)
async def test_a_slow_head(start: bytes) -> None:
    """A head that does not come whole in its time is a 408 and the end of the connection, however it drips."""
    async with running_edge(head_timeout_s=0.3) as edge, edge.connect() as (reader, writer):
        writer.write(start)
        dripping = asyncio.create_task(drip(writer))
        answer = await reader.read()
        dripping.cancel()
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\n")
    assert b"\r\nConnection: close\r\n" in answer


async def drip(writer: asyncio.StreamWriter) -> None:
    """One byte each 50 ms."""
    while True:
        await asyncio.sleep(0.05)
        writer.write(b"a")


@pytest.mark.parametrize("row", ["H16"])
async def test_the_second_head_has_a_time_too(row: str) -> None:
    """On a connection that lives on, the next head's time begins with its first byte, not with the answer before."""
    del row
    async with running_edge(head_timeout_s=0.3) as edge, edge.connect() as (reader, writer):
        writer.write(post_bytes(GOOD))
        await reader.readuntil(b"}")
        await asyncio.sleep(0.4)
        assert not reader.at_eof()
        writer.write(b"GET /healthz")
        assert b"HTTP/1.1 408 " in await reader.read()


@pytest.mark.parametrize("row", ["H16"])
async def test_the_head_s_time_is_ten_seconds(row: str, gateway: RunningGateway) -> None:
    """Slow heads take no place from others: 200 of them at once, and calls are served."""
    del row
    host, port = gateway.http_url.removeprefix("http://").split(":")
    slow = [socket.create_connection((host, int(port))) for _ in range(200)]
    try:
        for connection in slow:
            connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost:")
        await check_lives(gateway)
    finally:
        for connection in slow:
            connection.close()


@pytest.mark.parametrize("row", ["H14"])
async def test_a_head_in_many_frames(gateway: RunningGateway, row: str) -> None:
    """A head of 1 MB in CONTINUATION frames ends its call or its connection, and no other."""
    del row
    block = raw_http2.call_block(CREATE) + b"".join(raw_http2.literal(b"x-a", b"a" * 1000) for _ in range(1000))
    pieces = [block[start : start + 16_000] for start in range(0, len(block), 16_000)]
    frames = raw_http2.Frame(kind=raw_http2.HEADERS, stream=1, payload=pieces[0]).to_bytes() + b"".join(
        raw_http2.Frame(
            kind=raw_http2.CONTINUATION,
            flags=raw_http2.END_HEADERS if piece is pieces[-1] else 0,
            stream=1,
            payload=piece,
        ).to_bytes()
        for piece in pieces[1:]
    )
    came = await raw_http2.exchange(gateway.grpc_target, frames, wait_s=1)
    assert came.headers.get("grpc-status", "none") not in {"0", "2", "13"}
    await check_lives(gateway)


async def test_h10_no_unary_method_is_guessed(gateway: RunningGateway) -> None:
    """A method that is not served is UNIMPLEMENTED, whatever it looks like."""
    async with aio.insecure_channel(gateway.grpc_target) as channel:
        codes = {
            (await failure_of_call(channel.unary_unary(path)(b""))).code().name
            for path in ("/x", "/trunkline.v1.ChatService/", "/TRUNKLINE.V1.ChatService/CreateChatCompletion", "//")
        }
    assert codes == {"UNIMPLEMENTED"}
