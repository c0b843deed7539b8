# SPDX-License-Identifier: Apache-2.0
"""What a call brings: metadata and raw requests."""

import asyncio
from typing import Any, cast

import pytest
from google.protobuf.message import Message
from grpc import aio

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.call import Principal
from trunkline_server.core.errors import GatewayError
from trunkline_server.edge.grpc.intake import Arrival, Context, check_headers, parse_message, read_metadata
from trunkline_server.edge.grpc.patience import Patience
from trunkline_server.edge.grpc.status import CallIds


class FakeContext:
    """A context that gives metadata and messages, and waits for ever when it has none left but `ends` is false."""

    def __init__(
        self, *messages: object, metadata: tuple[tuple[str, str | bytes], ...] = (), ends: bool = True
    ) -> None:
        self._messages = list(messages)
        self._metadata = metadata
        self._ends = ends

    def invocation_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        return self._metadata

    def time_remaining(self) -> float | None:
        return None

    async def read(self) -> object:
        if self._messages:
            return self._messages.pop(0)
        if not self._ends:
            await asyncio.Event().wait()
        return aio.EOF


def make_arrival(*messages: object, ends: bool = True) -> Arrival:
    """A call that brings the messages."""
    return Arrival(
        context=cast("Context", FakeContext(*messages, ends=ends)),
        ids=CallIds(request_id="req-1", generation_id=None),
        headers={},
        principal=Principal(name="tester"),
        patience=Patience(0.01),
    )


def test_metadata() -> None:
    """Keys are apart, binary values are left out, of a repeated name the last value counts."""
    metadata = (("x-a", "1"), ("authorization", "one"), ("x-bin", b"\0"), ("x-a", "2"), ("authorization", "two"))
    context: Any = FakeContext(metadata=metadata)
    assert read_metadata(context) == ({"x-a": "2"}, ["one", "two"])


@pytest.mark.parametrize("value", ["a\nb", "a\r", "\0", "\x7f"])
def test_metadata_with_control_characters(value: str) -> None:
    """A value that could become another line is refused by its name."""
    with pytest.raises(GatewayError, match="`x-title`") as caught:
        check_headers({"x-fine": "a\tb é", "x-title": value})
    assert [fault.field for fault in caught.value.faults] == ["x-title"]


def test_a_message_is_parsed() -> None:
    """Well-formed bytes become the message."""
    request = ChatCompletionRequest(model="a/b")
    assert parse_message(ChatCompletionRequest, request.SerializeToString()) == request


@pytest.mark.parametrize(
    "raw",
    [b"\xff" * 3, b"\x0b" * 20_000, b"\x0a\x05ab", b"\x12\x02\xff\xfe", b"\x12\xff\xff\xff\xff\x7f"],
    ids=["no tag", "start-groups", "cut short", "no UTF-8", "absurd length"],
)
def test_garbage_is_a_fault_of_the_request(raw: bytes) -> None:
    """Bytes that are no such message raise INVALID_REQUEST with a fault for the whole body."""
    with pytest.raises(GatewayError, match=r"trunkline\.v1\.ChatCompletionRequest") as caught:
        parse_message(ChatCompletionRequest, raw)
    assert caught.value.reason == ErrorReason.ERROR_REASON_INVALID_REQUEST
    assert [fault.field for fault in caught.value.faults] == [""]


def test_too_many_items() -> None:
    """A message of more items than a JSON body may have is refused before it is built."""
    with pytest.raises(GatewayError, match="at most 100000 fields and items") as caught:
        parse_message(ChatCompletionRequest, b"\x0a\x00" * 100_001)
    assert caught.value.reason == ErrorReason.ERROR_REASON_INVALID_REQUEST


async def test_the_one_request() -> None:
    """A unary call's request is read and parsed."""
    request: Message = ChatCompletionRequest(model="a/b")
    assert await make_arrival(request.SerializeToString()).read(ChatCompletionRequest) == request


async def test_no_request() -> None:
    """A call that ends without its request is INVALID_REQUEST."""
    with pytest.raises(GatewayError, match="without a request") as caught:
        await make_arrival().read(ChatCompletionRequest)
    assert caught.value.reason == ErrorReason.ERROR_REASON_INVALID_REQUEST


async def test_two_requests() -> None:
    """A call that sends a second request where one is due is INVALID_REQUEST."""
    with pytest.raises(GatewayError, match="more than one request") as caught:
        await make_arrival(b"", b"").read(ChatCompletionRequest)
    assert caught.value.reason == ErrorReason.ERROR_REASON_INVALID_REQUEST


@pytest.mark.parametrize("messages", [(), (b"",)], ids=["no request", "no end"])
async def test_a_request_that_does_not_come(messages: tuple[bytes, ...]) -> None:
    """A call that is left half open ends in REQUEST_TIMEOUT, before its request and after."""
    with pytest.raises(GatewayError, match=r"in 0\.01 s") as caught:
        await make_arrival(*messages, ends=False).read(ChatCompletionRequest)
    assert caught.value.reason == ErrorReason.ERROR_REASON_REQUEST_TIMEOUT


async def test_several_requests() -> None:
    """Requests of a stream come one by one, None after the last."""
    arrival = make_arrival(b"", b"")
    read = [await arrival.read_next(ChatCompletionRequest) for _ in range(3)]
    assert read == [ChatCompletionRequest(), ChatCompletionRequest(), None]
