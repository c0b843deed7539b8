# SPDX-License-Identifier: Apache-2.0
"""Messages, frames and calls that no gRPC client of good will sends: rows H37, H66 and H77 to H87."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.struct_pb2 import Value
from grpc import aio

from support import raw_http2
from support.builders import make_message, make_request
from support.gateway import RunningGateway, running_gateway
from support.grpc_edge import running_edge
from support.hostile import CREATE, EXHAUSTED, INVALID, STREAM, check_lives, failure_of_call, raw_of
from support.raw_http2 import END_HEADERS, GOAWAY, HEADERS, MANY_PINGS, PING, RST_STREAM, SETTINGS, Frame
from trunkline.v1 import chat_service_pb2, model_service_pb2
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.message_pb2 import ChatMessage
from trunkline.v1.openai_compat_service_pb2 import ChatCompletionsRequest
from trunkline.v1.plugin_pb2 import Plugin

MIB = 1024 * 1024
GOOD = make_request("hi", model="sim/echo").SerializeToString()
METHODS = (CREATE, STREAM)
FACADE = "/trunkline.v1.OpenAICompatService/ChatCompletions"


@pytest.fixture(scope="module")
async def channel(gateway: RunningGateway) -> AsyncIterator[aio.Channel]:
    """A channel that sends bytes as they are, of any size."""
    async with aio.insecure_channel(gateway.grpc_target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        yield channel


async def call_raw(channel: aio.Channel, method: str, raw: bytes, **terms: Any) -> aio.AioRpcError:
    """How a call with these bytes fails."""
    make = channel.unary_unary if method == CREATE else channel.unary_stream
    return await failure_of_call(make(method)(raw, **terms))


@pytest.mark.parametrize("size", [33, 70], ids=lambda size: f"H77 {size} MiB")
@pytest.mark.parametrize("method", METHODS)
async def test_messages_over_the_limit(gateway: RunningGateway, channel: aio.Channel, method: str, size: int) -> None:
    """A message over 32 MiB is refused before it is read."""
    assert (await call_raw(channel, method, bytes(size * MIB))).code() is EXHAUSTED
    await check_lives(gateway)


def nested(levels: int) -> bytes:
    """Unknown groups inside one another."""
    return b"\x0b" * levels + b"\x0c" * levels


GARBAGE = {
    "H78 no tag": b"\xff\xff\xff",
    "H78 text": b"hello, world",
    "H78 a JSON body": b'{"model": "sim/echo"}',
    "H78 20 kB of start-groups": b"\x0b" * 20_000,
    "H78 an end without a start": b"\x0c",
    "H78 a wrong wire type": b"\x08\x01\x15\0\0\0\0",
    "H78 an absurd length": b"\x12\xff\xff\xff\xff\x7f",
    "H78 cut short": GOOD[:-1],
    "H78 field 0": b"\x00\x01",
    "H37 no UTF-8": b"\x12\x02\xff\xfe" + GOOD,
    "H37 a surrogate": b"\x12\x03\xed\xa0\x80" + GOOD,
    "H37 an overlong stroke": b"\x12\x02\xc0\xaf" + GOOD,
    "H79 101 groups deep": nested(101) + GOOD,
    "H79 10,000 groups deep": nested(10_000) + GOOD,
    "H28 empty messages, 32 MiB of them": b"\x0a\x00" * (15 * MIB),
    "H28 empty parts, 20 MB of them": b"\x0a\x80\xda\xc4\x09" + b"\x12\xfb\xd9\xc4\x09" + b"\x0a\x00" * 10_000_000,
    "H28 unknown fields, 32 MiB of them": b"\x98\x7d\x01" * (10 * MIB),
    "H23 empty": b"",
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", GARBAGE)
async def test_garbage(channel: aio.Channel, name: str, method: str) -> None:
    """Bytes that are no message, or a monstrous one, are INVALID_ARGUMENT."""
    assert (await call_raw(channel, method, GARBAGE[name])).code() is INVALID


async def test_h79_groups_within_the_limit(channel: aio.Channel) -> None:
    """Unknown fields are skipped as protobuf has it."""
    assert await channel.unary_unary(CREATE)(nested(50) + GOOD)


async def test_h78_the_next_calls_work(gateway: RunningGateway) -> None:
    """After all of this the gateway serves as before."""
    await check_lives(gateway)


TIMEOUTS = {
    # grpc-timeout -> the statuses that may come: served without it, or refused, or over
    b"-1": {"0", "3", "4", "13"},
    b"99999999H": {"0"},
    b"999999999999H": {"0", "3", "13"},
    b"0n": {"4"},
    b"1": {"0", "3", "13"},
    b"1x": {"0", "3", "13"},
    b"garbage": {"0", "3", "13"},
    b"": {"0", "3", "13"},
    b"9" * 5000 + b"S": {"0", "3", "13"},
}


@pytest.mark.parametrize("limit", TIMEOUTS, ids=lambda limit: f"H80 {limit[:12]!r}")
async def test_time_limits_of_nonsense(gateway: RunningGateway, limit: bytes) -> None:
    """A time limit that is none ends the call in grpc core's words, or is passed over; one beyond reason is cut to the longest."""
    frames = raw_http2.call_frames(CREATE, GOOD, (b"grpc-timeout", limit))
    came = await raw_http2.exchange(gateway.grpc_target, frames)
    assert came.headers.get("grpc-status", "4") in TIMEOUTS[limit]
    assert came.headers.get("grpc-status") != "13" or "grpc-timeout" in came.headers["grpc-message"]
    await check_lives(gateway)


