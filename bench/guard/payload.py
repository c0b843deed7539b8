# SPDX-License-Identifier: Apache-2.0
"""What the guard sends: a request of 2 KB with two tools, an answer of 600 bytes, and stream chunks of 200 bytes."""

from __future__ import annotations

from typing import Any, Final

import orjson

MODEL: Final = "acme/one"
KEY: Final = "guard-key-of-a-client"
CHUNK_BYTES: Final = 200


def make_request(*, stream: bool) -> bytes:
    """The JSON body of a call with a conversation, an image and two tools."""
    return orjson.dumps(
        {
            "model": MODEL,
            "messages": [
                {"role": "system", "content": "You answer briefly and say so when you do not know. " * 4},
                {"role": "user", "content": "What is the weather like in Paris, and what do I pack for a walk? " * 4},
                {"role": "assistant", "content": None, "tool_calls": [_TOOL_CALL]},
                {"role": "tool", "tool_call_id": "call_1", "content": '{"temperature":18,"conditions":"light rain"}'},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Thanks. And in the city on this picture?"},
                        {"type": "image_url", "image_url": {"url": "https://example.com/rome.png", "detail": "low"}},
                    ],
                },
            ],
            "tools": [_tool("get_weather"), _tool("get_forecast")],
            "tool_choice": "auto",
            "temperature": 0.7,
            "max_tokens": 512,
            "stop": ["\n\n"],
            "user": "user-1234",
            "stream": stream,
        }
    )


def make_answer() -> bytes:
    """The JSON of a provider's whole answer, with usage."""
    message = {"role": "assistant", "content": "It is raining in Rome, take a coat. " * 9}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return orjson.dumps({**_HEAD, "object": "chat.completion", "choices": [choice], "usage": _USAGE})


def make_chunk() -> bytes:
    """The JSON of one chunk with text, so long that its event has CHUNK_BYTES bytes."""
    bare = len(_event_with_text(""))
    return _chunk_with_text("x" * (CHUNK_BYTES - bare))


def make_event() -> bytes:
    """The chunk as a server-sent event."""
    return _event(make_chunk())


def make_last_events() -> bytes:
    """How a stream ends: the finish reason, the usage, and the mark of the end."""
    finish = {"index": 0, "delta": {}, "finish_reason": "stop"}
    chunks = ({"choices": [finish]}, {"choices": [], "usage": _USAGE})
    events = [_event(orjson.dumps({**_HEAD, "object": "chat.completion.chunk", **chunk})) for chunk in chunks]
    return b"".join([*events, b"data: [DONE]\n\n"])


_HEAD: Final = {"id": "chatcmpl-0123456789", "created": 1_760_000_000, "model": "upstream-one"}
_USAGE: Final = {"prompt_tokens": 420, "completion_tokens": 96, "total_tokens": 516}
_TOOL_CALL: Final = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"location":"Paris, France","unit":"celsius"}'},
}


def _tool(name: str) -> dict[str, Any]:
    properties = {
        "location": {"type": "string", "description": "The city and its country, such as Rome, Italy"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 14},
    }
    schema = {"type": "object", "properties": properties, "required": ["location"], "additionalProperties": False}
    description = "Says what the weather is like at a place, with a forecast for the days to come."
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


def _chunk_with_text(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return orjson.dumps({**_HEAD, "object": "chat.completion.chunk", "choices": [choice]})


def _event_with_text(text: str) -> bytes:
    return _event(_chunk_with_text(text))


def _event(data: bytes) -> bytes:
    return b"data: %b\n\n" % data
