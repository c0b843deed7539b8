# SPDX-License-Identifier: Apache-2.0
"""Chat completions: whole answers, what reaches the gateway, a table of bad inputs."""

import asyncio
import json

import pytest

from support.http_edge import CHAT, KEY, MINIMAL, STREAMED, RunningEdge, make_last_batch, make_text_batch, running_edge
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError

JSON_BODY = {"Content-Type": "application/json"}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/v1/chat/completions"])
async def test_a_whole_answer(edge: RunningEdge, path: str) -> None:
    """Without `stream` the answer is one JSON object: the fold of the stream."""
    async with edge.client.post(path, json=MINIMAL) as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        body = await answer.json()
    assert body["choices"][0]["message"]["content"] == "hello there"
    assert (body["object"], body["provider"], body["usage"]["total_tokens"]) == ("chat.completion", "Acme", 15)
    assert body["system_fingerprint"] is None


@pytest.mark.parametrize(
    ("stream", "kind"), [(True, "text/event-stream"), (False, "application/json"), (None, "application/json")]
)
async def test_stream_switches(edge: RunningEdge, stream: bool | None, kind: str) -> None:
    """The field `stream` alone chooses; null counts as absent."""
    async with edge.client.post(CHAT, json={**MINIMAL, "stream": stream}) as answer:
        assert answer.content_type == kind
    assert edge.gateway.calls[0].streamed is bool(stream)


async def test_the_call_that_reaches_the_gateway() -> None:
    """Ids, principal and what the headers say."""
    async with running_edge([make_last_batch()], keys=[KEY]) as edge:
        headers = {
            "Authorization": f"Bearer {KEY}",
            "X-Request-Id": "mine",
            "X-Session-Id": "s-1",
            "X-Request-Timeout": "7",
            "X-OpenRouter-Metadata": "enabled",
        }
        async with edge.client.post(CHAT, json=MINIMAL, headers=headers) as answer:
            generation_id = answer.headers["X-Generation-Id"]
            assert answer.headers["X-Request-Id"] == "mine"
    call = edge.gateway.calls[0]
    assert (call.generation_id, call.request_id, call.principal.name) == (generation_id, "mine", "key-0")
    assert (call.wire, call.session_id, call.deadline_s, call.wants_router_metadata) == ("http", "s-1", 1007.0, True)
    assert call.request.model == "acme/one"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, ""),
        (b"null", 400, ""),
        (b"[]", 400, ""),
        (b'"x"', 400, ""),
        (b"{", 400, ""),
        (b"{} {}", 400, ""),
        (b'{"a":1,}', 400, ""),
        (b"\xef\xbb\xbf{}", 400, ""),
        ("{}".encode("utf-16"), 400, ""),
        (b'{"messages":"\xff"}', 400, ""),
        (b'{"temperature":NaN}', 400, ""),
        (b'{"temperature":1e999}', 400, ""),
        (b'{"model":"\\ud800"}', 400, ""),
        (b"[" * 100_000, 400, ""),
        (b"{}", 400, "messages"),
        (b'{"messages":[]}', 400, "messages"),
        (b'{"messages":"hi"}', 400, "messages"),
        (b'{"messages":[{"role":"user"}]}', 400, "messages[0].content"),
        (b'{"messages":[{"role":"nobody","content":"x"}]}', 400, "messages[0].role"),
        (b'{"messages":[{"role":"user","content":[{"type":7}]}]}', 400, "messages[0].content[0].type"),
        (b'{"messages":[{"role":"user","content":"x"}],"stream":"true"}', 400, "stream"),
        (b'{"messages":[{"role":"user","content":"x"}],"api_base":"http://evil"}', 400, "api_base"),
        (b'{"messages":[{"role":"tool","tool_call_id":"c","content":"x"}]}', 400, "messages[0].tool_call_id"),
        (b'{"messages":[{"role":"user","content":"x"}],"plugins":[{"id":"web"}]}', 400, "plugins[0]"),
    ],
)
async def test_bad_inputs(edge: RunningEdge, body: bytes, status: int, field: str) -> None:
    """Each bad body has its code and names the field; nothing reaches the gateway and the next call works."""
    async with edge.client.post(CHAT, data=body, headers=JSON_BODY) as answer:
        assert (answer.status, answer.content_type) == (status, "application/json")
        error = (await answer.json())["error"]
    assert error["code"] == status
    assert error["metadata"]["faults"][0]["field"] == field
    assert error["message"].startswith(field or "body") or field in error["message"]
    assert edge.gateway.calls == []
    async with edge.client.post(CHAT, json=MINIMAL) as answer:
        assert answer.status == 200