@pytest.mark.parametrize("limit_s", [0.0, -1.0, 1e9], ids=lambda limit_s: f"H80 {limit_s}")
async def test_time_limits_of_a_client(channel: aio.Channel, limit_s: float) -> None:
    """A limit that is over ends a call whose answer is not there at once; one of thirty years does not."""
    slow = ChatCompletionRequest.FromString(GOOD)
    slow.model = "sim/fault?latency_ms=500"
    call = channel.unary_unary(CREATE)(slow.SerializeToString(), timeout=limit_s)
    if limit_s > 0:
        assert await call
    else:
        assert (await failure_of_call(call)).code() is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", [grpc.Compression.Gzip, grpc.Compression.Deflate], ids=["H81 gzip", "H81 deflate"])
async def test_a_compressed_bomb(
    gateway: RunningGateway, channel: aio.Channel, method: str, kind: grpc.Compression
) -> None:
    """A message is measured as it unpacks: 100 MB in 100 kB is refused."""
    assert (await call_raw(channel, method, bytes(100_000_000), compression=kind)).code() is EXHAUSTED
    await check_lives(gateway)


async def test_h81_a_compressed_message(channel: aio.Channel) -> None:
    """A compressed message within the limit is served."""
    assert await channel.unary_unary(CREATE)(GOOD, compression=grpc.Compression.Gzip)


def head(stream: int, *, flags: int = END_HEADERS) -> bytes:
    """The head of a call on a stream."""
    return Frame(kind=HEADERS, flags=flags, stream=stream, payload=raw_http2.call_block(CREATE)).to_bytes()


def reset(stream: int) -> bytes:
    """A call taken back."""
    return Frame(kind=RST_STREAM, stream=stream, payload=(8).to_bytes(4, "big")).to_bytes()


STREAMS = range(1, 20_001, 2)
FLOODS = {
    "H82 10,000 calls taken back": b"".join(head(stream) + reset(stream) for stream in STREAMS),
    "H82 10,000 calls left open": b"".join(head(stream) for stream in STREAMS),
    "H82 100,000 settings": Frame(kind=SETTINGS).to_bytes() * 100_000,
    "H82 100,000 pings": Frame(kind=PING, payload=bytes(8)).to_bytes() * 100_000,
    "H82 100,000 empty frames": head(1) + Frame(kind=0, stream=1).to_bytes() * 100_000,
    "H82 10,000 continuations": head(1, flags=0) + Frame(kind=9, stream=1).to_bytes() * 10_000,
    "H82 a bomb of references": head(1)
    + Frame(
        kind=HEADERS,
        flags=END_HEADERS,
        stream=3,
        payload=raw_http2.call_block(CREATE) + b"\x40\x03x-a\x7f\x81\x1e" + b"a" * 4000 + b"\xbe" * 10_000,
    ).to_bytes(),
    "H82 a stream of number 0": Frame(kind=HEADERS, flags=END_HEADERS, payload=raw_http2.call_block(CREATE)).to_bytes(),
    "H82 a frame of 16 MB": (2**24 - 1).to_bytes(3, "big") + bytes([0, 0, 0, 0, 0, 1]) + bytes(100_000),
}


