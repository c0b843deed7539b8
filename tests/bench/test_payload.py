# SPDX-License-Identifier: Apache-2.0
"""The payload is what the reports say it is, the same on both wires."""

import json

import pytest

from bench.gateways import MODELS, PACED_MODEL, UNARY_MODEL
from bench.payload import (
    REQUEST_BYTES,
    STAMP,
    make_grpc_answer,
    make_grpc_chunk,
    make_grpc_request,
    make_request,
)
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_request_has_two_kilobytes(model: str, *, stream: bool) -> None:
    """Whatever the model is called and whether it streams; with two tools."""
    body = make_request(model, stream=stream)
    request = json.loads(body)
    assert len(body) == REQUEST_BYTES
    assert (request["model"], request.get("stream", False), len(request["tools"])) == (model, stream, 2)


def test_both_wires_ask_the_same() -> None:
    """The message says what the JSON says."""
    request = ChatCompletionRequest.FromString(make_grpc_request(PACED_MODEL, stream=True))
    sent = json.loads(make_request(PACED_MODEL, stream=True))
    assert [part.text for part in request.messages[1].user.content] == [sent["messages"][1]["content"]]
    assert (request.model, request.stream, request.stream_options.include_usage) == (PACED_MODEL, True, True)
    assert [tool.function.name for tool in request.tools] == ["find_trains", "find_fares"]
    assert not request.extra


def test_the_answers_over_grpc_are_the_contracts() -> None:
    """A whole answer with usage; a chunk whose text begins with the place of the stamp. Texts are as long as those of upstream.c over HTTP."""
    answer = ChatCompletion.FromString(make_grpc_answer())
    chunk = ChatCompletionChunk.FromString(make_grpc_chunk())
    assert answer.usage.total_tokens == 600
    assert len(answer.choices[0].message.content[0].text) == 318
    assert chunk.choices[0].delta.content.startswith(STAMP)
    assert len(chunk.choices[0].delta.content) == 31
    assert make_grpc_chunk().count(STAMP.encode()) == 1
    assert UNARY_MODEL.encode() not in make_grpc_chunk()
