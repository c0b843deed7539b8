# SPDX-License-Identifier: Apache-2.0
"""Anthropic's Messages as a face: keys in two headers, its statuses and ids, a stream to the byte."""

from typing import Any

import orjson
import pytest

from support.builders import make_call, make_finish_chunk, make_route, make_text_chunk, make_usage
from support.faces import MESSAGES
from support.golden import Golden
from support.http_edge import (
    KEY,
    RunningEdge,
    make_codec,
    make_last_batch,
    make_text_batch,
    post_bytes,
    running_edge,
)
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import FieldFault, GatewayError
from trunkline_server.edge.http.face_messages import MessagesFace, error_value

JSON_BODY = {"Content-Type": "application/json"}
PATH = MESSAGES.path
FACE = MessagesFace(make_codec())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-api-key": KEY}, 200),
        ({"Authorization": f"Bearer {KEY}"}, 200),
        ({"x-api-key": KEY, "Authorization": f"Bearer {KEY}"}, 200),
        ({"x-api-key": KEY, "Authorization": "Bearer sk-other"}, 401),
        ({"x-api-key": "sk-other"}, 401),
        ({"x-api-key": ""}, 401),
        ({}, 401),
    ],
)
async def test_where_the_key_stands(headers: dict[str, str], status: int) -> None:
    """Either header, or both with the same key; two keys are none."""
    async with running_edge([make_text_batch("a"), make_last_batch()], keys=[KEY]) as edge:
        async with edge.client.post(PATH, data=MESSAGES.body(), headers={**JSON_BODY, **headers}) as answer:
            assert answer.status == status
        async with edge.client.post("/v1/responses", data=b"{}", headers={"x-api-key": KEY}) as answer:
            assert answer.status == 401


@pytest.mark.parametrize("stream", [False, True])
async def test_the_id_of_the_request(edge: RunningEdge, stream: bool) -> None:
    """`request-id` says the same as `X-Request-Id`."""
    headers = {**JSON_BODY, "X-Request-Id": "mine", "anthropic-version": "2023-06-01"}
    async with edge.client.post(PATH, data=MESSAGES.body(stream=stream), headers=headers) as answer:
        assert answer.headers["request-id"] == answer.headers["X-Request-Id"] == "mine"
    async with edge.client.post(PATH, data=b"{}", headers=headers) as answer:
        assert answer.headers["request-id"] == "mine"
        assert (await answer.json())["request_id"] == "mine"


@pytest.mark.parametrize(
    ("reason", "status", "kind"),
    [
        ("INVALID_REQUEST", 400, "invalid_request_error"),
        ("AUTHENTICATION", 401, "authentication_error"),
        ("PAYMENT_REQUIRED", 402, "billing_error"),
        ("PERMISSION_DENIED", 403, "permission_error"),
        ("NOT_FOUND", 404, "not_found_error"),
        ("METHOD_NOT_ALLOWED", 405, "invalid_request_error"),
        ("PAYLOAD_TOO_LARGE", 413, "request_too_large"),
        ("RATE_LIMIT_EXCEEDED", 429, "rate_limit_error"),
        ("SERVER", 500, "api_error"),
        ("PROVIDER_UNAVAILABLE", 500, "api_error"),
        ("OVERLOADED", 529, "overloaded_error"),
        ("DEADLINE_EXCEEDED", 504, "timeout_error"),
    ],
)
def test_failures(reason: str, status: int, kind: str) -> None:
    """Anthropic's status and word for each, the gateway's own beside it."""
    refusal = FACE.refuse(GatewayError(ErrorReason.Value(f"ERROR_REASON_{reason}"), "No."), "req-1")
    value = orjson.loads(refusal.body)
    assert (refusal.status, value["type"], value["error"]["type"], value["request_id"]) == (
        status,
        "error",
        kind,
        "req-1",
    )
    assert value["error"]["error_type"] == value["metadata"]["error_type"]
    assert ("request-id", "req-1") in refusal.headers


def test_a_failure_tells_its_faults_and_its_route() -> None:
    """All that chat completions would tell stands beside Anthropic's own keys."""
    fault = FieldFault(field="messages[0].content", description="must be present")
    error = GatewayError(ErrorReason.ERROR_REASON_INVALID_REQUEST, "No.", faults=[fault])
    error.route = make_route()
    value = error_value(make_codec(), error, "req-1")
    assert value["metadata"]["faults"] == [{"field": "messages[0].content", "description": "must be present"}]
    assert value["openrouter_metadata"]["requested"] == "acme/one"


async def test_several_answers_are_refused(edge: RunningEdge) -> None:
    """A Message is one answer: others would be paid for and not be told."""
    async with edge.client.post(PATH, data=MESSAGES.body(n=2), headers=JSON_BODY) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["message"].startswith("n: must be absent")
    async with edge.client.post(PATH, data=MESSAGES.body(n=1), headers=JSON_BODY) as answer:
        assert answer.status == 200


async def test_half_an_answer_is_a_failure() -> None:
    """A Message cannot say that it is not whole."""
    gone = GatewayError(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, "Gone.")
    async with (
        running_edge([make_text_batch("half"), gone]) as edge,
        edge.client.post(PATH, data=MESSAGES.body(), headers=JSON_BODY) as answer,
    ):
        assert answer.status == 500
        assert (await answer.json())["error"]["message"] == "Gone."


@pytest.mark.parametrize("stream", [False, True])
def test_the_route(stream: bool) -> None:
    """It stands in the answer, or in the last event of a stream."""
    asked = FACE.read(orjson.loads(MESSAGES.body(stream=stream)))
    events = asked.begin(make_call())
    last = make_finish_chunk()
    last.usage.CopyFrom(make_usage())
    last.openrouter_metadata.CopyFrom(make_route())
    events.feed([make_text_chunk("a"), last])
    told = orjson.loads(events.end().rstrip().rpartition(b"data: ")[2])
    assert (told["type"], told["openrouter_metadata"]["requested"]) == ("message_stop", "acme/one")


async def test_a_stream_to_the_byte(golden: Golden) -> None:
    """Head, one piece a batch, and the last events in one piece with the end of the body."""
    script: list[Any] = [make_text_batch("a", "b"), make_text_batch("c"), make_last_batch()]
    async with running_edge(script) as edge:
        answer = await edge.raw(
            post_bytes(MESSAGES.body(stream=True), "Connection: close", "X-Request-Id: req-1", path=PATH)
        )
    golden.check_text("faces/messages.http", answer.decode())
