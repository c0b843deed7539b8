# SPDX-License-Identifier: Apache-2.0
"""Each reason of the error vocabulary on all its ways out: both wires, whole and streamed, before and after the first content, and the record.

The call goes through the real engine and the real edges. Its first provider is overloaded; the second fails for the reason at hand, with all details that
a failure can carry.
"""

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc import aio

from support import grpc_edge, http_edge
from support.builders import MODEL, make_request, make_role_chunk, make_text_chunk
from support.playbook import Play, Stage, fail, say
from trunkline.v1 import error_pb2
from trunkline.v1.chat_response_pb2 import FinishReason
from trunkline.v1.chat_service_pb2_grpc import ChatServiceStub
from trunkline.v1.error_pb2 import ErrorReason, Recourse
from trunkline.v1.router_metadata_pb2 import RouterMetadata
from trunkline_server.core.call import Call
from trunkline_server.core.errors import ERROR_SHAPES, FieldFault, GatewayError, Unavailability, reason_name
from trunkline_server.core.ports import Batch
from trunkline_server.core.record import Generation
from trunkline_server.edge.grpc import GrpcEdge, GrpcEdgeOptions
from trunkline_server.edge.http import HttpEdge, HttpEdgeOptions
from trunkline_server.telemetry.call_log import CallLog

Reason = ErrorReason.ValueType
REASONS = [Reason(number) for number in ERROR_SHAPES]
BEGUN = say(make_role_chunk(), make_text_chunk("hel"))
SECRET = "what only the log may know"
FIELD = "messages[0].content"
# The first provider's wait, and the second's.
SHORT_WAIT_S, LONG_WAIT_S = 3.2, 7.5
MASKED_MESSAGE = "Internal error. The request id finds the cause in the gateway's log."


@dataclass(slots=True)
class Stages:
    """The gateway of both edges: an engine for each call, since one remembers how its endpoints fared."""

    stage: Stage = field(default_factory=Stage)

    def run(self, call: Call) -> AsyncGenerator[Batch, None]:
        """The answer of the engine of the moment."""
        return self.stage.engine.run(call)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlets:
    """One gateway behind both edges, and a client on each wire."""

    stages: Stages
    http: aiohttp.ClientSession
    stub: ChatServiceStub

    def script(self, reason: Reason, *, begun: bool) -> None:
        """The next call fails for the reason, after a few letters where it has begun."""
        overloaded = fail(ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED, retry_after_s=SHORT_WAIT_S)
        self.stages.stage = Stage(
            first=[Play(overloaded, head=False)], second=[Play(*([BEGUN] if begun else []), make_failure(reason))]
        )

    @property
    def record(self) -> Generation:
        """The record of the last call."""
        return self.stages.stage.records[-1]


def make_failure(reason: Reason) -> GatewayError:
    """A failure with everything that a failure can carry."""
    return GatewayError(
        reason,
        SECRET,
        faults=[FieldFault(field=FIELD, description="no good")],
        provider_code="own_code",
        retry_after_s=LONG_WAIT_S,
        unavailability=Unavailability(
            requested_models=[MODEL], fallback_models=["acme/two"], excluded_by=["max_price"], constraint="max_price"
        ),
    )


def earlier(reason: Reason, *, begun: bool) -> list[tuple[str, Reason]]:
    """The failures before the last: the first provider's, and the second's where it was asked twice, which it is before content by reasons that allow it."""
    twice = not begun and ERROR_SHAPES[reason].recourse == Recourse.RECOURSE_RETRY
    return [("first", ErrorReason.ERROR_REASON_PROVIDER_OVERLOADED), *([("second", reason)] if twice else [])]


def told(reason: Reason, *, begun: bool) -> dict[str, Any]:
    """The `error` that JSON clients read, in full."""
    shape = ERROR_SHAPES[reason]
    if shape.masked:
        return {"code": shape.http_status, "message": MASKED_MESSAGE, "metadata": {"error_type": shape.error_type}}
    metadata = {
        "error_type": shape.error_type,
        "reason": reason_name(reason),
        "provider_name": "Second",
        "provider_code": "own_code",
        "faults": [{"field": FIELD, "description": "no good"}],
        "previous_errors": [
            {"provider": provider, "code": ERROR_SHAPES[why].error_type, "status": ERROR_SHAPES[why].http_status}
            for provider, why in earlier(reason, begun=begun)
        ],
    }
    availability = {
        "code": shape.availability_code,
        "retryable": shape.retryable,
        "requested_models": [MODEL],
        "retry_after": wait_s(reason),
        "fallback_models": ["acme/two"],
        "excluded_by": ["max_price"],
        "constraint": "max_price",
    }
    body = {"code": shape.http_status, "message": SECRET, "metadata": metadata}
    return {**body, "availability": availability} if shape.availability_code else body