@pytest.mark.parametrize("name", FLOODS)
async def test_floods(gateway: RunningGateway, name: str) -> None:
    """A flood of frames harms its own connection; calls on others are served while it goes on, and after."""
    async with raw_http2.connect(gateway.grpc_target) as (_, writer):
        writer.write(FLOODS[name])
        await check_lives(gateway)
    await check_lives(gateway)


@pytest.mark.slow
@pytest.mark.parametrize("row", ["H82"])
async def test_h2load(gateway: RunningGateway, row: str) -> None:
    """Ten thousand requests of another kind of client on a hundred streams at once end, and calls are served."""
    del row
    program = shutil.which("h2load")
    if program is None:
        pytest.skip("h2load (Debian: nghttp2-client) is not on this machine")
    words = ["-n", "10000", "-c", "10", "-m", "100", f"http://{gateway.grpc_target}{CREATE}"]
    flood = await asyncio.create_subprocess_exec(program, *words, stdout=subprocess.DEVNULL)
    await check_lives(gateway)
    await asyncio.wait_for(flood.wait(), 60)
    await check_lives(gateway)


async def test_h83_pings_too_often(gateway: RunningGateway) -> None:
    """A client that pings without end is sent away with the reason."""
    pings = Frame(kind=PING, payload=bytes(8)).to_bytes() * 10
    came = await raw_http2.exchange(gateway.grpc_target, pings)
    assert GOAWAY in came.kinds
    assert came.goaway.endswith(MANY_PINGS)
    await check_lives(gateway)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [0, 2], ids=lambda count: f"H84 {count} messages")
async def test_another_number_of_messages(channel: aio.Channel, method: str, count: int) -> None:
    """A call has one message: without any, or with more, it is refused."""
    assert (await failure_of_call(channel.stream_stream(method)(iter([GOOD] * count)))).code() is INVALID


@pytest.mark.parametrize("row", ["H84"])
@pytest.mark.parametrize("method", METHODS)
async def test_a_call_left_half_open(row: str, method: str) -> None:
    """A call whose message does not come is ended after its time."""
    del row
    async with running_edge(request_timeout_s=0.2) as edge:
        call = edge.channel.stream_stream(method)()
        assert (await failure_of_call(call)).code() is grpc.StatusCode.DEADLINE_EXCEEDED


SECRET_RPCS = (
    "/grpc.channelz.v1.Channelz/GetServers",
    "/grpc.channelz.v1.Channelz/GetTopChannels",
    "/envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus",
)


@pytest.mark.parametrize("method", SECRET_RPCS, ids=lambda method: f"H85 {method}")
async def test_what_is_off(channel: aio.Channel, method: str) -> None:
    """Nothing of the inside of grpc is served."""
    assert (await failure_of_call(channel.unary_unary(method)(b""))).code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("reflection", [True, False], ids=lambda on: f"H85 {on}")
async def test_reflection_can_be_off(reflection: bool) -> None:
    """Health is open to all; reflection is served where it is wanted."""
    async with (
        running_gateway(grpc={"reflection": reflection}) as running,
        aio.insecure_channel(running.grpc_target) as channel,
    ):
        assert await channel.unary_unary("/grpc.health.v1.Health/Check")(b"")
        call = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")(
            iter([b"\x3a\x00"])
        )
        if reflection:
            assert [answer async for answer in call]
        else:
            assert (await failure_of_call(call)).code() is grpc.StatusCode.UNIMPLEMENTED


def held_messages(descriptor: Descriptor, seen: set[str]) -> Iterator[Descriptor]:
    """A message and all that it holds."""
    if descriptor.full_name not in seen:
        seen.add(descriptor.full_name)
        yield descriptor
        for field in descriptor.fields:
            if field.message_type is not None:
                yield from held_messages(field.message_type, seen)


def test_h86_the_typed_contract_has_no_open_messages() -> None:
    """No typed request holds an Any, a Struct or a FieldMask: there is nothing to fill with junk."""
    seen: set[str] = set()
    for module in (chat_service_pb2, model_service_pb2):
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                list(held_messages(method.input_type, seen))
    assert [name for name in sorted(seen) if name.startswith("google.protobuf.")] == []


