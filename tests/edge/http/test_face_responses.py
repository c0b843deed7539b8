# SPDX-License-Identifier: Apache-2.0
"""OpenAI's Responses as a face: what needs state is refused, half an answer is told as one, a stream to the byte."""

from typing import Any

import orjson
import pytest

from support.builders import make_route
from support.faces import RESPONSES
from support.golden import Golden
from support.http_edge import (
    RunningEdge,
    make_codec,
    make_last_batch,
    make_text_batch,
    post_bytes,
    running_edge,
)
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.edge.http.face_responses import refuse_as_openai

JSON_BODY = {"Content-Type": "application/json"}
PATH = RESPONSES.path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("previous_response_id", "resp_1"),
        ("conversation", "conv_1"),
        ("background", True),
        ("prompt", {"id": "pmpt_1"}),
    ],
)
async def test_what_needs_state_is_refused(edge: RunningEdge, name: str, value: object) -> None:
    """It is named, and what to do instead."""
    async with edge.client.post(PATH, data=RESPONSES.body(**{name: value}), headers=JSON_BODY) as answer:
        assert answer.status == 400
        error = (await answer.json())["error"]
    assert (error["param"], error["type"]) == (name, "invalid_request_error")
    assert "stateless" in error["message"]
    assert edge.gateway.calls == []


async def test_a_whole_answer_tells_its_settings_and_its_time(edge: RunningEdge) -> None:
    """The settings are the request's; it was whole when the clock said so."""
    fields: dict[str, Any] = {"temperature": 0.5, "metadata": {"a": "b"}, "store": True}
    async with edge.client.post(PATH, data=RESPONSES.body(**fields), headers=JSON_BODY) as answer:
        body = await answer.json()
    assert (body["object"], body["status"], body["completed_at"]) == ("response", "completed", 1000)
    assert (body["temperature"], body["metadata"], body["store"]) == (0.5, {"a": "b"}, False)


async def test_half_an_answer_says_so() -> None:
    """A response has words for it: failed, and why, beside what was said."""
    gone = GatewayError(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, "Gone.")
    async with (
        running_edge([make_text_batch("half"), gone]) as edge,
        edge.client.post(PATH, data=RESPONSES.body(), headers=JSON_BODY) as answer,
    ):
        body = await answer.json()
        assert answer.status == 200
    assert (body["status"], body["error"]) == ("failed", {"code": "server_error", "message": "Gone."})
    assert body["output"][0]["content"][0]["text"] == "half"


def test_a_failure_tells_its_route() -> None:
    """The route that the caller asked for stands beside the error."""
    error = GatewayError(ErrorReason.ERROR_REASON_RATE_LIMIT_EXCEEDED, "No.", retry_after_s=3)
    error.route = make_route()
    refusal = refuse_as_openai(make_codec(), error)
    assert (refusal.status, refusal.headers) == (429, [("Retry-After", "3")])
    assert orjson.loads(refusal.body)["openrouter_metadata"]["requested"] == "acme/one"


async def test_a_stream_to_the_byte(golden: Golden) -> None:
    """Head, one piece a batch, and the last events in one piece with the end of the body."""
    script: list[Any] = [make_text_batch("a", "b"), make_text_batch("c"), make_last_batch()]
    async with running_edge(script) as edge:
        answer = await edge.raw(
            post_bytes(RESPONSES.body(stream=True), "Connection: close", "X-Request-Id: req-1", path=PATH)
        )
    golden.check_text("faces/responses.http", answer.decode())
