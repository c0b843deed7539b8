# SPDX-License-Identifier: Apache-2.0
"""The parts of a call that need no socket, each as a function to repeat."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import orjson

from bench.guard.payload import make_chunk, make_event, make_request
from bench.guard.planning import make_planning
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletionChunk
from trunkline_server.app import make_codec
from trunkline_server.dialects.sse import SseDecoder
from trunkline_server.edge.events import frame_events
from trunkline_server.jsonshape import parse_json

DECODING: Final = "codec: decode a request"
PLANNING: Final = "routing: plan among 50 endpoints"


def make_works() -> Mapping[str, Callable[[], object]]:
    """The works by the name of their figure."""
    codec = make_codec()
    request_text, chunk_text, event = make_request(stream=True), make_chunk(), make_event()
    request = codec.decode(ChatCompletionRequest, parse_json(request_text))
    chunk = codec.decode(ChatCompletionChunk, orjson.loads(chunk_text), strict=False)
    sse = SseDecoder()
    return {
        "calibration": _calibrate,
        DECODING: lambda: codec.decode(ChatCompletionRequest, parse_json(request_text)),
        "codec: validate a request": lambda: codec.validate(request),
        "codec: encode a request": lambda: codec.dump(request, answer=False),
        "codec: decode a chunk": lambda: codec.decode(ChatCompletionChunk, orjson.loads(chunk_text), strict=False),
        "codec: encode a chunk": lambda: frame_events([codec.dump(chunk)]),
        "sse: parse an event": lambda: sse.feed(event),
        PLANNING: make_planning(request),
    }


def _calibrate() -> int:
    """Work of a fixed size that has nothing of ours: calls, attributes, dictionaries, bytes. It tells one build of an interpreter from another."""
    found: dict[str, list[int]] = {}
    for number in range(200):
        found.setdefault(f"key{number & 7}", []).append(len(b"%d" % number))
    return sum(map(sum, found.values()))
