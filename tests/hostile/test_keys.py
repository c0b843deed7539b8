# SPDX-License-Identifier: Apache-2.0
"""Keys that are none: rows H01 to H07, H67, H68 and H88."""

import sys
from types import FrameType
from typing import Any

import grpc
import pytest
from grpc import aio

from support import raw_http2
from support.builders import make_request
from support.gateway import RunningGateway, key_row
from support.hostile import CREATE, EXHAUSTED, body_of, check_lives, check_reply, failure_of_call, send_raw
from support.http_edge import make_admission, post_bytes
from trunkline_server.core.errors import GatewayError
from trunkline_server.edge.admission import Admission

HEADS = {
    # name -> header lines, statuses
    "H01 no key": ((), {401}),
    "H02 another scheme": (("Authorization: Basic {key}",), {401}),
    "H02 no scheme": (("Authorization: {key}",), {401}),
    "H02 Bearer alone": (("Authorization: Bearer",), {401}),
    "H02 Bearer and a blank": (("Authorization: Bearer ",), {401}),
    "H02 twice the right key": (("Authorization: Bearer {key}", "Authorization: Bearer {key}"), {401}),
    "H02 the right key, then another": (("Authorization: Bearer {key}", "authorization: Bearer x"), {401}),
    "H02 two keys in one header": (("Authorization: Bearer {key}, Bearer {key}",), {401}),
    "H02 10 kB": (("Authorization: Bearer " + "k" * 10_240,), {401}),
    "H02 the key and more": (("Authorization: Bearer {key}" + "k" * 10_240,), {401}),
    "H03 a quote": (("Authorization: Bearer {key}' OR '1'='1",), {401}),
    "H03 a comment": (("Authorization: Bearer {key}'; DROP TABLE keys; --",), {401}),
    "H03 a NUL": (("Authorization: Bearer {key}\0",), {400}),
    "H03 an escaped NUL": (("Authorization: Bearer {key}%00",), {401}),
    "H03 UTF-8": (("Authorization: Bearer {key}é漢",), {401}),
    "H03 a folded line": (("Authorization: Bearer {key}", " more"), {400}),
    "H03 a bare CR": (("Authorization: Bearer {key}\rX: y",), {400}),
    "H68 the key as hop-by-hop, absent": (("Connection: authorization, close",), {401}),
    "H68 the key as hop-by-hop": (("Connection: authorization, close", "Authorization: Bearer {key}"), {200}),
    "H67 a forged address": (("X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "Forwarded: for=127.0.0.1"), {401}),
    "H67 a forged user": (("X-Forwarded-User: tester", "X-Remote-User: tester"), {401}),
}


@pytest.mark.parametrize("name", HEADS)
async def test_keys_over_http(locked: RunningGateway, key: str, name: str) -> None:
    """Whatever is not exactly one right key is refused, alike for each, and no answer repeats it."""
    lines, statuses = HEADS[name]
    closing = () if any(line.startswith("Connection") for line in lines) else ("Connection: close",)
    reply = await send_raw(
        locked.http_url, post_bytes(body_of(), *(line.replace("{key}", key) for line in lines), *closing)
    )
    check_reply(reply, statuses)
    assert key not in reply.body.decode()
    await check_lives(locked, key=key)


METADATA = {
    # name -> metadata, codes
    "H01 no key": ((), {grpc.StatusCode.UNAUTHENTICATED}),
    "H02 another scheme": ((("authorization", "Basic {key}"),), {grpc.StatusCode.UNAUTHENTICATED}),
    "H02 Bearer alone": ((("authorization", "Bearer"),), {grpc.StatusCode.UNAUTHENTICATED}),
    "H02 two keys": (
        (("authorization", "Bearer {key}"), ("authorization", "Bearer {key}")),
        {grpc.StatusCode.UNAUTHENTICATED},
    ),
    # Between its soft and its hard limit grpc core refuses by chance.
    "H02 10 kB": ((("authorization", "Bearer " + "k" * 10_240),), {grpc.StatusCode.UNAUTHENTICATED, EXHAUSTED}),
    "H03 a quote": ((("authorization", "Bearer {key}' OR '1'='1"),), {grpc.StatusCode.UNAUTHENTICATED}),
    "H03 an escaped NUL": ((("authorization", "Bearer {key}%00"),), {grpc.StatusCode.UNAUTHENTICATED}),
    "H03 a binary key": ((("authorization-bin", b"Bearer \0\xff"),), {grpc.StatusCode.UNAUTHENTICATED}),
    "H67 a forged address": ((("x-forwarded-for", "127.0.0.1"),), {grpc.StatusCode.UNAUTHENTICATED}),
}


@pytest.mark.parametrize("name", METADATA)
async def test_keys_over_grpc(locked: RunningGateway, key: str, name: str) -> None:
    """The same over gRPC."""
    metadata, codes = METADATA[name]
    pairs = [(given, value.replace("{key}", key) if isinstance(value, str) else value) for given, value in metadata]
    async with locked.connect() as stub:
        error = await failure_of_call(stub.CreateChatCompletion(make_request("hi", model="sim/echo"), metadata=pairs))
    assert error.code() in codes
    assert key not in str(error)
    await check_lives(locked, key=key)


@pytest.mark.parametrize(
    "ending", [b"\r\nx: y", b"\0", b"\n", "é".encode(), b"\x7f"], ids=lambda ending: f"H03 {ending!r}"
)
async def test_bytes_that_no_metadata_may_hold(locked: RunningGateway, key: str, ending: bytes) -> None:
    """Sent past a client's own check, they end in a refusal of the call or of its connection."""
    request = make_request("hi", model="sim/echo").SerializeToString()
    frames = raw_http2.call_frames(CREATE, request, (b"authorization", b"Bearer " + key.encode() + ending))
    came = await raw_http2.exchange(locked.grpc_target, frames)
    assert came.headers.get("grpc-status", "none") in {"none", "3", "16"}
    assert came.closed or came.headers or raw_http2.RST_STREAM in came.kinds
    await check_lives(locked, key=key)


def calls_of(admission: Admission, key: str) -> list[object]:
    """The C functions that looking for a key calls, in order."""
    called: list[object] = []

    def note(_: FrameType, event: str, argument: Any) -> None:
        if event == "c_call":
            called.append(argument.__name__)

    sys.setprofile(note)
    try:
        admission.authenticate([f"Bearer {key}"])
    except GatewayError:
        pass
    finally:
        sys.setprofile(None)
    return called


@pytest.mark.parametrize("other", ["right-kex", "rxxxxxxxx", "xxxxxxxxx"], ids=lambda other: f"H04 {other}")
def test_a_key_with_the_right_beginning_is_the_same_work(other: str) -> None:
    """A key is hashed, then its hash is compared in constant time: how much of a wrong key is right changes no step."""
    admission = make_admission("right-key", "another-key")
    called = calls_of(admission, other)
    assert called == calls_of(admission, "wrong-key")
    assert "hexdigest" in called[: called.index("compare_digest")]
    assert called.count("compare_digest") == 2


def test_h88_no_table_grows_with_wrong_keys() -> None:
    """Nothing is remembered of a key that is not known."""
    admission = make_admission("right-key")
    before = {name: repr(value) for name, value in vars(admission).items()}
    refused = [calls_of(admission, f"wrong-{number}") for number in range(1000)]
    assert len(refused) == 1000
    assert {name: repr(value) for name, value in vars(admission).items()} == before


@pytest.mark.parametrize("row", ["H88"])
async def test_many_wrong_keys(locked: RunningGateway, key: str, row: str) -> None:
    """Three hundred wrong keys on one channel are as many refusals, and the right one is still taken."""
    del row
    async with aio.insecure_channel(locked.grpc_target) as channel:
        method = channel.unary_unary(CREATE)
        errors = [
            await failure_of_call(method(b"", metadata=[("authorization", f"Bearer wrong-{number}")]))
            for number in range(300)
        ]
    assert {error.code() for error in errors} == {grpc.StatusCode.UNAUTHENTICATED}
    await check_lives(locked, key=key)


@pytest.mark.parametrize("row", ["H04"])
def test_a_key_at_rest_is_a_hash(row: str, key: str) -> None:
    """The settings hold the hash of a key and nothing of the key."""
    del row
    assert key not in str(key_row("tester", key))
