# SPDX-License-Identifier: Apache-2.0
"""Unary RPCs over HTTP: requests from path, query and body, by descriptors alone."""

import json
import threading
from typing import Any

import pytest

from support.http_edge import CHAT, MINIMAL, FakeRpcs, RunningEdge, running_edge
from trunkline.v1 import chat_service_pb2
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletion
from trunkline.v1.model_service_pb2 import GetModelRequest, ListModelsRequest
from trunkline.v1.route_service_pb2 import ExplainRouteResponse, RoutePlan
from trunkline_server.core.errors import GatewayError
from trunkline_server.edge.http.rpc import RpcRoute, read_query, read_variables

EXPLAIN = "trunkline.v1.RouteService.ExplainRoute"
CHAT_SERVICE = chat_service_pb2.DESCRIPTOR.services_by_name["ChatService"]


@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
async def test_a_route_from_its_descriptor(base: str) -> None:
    """Query parameters become the request's fields, the response becomes the contract's JSON, below both bases."""
    rpcs = FakeRpcs([])
    async with running_edge(rpcs=rpcs.table()) as edge:
        answer = await edge.client.get(f"{base}/models?limit=3&q=free%20ones&output_modalities=text,image")
        assert answer.status == 200
        assert await answer.json() == {"object": "list", "data": [], "links": {"next": None}, "total_count": 0}
    asked, principal = rpcs.asked[0]
    assert asked == ListModelsRequest(limit=3, q="free ones", output_modalities="text,image")
    assert principal.name == "anonymous"


async def test_path_variables() -> None:
    """A slug with a colon is one variable, and a literal path goes before variables."""
    rpcs = FakeRpcs([])
    async with running_edge(rpcs=rpcs.table()) as edge:
        async with edge.client.get("/v1/model/sim/echo:free"):
            pass
        async with edge.client.get("/api/v1/models/count") as answer:
            assert await answer.json() == {"data": {"count": 7}}
    assert rpcs.asked[0][0] == GetModelRequest(author="sim", slug="echo:free")


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("limit=x", ["limit"]),
        ("limit=0", ["limit"]),
        ("limit=1.5", ["limit"]),
        ("limit=99999999999", ["limit"]),
        ("limit=1&limit=2", ["limit"]),
        ("color=red", ["color"]),
        ("limit=x&offset=-1&color=red", ["color", "limit", "offset"]),
        ("api_key=secret", ["api_key"]),
        ("limit.more=1", ["limit.more"]),
    ],
)
async def test_bad_queries(edge: RunningEdge, query: str, fields: list[str]) -> None:
    """A query is held to the contract as a body is: every fault with its field."""
    async with edge.client.get(f"/v1/models?{query}") as answer:
        assert answer.status == 400
        faults = (await answer.json())["error"]["metadata"]["faults"]
    assert sorted({fault["field"].removeprefix('["').removesuffix('"]') for fault in faults}) == fields


@pytest.mark.parametrize("query", [b"q=%ff", b"&".join([b"q=1"] * 101), b"q=\xff"])
async def test_queries_that_are_none(edge: RunningEdge, query: bytes) -> None:
    """What is no UTF-8, or too many parameters, is a 400."""
    head = b"GET /v1/models?" + query + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert (await edge.raw(head)).startswith(b"HTTP/1.1 400 ")


async def test_a_variable_is_given_once(edge: RunningEdge) -> None:
    """A field of the path cannot be set by the query too."""
    async with edge.client.get("/v1/model/sim/echo?slug=other") as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["metadata"]["faults"][0]["field"] == "slug"


async def test_an_unexpected_failure_is_masked(edge: RunningEdge, caplog: pytest.LogCaptureFixture) -> None:
    """A bug is a 500 without its words; the log has them under the request id."""
    async with edge.client.get("/v1/model/sim/echo", headers={"x-request-id": "req-mine"}) as answer:
        assert answer.status == 500
        assert (answer.headers["x-request-id"], "secret" in await answer.text()) == ("req-mine", False)
    assert "req-mine" in caplog.text
    assert "the secret is 42" in caplog.text


async def answer_chat(request: object, _principal: object) -> ChatCompletion:
    """An RPC with a body: answers with the model asked for."""
    assert isinstance(request, ChatCompletionRequest)
    return ChatCompletion(id="gen-1", model=request.model)


async def test_an_rpc_with_a_body() -> None:
    """Where the rule says `body: "*"` the body is the request; another annotated RPC is served by adding it to the table."""
    async with running_edge(rpcs={f"{CHAT_SERVICE.full_name}.CreateChatCompletion": answer_chat}) as edge:
        path = "/v1/typed/chat/completions"
        async with edge.client.post(path, json=MINIMAL) as answer:
            assert (await answer.json())["model"] == "acme/one"
        async with edge.client.post(f"{path}?temperature=0.5&parallel_tool_calls=maybe", json=MINIMAL) as answer:
            assert [fault["field"] for fault in (await answer.json())["error"]["metadata"]["faults"]] == [
                "parallel_tool_calls"
            ]
        for body in (b"{", b"[]", b""):
            async with edge.client.post(path, data=body, headers={"Content-Type": "application/json"}) as answer:
                assert answer.status == 400


