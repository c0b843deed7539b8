# SPDX-License-Identifier: Apache-2.0
"""OpenRouter's SDK for TypeScript against the gateway: what openrouter_sdk.mjs recorded. An answer that its schemas refuse is recorded as a failure."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from support.node import NodeRun, node_run

pytestmark = [pytest.mark.slow, pytest.mark.conformance]

SOON_S = 1.0
ASKED = [
    "text",
    "log probabilities",
    "cut",
    "tools",
    "tool required",
    "tool named",
    "form",
    "json",
    "reasoning",
    "an image read",
    "an image made",
    "preferences",
]


@pytest.fixture(scope="module")
async def run() -> AsyncIterator[NodeRun]:
    """One run of the script."""
    async with node_run("openrouter_sdk.mjs", "@openrouter/sdk") as made:
        yield made


def deltas_of(chunks: list[Any]) -> list[Any]:
    """The deltas of all chunks."""
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]]


def text_of(chunks: list[Any], key: str = "content") -> str:
    """The texts of one kind, joined."""
    return "".join(delta.get(key) or "" for delta in deltas_of(chunks))


def arguments_of(chunks: list[Any]) -> str:
    """The arguments of all calls, joined."""
    calls = [call for delta in deltas_of(chunks) for call in delta.get("toolCalls") or []]
    return "".join(call["function"].get("arguments") or "" for call in calls)


@pytest.mark.parametrize("name", ASKED)
def test_whole_and_streamed_answers_pass_its_checks(run: NodeRun, name: str) -> None:
    """Whatever is asked, the SDK takes the whole answer and every chunk, and both say the same."""
    whole, chunks = run.cases[f"{name} whole"], run.cases[f"{name} streamed"]
    (choice,) = whole["choices"]
    message = choice["message"]
    finishes = [choice["finishReason"] for chunk in chunks for choice in chunk["choices"]]
    arguments = [call["function"]["arguments"] for call in message.get("toolCalls", [])]
    assert text_of(chunks) == (message["content"] or "")
    assert text_of(chunks, "reasoning") == message.get("reasoning", "")
    assert arguments_of(chunks) == "".join(arguments)
    assert finishes == [*[None] * (len(finishes) - 1), choice["finishReason"]]
    assert chunks[-1]["usage"]["totalTokens"] == whole["usage"]["totalTokens"]


def test_rounds(run: NodeRun) -> None:
    """Messages of the SDK go back as they came: calls with their result, reasoning with its details."""
    spoken = run.cases["round of tools"]["choices"][0]["message"]["content"]
    assert spoken == "get_weather said: rain"
    assert run.cases["round of reasoning"]["choices"][0]["message"]["content"]


def test_models(run: NodeRun) -> None:
    """Models are listed page by page, counted and shown; the user's are the same where nothing is kept from him."""
    slugs = run.cases["models"]
    assert "sim/echo" in slugs
    assert len(slugs) == len(set(slugs)) == run.cases["count"]["data"]["count"]
    assert run.cases["models of the user"] == slugs
    assert run.cases["model"]["data"]["id"] == "sim/echo"


def test_endpoints_and_providers(run: NodeRun) -> None:
    """Endpoints of a model, those that keep nothing, and providers are listed."""
    (endpoint,) = run.cases["endpoints"]["data"]["endpoints"]
    assert (endpoint["providerName"], endpoint["supportsToolChoice"]["auto"]) == ("Simulator", True)
    assert "sim/echo" in {row["modelId"] for row in run.cases["zdr endpoints"]["data"]}
    assert {row["slug"] for row in run.cases["providers"]["data"]} == {"acme", "simulator"}


def test_the_key_and_its_records(run: NodeRun) -> None:
    """The key, its credits, and the record of a call by its id."""
    case = run.cases["generation"]
    assert "failed" not in run.cases["key"]
    assert run.cases["credits"]["data"].keys() == {"totalCredits", "totalUsage"}
    assert (case["found"]["data"]["id"], case["found"]["data"]["model"]) == (case["id"], "sim/echo")


FAILURES = [
    ("status=400", "BadRequestResponseError", 400, "invalid_request"),
    ("status=404", "NotFoundResponseError", 404, "not_found"),
    ("status=413", "PayloadTooLargeResponseError", 413, "payload_too_large"),
    ("status=422", "UnprocessableEntityResponseError", 422, "unprocessable"),
    ("status=429&retry_after=7", "TooManyRequestsResponseError", 429, "rate_limit_exceeded"),
    ("status=500", "BadGatewayResponseError", 502, "provider_unavailable"),
    ("status=503", "ServiceUnavailableResponseError", 503, "provider_overloaded"),
    # For 504 chat has no class.
    ("status=504", "OpenRouterDefaultError", 504, "timeout"),
]


@pytest.mark.parametrize("way", ["whole", "streamed"])
@pytest.mark.parametrize(("fault", "kind", "status", "error_type"), FAILURES)
def test_each_failure_has_its_class(
    run: NodeRun, fault: str, kind: str, status: int, error_type: str, way: str
) -> None:
    """A failure before the first content is the SDK's class of its status, with body and id, whole and streamed."""
    case = run.cases[f"{fault} {way}"]
    error = json.loads(case["body"])["error"]
    assert (case["failed"], case["status"], error["code"]) == (kind, status, status)
    assert error["metadata"]["error_type"] == error_type
    assert case["generationId"].startswith("gen-")


OTHERS = [
    ("unknown model", "BadRequestResponseError", "MODEL_NOT_FOUND"),
    ("no such model", "NotFoundResponseError", "NOT_FOUND"),
    ("no such generation", "NotFoundResponseError", "NOT_FOUND"),
    ("wrong key", "UnauthorizedResponseError", "AUTHENTICATION"),
]


@pytest.mark.parametrize(("name", "kind", "reason"), OTHERS)
def test_a_request_at_fault(run: NodeRun, name: str, kind: str, reason: str) -> None:
    """What is wrong with the request has its class and its reason."""
    case = run.cases[name]
    assert (case["failed"], json.loads(case["body"])["error"]["metadata"]["reason"]) == (kind, reason)


def test_a_stream_that_breaks_midway(run: NodeRun) -> None:
    """After the first content a failure is a last chunk that passes the SDK's checks too, with its error in it."""
    chunks = run.cases["broken midway"]
    last = chunks[-1]
    assert text_of(chunks) == "Hello big"
    assert (last["choices"][0]["finishReason"], last["error"]["code"]) == ("error", 502)


async def test_leaving_stops_the_provider(run: NodeRun) -> None:
    """A call left by break, by a signal, or by the SDK's own time-out reaches the provider."""
    assert run.cases["left by break"] is None
    assert run.cases["left by signal"]["failed"] == "RequestAbortedError"
    assert run.cases["out of time"]["failed"] == "RequestTimeoutError"
    assert len(run.left) == 3
    async with asyncio.timeout(SOON_S):
        await asyncio.gather(*(request.aborted.wait() for request in run.left))
