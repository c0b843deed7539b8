# SPDX-License-Identifier: Apache-2.0
"""AsyncClient against an in-process service."""

import asyncio

import pytest
from grpc import aio

from support.builders import make_request
from support.chat_service import make_completion, make_models, make_pieces, scripted_service
from trunkline import AsyncClient, DeadlineError, InvalidRequestError, ProviderError, UnavailableError, text_of
from trunkline.v1 import chat_service_pb2_grpc
from trunkline.v1.error_pb2 import ErrorReason
from trunkline.v1.model_service_pb2 import ListModelsRequest
from trunkline.v1.route_service_pb2 import ExplainRouteResponse, RoutePlan
from trunkline_server.core.errors import FieldFault, GatewayError

HELLO = [{"role": "user", "content": "hi"}]
REFUSED = GatewayError(
    ErrorReason.ERROR_REASON_INVALID_REQUEST, "Wrong.", faults=[FieldFault(field="model", description="must be known")]
)
BROKEN_OFF = GatewayError(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, "Acme broke off.", provider="acme")
CLOSED_WITHIN_S = 1.0


async def test_create() -> None:
    """Fields by keyword go out as the contract's message, the answer comes back as one."""
    async with scripted_service(make_completion("hello")) as service, AsyncClient(service.target) as client:
        completion = await client.create(model="sim/echo", messages=HELLO)
    assert text_of(completion) == "hello"
    assert service.requests == [make_request("hi", model="sim/echo")]


async def test_key_headers_and_limit() -> None:
    """The key and the headers of client and call go along; a call's own limit wins over the client's."""
    settings = {"api_key": "sk-1", "timeout_s": 50.0, "headers": {"X-A": "1", "x-b": "2"}}
    async with scripted_service(make_completion("")) as service, AsyncClient(service.target, **settings) as client:  # type: ignore[arg-type] # a dict of mixed values
        await client.create(make_request())
        first_limit_s = service.time_left_s
        await client.create(make_request(), timeout_s=5, headers={"x-b": "3"})
    assert first_limit_s is not None
    assert service.time_left_s is not None
    assert 5 < first_limit_s < 50.1
    assert service.time_left_s < 5.1
    assert [(sent["authorization"], sent["x-a"], sent["x-b"]) for sent in service.metadata] == [
        ("Bearer sk-1", "1", "2"),
        ("Bearer sk-1", "1", "3"),
    ]


async def test_a_failed_call() -> None:
    """A failure is raised in its class with its details; grpc's own error is its cause."""
    async with scripted_service(REFUSED) as service, AsyncClient(service.target) as client:
        with pytest.raises(InvalidRequestError) as caught:
            await client.create(make_request())
    assert caught.value.reason == "INVALID_REQUEST"
    assert [fault.field for fault in caught.value.faults] == ["model"]
    assert (caught.value.request_id, caught.value.generation_id) == ("req-1", "gen-1")
    assert isinstance(caught.value.__cause__, aio.AioRpcError)


async def test_stream() -> None:
    """Chunks come one by one, with or without a context around them."""
    async with scripted_service(*make_pieces("Hel", "lo")) as service, AsyncClient(service.target) as client:
        async with client.stream(model="sim/echo", messages=HELLO) as stream:
            inside = [text_of(chunk) async for chunk in stream]
        bare = [text_of(chunk) async for chunk in client.stream(make_request())]
    assert inside == bare == ["Hel", "lo"]


async def test_text_of_a_stream() -> None:
    """The text alone, without empty pieces."""
    async with scripted_service(*make_pieces("Hel", "", "lo")) as service, AsyncClient(service.target) as client:
        pieces = [piece async for piece in client.stream(make_request()).text()]
    assert pieces == ["Hel", "lo"]


async def test_a_stream_that_fails() -> None:
    """What came can be read, then the failure is raised."""
    async with scripted_service(*make_pieces("Hel"), BROKEN_OFF) as service, AsyncClient(service.target) as client:
        stream = client.stream(make_request())
        first = await anext(stream)
        with pytest.raises(ProviderError) as caught:
            await anext(stream)
    assert text_of(first) == "Hel"
    assert caught.value.provider == "acme"


async def test_leaving_the_context_cancels() -> None:
    """A stream that is left early is cancelled at the gateway, and ends for whoever reads it still."""
    async with scripted_service(*make_pieces("Hel"), 30.0) as service, AsyncClient(service.target) as client:
        async with client.stream(make_request()) as stream:
            await anext(stream)
        await asyncio.wait_for(service.left.wait(), CLOSED_WITHIN_S)
        rest = [chunk async for chunk in stream]
    assert rest == []


