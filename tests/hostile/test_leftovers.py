# SPDX-License-Identifier: Apache-2.0
"""What a refused call leaves behind: nothing that holds its request until garbage is collected, which the gateway does seldom.

A failure that its own traceback's frames hold is such a thing: a body of 32 MiB would stay with it. Rows H21, H40, H44, H46 and H78.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import aiohttp
import pytest
from google.protobuf.message import Message
from grpc import aio

from support.builders import make_request
from support.gateway import RunningGateway
from support.hostile import CREATE, STREAM, body_of, failure_of_call, send_http
from trunkline_server.core.call import Call
from trunkline_server.core.errors import GatewayError
from trunkline_server.edge.http.exchange import Exchange
from trunkline_server.jsonshape import ShapeFaults

HEAVY = (Message, Call, GatewayError, ShapeFaults, Exchange)

BODIES = {
    "H24 no JSON": b"{",
    "H40 a refused key": body_of(api_base="http://x"),
    "H44 no such model": body_of(model="no/such"),
    "H44 no such models": body_of(model="no/such", models=["no/other", "no/third"]),
    "H44 a model after one that there is not": body_of(model="no/such", models=["sim/echo"]),
    "H46 out of range": body_of(max_tokens=0),
    "H66 a line break": body_of(user="a\nb"),
    "H73 a plugin": body_of(plugins=[{"id": "web"}]),
    "H39 no provider": body_of(provider={"only": ["nobody"]}),
    "H36 served": body_of(),
    "H36 streamed": body_of(stream=True),
}
MESSAGES = {
    "H78 no message": b"\xff",
    "H44 no such model": make_request("hi", model="no/such").SerializeToString(),
    "H46 out of range": make_request("hi", model="sim/echo", max_tokens=0).SerializeToString(),
    "H66 a line break": make_request("hi", model="sim/echo", user="a\nb").SerializeToString(),
    "H39 no provider": make_request("hi", model="sim/echo", provider={"only": ["nobody"]}).SerializeToString(),
}


@contextmanager
def kept_garbage() -> Iterator[None]:
    """While it lasts nothing is collected; at its end the garbage stands in gc.garbage."""
    gc.collect()
    gc.disable()
    try:
        yield
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
    finally:
        gc.set_debug(0)
        gc.enable()


async def leftovers_of(send: Callable[[], Awaitable[object]]) -> list[str]:
    """The kinds of heavy things that wait for collection after a call. The first of two calls may make things that stay."""
    await send()
    await asyncio.sleep(0.02)
    with kept_garbage():
        await send()
        await asyncio.sleep(0.02)
    found = [type(item).__name__ for item in gc.garbage if isinstance(item, HEAVY)]
    gc.garbage.clear()
    return found


@pytest.mark.parametrize("name", BODIES)
async def test_nothing_is_left_of_a_body(http: aiohttp.ClientSession, gateway: RunningGateway, name: str) -> None:
    """Refused or served, a body is gone when its answer is."""
    assert await leftovers_of(lambda: send_http(http, gateway.chat_url, BODIES[name])) == []


@pytest.mark.parametrize("method", [CREATE, STREAM])
@pytest.mark.parametrize("name", MESSAGES)
async def test_nothing_is_left_of_a_message(gateway: RunningGateway, name: str, method: str) -> None:
    """So is a message, though grpc itself leaves the frames of a refused call to be collected."""
    async with aio.insecure_channel(gateway.grpc_target) as channel:
        make = channel.unary_unary if method == CREATE else channel.unary_stream
        assert await leftovers_of(lambda: failure_of_call(make(method)(MESSAGES[name]))) == []
