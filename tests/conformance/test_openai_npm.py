# SPDX-License-Identifier: Apache-2.0
"""OpenAI's SDK for JavaScript against the gateway: what openai_sdk.mjs recorded."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from support.node import NodeRun, node_run

pytestmark = [pytest.mark.slow, pytest.mark.conformance]

SOON_S = 1.0


@pytest.fixture(scope="module")
async def run() -> AsyncIterator[NodeRun]:
    """One run of the script."""
    async with node_run("openai_sdk.mjs", "openai") as made:
        yield made


def deltas_of(chunks: list[Any]) -> str:
    """The content of all chunks."""
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


def test_a_whole_answer(run: NodeRun) -> None:
    """A whole answer has its content and usage, and the SDK finds both ids."""
    case = run.cases["whole"]
    (choice,) = case["data"]["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Hello big world", "stop")
    assert case["data"]["usage"]["total_tokens"] == 7
    assert case["id"] == case["data"]["id"]
    assert case["requestId"] == case["own"] is not None


def test_a_stream(run: NodeRun) -> None:
    """A stream has one id, the finish reason as null until the last, and usage in the last chunk alone."""
    chunks = run.cases["stream"]
    assert deltas_of(chunks) == "Hello big world"
    assert len({chunk["id"] for chunk in chunks}) == 1
    finishes = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]
    assert finishes == [*[None] * (len(finishes) - 1), "stop"]
    assert ["usage" in chunk for chunk in chunks] == [*[False] * (len(chunks) - 1), True]


def test_several_choices(run: NodeRun) -> None:
    """Several choices come in order, each with its log probabilities."""
    choices = run.cases["choices"]["choices"]
    assert [choice["index"] for choice in choices] == [0, 1]
    assert all(choice["logprobs"]["content"] for choice in choices)


def test_the_streaming_helper(run: NodeRun) -> None:
    """The helper gives the pieces as events and the whole at the end; a stream that is split gives both halves the same."""
    case = run.cases["helper"]
    left, right = run.cases["a stream sent on"]
    assert (case["events"], case["content"], case["finish"]) == (["Hello", " big", " world"], "Hello big world", "stop")
    assert case["usage"]["completion_tokens"] == 3
    assert left == right
    assert deltas_of(left) == "Hello big world"


def test_tools(run: NodeRun) -> None:
    """Calls come whole and streamed, and their arguments pass the caller's own schema."""
    (choice,) = run.cases["tools"]["choices"]
    (call,) = choice["message"]["tool_calls"]
    (streamed,) = run.cases["streamed tools"]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", None)
    assert json.loads(call["function"]["arguments"]) == streamed["function"]["parsed_arguments"]
    assert run.cases["parsed tools"] == streamed["function"]["parsed_arguments"]


@pytest.mark.parametrize("name", ["tools run", "tools run in a stream"])
def test_the_runner_of_tools(run: NodeRun, name: str) -> None:
    """The SDK's own loop calls the tool, sends the result back, and ends with the answer."""
    assert run.cases[name] == {"content": "get_weather said: rain", "asked": 1}


def test_structured_outputs(run: NodeRun) -> None:
    """An answer passes the caller's own schema, whole and streamed."""
    assert run.cases["parsed"].keys() == {"city", "stops", "note"}
    assert run.cases["parsed stream"] == run.cases["parsed"]


def test_models(run: NodeRun) -> None:
    """Models are listed, and one is shown by its slug."""
    assert ["sim/echo", "model"] in run.cases["models"]
    assert (run.cases["a model"]["id"], run.cases["a model"]["object"]) == ("sim/echo", "model")
    assert (run.cases["no such model"]["failed"], run.cases["no such model"]["status"]) == ("NotFoundError", 404)


FAILURES = [
    ("status=400", "BadRequestError", 400, "invalid_request"),
    ("status=404", "NotFoundError", 404, "not_found"),
    ("status=413", "APIError", 413, "payload_too_large"),
    ("status=422", "UnprocessableEntityError", 422, "unprocessable"),
    ("status=429&retry_after=7", "RateLimitError", 429, "rate_limit_exceeded"),
    ("status=500", "InternalServerError", 502, "provider_unavailable"),
    ("status=503", "InternalServerError", 503, "provider_overloaded"),
    ("status=504", "InternalServerError", 504, "timeout"),
    ("refuse=1", "InternalServerError", 502, "provider_unavailable"),
]


@pytest.mark.parametrize("way", ["whole", "streamed"])
@pytest.mark.parametrize(("fault", "kind", "status", "error_type"), FAILURES)
def test_each_failure_has_its_class(
    run: NodeRun, fault: str, kind: str, status: int, error_type: str, way: str
) -> None:
    """A failure before the first content is the SDK's class of its status, with body and ids, whole and streamed."""
    case = run.cases[f"{fault} {way}"]
    assert (case["failed"], case["status"], case["body"]["code"]) == (kind, status, status)
    assert case["body"]["metadata"]["error_type"] == error_type
    assert case["generationId"].startswith("gen-")
    assert case["requestId"].startswith("req-")


OTHERS = [
    ("unknown model", "BadRequestError", "MODEL_NOT_FOUND"),
    ("bad value", "BadRequestError", "INVALID_REQUEST"),
    ("wrong key", "AuthenticationError", "AUTHENTICATION"),
    ("not served", "NotFoundError", "NOT_FOUND"),
]


@pytest.mark.parametrize(("name", "kind", "reason"), OTHERS)
def test_a_request_at_fault(run: NodeRun, name: str, kind: str, reason: str) -> None:
    """What is wrong with the request has its class and its reason."""
    case = run.cases[name]
    assert (case["failed"], case["body"]["metadata"]["reason"]) == (kind, reason)


def test_details_of_failures(run: NodeRun) -> None:
    """The wait, all faults and near models are there to be read."""
    assert run.cases["status=429&retry_after=7 whole"]["retryAfter"] == "7"
    faults = run.cases["bad value"]["body"]["metadata"]["faults"]
    assert {fault["field"] for fault in faults} == {"temperature", "top_logprobs"}
    assert "sim/echo" in run.cases["unknown model"]["body"]["availability"]["fallback_models"]


@pytest.mark.parametrize("name", ["broken midway", "an error midway"])
def test_a_stream_that_breaks_midway(run: NodeRun, name: str) -> None:
    """What came stays, then the SDK raises the error of the last event."""
    case = run.cases[name]
    assert (case["text"], case["failed"], case["body"]["code"]) == ("Hello big", True, 502)


async def test_leaving_stops_the_provider(run: NodeRun) -> None:
    """A call left by abort, by break, or by a signal reaches the provider; so does the SDK's own time-out end a call."""
    assert [run.cases[name] for name in ("left by abort", "left by break")] == [None, None]
    assert run.cases["left by signal"]["failed"] == "APIUserAbortError"
    assert run.cases["out of time"]["failed"] == "APIConnectionTimeoutError"
    assert len(run.left) == 3
    async with asyncio.timeout(SOON_S):
        await asyncio.gather(*(request.aborted.wait() for request in run.left))