async def test_several_faults_at_once(edge: RunningEdge) -> None:
    """All that is wrong is told, the message naming the first."""
    bad = {"model": 7, "messages": [{"role": "user", "content": 5}], "temperature": 3, "stop": ["a"] * 5}
    async with edge.client.post(CHAT, json=bad) as answer:
        error = (await answer.json())["error"]
    fields = {fault["field"] for fault in error["metadata"]["faults"]}
    assert fields == {"model", "messages[0].content", "temperature", "stop"}
    assert "(3 more in the details)" in error["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": "Bearer sk-other"},
        {"Authorization": "Bearer ' OR 1=1 --"},
        {"Authorization": "Bearer " + "x" * 10_000},
    ],
)
async def test_without_a_known_key(headers: dict[str, str]) -> None:
    """A caller without a known key learns nothing else about the request."""
    async with running_edge(keys=[KEY]) as edge:
        async with edge.client.post(CHAT, data=b"{", headers=headers) as answer:
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
            assert (await answer.json())["error"]["metadata"]["error_type"] == "authentication"
        async with edge.client.get("/v1/models", headers=headers) as answer:
            assert answer.status == 401


async def test_two_keys_are_none() -> None:
    """Two authorization headers are refused, not joined."""
    async with running_edge(keys=[KEY]) as edge:
        lines = b"".join(b"Authorization: Bearer %b\r\n" % key for key in (KEY.encode(), b"other"))
        answer = await edge.raw(
            b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + lines + b"\r\n"
        )
    assert answer[9:12] in {b"400", b"401"}


@pytest.mark.parametrize(
    ("reason", "status", "retry_after"),
    [
        (ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, 400, None),
        (ErrorReason.ERROR_REASON_PAYMENT_REQUIRED, 402, None),
        (ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED, 429, "1"),
        (ErrorReason.ERROR_REASON_OVERLOADED, 503, "1"),
        (ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, 502, None),
        (ErrorReason.ERROR_REASON_DEADLINE_EXCEEDED, 504, None),
    ],
)
@pytest.mark.parametrize("request_json", [MINIMAL, STREAMED])
async def test_a_failure_before_content(
    request_json: dict[str, object], reason: ErrorReason, status: int, retry_after: str | None
) -> None:
    """Whole or streamed, a failure before the first content has its own status."""
    script = [GatewayError(reason, "No.", retry_after_s=0.2)]
    async with running_edge(script) as edge, edge.client.post(CHAT, json=request_json) as answer:
        assert (answer.status, answer.headers.get("Retry-After")) == (status, retry_after)
        assert (await answer.json())["error"]["message"] == "No."
        assert answer.headers["X-Generation-Id"] == edge.gateway.calls[0].generation_id


async def test_an_unknown_model_has_its_availability() -> None:
    """The error tells programs what is the matter with the model."""
    error = GatewayError(ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, "No such model.")
    async with running_edge([error]) as edge, edge.client.post(CHAT, json=MINIMAL) as answer:
        assert (await answer.json())["error"]["availability"]["code"] == "model_not_found"


async def test_a_whole_answer_that_fails_midway() -> None:
    """The content so far comes with status 200, an error, and finish reason error."""
    script = [make_text_batch("half"), GatewayError(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, "Gone.")]
    async with running_edge(script) as edge, edge.client.post(CHAT, json=MINIMAL) as answer:
        body = await answer.json()
        assert answer.status == 200
    assert body["error"]["code"] == 502
    assert body["choices"][0]["message"]["content"] == "half"
    assert body["choices"][0]["finish_reason"] == "error"


@pytest.mark.parametrize("error", [RuntimeError("secret"), ConnectionResetError("secret"), TimeoutError("secret")])
async def test_a_bug_is_a_masked_500(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever comes out of the gateway unexpectedly, the client gets an answer and the log gets the cause."""
    async with running_edge([error]) as edge, edge.client.post(CHAT, json=MINIMAL) as answer:
        assert answer.status == 500
        assert "secret" not in await answer.text()
        assert answer.headers["X-Request-Id"] in caplog.text
    assert "secret" in caplog.text


async def test_leaving_a_whole_answer_closes_the_generator() -> None:
    """A client that goes away ends a unary call too, within a second."""
    async with running_edge([make_text_batch("a"), 60.0]) as edge:
        with pytest.raises(asyncio.TimeoutError):
            async with asyncio.timeout(0.1), edge.client.post(CHAT, json=MINIMAL):
                pass
        async with asyncio.timeout(1):
            await edge.gateway.ended.wait()
    assert edge.gateway.endings == ["closed"]


async def test_calls_on_one_connection(edge: RunningEdge) -> None:
    """A connection serves one call after the other, streamed and whole."""
    body = json.dumps(MINIMAL).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    one = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    last = one.replace(b"Host:", b"Connection: close\r\nHost:")
    answer = await edge.raw(one * 3 + last)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 4
    assert edge.gateway.endings == ["done"] * 4
