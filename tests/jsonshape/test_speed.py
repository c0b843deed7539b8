# SPDX-License-Identifier: Apache-2.0
"""How fast the codec is, beside json_format on the same messages. Ratios are printed at the end; no test fails by a time.

An ordinary run executes each body once; `make test-all` measures.
"""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from google.protobuf import json_format

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletionChunk
from trunkline_server.jsonshape import Codec, parse_json

CODEC = Codec.compile([ChatCompletionRequest.DESCRIPTOR, ChatCompletionChunk.DESCRIPTOR])


def _tool(name: str) -> dict[str, Any]:
    properties = {
        "location": {"type": "string", "description": "The city and its country, such as Rome, Italy; never a street"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 14},
    }
    schema = {"type": "object", "properties": properties, "required": ["location"], "additionalProperties": False}
    description = "Says what the weather is like at a place, with a forecast for the days to come, in metric units."
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


_CALL = {"name": "get_weather", "arguments": '{"location":"Paris, France","unit":"celsius"}'}
REQUEST = orjson.dumps(
    {
        "model": "openai/gpt-4o-mini",
        "messages": [
            {
                "role": "system",
                "content": "You are a helpful assistant who answers briefly, in plain words, and says so when it does not know.",
            },
            {
                "role": "user",
                "content": "What is the weather like in Paris, and what do I pack for a trip of three days?",
            },
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "call_1", "type": "function", "function": _CALL}],
            },
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
        "stream": True,
        "stop": ["\n\n"],
        "user": "user-1234",
        "metadata": {"team": "blue"},
        "a_new_parameter": {"level": 1},
    }
)
_DELTA = {"index": 0, "delta": {"role": "assistant", "content": " hello"}, "finish_reason": None, "logprobs": None}
CHUNK = orjson.dumps(
    {
        "id": "gen-1760000000-abcdefgh",
        "object": "chat.completion.chunk",
        "created": 1760000000,
        "model": "openai/gpt-4o-mini",
        "provider": "OpenAI",
        "choices": [_DELTA],
        "usage": None,
    }
)
request_message = CODEC.decode(ChatCompletionRequest, parse_json(REQUEST))
request_protojson = json_format.MessageToJson(request_message, indent=None)
chunk_message = CODEC.decode(ChatCompletionChunk, parse_json(CHUNK), strict=False)
chunk_protojson = json_format.MessageToJson(chunk_message, indent=None)

WORK: dict[tuple[str, str], Callable[[], object]] = {
    ("request read", "codec"): lambda: CODEC.decode(ChatCompletionRequest, parse_json(REQUEST)),
    ("request read", "json_format"): lambda: json_format.Parse(request_protojson, ChatCompletionRequest()),
    ("request written", "codec"): lambda: CODEC.dump(request_message, answer=False),
    ("request written", "json_format"): lambda: json_format.MessageToJson(request_message, indent=None),
    ("chunk read", "codec"): lambda: CODEC.decode(ChatCompletionChunk, parse_json(CHUNK, strict=False), strict=False),
    ("chunk read", "json_format"): lambda: json_format.Parse(chunk_protojson, ChatCompletionChunk()),
    ("chunk written", "codec"): lambda: CODEC.dump(chunk_message),
    ("chunk written", "json_format"): lambda: json_format.MessageToJson(chunk_message, indent=None),
    ("request validated", "codec"): lambda: CODEC.validate(request_message),
}
AIMS = {"request read": 6, "chunk written": 3}


@pytest.fixture(scope="module")
def measured(pytestconfig: pytest.Config) -> Iterator[dict[tuple[str, str], float]]:
    """Takes the shortest time of each work, in seconds, and prints the ratios when all is done."""
    times: dict[tuple[str, str], float] = {}
    yield times
    reporter = pytestconfig.pluginmanager.getplugin("terminalreporter")
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    for (work, who), seconds in times.items():
        other = times.get((work, "json_format"))
        if reporter is not None and capture is not None and who == "codec" and other is not None:
            aim = f" (aim: {AIMS[work]})" if work in AIMS else ""
            line = f"{work}: {seconds * 1e6:.1f} us, json_format {other * 1e6:.1f} us, ratio {other / seconds:.1f}{aim}"
            with capture.global_and_fixture_disabled():
                reporter.write_line(f"\n{line}")


@pytest.mark.parametrize(("work", "who"), WORK)
def test_speed(work: str, who: str, benchmark: Any, measured: dict[tuple[str, str], float]) -> None:
    """The codec and json_format do the same work, one after the other."""
    benchmark.group = work
    benchmark(WORK[work, who])
    if benchmark.stats is not None:
        measured[work, who] = benchmark.stats.stats.min


def test_the_request_is_the_one_that_was_meant() -> None:
    """Two kilobytes with two tools, and canonical ProtoJSON that says the same."""
    assert 1800 < len(REQUEST) < 2300
    assert len(request_message.tools) == 2
    assert json_format.Parse(request_protojson, ChatCompletionRequest()) == request_message