MANY_FAULTS = {
    "20 faults": make_request(
        messages=[ChatMessage()] * 30, model="sim/echo", extra={f"api_{number}": "{" for number in range(30)}
    ),
    "long names": make_request("hi", model="é" * 5000, models=["漢" * 5000] * 10),
    "a long key": make_request("hi", model="sim/echo", extra={"k" * 100_000: "{broken"}),
    "a long text": make_request(messages=[make_message("x")], model="sim/echo", stop=["😀" * 100_000]),
    "plugins": make_request("hi", model="sim/echo", plugins=[Plugin()] * 50),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", MANY_FAULTS, ids=lambda name: f"H87 {name}")
async def test_trailers_stay_small(channel: aio.Channel, name: str, method: str) -> None:
    """However much there is to say, the trailer stays below 8 kB and the message below 1 kB."""
    error = await call_raw(channel, method, MANY_FAULTS[name].SerializeToString())
    assert error.code() in {INVALID, EXHAUSTED}
    assert len((error.details() or "").encode()) <= 1024


METADATA = {
    # name -> a pair, the status, a word of its message; 13 is grpc core's own word for what is no metadata
    "H66 a line break": ((b"x-title", b"a\r\nx-admin: 1"), "3", "control characters"),
    "H66 a NUL": ((b"x-title", b"a\0b"), "3", "control characters"),
    "H66 a line break in a session": ((b"x-session-id", b"a\nb"), "3", "control characters"),
    "H66 a line break in a request's id": ((b"x-request-id", b"a\nb"), "3", "control characters"),
    "H66 upper case": ((b"X-Title", b"a"), "13", "Illegal header key"),
    "H66 a blank in a name": ((b"x title", b"a"), "13", "Illegal header key"),
    "H66 a binary value that is none": ((b"x-title-bin", b"\xff\xff!"), "13", "illegal base64"),
    "H66 a pseudo header": ((b":admin", b"1"), "13", "Illegal header key"),
}


@pytest.mark.parametrize("name", METADATA)
async def test_metadata_that_is_none(gateway: RunningGateway, name: str) -> None:
    """Metadata that could become another line is refused and never repeated."""
    pair, status, word = METADATA[name]
    came = await raw_http2.exchange(gateway.grpc_target, raw_http2.call_frames(CREATE, GOOD, pair), wait_s=2)
    assert (came.headers["grpc-status"], word in came.headers["grpc-message"]) == (status, True)
    assert "x-admin" not in came.headers
    await check_lives(gateway)


def held(number: int, data: bytes) -> bytes:
    """A field that holds bytes, as it travels."""
    size, digits = len(data), bytearray()
    while size >= 128:
        digits.append(size % 128 + 128)
        size //= 128
    return bytes([number << 3 | 2, *digits, size]) + data


def deep_call(levels: int) -> bytes:
    """A call of the façade with so many objects inside one another, deeper than protobuf itself would write."""
    struct = b""
    for _ in range(levels):
        struct = held(1, held(1, b"a") + held(2, held(5, struct)))
    return held(1, struct)


def facade_request(**fields: Any) -> ChatCompletionsRequest:
    """A call of the façade with the keys of a good body and others."""
    request = ChatCompletionsRequest()
    request.payload.update({"model": "sim/echo", "messages": [{"role": "user", "content": "hi"}], **fields})
    return request


def with_value(value: Value) -> ChatCompletionsRequest:
    """A call of the façade with one open value."""
    request = facade_request()
    request.payload.fields["knob"].CopyFrom(value)
    return request


STRUCTS = {
    "H27 51 deep": deep_call(51),
    "H27 10,000 deep": deep_call(10_000),
    "H86 nothing": ChatCompletionsRequest(),
    "H86 a value that is none": with_value(Value()),
    "H86 NaN": with_value(Value(number_value=float("nan"))),
    "H86 Infinity": with_value(Value(number_value=float("inf"))),
    "H86 the wrong types": facade_request(messages="hi", stream="true"),
    "H40 api_base": facade_request(api_base="http://127.0.0.1:1"),
    "H28 100,000 items": facade_request(knob=[0.0] * 100_000),
    "H28 100,000 keys": facade_request(knob={str(number): 0 for number in range(100_000)}),
}


@pytest.mark.parametrize("name", STRUCTS)
async def test_open_values(gateway: RunningGateway, channel: aio.Channel, name: str) -> None:
    """What reaches the façade as an open value is held to the rules of a JSON body."""
    assert (await call_raw(channel, FACADE, raw_of(STRUCTS[name]))).code() is INVALID
    await check_lives(gateway)


@pytest.mark.parametrize("name", GARBAGE)
async def test_garbage_at_the_facade(channel: aio.Channel, name: str) -> None:
    """Bytes that are no message are refused there too."""
    assert (await call_raw(channel, FACADE, GARBAGE[name])).code() is INVALID
