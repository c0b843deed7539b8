# SPDX-License-Identifier: Apache-2.0
"""Client against an in-process service, in a thread of its own as its users have it."""

import asyncio

import grpc
import pytest

from support.builders import make_request
from support.chat_service import ScriptedService, make_completion, make_models, make_pieces, scripted_service
from trunkline import ChunkStream, Client, DeadlineError, InvalidRequestError, ProviderError, UnavailableError, text_of
from trunkline.v1 import chat_service_pb2_grpc
from trunkline.v1.chat_response_pb2 import ChatCompletionChunk
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


async def left(service: ScriptedService) -> bool:
    """Wait until the service has noticed that the client left."""
    return await asyncio.wait_for(service.left.wait(), CLOSED_WITHIN_S)


async def test_create() -> None:
    """Fields by keyword go out as the contract's message with key, headers and limit; the answer comes back as one."""
    async with scripted_service(make_completion("hello")) as service:
        with Client(service.target, api_key="sk-1", timeout_s=50, headers={"X-A": "1"}) as client:
            completion = await asyncio.to_thread(client.create, model="sim/echo", messages=HELLO, headers={"x-b": "2"})
    [sent] = service.metadata
    assert text_of(completion) == "hello"
    assert service.requests == [make_request("hi", model="sim/echo")]
    assert (sent["authorization"], sent["x-a"], sent["x-b"]) == ("Bearer sk-1", "1", "2")
    assert service.time_left_s is not None
    assert service.time_left_s < 50.1


async def test_a_failed_call() -> None:
    """A failure is raised in its class with its details; grpc's own error is its cause."""
    async with scripted_service(REFUSED) as service:
        with Client(service.target) as client, pytest.raises(InvalidRequestError) as caught:
            await asyncio.to_thread(client.create, make_request())
    assert caught.value.reason == "INVALID_REQUEST"
    assert [fault.field for fault in caught.value.faults] == ["model"]
    assert (caught.value.request_id, caught.value.generation_id) == ("req-1", "gen-1")
    assert isinstance(caught.value.__cause__, grpc.RpcError)


async def test_stream() -> None:
    """Chunks come one by one, with or without a context around them."""

    def read(client: Client) -> tuple[list[str], list[str]]:
        with client.stream(model="sim/echo", messages=HELLO) as stream:
            inside = [text_of(chunk) for chunk in stream]
        return inside, [text_of(chunk) for chunk in client.stream(make_request())]

    async with scripted_service(*make_pieces("Hel", "lo")) as service:
        with Client(service.target) as client:
            assert await asyncio.to_thread(read, client) == (["Hel", "lo"], ["Hel", "lo"])


async def test_text_of_a_stream() -> None:
    """The text alone, without empty pieces."""
    async with scripted_service(*make_pieces("Hel", "", "lo")) as service:
        with Client(service.target) as client:
            assert await asyncio.to_thread(lambda: list(client.stream(make_request()).text())) == ["Hel", "lo"]


async def test_a_stream_that_fails() -> None:
    """What came can be read, then the failure is raised."""
    async with scripted_service(*make_pieces("Hel"), BROKEN_OFF) as service:
        with Client(service.target) as client:
            stream = client.stream(make_request())
            first = await asyncio.to_thread(next, stream)
            with pytest.raises(ProviderError) as caught:
                await asyncio.to_thread(next, stream)
    assert text_of(first) == "Hel"
    assert caught.value.provider == "acme"


async def test_leaving_the_context_cancels() -> None:
    """A stream that is left early is cancelled at the gateway, and has ended for whoever reads on."""

    def read_one(client: Client) -> ChunkStream:
        with client.stream(make_request()) as stream:
            next(stream)
        return stream

    async with scripted_service(*make_pieces("Hel"), 30.0) as service:
        with Client(service.target) as client:
            stream = await asyncio.to_thread(read_one, client)
            assert await left(service)
            assert await asyncio.to_thread(list, stream) == []


async def test_dropping_a_stream_cancels() -> None:
    """A loop that is left without a context cancels too, once nobody holds the stream."""

    def read_one(client: Client) -> ChatCompletionChunk:
        return next(client.stream(make_request()))

    async with scripted_service(*make_pieces("Hel"), 30.0) as service:
        with Client(service.target) as client:
            await asyncio.to_thread(read_one, client)
            assert await left(service)