@pytest.mark.parametrize(("size", "beside"), [(10, False), (100_000, True)], ids=["small", "large"])
async def test_large_bodies_are_read_beside_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, size: int, beside: bool
) -> None:
    """A body that takes long to decode holds up nobody else's call."""
    threads, read = [], RpcRoute._read

    def note(*arguments: Any) -> Any:
        threads.append(threading.get_ident())
        return read(*arguments)

    monkeypatch.setattr(RpcRoute, "_read", note)
    body = {**MINIMAL, "messages": [{"role": "user", "content": "x" * size}]}
    async with (
        running_edge(rpcs={EXPLAIN: explain}) as edge,
        edge.client.post("/v1/route/explain", json=body) as answer,
    ):
        assert answer.status == 200
    assert [thread != threading.get_ident() for thread in threads] == [beside]


async def explain(request: object, _principal: object) -> ExplainRouteResponse:
    """An RPC that takes a chat request: answers with the model and the session asked for."""
    assert isinstance(request, ChatCompletionRequest)
    return ExplainRouteResponse(data=RoutePlan(requested_models=[request.model], summary=request.session_id))


@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
@pytest.mark.parametrize(
    ("fields", "headers", "session"),
    [({}, {}, ""), ({}, {"x-session-id": "head"}, "head"), ({"session_id": "body"}, {"x-session-id": "head"}, "body")],
    ids=["none", "header", "body"],
)
async def test_a_session_of_the_headers(
    base: str, fields: dict[str, str], headers: dict[str, str], session: str
) -> None:
    """An RPC that takes a chat request finds the header's session in it, as a chat does; the body's wins."""
    async with (
        running_edge(rpcs={EXPLAIN: explain}) as edge,
        edge.client.post(f"{base}/route/explain", json={**MINIMAL, **fields}, headers=headers) as answer,
    ):
        data = (await answer.json())["data"]
    assert (data["requested_models"], data["summary"]) == (["acme/one"], session)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {}),
        (b"{", {}),
        (b"[]", {}),
        (b'{"model": 5, "messages": []}', {}),
        (b'{"messages": [], "api_base": "http://x"}', {}),
        (json.dumps(MINIMAL).encode(), {"x-session-id": "x" * 257}),
    ],
    ids=["empty", "no JSON", "no object", "faults", "a refused name", "a session too long"],
)
async def test_a_chat_request_fails_alike(body: bytes, headers: dict[str, str]) -> None:
    """An RPC that takes a chat request refuses what a chat refuses, in the same words."""
    told = []
    async with running_edge(rpcs={EXPLAIN: explain}) as edge:
        for path in (CHAT, "/v1/route/explain"):
            sent = {"content-type": "application/json", **headers}
            async with edge.client.post(path, data=body, headers=sent) as answer:
                told.append((answer.status, await answer.json()))
    assert told[0] == told[1]
    assert told[0][0] == 400


async def test_only_a_post_explains() -> None:
    """The path says which methods it has, and asks for a key as all others do."""
    async with running_edge(rpcs={EXPLAIN: explain}, keys=["sk-test"]) as edge:
        async with edge.client.get("/v1/route/explain") as answer:
            assert (answer.status, answer.headers["allow"]) == (405, "OPTIONS, POST")
        async with edge.client.post("/v1/route/explain", json=MINIMAL) as answer:
            assert answer.status == 401


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("temperature=0.5&max_tokens=7&stream=true", {"temperature": 0.5, "max_tokens": 7, "stream": True}),
        ("temperature=nan&max_tokens=7.5&stream=1", {"temperature": "nan", "max_tokens": "7.5", "stream": "1"}),
        ("stop=a&stop=b", {"stop": ["a", "b"]}),
        ("reasoning.effort=high&reasoning.max_tokens=5", {"reasoning": {"effort": "high", "max_tokens": 5}}),
        ("reasoning.none=1", {"reasoning": {"none": "1"}}),
        ("model.x=1", {"model.x": "1"}),
        ("user=", {"user": ""}),
        ("", {}),
    ],
)
def test_read_query(query: str, expected: dict[str, object]) -> None:
    """Each parameter becomes JSON of its field's type; text that is none stays text for the codec to refuse."""
    value: dict[str, object] = {}
    read_query(ChatCompletionRequest.DESCRIPTOR, query, value)
    assert value == expected


@pytest.mark.parametrize("query", ["model=a", "stop=a", "reasoning.effort=low"])
def test_a_query_does_not_override_the_body(query: str) -> None:
    """What the body says stands: a second word for it is a fault, or joins nothing it could corrupt."""
    value: dict[str, object] = {"model": "b", "stop": "x", "reasoning": {"effort": "high"}}
    with pytest.raises(GatewayError, match="given once"):
        read_query(ChatCompletionRequest.DESCRIPTOR, query, value)
    assert json.dumps(value) == '{"model": "b", "stop": "x", "reasoning": {"effort": "high"}}'


def test_read_variables() -> None:
    """A variable may be a field of a message inside."""
    value: dict[str, object] = {}
    read_variables(ChatCompletionRequest.DESCRIPTOR, {"reasoning.max_tokens": "5", "model": "a:b"}, value)
    assert value == {"reasoning": {"max_tokens": 5}, "model": "a:b"}