def wait_s(reason: Reason) -> float:
    """The least wait among the attempts; where nothing is gained by waiting, the first provider's does not count."""
    return SHORT_WAIT_S if ERROR_SHAPES[reason].retryable else LONG_WAIT_S


def advice(reason: Reason) -> Mapping[str, str]:
    """The headers that a reason's status brings along."""
    if ERROR_SHAPES[reason].http_status in (429, 503):
        return {"retry-after": "4"}
    return {"www-authenticate": "Bearer"} if ERROR_SHAPES[reason].http_status == 401 else {}


@pytest.fixture(scope="module")
async def outlets() -> AsyncIterator[Outlets]:
    """Both edges on ports of their own."""
    stages = Stages()
    web = HttpEdge(
        gateway=stages,
        admission=http_edge.make_admission(),
        codec=http_edge.make_codec(),
        unary_rpcs={},
        options=HttpEdgeOptions(),
    )
    rpc = GrpcEdge(
        gateway=stages,
        admission=grpc_edge.make_admission(),
        codec=http_edge.make_codec(),
        unary_rpcs={},
        options=GrpcEdgeOptions(),
    )
    port, target = await web.start("127.0.0.1", 0), f"127.0.0.1:{await rpc.start('127.0.0.1', 0)}"
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http, aio.insecure_channel(target) as channel:
        yield Outlets(stages=stages, http=http, stub=ChatServiceStub(channel))
    await web.stop(0)
    await rpc.drain(0)


def check_ids(found: Mapping[str, Any], record: Generation) -> None:
    """The ids of an answer are those of its record."""
    assert (found["x-generation-id"], found["x-request-id"]) == (record.generation_id, record.request_id)


def check_record(record: Generation, reason: Reason, caplog: pytest.LogCaptureFixture, *, begun: bool) -> None:
    """The record and its line in the log name the reason and the attempt before; the record has what the caller was told."""
    caplog.set_level(logging.INFO)
    CallLog().keep(record)
    name = reason_name(reason)
    assert (record.status, record.provider) == (name, "second")
    assert http_edge.make_codec().encode(record.error) == told(reason, begun=begun)
    before = earlier(reason, begun=begun)
    assert [(attempt.provider, attempt.reason) for attempt in record.attempts] == before
    assert f"status={name}" in caplog.messages[-1].split()
    failed = ",".join(f"{provider}:{reason_name(why)}" for provider, why in before)
    assert f"failed={failed}" in caplog.messages[-1].replace('"', "").split()
    assert (SECRET in caplog.text) is ERROR_SHAPES[reason].masked