async def test_leaving_the_text_cancels() -> None:
    """The text's generator closes the call when it is left."""

    def read_one(client: Client) -> str:
        return next(client.stream(make_request()).text())

    async with scripted_service(*make_pieces("Hel"), 30.0) as service:
        with Client(service.target) as client:
            assert await asyncio.to_thread(read_one, client) == "Hel"
            assert await left(service)


async def test_closing_from_another_thread() -> None:
    """A reader whose stream is closed by somebody else sees its end."""
    async with scripted_service(*make_pieces("Hel"), 30.0) as service:
        with Client(service.target) as client:
            stream = client.stream(make_request())
            await asyncio.to_thread(next, stream)
            reader = asyncio.create_task(asyncio.to_thread(next, stream, None))
            await asyncio.sleep(0.05)
            stream.close()
            assert await asyncio.wait_for(reader, CLOSED_WITHIN_S) is None


async def test_the_deadline() -> None:
    """A call whose time is over is DeadlineError, whoever noticed it."""
    async with scripted_service(30.0, make_completion("")) as service:
        with Client(service.target, timeout_s=0.1) as client:
            with pytest.raises(DeadlineError):
                await asyncio.to_thread(client.create, make_request())
            with pytest.raises(DeadlineError):
                await asyncio.to_thread(next, client.stream(make_request()))


def test_nobody_there() -> None:
    """Without a gateway the call is UnavailableError and may be tried again."""
    with Client("127.0.0.1:1") as client, pytest.raises(UnavailableError) as caught:
        client.create(make_request())
    assert caught.value.retryable
    assert caught.value.reason == ""


async def test_models() -> None:
    """The models come as a list; filters are the fields of the request; a failure is raised like any."""
    async with scripted_service(make_models("sim/echo", "sim/tools")) as service:
        with Client(service.target) as client:
            models = await asyncio.to_thread(client.models, q="sim", limit=5)
            service.script = [REFUSED]
            with pytest.raises(InvalidRequestError):
                await asyncio.to_thread(client.models)
    assert [model.id for model in models] == ["sim/echo", "sim/tools"]
    assert service.requests == [ListModelsRequest(q="sim", limit=5), ListModelsRequest()]


async def test_explain() -> None:
    """The plan of a request comes as a message; a failure is raised like any."""
    plan = RoutePlan(requested_models=["sim/echo"], summary="One.")
    async with scripted_service(ExplainRouteResponse(data=plan)) as service:
        with Client(service.target) as client:
            told = await asyncio.to_thread(
                client.explain, model="sim/echo", messages=HELLO, headers={"x-session-id": "s"}
            )
            service.script = [REFUSED]
            with pytest.raises(InvalidRequestError):
                await asyncio.to_thread(client.explain, make_request())
    assert told == plan
    assert service.requests == [make_request("hi", model="sim/echo"), make_request()]
    assert service.metadata[0]["x-session-id"] == "s"


def test_nothing_is_sent_for_a_faulty_request() -> None:
    """A request that cannot be built is refused before any connection."""
    with Client("127.0.0.1:1") as client:
        with pytest.raises(TypeError, match="temperature"):
            client.create(temperature="hot")
        with pytest.raises(TypeError, match="temperature"):
            client.stream(temperature="hot")
        with pytest.raises(TypeError, match="limit"):
            client.models(limit="many")


async def test_raw_stubs() -> None:
    """The generated stubs work on the client's channel."""
    async with scripted_service(make_completion("hello")) as service:
        with Client(service.target) as client:
            stub = chat_service_pb2_grpc.ChatServiceStub(client.channel)
            completion = await asyncio.to_thread(stub.CreateChatCompletion, make_request())
    assert text_of(completion) == "hello"


async def test_a_channel_of_the_callers() -> None:
    """A given channel is used, and left open."""
    async with scripted_service(make_completion("hello")) as service:
        with grpc.insecure_channel(service.target) as channel:
            with Client(channel=channel) as client:
                await asyncio.to_thread(client.create, make_request())
            assert await asyncio.to_thread(Client(channel=channel).create, make_request())


async def test_several_threads_share_a_client() -> None:
    """Calls from several threads at once do not disturb one another."""
    async with scripted_service(0.1, make_completion("hello")) as service:
        with Client(service.target) as client:
            calls = [asyncio.to_thread(client.create, make_request()) for _ in range(4)]
            answers = await asyncio.gather(*calls)
    assert [text_of(answer) for answer in answers] == ["hello"] * 4
