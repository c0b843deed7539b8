# SPDX-License-Identifier: Apache-2.0
"""What is sent: a chat request of 2 KB with two tools; and what the upstream answers over gRPC. Over HTTP it knows its answers itself."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

from trunkline import build_request
from trunkline.requests import build_message
from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk

REQUEST_BYTES = 2048
ANSWER_BYTES = 600
CHUNK_BYTES = 200
CHUNKS = 100
GAP_US = 5000
# The upstream writes the time of each chunk in its place.
STAMP = "T" + "0" * 19

_SYSTEM = "You are the assistant of a travel agency. Answer in one paragraph, name your sources, and ask back when a date is missing. "
_USER = "We are two adults and a child, and would like to see the mountains by train in the second week of June without changing more than twice. "


def make_request(model: str, *, stream: bool = False) -> bytes:
    """The JSON body of 2 KB that asks a model; a stream with its usage at the end."""
    bare = _request(model, "", stream=stream)
    filler = _USER * (REQUEST_BYTES // len(_USER))
    return _dump(_request(model, filler[: REQUEST_BYTES - len(_dump(bare))], stream=stream))


def make_grpc_request(model: str, *, stream: bool = False) -> bytes:
    """The same request as a serialised trunkline.v1.ChatCompletionRequest, without gRPC's five bytes of frame."""
    return build_request(json.loads(make_request(model, stream=stream))).SerializeToString()


def frame(message: bytes) -> bytes:
    """A message as it goes over gRPC: not compressed, with its length in front."""
    return struct.pack(">BI", 0, len(message)) + message


def make_grpc_answer() -> bytes:
    """The upstream's whole answer over gRPC: what its 600 bytes of JSON say, as a message; nulls are absent there."""
    message = {"role": "assistant", "content": "", "refusal": None}
    answer: dict[str, Any] = {
        **_HEAD,
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 500, "completion_tokens": 100, "total_tokens": 600},
    }
    message["content"] = "x" * (ANSWER_BYTES - len(_dump(answer)))
    return build_message(ChatCompletion, answer, {}).SerializeToString()


def make_grpc_chunk() -> bytes:
    """A chunk over gRPC: the text begins with the stamp, and is as long as in an event of 200 bytes."""
    chunk: dict[str, Any] = {**_HEAD, "object": "chat.completion.chunk", "choices": [_choice("")]}
    text = CHUNK_BYTES - len(_dump(chunk)) - len("data: \n\n") - len(STAMP)
    chunk["choices"] = [_choice(STAMP + "x" * max(0, text))]
    return build_message(ChatCompletionChunk, chunk, {}).SerializeToString()


_HEAD: Mapping[str, Any] = {"id": "chatcmpl-bench", "created": 1_760_000_000, "model": "bench"}


def _choice(text: str) -> Mapping[str, Any]:
    return {"index": 0, "delta": {"content": text}, "finish_reason": None}


def _tool(name: str, description: str) -> Mapping[str, Any]:
    properties = {
        "from": {"type": "string", "description": "Where the journey starts, a town or a station"},
        "to": {"type": "string", "description": "Where it ends"},
        "day": {"type": "string", "description": "The day of the journey, YYYY-MM-DD"},
        "changes": {"type": "integer", "minimum": 0, "maximum": 5},
    }
    schema = {"type": "object", "properties": properties, "required": ["from", "to", "day"]}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


def _request(model: str, filler: str, *, stream: bool) -> Mapping[str, Any]:
    request: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": filler}],
        "tools": [
            _tool("find_trains", "Finds the trains between two places on one day."),
            _tool("find_fares", "Finds what a journey costs, with the cards that make it cheaper."),
        ],
        "temperature": 0.7,
        "max_tokens": 512,
    }
    if stream:
        request |= {"stream": True, "stream_options": {"include_usage": True}}
    return request


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
