# SPDX-License-Identifier: Apache-2.0
"""The wire of OpenAI's Responses API in tests: requests as a provider gets them, events, and what answers come to."""

import json
from collections.abc import Sequence
from typing import Any

import orjson

from support.answer_cuts import Outcome, make_codec, play, play_every_way
from support.builders import make_endpoint, make_provider
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.core.chunks import Fold
from trunkline_server.dialects.base import RenderedRequest
from trunkline_server.dialects.openai_responses import OpenAiResponses
from trunkline_server.dialects.openai_responses.stream import StreamDecoder
from trunkline_server.jsonshape import Codec

CODEC = make_codec()
ANSWERS = Codec.compile([ChatCompletion.DESCRIPTOR, ChatCompletionChunk.DESCRIPTOR])
"""The codec of an edge, which knows whole answers too."""
DIALECT = OpenAiResponses(CODEC)
HELLO = {"messages": [{"role": "user", "content": "hello"}]}
HELLO_ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}


def plain_endpoint(**fields: Any) -> Endpoint:
    """An endpoint of a provider that knows OpenAI's parameters only."""
    return make_endpoint(make_provider("plain"), **{"upstream_model": "their-model", **fields})


def open_endpoint() -> Endpoint:
    """An endpoint of a provider that takes all extensions."""
    return make_endpoint(make_provider("open", takes_extensions=True), upstream_model="their-model")


def read_request(body: dict[str, Any]) -> ChatCompletionRequest:
    """The request of a caller's JSON."""
    return CODEC.decode(ChatCompletionRequest, orjson.loads(orjson.dumps(body)))


def render(body: dict[str, Any], endpoint: Endpoint | None = None, *, stream: bool = True) -> RenderedRequest:
    """The request of a caller's JSON as a provider gets it; a message is added where there is none."""
    return DIALECT.render_request(read_request({**HELLO, **body}), endpoint or plain_endpoint(), stream=stream)


def sent(body: dict[str, Any], endpoint: Endpoint | None = None, *, stream: bool = True) -> Any:
    """The JSON that a provider gets."""
    return orjson.loads(render(body, endpoint, stream=stream).body)


def sent_items(*messages: dict[str, Any], endpoint: Endpoint | None = None) -> Any:
    """The input items that a provider gets for messages."""
    return sent({"messages": list(messages)}, endpoint)["input"]


def event(kind: str, **fields: Any) -> bytes:
    """An event as a provider sends it."""
    value = json.dumps({"type": kind, **fields}, separators=(",", ":"), ensure_ascii=False)
    return f"event: {kind}\ndata: {value}\n\n".encode()


def delta(text: str, place: int = 0, **fields: Any) -> bytes:
    """An event that adds text to the item at a place."""
    return event("response.output_text.delta", output_index=place, content_index=0, delta=text, **fields)


def message(*texts: str, **fields: Any) -> dict[str, Any]:
    """A message of a provider's answer with these texts."""
    parts = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": parts, **fields}


def completed(*items: dict[str, Any], status: str = "completed", **fields: Any) -> bytes:
    """The event that ends a stream, with the items of the whole answer."""
    return event(f"response.{status}", response={"id": "resp_1", "status": status, "output": list(items), **fields})


def make_decoder() -> StreamDecoder:
    """A decoder for one stream."""
    return StreamDecoder(CODEC)


def streamed(body: bytes) -> Outcome:
    """What a stream comes to, however it is cut."""
    return play_every_way(make_decoder, body)


def whole(*items: dict[str, Any], status: str = "completed", **fields: Any) -> Outcome:
    """What a whole answer with these items comes to."""
    body = {"id": "resp_1", "created_at": 1, "model": "one", "status": status, "output": list(items), **fields}
    return play(DIALECT.decoder(status=200, headers={}), [orjson.dumps(body)])


def fold(outcome: Outcome) -> ChatCompletion:
    """The whole answer of some chunks."""
    folded = Fold()
    folded.add(outcome.chunks)
    return folded.result()


def answer_json(outcome: Outcome) -> Any:
    """The message of the answer of some chunks, as a client of chat completions gets it."""
    return orjson.loads(CODEC.dump(fold(outcome).choices[0].message))


def read_events(text: bytes) -> list[dict[str, Any]]:
    """The values of the events that a client gets."""
    return [orjson.loads(part.split(b"data: ", 1)[1]) for part in text.split(b"\n\n") if part]


def kinds(events: Sequence[dict[str, Any]]) -> list[str]:
    """The types of events without what all begin with."""
    return [value["type"].removeprefix("response.") for value in events]
