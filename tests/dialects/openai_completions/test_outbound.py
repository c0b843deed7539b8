# SPDX-License-Identifier: Apache-2.0
"""Answers for clients of POST /v1/completions."""

from typing import Any

import orjson
from openai.types import Completion

from support.builders import (
    make_chunk,
    make_delta_chunk,
    make_finish_chunk,
    make_reasoning_chunk,
    make_role_chunk,
    make_text_chunk,
    make_usage_chunk,
)
from trunkline.v1.chat_response_pb2 import (
    ChatCompletion,
    ChatCompletionChunk,
    ChunkChoice,
    Delta,
    FinishReason,
    Logprobs,
    TokenLogprob,
    TopLogprob,
)
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.chunks import Fold
from trunkline_server.core.errors import GatewayError, error_body
from trunkline_server.dialects.openai_completions.inbound import Prompt
from trunkline_server.dialects.openai_completions.outbound import ChunkRenderer, render_answer
from trunkline_server.jsonshape import Codec

CODEC = Codec.compile([ChatCompletion.DESCRIPTOR, ChatCompletionChunk.DESCRIPTOR])
SILENT, ECHOED = Prompt(), Prompt(echoed="Say: ")
LENGTH = FinishReason.FINISH_REASON_LENGTH
TOKEN = TokenLogprob(token="hi", logprob=-1.0, top_logprobs=[TopLogprob(token="ho", logprob=-2.0)])
WITH_TOKENS = make_chunk(ChunkChoice(index=0, delta=Delta(content="hi"), logprobs=Logprobs(content=[TOKEN, TOKEN])))
TOKENS = {"tokens": ["hi", "hi"], "token_logprobs": [-1.0, -1.0], "top_logprobs": [{"ho": -2.0}, {"ho": -2.0}]}
FAILURE = GatewayError(ErrorReason.ERROR_REASON_PROVIDER_UNAVAILABLE, "It failed.")


def whole(*chunks: ChatCompletionChunk, prompt: Prompt = SILENT) -> dict[str, Any]:
    """The object of a whole answer, which OpenAI's own client takes."""
    fold = Fold()
    fold.add(list(chunks))
    made = render_answer(CODEC, fold.result(), prompt)
    Completion.model_validate(made)
    return made


def streamed(*chunks: ChatCompletionChunk, prompt: Prompt = SILENT) -> list[dict[str, Any]]:
    """The objects of a stream."""
    renderer = ChunkRenderer(CODEC, prompt)
    *events, done, rest = (b"".join(renderer.feed([chunk]) for chunk in chunks) + renderer.end()).split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    return [orjson.loads(event.removeprefix(b"data: ")) for event in events]


def test_a_whole_answer() -> None:
    """Text, finish and usage stand in one object."""
    made = whole(make_role_chunk(), make_text_chunk("hi"), make_finish_chunk(LENGTH), make_usage_chunk())
    usage = made.pop("usage")
    assert made == {
        "id": "upstream-1",
        "object": "text_completion",
        "created": 1,
        "model": "one",
        "choices": [{"text": "hi", "index": 0, "logprobs": None, "finish_reason": "length"}],
        "system_fingerprint": None,
    }
    assert usage["total_tokens"] == 15


def test_what_else_a_choice_may_say() -> None:
    """The prompt comes first where it was asked for; a refusal is text; reasoning stands beside it; calls are a stop."""
    made = whole(
        make_reasoning_chunk("hm"),
        make_delta_chunk(refusal="no"),
        make_finish_chunk(FinishReason.FINISH_REASON_TOOL_CALLS),
        prompt=ECHOED,
    )
    (choice,) = made["choices"]
    assert (choice["text"], choice["reasoning"], choice["finish_reason"]) == ("Say: no", "hm", "stop")


def test_log_probabilities() -> None:
    """They are lists side by side, with the place of each token in the text."""
    assert whole(WITH_TOKENS, make_finish_chunk())["choices"][0]["logprobs"] == {**TOKENS, "text_offset": [0, 2]}
    first, second, _ = streamed(WITH_TOKENS, WITH_TOKENS, make_finish_chunk(), prompt=ECHOED)
    assert first["choices"][0]["logprobs"] == {**TOKENS, "text_offset": [5, 7]}
    assert second["choices"][0]["logprobs"]["text_offset"] == [7, 9]


def test_a_stream() -> None:
    """Each chunk is an object; each choice begins with the prompt where it was asked for; usage comes last."""
    chunks = (make_text_chunk("a"), make_text_chunk("b"), make_text_chunk("c", index=1), make_finish_chunk())
    events = streamed(*chunks, make_usage_chunk(), prompt=ECHOED)
    told = [
        (choice["index"], choice["text"], choice["finish_reason"]) for event in events for choice in event["choices"]
    ]
    assert told == [(0, "Say: a", None), (0, "b", None), (1, "Say: c", None), (0, "", "stop")]
    assert events[-1]["usage"]["total_tokens"] == 15
    assert events[-1]["choices"] == []


def test_reasoning_in_a_stream() -> None:
    """It stands beside the text."""
    (event,) = streamed(make_reasoning_chunk("hm"))
    assert (event["choices"][0]["reasoning"], event["choices"][0]["text"]) == ("hm", "")


def test_provider() -> None:
    """Who served is told."""
    (event,) = streamed(make_chunk(provider="Acme"))
    assert event["provider"] == "Acme"


def test_failures() -> None:
    """A failure in a stream is one event; a whole answer that one cut tells it beside its text."""
    text = ChunkRenderer(CODEC, SILENT).fail(FAILURE)
    assert orjson.loads(text.removeprefix(b"data: "))["error"]["type"] == "server_error"
    fold = Fold()
    fold.add([make_text_chunk("hi")])
    made = render_answer(CODEC, fold.fail(error_body(FAILURE)), SILENT)
    assert (made["choices"][0]["finish_reason"], made["error"]["code"]) == ("error", 502)
