# SPDX-License-Identifier: Apache-2.0
"""Answers of the running gateway against its OpenAPI document: schemathesis for whatever requests it makes up, and known calls for chunks and failures."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from support.gateway import RunningGateway, key_row, running_gateway
from support.openapi import faults
from trunkline_server.edge.http.pages import DOCUMENT_PATH, Pages

KEY = "sk-test"
# Without sim/fault, which fails as it is told to.
MODELS = ["sim/echo", "sim/tools", "sim/json", "sim/reasoner", "sim/vision", "sim/image"]
# Parameters that find something, and some that find nothing.
KNOWN = {"author": {"enum": ["sim", "nobody"]}, "slug": {"enum": ["echo", "tools", "none"]}}
USER = [{"role": "user", "content": "hello"}]
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
# What other vendors' languages hold where the document only names them: path -> key, schema.
TURN = {"role": {"enum": ["user", "assistant"]}, "content": {"type": "string"}}
TURNS = {"type": "array", "minItems": 1, "items": {"type": "object", "required": list(TURN), "properties": TURN}}
SPOKEN: dict[str, tuple[str, dict[str, Any]]] = {
    "/messages": ("messages", TURNS),
    "/responses": ("input", {"anyOf": [{"type": "string"}, TURNS]}),
    "/completions": ("prompt", {"type": "string", "minLength": 1}),
}
BUDGET_S = 45

CALLS: dict[str, dict[str, Any]] = {
    **{model: {"model": model} for model in MODELS},
    "tools": {"model": "sim/tools", "tools": [TOOL]},
    "log probabilities": {"model": "sim/echo", "logprobs": True, "top_logprobs": 2},
    "debug": {"model": "sim/echo", "debug": {"echo_upstream_body": True}},
    "many": {"model": "sim/echo", "n": 2, "max_tokens": 3},
    "a failure half way": {"model": "sim/fault?error_at=3"},
}
FAILURES: dict[str, dict[str, Any]] = {
    "unknown model": {"model": "nobody/nothing", "messages": USER},
    "faults": {"model": 1, "messages": []},
    "upstream": {"model": "sim/fault?status=429&retry_after=2", "messages": USER},
    "no object": {},
}


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    """The document that the gateway serves."""
    page = Pages().find(DOCUMENT_PATH)
    assert page is not None
    served: dict[str, Any] = orjson.loads(page.body)
    return served


@pytest.fixture
def narrowed(document: dict[str, Any], tmp_path: Path) -> Path:
    """The document with the models that this gateway has in place of any text: else hardly a call would come through."""
    made = orjson.loads(orjson.dumps(document))
    made["components"]["schemas"]["ChatCompletionRequest"]["properties"]["model"] = {"enum": MODELS}
    for item in made["paths"].values():
        for parameter in item.get("get", {}).get("parameters", ()):
            parameter["schema"] = KNOWN.get(parameter["name"], parameter["schema"])
    for face, (key, schema) in SPOKEN.items():
        body = made["paths"][face]["post"]["requestBody"]["content"]["application/json"]["schema"]
        body["properties"] |= {"model": {"enum": [*MODELS, None]}, key: schema}
    path = tmp_path / "openapi.json"
    path.write_bytes(orjson.dumps(made))
    return path


@pytest.mark.slow
async def test_schemathesis_finds_no_answer_outside_the_document(narrowed: Path) -> None:
    """No status, header, content type or body that the document does not have, no 5xx, nothing forbidden accepted, no key forgotten.

    Left out is its check that every valid body is accepted: some bodies contradict themselves in ways that no schema can say, and have their 400.
    """
    async with running_gateway(keys=[key_row("one", KEY)], log={"level": "error"}) as gateway:
        command = [
            Path(sys.executable).with_name("schemathesis"),
            *("run", narrowed, "--url", gateway.openai_url, "--header", f"Authorization: Bearer {KEY}"),
            *("--header", f"x-api-key: {KEY}"),
            *("--max-time", str(BUDGET_S), "--request-timeout", "10", "--exclude-checks", "positive_data_acceptance"),
            *(
                "--suppress-health-check",
                "filter_too_much,too_slow",
                "--generation-database",
                "none",
                "--seed",
                "1",
                "--no-color",
            ),
        ]
        program = await asyncio.create_subprocess_exec(
            *map(str, command), cwd=narrowed.parent, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        told, _ = await program.communicate()
    print(told.decode(errors="replace"))
    assert program.returncode == 0, told.decode(errors="replace")[-8000:]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_answers_are_of_their_schema(
    gateway: RunningGateway, document: dict[str, Any], call: dict[str, Any]
) -> None:
    """A whole answer is a ChatCompletion, and the data of each event a ChatCompletionChunk."""
    async with aiohttp.ClientSession() as client:
        whole = await client.post(gateway.chat_url, json={"messages": USER, **call})
        assert whole.status == 200
        assert faults(document, "ChatCompletion", await whole.json()) == []
        streamed = await client.post(gateway.chat_url, json={"messages": USER, **call, "stream": True})
        assert streamed.content_type == "text/event-stream"
        events = [
            event.removeprefix("data: ")
            for event in (await streamed.text()).split("\n\n")
            if event.startswith("data: ")
        ]
    chunks = [json.loads(event) for event in events if event != "[DONE]"]
    assert chunks
    assert [fault for chunk in chunks for fault in faults(document, "ChatCompletionChunk", chunk)] == []


@pytest.mark.parametrize("body", FAILURES.values(), ids=FAILURES)
async def test_failures_are_of_their_schema(
    gateway: RunningGateway, document: dict[str, Any], body: dict[str, Any]
) -> None:
    """A failure's status is one of the operation's, its body an ErrorResponse."""
    async with aiohttp.ClientSession() as client:
        answer = await client.post(gateway.chat_url, json=body)
        assert answer.status >= 400
        assert str(answer.status) in document["paths"]["/chat/completions"]["post"]["responses"]
        assert faults(document, "ErrorResponse", await answer.json()) == []


@pytest.mark.parametrize(
    "path",
    ["/models", "/models/count", "/providers", "/key", "/credits", "/endpoints/zdr", "/models/sim/echo/endpoints"],
)
async def test_lists_are_of_their_schema(gateway: RunningGateway, document: dict[str, Any], path: str) -> None:
    """What is read is what its operation says."""
    template = "/models/{author}/{slug}/endpoints" if path.endswith("/endpoints") else path
    schema = document["paths"][template]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    async with aiohttp.ClientSession() as client:
        answer = await client.get(gateway.openai_url + path)
        assert answer.status == 200
        assert faults(document, schema["$ref"].rpartition("/")[2], await answer.json()) == []
