# SPDX-License-Identifier: Apache-2.0
"""OpenAI's text completions as a face: what chat models cannot do is refused, half an answer is told as one, a stream to the byte."""

from typing import Any

import pytest

from support.faces import COMPLETIONS
from support.golden import Golden
from support.http_edge import RunningEdge, make_last_batch, make_text_batch, post_bytes, running_edge
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError

JSON_BODY = {"Content-Type": "application/json"}
PATH = COMPLETIONS.path


@pytest.mark.parametrize(
    ("name", "value"),
    [("suffix", "end"), ("best_of", 3), ("prompt", ["a", "b"]), ("prompt", [1, 2]), ("tools", [{}])],
)
async def test_what_chat_models_cannot_do_is_refused(edge: RunningEdge, name: str, value: object) -> None:
    """It is named, and nothing reaches the gateway."""
    async with edge.client.post(PATH, data=COMPLETIONS.body(**{name: value}), headers=JSON_BODY) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["param"] == name
    assert edge.gateway.calls == []


async def test_echo(edge: RunningEdge) -> None:
    """The prompt stands before the text where that was asked for."""
    async with edge.client.post(PATH, data=COMPLETIONS.body(echo=True), headers=JSON_BODY) as answer:
        body = await answer.json()
    assert (body["object"], body["choices"][0]["text"]) == ("text_completion", "hellohello there")


async def test_half_an_answer_says_so() -> None:
    """What was said comes with an error and its finish reason."""
    gone = GatewayError(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, "Gone.")
    async with (
        running_edge([make_text_batch("half"), gone]) as edge,
        edge.client.post(PATH, data=COMPLETIONS.body(), headers=JSON_BODY) as answer,
    ):
        body = await answer.json()
        assert answer.status == 200
    assert (body["choices"][0]["text"], body["choices"][0]["finish_reason"]) == ("half", "error")
    assert body["error"]["message"] == "Gone."


async def test_a_stream_to_the_byte(golden: Golden) -> None:
    """Head, one piece a batch, and the last event in one piece with the terminator and the end of the body."""
    script: list[Any] = [make_text_batch("a", "b"), make_text_batch("c"), make_last_batch()]
    async with running_edge(script) as edge:
        answer = await edge.raw(
            post_bytes(COMPLETIONS.body(stream=True), "Connection: close", "X-Request-Id: req-1", path=PATH)
        )
    golden.check_text("faces/completions.http", answer.decode())
