# SPDX-License-Identifier: Apache-2.0
"""What every answer to hostile input is held to, on both wires, and a raw connection to send it on."""

import asyncio
import io
import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import status_pb2
from grpc import aio

from support.builders import make_request
from support.gateway import RunningGateway

INVALID = grpc.StatusCode.INVALID_ARGUMENT
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
CREATE = "/trunkline.v1.ChatService/CreateChatCompletion"
STREAM = "/trunkline.v1.ChatService/StreamChatCompletion"
JSON = {"content-type": "application/json"}
GOOD = {"model": "sim/echo", "messages": [{"role": "user", "content": "hi"}]}

# What no client may ever read: where in the source something happened, and in whose.
INSIDE = (
    "Traceback",
    'File "',
    '.py", line',
    ".py:",
    "trunkline_server",
    "google.protobuf",
    "asyncio",
    "orjson",
    "aiohttp",
    "_upb",
    "Exception",
    "Error(",
    "Error:",
    " object at 0x",
)
_BROKEN = frozenset({grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL})
_LONGEST_ERROR = 16 * 1024
_LONGEST_TRAILER = 8 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer read from a raw connection; status 0 where the connection was closed without one. `closed`: it was closed after the answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    closed: bool = True


async def send_raw(url: str, data: bytes, *, ends: bool = False, stays: bool = False) -> Reply:
    """Sends bytes on a connection of their own and reads one answer. Raises TimeoutError.

    `ends` closes the sending side after them; with `stays` the end of the connection is not waited for.
    """
    target = urlsplit(url)
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(target.hostname, target.port)
        try:
            with suppress(ConnectionError):
                writer.write(data)
                if ends:
                    writer.write_eof()
                return await _read_reply(reader, stays=stays, has_body=not data.startswith(b"HEAD "))
            return Reply(status=0)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def _read_reply(reader: asyncio.StreamReader, *, stays: bool, has_body: bool) -> Reply:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return Reply(status=0)
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
    closes = headers.get("connection") == "close" and not stays
    body = await reader.readexactly(int(headers.get("content-length", "0")) if has_body else 0)
    if closes:
        body += await reader.read()
    return Reply(status=int(lines[0].split(" ")[1]), body=body, headers=headers, closed=closes)


def check_words(text: str) -> None:
    """An error tells nothing of the inside."""
    assert [word for word in INSIDE if word in text] == []


def check_reply(reply: Reply, statuses: Collection[int]) -> None:
    """The status is one of those due and none of ours is to blame; a failure is an error in JSON, short, and tells nothing of the inside."""
    assert reply.status in statuses, (reply.status, reply.body[:500])
    assert reply.status != 500
    assert "server" not in reply.headers
    if reply.status >= 400 and reply.body:
        error = json.loads(reply.body)["error"]
        assert error["code"] == reply.status
        assert len(reply.body) <= _LONGEST_ERROR
        assert reply.headers["x-generation-id"]
        assert "access-control-allow-origin" not in reply.headers
    if reply.status != 200:
        check_words(reply.body.decode())


async def send_http(
    http: aiohttp.ClientSession,
    url: str,
    body: bytes,
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Sends a well-framed request and reads the answer."""
    async with http.request(method, url, data=io.BytesIO(body), headers={**JSON, **(headers or {})}) as answer:
        lower = {name.lower(): value for name, value in answer.headers.items()}
        return Reply(status=answer.status, body=await answer.read(), headers=lower, closed=False)


async def failure_of_call(call: object) -> aio.AioRpcError:
    """How a call over gRPC failed, held to what every failure is."""
    first = call.read() if isinstance(call, aio.UnaryStreamCall | aio.StreamStreamCall) else call
    with pytest.raises(aio.AioRpcError) as caught:
        await first  # type: ignore[misc] # every other call is awaitable
    check_failure(caught.value)
    return caught.value


def check_failure(error: aio.AioRpcError) -> None:
    """The code is none that means a fault of ours, the trailer is small, and no text tells of the inside."""
    assert error.code() not in _BROKEN, (error.code(), error.details())
    trailer = dict(error.trailing_metadata() or ())
    assert sum(len(name) + len(value) + 32 for name, value in trailer.items()) <= _LONGEST_TRAILER
    check_words(error.details() or "")
    status = status_pb2.Status.FromString(trailer.get("grpc-status-details-bin", b""))
    for detail in status.details:
        check_words(detail.value.decode("utf-8", "replace"))


async def check_lives(gateway: RunningGateway, *, key: str | None = None) -> None:
    """The next call works on both wires, each on a connection of its own."""
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession() as http, http.post(gateway.chat_url, json=GOOD, headers=headers) as answer:
        assert answer.status == 200
        assert (await answer.json())["choices"][0]["message"]["content"] == "hi"
    async with gateway.connect() as stub:
        said = await stub.CreateChatCompletion(make_request("hi", model="sim/echo"), metadata=list(headers.items()))
        assert said.choices[0].message.content[0].text == "hi"


def body_of(**fields: object) -> bytes:
    """The body of a good request with some keys replaced."""
    return json.dumps({**GOOD, **fields}).encode()


def raw_of(message: Message | bytes) -> bytes:
    """A message as it travels; bytes as they are."""
    return message if isinstance(message, bytes) else message.SerializeToString()
