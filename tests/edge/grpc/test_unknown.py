# SPDX-License-Identifier: Apache-2.0
"""RPCs that nobody serves."""

import asyncio

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc import aio

from support.grpc_edge import KEY, details_of, make_admission, running_edge

PATHS = [
    "/trunkline.v1.ChatService/NoSuch",
    "/no.such.Service/Method",
    "/trunkline.v1.ChatService/createChatCompletion",
]


@pytest.mark.parametrize("path", PATHS)
async def test_an_unknown_rpc_is_refused_with_ids(path: str) -> None:
    """It is UNIMPLEMENTED, as grpc says it, with the ids and the details of every failure; no key is needed to hear it."""
    async with running_edge(admission=make_admission(KEY)) as edge:
        with pytest.raises(aio.AioRpcError) as caught:
            await edge.channel.unary_unary(path)(b"", metadata=[("x-request-id", "mine")])
    error = caught.value
    (info,) = (detail for detail in details_of(error) if isinstance(detail, error_details_pb2.ErrorInfo))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    assert path in (error.details() or "")
    assert info.reason == "METHOD_NOT_ALLOWED"
    assert dict(error.trailing_metadata())["x-request-id"] == "mine"


async def test_calls_of_each_kind_are_refused() -> None:
    """A call that streams in either direction ends at once too."""
    async with running_edge() as edge, asyncio.timeout(5):
        path = PATHS[0]
        calls = [
            edge.channel.unary_stream(path)(b""),
            # Without messages: one that is still being written when the refusal comes ends the call by grpc's own client, as INTERNAL.
            edge.channel.stream_unary(path)(),
            edge.channel.stream_stream(path)(),
        ]
        assert [await call.code() for call in calls] == [grpc.StatusCode.UNIMPLEMENTED] * 3


async def test_a_long_path_is_cut() -> None:
    """The message does not repeat more of the path than a reader needs."""
    async with running_edge() as edge:
        with pytest.raises(aio.AioRpcError) as caught:
            await edge.channel.unary_unary(f"/{'x' * 3000}/Y")(b"")
    assert len(caught.value.details() or "") < 300
