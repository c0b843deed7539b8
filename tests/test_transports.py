# SPDX-License-Identifier: Apache-2.0
"""Clouds that offer other makers' models, through the whole gateway: what reaches the provider, and what comes back."""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from support.aws_frames import frame, frame_file
from support.fault_upstream import Answer, FaultUpstream, json_answer
from support.gateway import RunningGateway, offer, running_gateway
from support.google_account import write_account
from support.source_tree import ROOT

RECORDED = ROOT / "tests" / "dialects" / "matrix" / "bedrock_converse"
FRAMED = {"content-type": "application/vnd.amazon.eventstream", "x-amzn-requestid": "r-1"}
AWS = {
    "auth": "aws",
    "aws_access_key_id": "AKIDEXAMPLE",
    "aws_secret_access_key": "canary-aws-secret",
    "aws_session_token": "canary-aws-token",
    "values": {"region": "eu-west-1"},
}
ANTHROPIC_AT_BEDROCK = {
    "dialect": "anthropic",
    **AWS,
    "wire": {
        "path": "/model/{model}/invoke",
        "stream_path": "/model/{model}/invoke-with-response-stream",
        "adds": {"anthropic_version": "bedrock-2023-05-31"},
        "removes": ["model", "stream"],
        "removes_headers": ["anthropic-version"],
    },
}
SAID: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 3, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello!"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
    {"type": "message_stop"},
]
PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 16


@asynccontextmanager
async def asking(upstream: FaultUpstream, fetch: Any = None, **row: Any) -> AsyncIterator[RunningGateway]:
    """A gateway with one provider."""
    rows = offer(upstream.base_url.removesuffix("/v1"), **row)
    async with running_gateway(**rows, fetch=fetch or {}) as gateway:
        yield gateway


async def ask(gateway: RunningGateway, content: object = "Hi.", **body: Any) -> tuple[int, Any]:
    """The status of an answer and its JSON; of a stream its chunks."""
    request = {"model": "acme/one", "messages": [{"role": "user", "content": content}], **body}
    async with aiohttp.ClientSession() as http, http.post(gateway.chat_url, json=request) as answer:
        text = await answer.text()
        if not answer.headers["content-type"].startswith("text/event-stream"):
            return answer.status, json.loads(text)
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {")]
    return answer.status, [json.loads(line) for line in lines]


def text_of(chunks: Any) -> str:
    """What a stream said."""
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


async def test_bedrock() -> None:
    """A stream of Converse is signed, and becomes the client's stream."""
    recorded = frame_file(RECORDED / "text.answer.events.json")
    answer = Answer(headers=FRAMED, steps=[recorded[:50], recorded[50:]])
    async with FaultUpstream(answer) as upstream, asking(upstream, dialect="bedrock_converse", **AWS) as gateway:
        status, chunks = await ask(gateway, stream=True)
        received = upstream.requests[0]
    assert (status, text_of(chunks)) == (200, "Hello! How can I help?")
    assert (chunks[-1]["usage"]["prompt_tokens"], chunks[-1]["usage"]["completion_tokens"]) == (10, 9)
    assert received.path == "/model/upstream-one/converse-stream"
    assert "Credential=AKIDEXAMPLE/" in received.headers["authorization"]
    assert received.headers["x-amz-security-token"] == "canary-aws-token"


async def test_anthropic_at_bedrock() -> None:
    """Anthropic's own events come out of AWS's framing."""
    events = [frame("chunk", {"bytes": base64.b64encode(orjson.dumps(value)).decode()}) for value in SAID]
    answer = Answer(headers=FRAMED, steps=events)
    async with FaultUpstream(answer) as upstream, asking(upstream, **ANTHROPIC_AT_BEDROCK) as gateway:
        _, chunks = await ask(gateway, stream=True)
        received = upstream.requests[0]
    body = json.loads(received.body)
    assert (text_of(chunks), received.path) == ("Hello!", "/model/upstream-one/invoke-with-response-stream")
    assert (body["anthropic_version"], "model" in body, "stream" in body) == ("bedrock-2023-05-31", False, False)
    assert "anthropic-version" not in received.headers


async def test_anthropic_at_vertex(tmp_path: Path) -> None:
    """A service account's token is fetched once and shown; path and body are Vertex's."""
    token = json_answer({"access_token": "ya29.canary", "expires_in": 3600, "token_type": "Bearer"})
    events = [b"event: %b\ndata: %b\n\n" % (value["type"].encode(), orjson.dumps(value)) for value in SAID]
    answer = Answer(headers={"content-type": "text/event-stream"}, steps=events)
    wire = {
        "path": "/projects/{project}/models/{model}:rawPredict",
        "stream_path": "/projects/{project}/models/{model}:streamRawPredict",
        "adds": {"anthropic_version": "vertex-2023-10-16"},
        "removes": ["model"],
    }
    async with FaultUpstream(token) as office, FaultUpstream(answer) as upstream:
        account = write_account(tmp_path, f"http://127.0.0.1:{office.port}/token")
        row = {"dialect": "anthropic", "auth": "google", "credentials_file": account, "values": {"project": "p-1"}}
        async with asking(upstream, **row, wire=wire) as gateway:
            told = [text_of((await ask(gateway, stream=True))[1]) for _ in range(2)]
        received, fetched = upstream.requests, len(office.requests)
    body = json.loads(received[0].body)
    assert (told, fetched) == (["Hello!"] * 2, 1)
    assert {request.headers["authorization"] for request in received} == {"Bearer ya29.canary"}
    assert received[0].path == "/projects/p-1/models/upstream-one:streamRawPredict"
    assert (body["anthropic_version"], body["stream"], "model" in body) == ("vertex-2023-10-16", True, False)


async def test_azure() -> None:
    """A deployment's path has its query, and the key stands in Azure's header."""
    said = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "x"}}]}
    wire = {"path": "/openai/deployments/{model}/chat/completions?api-version={version}"}
    row = {"auth": "azure", "api_key": "canary-azure", "wire": wire, "values": {"version": "2024-10-21"}}
    async with FaultUpstream(json_answer(said)) as upstream, asking(upstream, **row) as gateway:
        status, _ = await ask(gateway)
        received = upstream.requests[0]
    assert status == 200
    assert received.path == "/openai/deployments/upstream-one/chat/completions?api-version=2024-10-21"
    assert (received.headers["api-key"], "authorization" in received.headers) == ("canary-azure", False)