def check_status(error: aio.AioRpcError, reason: Reason, record: Generation, *, begun: bool) -> None:
    """The status, its message and each of its details."""
    shape, masked = ERROR_SHAPES[reason], ERROR_SHAPES[reason].masked
    assert (error.code().value[0], error.details()) == (shape.grpc_code, MASKED_MESSAGE if masked else SECRET)
    check_ids(dict(error.trailing_metadata()), record)
    details: dict[type[Message], Any] = {type(detail): detail for detail in grpc_edge.details_of(error)}
    info = details.pop(error_details_pb2.ErrorInfo)
    marks = {
        "httpStatus": str(shape.http_status),
        "errorType": shape.error_type,
        "retryable": str(shape.retryable).lower(),
        "availabilityCode": shape.availability_code,
        "provider": "" if masked else "Second",
        "providerCode": "" if masked else "own_code",
        "requestId": record.request_id,
        "generationId": record.generation_id,
    }
    assert (info.domain, info.reason) == ("trunkline", reason_name(reason))
    assert dict(info.metadata) == {name: mark for name, mark in marks.items() if mark}
    assert details.pop(error_details_pb2.RequestInfo).request_id == record.request_id
    assert details.pop(error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() == wait_s(reason) * 1000
    quota = details.pop(error_details_pb2.QuotaFailure, None)
    assert (quota is not None) is (shape.http_status in (402, 429))
    if not masked:
        violations = details.pop(error_details_pb2.BadRequest).field_violations
        assert [(violation.field, violation.description) for violation in violations] == [(FIELD, "no good")]
        body = details.pop(error_pb2.ErrorBody)
        assert [failure.provider for failure in body.metadata.previous_errors] == [
            provider for provider, _ in earlier(reason, begun=begun)
        ]
        assert body.availability.code == shape.availability_code
    assert details == {}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("reason", REASONS, ids=reason_name)
async def test_http_before_the_first_content(
    outlets: Outlets, reason: Reason, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The status of the reason, the whole body, the headers: the same for a stream."""
    outlets.script(reason, begun=False)
    async with outlets.http.post(http_edge.CHAT, json={**http_edge.MINIMAL, "stream": stream}) as answer:
        assert (answer.status, answer.content_type) == (ERROR_SHAPES[reason].http_status, "application/json")
        assert await answer.json() == {"error": told(reason, begun=False)}
        names = ("retry-after", "www-authenticate")
        assert {name: answer.headers[name] for name in names if name in answer.headers} == advice(reason)
        check_ids(answer.headers, outlets.record)
    check_record(outlets.record, reason, caplog, begun=False)


@pytest.mark.parametrize("reason", REASONS, ids=reason_name)
async def test_http_whole_after_content(outlets: Outlets, reason: Reason, caplog: pytest.LogCaptureFixture) -> None:
    """200 with what came, the error beside it."""
    outlets.script(reason, begun=True)
    async with outlets.http.post(http_edge.CHAT, json=http_edge.MINIMAL) as answer:
        assert answer.status == 200
        body = await answer.json()
        check_ids(answer.headers, outlets.record)
    (choice,) = body["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("hel", "error")
    assert body["error"] == told(reason, begun=True)
    check_record(outlets.record, reason, caplog, begun=True)


@pytest.mark.parametrize("reason", REASONS, ids=reason_name)
async def test_http_stream_after_content(outlets: Outlets, reason: Reason, caplog: pytest.LogCaptureFixture) -> None:
    """The content, then one event that has the error and an end for the choice, and nothing more."""
    outlets.script(reason, begun=True)
    async with outlets.http.post(http_edge.CHAT, json=http_edge.STREAMED) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        *content, last, rest = (await answer.text()).split("\n\n")
        check_ids(answer.headers, outlets.record)
    deltas = [json.loads(event.removeprefix("data: "))["choices"][0]["delta"] for event in content]
    assert "".join(delta.get("content", "") for delta in deltas) == "hel"
    assert json.loads(last.removeprefix("data: ")) == {
        "id": outlets.record.generation_id,
        "object": "chat.completion.chunk",
        "created": 1000,
        "model": MODEL,
        "provider": "Second",
        "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
        "error": told(reason, begun=True),
    }
    assert rest == ""
    check_record(outlets.record, reason, caplog, begun=True)


@pytest.mark.parametrize("reason", REASONS, ids=reason_name)
async def test_grpc_before_the_first_content(
    outlets: Outlets, reason: Reason, caplog: pytest.LogCaptureFixture
) -> None:
    """The status with all its details, unary and streamed alike."""
    outlets.script(reason, begun=False)
    with pytest.raises(aio.AioRpcError) as caught:
        await outlets.stub.CreateChatCompletion(make_request())
    check_status(caught.value, reason, outlets.record, begun=False)
    outlets.script(reason, begun=False)
    with pytest.raises(aio.AioRpcError) as caught:
        await outlets.stub.StreamChatCompletion(make_request()).read()
    check_status(caught.value, reason, outlets.record, begun=False)
    check_record(outlets.record, reason, caplog, begun=False)


@pytest.mark.parametrize("reason", REASONS, ids=reason_name)
async def test_grpc_unary_after_content(outlets: Outlets, reason: Reason, caplog: pytest.LogCaptureFixture) -> None:
    """OK with what came, the error beside it, the ids in the trailer."""
    outlets.script(reason, begun=True)
    call = outlets.stub.CreateChatCompletion(make_request())
    answer = await call
    (choice,) = answer.choices
    assert await call.code() is grpc.StatusCode.OK
    assert (choice.message.content[0].text, choice.finish_reason) == ("hel", FinishReason.FINISH_REASON_ERROR)
    assert http_edge.make_codec().encode(answer.error) == told(reason, begun=True)
    check_ids(dict(await call.trailing_metadata()), outlets.record)
    check_record(outlets.record, reason, caplog, begun=True)


@pytest.mark.parametrize("reason", REASONS, ids=reason_name)
async def test_grpc_stream_after_content(outlets: Outlets, reason: Reason, caplog: pytest.LogCaptureFixture) -> None:
    """The content, no error among it, then the status."""
    outlets.script(reason, begun=True)
    call = outlets.stub.StreamChatCompletion(make_request())
    chunks = [await call.read(), await call.read()]
    with pytest.raises(aio.AioRpcError) as caught:
        await call.read()
    assert "".join(choice.delta.content for chunk in chunks for choice in chunk.choices) == "hel"
    assert not any(chunk.HasField("error") for chunk in chunks)
    check_status(caught.value, reason, outlets.record, begun=True)
    check_record(outlets.record, reason, caplog, begun=True)


@pytest.mark.parametrize("reason", REASONS, ids=reason_name)
async def test_the_route_for_who_asks(outlets: Outlets, reason: Reason) -> None:
    """The attempts of a failed call with their statuses, on both wires; nothing beside a masked failure."""
    header = {"x-openrouter-metadata": "enabled"}
    outlets.script(reason, begun=False)
    async with outlets.http.post(http_edge.CHAT, json=http_edge.MINIMAL, headers=header) as answer:
        route = (await answer.json()).get("openrouter_metadata")
    outlets.script(reason, begun=False)
    with pytest.raises(aio.AioRpcError) as caught:
        await outlets.stub.CreateChatCompletion(make_request(), metadata=tuple(header.items()))
    details = [detail for detail in grpc_edge.details_of(caught.value) if isinstance(detail, RouterMetadata)]
    shape = ERROR_SHAPES[reason]
    assert (route is None, details == []) == (shape.masked, shape.masked)
    if not shape.masked:
        failures = [*earlier(reason, begun=False), ("second", reason)]
        tried = [(provider.capitalize(), ERROR_SHAPES[why].http_status) for provider, why in failures]
        assert [(attempt["provider"], attempt["status"]) for attempt in route["attempts"]] == tried
        assert [http_edge.make_codec().encode(detail) for detail in details] == [route]


ANSWERS: dict[str, tuple[str, str, dict[str, Any], int]] = {
    # name -> method, path, what else aiohttp is told, status
    "no such path": ("GET", "/v1/nothing", {}, 404),
    "no such method": ("DELETE", http_edge.CHAT, {}, 405),
    "the methods of a path": ("OPTIONS", http_edge.CHAT, {}, 204),
    "no key": ("POST", http_edge.CHAT, {"json": http_edge.MINIMAL}, 401),
    "a wrong key": ("POST", http_edge.CHAT, {"json": {}, "headers": {"authorization": "Bearer sk-no"}}, 401),
    "no JSON": ("POST", http_edge.CHAT, {"data": b"{", "headers": {"authorization": "Bearer sk-test"}}, 400),
    "a body too large": (
        "POST",
        http_edge.CHAT,
        {"data": b"x" * 99, "headers": {"authorization": "Bearer sk-test"}},
        413,
    ),
    "a bug": ("GET", "/v1/model/a/b", {"headers": {"authorization": "Bearer sk-test"}}, 500),
    "health": ("GET", "/healthz", {}, 200),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_every_answer_has_ids(name: str) -> None:
    """Whatever is asked over HTTP, the answer has both ids, the caller's own request id among them; a failure has the contract's body."""
    method, path, rest, status = ANSWERS[name]
    async with http_edge.running_edge(keys=[http_edge.KEY], max_body_bytes=64) as edge:
        headers = {"content-type": "application/json", "x-request-id": "mine", **rest.get("headers", {})}
        async with edge.client.request(method, path, **{**rest, "headers": headers}) as answer:
            assert answer.status == status
            assert answer.headers["x-generation-id"].startswith("gen-")
            assert answer.headers["x-request-id"] == "mine"
            assert status < 400 or (await answer.json())["error"]["code"] == status


async def test_bytes_that_are_no_request_get_ids() -> None:
    """Even the refusal of bytes that are no HTTP has ids of its own."""
    async with http_edge.running_edge() as edge:
        head = (await edge.raw(b"hello\r\n\r\n")).lower()
    assert head.startswith(b"http/1.1 400")
    assert b"\r\nx-generation-id: gen-" in head
    assert b"\r\nx-request-id: req-" in head


@pytest.mark.parametrize(
    ("method", "code"),
    [
        (grpc_edge.CREATE, grpc.StatusCode.UNAUTHENTICATED),
        (grpc_edge.LIST_MODELS, grpc.StatusCode.UNAUTHENTICATED),
        ("/trunkline.v1.ChatService/NoSuch", grpc.StatusCode.UNIMPLEMENTED),
    ],
)
async def test_every_status_has_ids(method: str, code: grpc.StatusCode) -> None:
    """A call over gRPC that is refused before anything is done has the request id in its trailer."""
    async with grpc_edge.running_edge(admission=grpc_edge.make_admission(grpc_edge.KEY)) as edge:
        with pytest.raises(aio.AioRpcError) as caught:
            await edge.channel.unary_unary(method)(b"", metadata=[("x-request-id", "mine")])
    assert caught.value.code() is code
    assert dict(caught.value.trailing_metadata())["x-request-id"] == "mine"
