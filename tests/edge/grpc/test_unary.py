# SPDX-License-Identifier: Apache-2.0
"""Unary RPCs from a table of names."""

import asyncio
import threading
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc import aio

from support.builders import make_request
from support.grpc_edge import LIST_MODELS, details_of, list_models, make_admission, running_edge
from support.raw_http2 import call_frames, connect
from trunkline.v1 import model_service_pb2, model_service_pb2_grpc, route_service_pb2, route_service_pb2_grpc
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.call import Principal
from trunkline_server.core.errors import GatewayError
from trunkline_server.edge.grpc import unary
from trunkline_server.edge.grpc.intake import parse_message


async def refuse(request: Message, principal: Principal) -> Message:
    """An RPC that fails."""
    raise GatewayError(ErrorReason.ERROR_REASON_NOT_FOUND, "There is no such model.")


async def break_down(request: Message, principal: Principal) -> Message:
    """An RPC with a bug."""
    raise RuntimeError("the password is hunter2")


async def test_an_rpc_of_the_table() -> None:
    """The request and the caller go in, the response comes out."""
    async with running_edge(admission=make_admission("sk-a")) as running:
        stub = model_service_pb2_grpc.ModelServiceStub(running.channel)
        call = stub.ListModels(
            model_service_pb2.ListModelsRequest(q="sim"), metadata=[("authorization", "Bearer sk-a")]
        )
        response = await call
    assert [model.id for model in response.data] == ["sim/key-0"]


async def explain(request: Message, principal: Principal) -> Message:
    """An RPC that takes a chat request: answers with its session."""
    plan = route_service_pb2.RoutePlan(summary=getattr(request, "session_id", ""))
    return route_service_pb2.ExplainRouteResponse(data=plan)


@pytest.mark.parametrize(("field", "session"), [({}, "head"), ({"session_id": "body"}, "body")], ids=["header", "body"])
async def test_a_session_of_the_metadata(field: dict[str, str], session: str) -> None:
    """An RPC that takes a chat request finds the metadata's session in it, as a chat does; the request's own wins."""
    async with running_edge(unary_rpcs={"trunkline.v1.RouteService.ExplainRoute": explain}) as running:
        stub = route_service_pb2_grpc.RouteServiceStub(running.channel)
        response = await stub.ExplainRoute(make_request(**field), metadata=[("x-session-id", "head")])
    assert response.data.summary == session


@pytest.mark.parametrize(("size", "beside"), [(10, False), (100_000, True)], ids=["small", "large"])
async def test_large_requests_are_read_beside_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, size: int, beside: bool
) -> None:
    """A request that takes long to parse and to check holds up nobody else's call."""
    threads = []

    def note(*arguments: Any) -> Any:
        threads.append(threading.get_ident())
        return parse_message(*arguments)

    monkeypatch.setattr(unary, "parse_message", note)
    async with running_edge(unary_rpcs={"trunkline.v1.RouteService.ExplainRoute": explain}) as running:
        await route_service_pb2_grpc.RouteServiceStub(running.channel).ExplainRoute(make_request("x" * size))
    assert [thread != threading.get_ident() for thread in threads] == [beside]


async def test_requests_are_validated() -> None:
    """The contract's rules hold for every request."""
    async with running_edge() as running:
        request = model_service_pb2.ListModelsRequest(limit=5000)
        with pytest.raises(aio.AioRpcError) as caught:
            await running.channel.unary_unary(LIST_MODELS)(request.SerializeToString())
    violations = [detail for detail in details_of(caught.value) if isinstance(detail, error_details_pb2.BadRequest)]
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violations[0].field_violations[0].field == "limit"


@pytest.mark.parametrize(
    ("rpc", "code", "details"),
    [
        (refuse, grpc.StatusCode.NOT_FOUND, "There is no such model."),
        (break_down, grpc.StatusCode.INTERNAL, "Internal error. The request id finds the cause in the gateway's log."),
    ],
)
async def test_failures(rpc: object, code: grpc.StatusCode, details: str) -> None:
    """A failure has its code, a bug is masked."""
    async with running_edge(unary_rpcs={"trunkline.v1.ModelService.GetModel": rpc}) as running:  # type: ignore[dict-item] # parametrized
        stub = model_service_pb2_grpc.ModelServiceStub(running.channel)
        with pytest.raises(aio.AioRpcError) as caught:
            await stub.GetModel(model_service_pb2.GetModelRequest(author="a", slug="b"))
    assert (caught.value.code(), caught.value.details()) == (code, details)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("trunkline.v1.ModelService.Nonsense", "no RPC of a loaded contract"),
        ("trunkline.v1.ChatService.StreamChatCompletion", "streams"),
    ],
)
async def test_names_that_are_no_unary_rpc(name: str, complaint: str) -> None:
    """A wrong name in the table is refused when the edge is made."""
    with pytest.raises(ValueError, match=complaint):
        async with running_edge(unary_rpcs={name: list_models}):
            pytest.fail("the edge was made")


async def list_at_length(request: Message, principal: Principal) -> Message:
    """A ListModels with as many models as it is asked for."""
    models = [{"id": f"acme/model-{index}"} for index in range(getattr(request, "limit", 0))]
    return model_service_pb2.ListModelsResponse(data=models)  # type: ignore[arg-type] # protobuf takes mappings


async def answer_bytes(target: str, limit: int, accepted: bytes) -> bytes:
    """What comes over the wire for a list of so many models."""
    request = model_service_pb2.ListModelsRequest(limit=limit).SerializeToString()
    async with connect(target) as (reader, writer):
        writer.write(call_frames(LIST_MODELS, request, (b"grpc-accept-encoding", accepted)))
        received = b""
        async with asyncio.timeout(5):
            while b"grpc-status" not in received:
                received += await reader.read(65536)
    return received


@pytest.mark.parametrize(
    ("limit", "accepted", "plain"),
    [(1000, b"identity, gzip", False), (1000, b"identity", True), (10, b"identity, gzip", True)],
    ids=["large", "large, no gzip", "small"],
)
async def test_compression(limit: int, accepted: bytes, plain: bool) -> None:
    """A large answer is compressed for a client that takes it so, and for no other; a small one never is."""
    async with running_edge(unary_rpcs={"trunkline.v1.ModelService.ListModels": list_at_length}) as running:
        received = await answer_bytes(running.target, limit, accepted)
    assert (b"acme/model-9" in received) is plain
    assert (len(received) > 5000) is (plain and limit == 1000)


async def test_a_compressed_answer_is_the_same() -> None:
    """A client that takes gzip reads what was said."""
    async with running_edge(unary_rpcs={"trunkline.v1.ModelService.ListModels": list_at_length}) as running:
        stub = model_service_pb2_grpc.ModelServiceStub(running.channel)
        response = await stub.ListModels(model_service_pb2.ListModelsRequest(limit=1000))
    assert [model.id for model in response.data][-1] == "acme/model-999"