@pytest.mark.parametrize(
    ("row", "answer"),
    [
        ({"auth": "query", "api_key": "canary-query"}, json_answer({"error": {"message": "no"}}, status=400)),
        ({"auth": "x-api-key", "api_key": "canary-header"}, json_answer({}, status=403)),
        ({"dialect": "bedrock_converse", **AWS}, json_answer({"message": "no"}, status=403)),
        ({"dialect": "bedrock_converse", **AWS}, Answer(headers=FRAMED, steps=[b"rubbish" * 9])),
    ],
)
async def test_secrets_stay_here(row: dict[str, Any], answer: Answer, caplog: pytest.LogCaptureFixture) -> None:
    """No answer and no line of any log holds what shows the gateway to a provider."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("trunkline").propagate = True
    async with FaultUpstream(answer) as upstream, asking(upstream, **row) as gateway:
        status, told = await ask(gateway)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("trunkline")]
    assert status >= 400
    assert "canary" not in json.dumps(told) + "\n".join(ours)


async def test_urls_inside_the_network() -> None:
    """An image at an address of the gateway's own network is refused before anything connects there, or to the provider."""
    connections: list[object] = []

    async def take(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        writer.close()

    listener = await asyncio.start_server(take, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/cat.png"
    async with FaultUpstream() as upstream, asking(upstream, dialect="bedrock_converse", **AWS) as gateway:
        for stream in (False, True):
            status, told = await ask(gateway, [{"type": "image_url", "image_url": {"url": url}}], stream=stream)
            assert (status, told["error"]["metadata"]["error_type"]) == (400, "image_download_failed")
        assert upstream.requests == []
    listener.close()
    assert connections == []


async def test_urls_that_are_brought() -> None:
    """A provider that reads no URLs gets the bytes; here the settings allow this machine."""
    whole = json_answer(json.loads((RECORDED / "text.answer.json").read_text(encoding="utf-8")))
    picture = Answer(headers={"content-type": "image/png"}, steps=[PNG])
    async with (
        FaultUpstream(picture) as host,
        FaultUpstream(whole) as upstream,
        asking(upstream, fetch={"networks": ["127.0.0.0/8"]}, dialect="bedrock_converse", **AWS) as gateway,
    ):
        url = f"http://127.0.0.1:{host.port}/cat"
        status, _ = await ask(gateway, [{"type": "image_url", "image_url": {"url": url}}])
        content = json.loads(upstream.requests[0].body)["messages"][0]["content"]
    data = base64.b64encode(PNG).decode()
    assert (status, content) == (200, [{"image": {"format": "png", "source": {"bytes": data}}}])
    assert "authorization" not in host.requests[0].headers