async def test_dropping_a_stream_cancels() -> None:
    """A loop that is left without a context cancels too, once nobody holds the stream."""
    async with scripted_service(*make_pieces("Hel"), 30.0) as service, AsyncClient(service.target) as client:
        async for _ in client.stream(make_request()):
            break
        await asyncio.wait_for(service.left.wait(), CLOSED_WITHIN_S)


async def test_leaving_the_text_cancels() -> None:
    """The text's generator closes the call when it is closed."""
    async with scripted_service(*make_pieces("Hel"), 30.0) as service, AsyncClient(service.target) as client:
        text = client.stream(make_request()).text()
        await anext(text)
        await text.aclose()
        await asyncio.wait_for(service.left.wait(), CLOSED_WITHIN_S)


async def test_closing_from_another_task() -> None:
    """A reader whose stream is closed by somebody else sees its end, not a cancellation of its own."""
    async with scripted_service(*make_pieces("Hel"), 30.0) as service, AsyncClient(service.target) as client:
        stream = client.stream(make_request())
        await anext(stream)
        reader = asyncio.create_task(anext(stream, None))
        await asyncio.sleep(0.05)
        await stream.aclose()
        assert await asyncio.wait_for(reader, CLOSED_WITHIN_S) is None


async def test_cancelling_the_task() -> None:
    """A cancelled task cancels its call, and stays cancelled."""
    async with scripted_service(30.0, make_completion("")) as service, AsyncClient(service.target) as client:
        task = asyncio.create_task(client.create(make_request()))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(service.left.wait(), CLOSED_WITHIN_S)


async def test_the_deadline() -> None:
    """A call whose time is over is DeadlineError, whoever noticed it."""
    async with scripted_service(30.0, make_completion("")) as service, AsyncClient(service.target) as client:
        with pytest.raises(DeadlineError):
            await client.create(make_request(), timeout_s=0.1)
        with pytest.raises(DeadlineError):
            await anext(client.stream(make_request(), timeout_s=0.1))


async def test_nobody_there() -> None:
    """Without a gateway the call is UnavailableError and may be tried again."""
    async with AsyncClient("127.0.0.1:1") as client:
        with pytest.raises(UnavailableError) as caught:
            await client.create(make_request())
    assert caught.value.retryable
    assert caught.value.reason == ""


async def test_models() -> None:
    """The models come as a list; filters are the fields of the request."""
    async with scripted_service(make_models("sim/echo", "sim/tools")) as service, AsyncClient(service.target) as client:
        models = await client.models(q="sim", limit=5)
    assert [model.id for model in models] == ["sim/echo", "sim/tools"]
    assert service.requests == [ListModelsRequest(q="sim", limit=5)]


async def test_models_that_fail() -> None:
    """A failed list is raised like a failed call."""
    async with scripted_service(REFUSED) as service, AsyncClient(service.target) as client:
        with pytest.raises(InvalidRequestError):
            await client.models()


async def test_explain() -> None:
    """The plan of a request comes as a message; a failure is raised like any."""
    plan = RoutePlan(requested_models=["sim/echo"], summary="One.")
    async with scripted_service(ExplainRouteResponse(data=plan)) as service, AsyncClient(service.target) as client:
        assert await client.explain(make_request()) == plan
        service.script = [REFUSED]
        with pytest.raises(InvalidRequestError):
            await client.explain(make_request())
    assert service.requests == [make_request(), make_request()]


async def test_nothing_is_sent_for_a_faulty_request() -> None:
    """A request that cannot be built never leaves."""
    async with scripted_service() as service, AsyncClient(service.target) as client:
        with pytest.raises(TypeError, match="temperature"):
            await client.create(temperature="hot")
        with pytest.raises(TypeError, match="temperature"):
            client.stream(temperature="hot")
        with pytest.raises(TypeError, match="limit"):
            await client.models(limit="many")
    assert service.requests == []


async def test_raw_stubs() -> None:
    """The generated stubs work on the client's channel."""
    async with scripted_service(make_completion("hello")) as service, AsyncClient(service.target) as client:
        completion = await chat_service_pb2_grpc.ChatServiceStub(client.channel).CreateChatCompletion(make_request())
    assert text_of(completion) == "hello"


async def test_a_channel_of_the_callers() -> None:
    """A given channel is used, and left open."""
    async with scripted_service(make_completion("hello")) as service, aio.insecure_channel(service.target) as channel:
        async with AsyncClient(channel=channel) as client:
            await client.create(make_request())
        assert await AsyncClient(channel=channel).create(make_request())


async def test_the_key_is_not_shown() -> None:
    """The client's own text holds no key."""
    async with AsyncClient("127.0.0.1:1", api_key="sk-secret") as client:
        assert "sk-secret" not in repr(client)
