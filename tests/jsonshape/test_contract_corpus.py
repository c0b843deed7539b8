# SPDX-License-Identifier: Apache-2.0
"""The real contract: bodies of the OpenAI and OpenRouter wires, and the messages that they are."""

from typing import Any

import orjson
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk
from trunkline_server.jsonshape import Codec, ShapeFaults, parse_json

CODEC = Codec.compile([kind.DESCRIPTOR for kind in (ChatCompletionRequest, ChatCompletion, ChatCompletionChunk)])
ASK = [{"role": "user", "content": "hi"}]
ASKED = [{"user": {"content": [{"text": "hi"}]}}]


def canonical(message: Message) -> Any:
    """The message as ProtoJSON with the field names of the proto."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def read(body: dict[str, Any]) -> ChatCompletionRequest:
    """A caller's body, by way of its bytes."""
    return CODEC.decode(ChatCompletionRequest, parse_json(orjson.dumps(body)))


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"stop": "x"}, {"stop": ["x"]}),
        ({"stop": ["x", "y"]}, {"stop": ["x", "y"]}),
        ({"stop": None, "seed": None, "tools": []}, {}),
        ({"tool_choice": "auto"}, {"tool_choice": {"mode": "auto"}}),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, {"tool_choice": {"named": {"type": "function", "function": {"name": "f"}}}}),
        ({"tool_choice": {"type": "openrouter:web_search"}}, {"tool_choice": {"named": {"type": "openrouter:web_search"}}}),
        ({"function_call": {"name": "f"}}, {"function_call": {"function": {"name": "f"}}}),
        ({"response_format": {"type": "text"}}, {"response_format": {"text": {}}}),
        ({"response_format": {"type": "json_object"}}, {"response_format": {"json_object": {}}}),
        ({"response_format": {"type": "grammar", "grammar": "root ::= x"}}, {"response_format": {"grammar": "root ::= x"}}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": {"z": 1, "a": 2}}}},
            {"response_format": {"json_schema": {"name": "n", "schema": '{"z":1,"a":2}', "strict": True}}},
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"n": 2**53 + 1, "a": []}}}]},
            {"tools": [{"function": {"name": "f", "parameters": '{"n":9007199254740993,"a":[]}'}}]},
        ),
        ({"tools": [{"type": "openrouter:web_search", "parameters": {"max_results": 3}}]}, {"tools": [{"web_search": {"max_results": 3}}]}),
        ({"tools": [{"type": "openrouter:datetime"}]}, {"tools": [{"datetime": {}}]}),
        ({"tools": [{"type": "web_search"}]}, {"tools": [{"web_search_shorthand": {}}]}),
        (
            {"tools": [{"type": "web_search_preview", "search_context_size": "low", "filters": {"a": 1}}]},
            {"tools": [{"web_search_shorthand": {"settings": {"search_context_size": "low"}, "received_type": "web_search_preview"}, "extra": {"filters": '{"a":1}'}}]},
        ),
        ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, {"tools": [{"unknown": '{"type":"custom","custom":{"name":"c"}}'}]}),
        ({"plugins": [{"id": "web", "max_results": 2, "zz": 1}]}, {"plugins": [{"web": {"max_results": 2}, "extra": {"zz": "1"}}]}),
        ({"plugins": [{"id": "moderation", "enabled": False}]}, {"plugins": [{"moderation": {}, "enabled": False}]}),
        ({"provider": {"sort": "price"}}, {"provider": {"sort": {"by": "price"}}}),
        ({"provider": {"sort": {"by": "price", "partition": "none"}}}, {"provider": {"sort": {"config": {"by": "price", "partition": "none"}}}}),
        ({"provider": {"preferred_max_latency": 1.5}}, {"provider": {"preferred_max_latency": {"median": 1.5}}}),
        ({"provider": {"preferred_max_latency": {"p90": 2}}}, {"provider": {"preferred_max_latency": {"percentiles": {"p90": 2.0}}}}),
        ({"provider": {"max_price": {"prompt": 0.5, "completion": "0.000001"}}}, {"provider": {"max_price": {"prompt_pusd": "500000000000", "completion_pusd": "1000000"}}}),
        ({"provider": {"data_collection": "deny"}}, {"provider": {"data_collection": "DATA_COLLECTION_DENY"}}),
        ({"logit_bias": {"50256": -100}}, {"logit_bias": {"50256": -100.0}}),
        ({"image_config": {"ratio": "16:9", "n": 2, "list": [1]}}, {"image_config": {"ratio": '"16:9"', "n": "2", "list": "[1]"}}),
        ({"stop_server_tools_when": [{"type": "max_cost", "max_cost_in_dollars": 0.5}]}, {"stop_server_tools_when": [{"max_cost_pusd": "500000000000"}]}),
        ({"prediction": {"type": "content", "content": "x"}}, {"prediction": {"content": [{"text": "x"}]}}),
        ({"cache_control": {"type": "ephemeral", "ttl": "1h"}}, {"cache_control": {"ttl": "1h"}}),
        ({"max_tokens": 5.0, "temperature": 1, "n": 2}, {"max_tokens": 5, "temperature": 1.0, "n": 2}),
        ({"trace": {"trace_id": "t", "mine": [1]}}, {"trace": {"trace_id": "t", "extra": {"mine": "[1]"}}}),
        ({"new_parameter": {"b": 1, "a": 2}, "__proto__": 1}, {"extra": {"new_parameter": '{"b":1,"a":2}', "__proto__": "1"}}),
    ],
)  # fmt: skip
def test_request_bodies(body: dict[str, Any], fields: dict[str, Any]) -> None:
    """Each shape of a parameter is read into its typed field."""
    message = read({"messages": ASK, **body})
    assert canonical(message) == {"messages": ASKED, **fields}
    assert CODEC.validate(message) == []


@pytest.mark.parametrize(
    ("given", "fields", "written"),
    [
        ({"role": "system", "content": "s"}, {"system": {"content": [{"text": "s"}]}}, ...),
        ({"role": "developer", "content": "s", "name": "n"}, {"developer": {"content": [{"text": "s"}], "name": "n"}}, ...),
        ({"role": "user", "content": [{"type": "text", "text": "a"}]}, {"user": {"content": [{"text": "a"}]}}, {"role": "user", "content": "a"}),
        (
            {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
            {"user": {"content": [{"text": "a", "cache_control": {}}]}},
            ...,
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u", "detail": "low"}}, {"type": "input_video", "video_url": {"url": "v"}}]},
            {"user": {"content": [{"image_url": {"url": "u", "detail": "low"}}, {"video_url": {"url": "v", "received_type": "input_video"}}]}},
            ...,
        ),
        ({"role": "assistant", "content": None}, {"assistant": {}}, {"role": "assistant"}),
        ({"role": "assistant", "content": "", "reasoning_content": "r"}, {"assistant": {"content": [{"text": ""}], "reasoning": "r"}}, {"role": "assistant", "content": "", "reasoning": "r"}),
        (
            {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"broken'}}]},
            {"assistant": {"tool_calls": [{"id": "1", "function": {"name": "f", "arguments": '{"broken'}}]}},
            ...,
        ),
        (
            {"role": "assistant", "reasoning_details": [
                {"type": "reasoning.text", "text": "t", "signature": "s", "id": "i", "format": "f", "index": 0, "more": {"b": 1, "a": 2}},
                {"type": "reasoning.encrypted", "data": "d"},
                {"type": "reasoning.new", "x": [1]},
            ]},
            {"assistant": {"reasoning_details": [
                {"text": {"text": "t", "signature": "s"}, "id": "i", "format": "f", "index": 0, "extra": {"more": '{"b":1,"a":2}'}},
                {"encrypted": {"data": "d"}},
                {"unknown": '{"type":"reasoning.new","x":[1]}'},
            ]}},
            ...,
        ),
        ({"role": "tool", "tool_call_id": "1", "content": "r"}, {"tool": {"content": [{"text": "r"}], "tool_call_id": "1"}}, ...),
    ],
)  # fmt: skip
def test_messages_of_all_roles(given: dict[str, Any], fields: dict[str, Any], written: Any) -> None:
    """A message of each role is read, and written to an upstream as it came or in normal form."""
    message = read({"messages": [given]})
    assert canonical(message)["messages"] == [fields]
    assert orjson.loads(CODEC.dump(message, answer=False)) == {"messages": [given if written is ... else written]}


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"messages": "hi"}, ["messages"]),
        ({"messages": []}, ["messages"]),
        ({}, ["messages"]),
        ({"messages": [{"role": 7, "content": "x"}]}, ["messages[0].role"]),
        ({"messages": [{"content": "x"}]}, ["messages[0].role"]),
        ({"messages": [{"role": "user", "content": {}}]}, ["messages[0].content"]),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, ["messages[0].content[0].type"]),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 1}, None]}]}, ["messages[0].content[0].text", "messages[0].content[1]"]),
        ({"messages": [{"role": "tool", "content": "x"}]}, ["messages[0].tool_call_id"]),
        ({"messages": ASK, "stream": "true"}, ["stream"]),
        ({"messages": ASK, "stop": ["a"] * 5}, ["stop"]),
        ({"messages": ASK, "stop": "a" * 257}, ["stop"]),
        ({"messages": ASK, "top_logprobs": 21, "temperature": 2.1, "presence_penalty": -2.5, "frequency_penalty": 3}, ["temperature", "frequency_penalty", "presence_penalty", "top_logprobs"]),
        ({"messages": ASK, "temperature": 1e308, "n": 1000}, ["temperature", "n"]),
        ({"messages": ASK, "max_tokens": 0}, ["max_tokens"]),
        ({"messages": ASK, "max_tokens": 1.5}, ["max_tokens"]),
        ({"messages": ASK, "max_tokens": "5"}, ["max_tokens"]),
        ({"messages": ASK, "max_tokens": 2**31}, ["max_tokens"]),
        ({"messages": ASK, "max_tokens": True}, ["max_tokens"]),
        ({"messages": ASK, "metadata": {str(n): "x" for n in range(17)}}, ["metadata"]),
        ({"messages": ASK, "metadata": {"k" * 65: "x", "k": "x" * 513, "n": 1}}, [f'metadata["{"k" * 40}"…]', "metadata.k", "metadata.n"]),
        ({"messages": ASK, "session_id": "é" * 257}, ["session_id"]),
        ({"messages": ASK, "logit_bias": {"x": 1, "5": 101}}, ["logit_bias.x", 'logit_bias["5"]']),
        ({"messages": ASK, "tools": [{"type": "function", "function": {"name": "../x"}}]}, ["tools[0].function.name"]),
        ({"messages": ASK, "tools": [{"type": "function"}]}, ["tools[0].function.name"]),
        ({"messages": ASK, "tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]}, ["tools[0].function.parameters"]),
        ({"messages": ASK, "models": ["m"] * 11}, ["models"]),
        ({"messages": ASK, "provider": {"unknown": 1}}, ["provider.unknown"]),
        ({"messages": ASK, "provider": {"max_price": {"prompt": "1e400"}}}, ["provider.max_price.prompt"]),
        ({"messages": ASK, "response_format": {"type": "xml"}}, ["response_format.type"]),
        ({"messages": ASK, "tool_choice": "maybe"}, ["tool_choice"]),
        ({"messages": ASK, "plugins": [{"id": "nope"}]}, ["plugins[0].id"]),
        ({"messages": ASK, "api_base": "x", "base_url": "x", "api_key": "x", "extra_headers": {}, "custom_llm_provider": "x"}, ["api_base", "base_url", "api_key", "extra_headers", "custom_llm_provider"]),
        ({"messages": [{"role": "user", "content": "x", "api_key": "k"}]}, ["messages[0].api_key"]),
    ],
)  # fmt: skip
def test_hostile_and_mistaken_bodies(body: dict[str, Any], paths: list[str]) -> None:
    """Each mistake is found under its path, several at once."""
    with pytest.raises(ShapeFaults) as caught:
        read(body)
    assert [fault.path for fault in caught.value.faults] == paths


def ask(**fields: Any) -> ChatCompletionRequest:
    """A request of one user message."""
    return ChatCompletionRequest(messages=ASKED, **fields)


@pytest.mark.parametrize(
    ("message", "key", "wire", "protojson"),
    [
        (ask(), "messages", [{"role": "user", "content": "hi"}], [{"user": {"content": [{"text": "hi"}]}}]),
        (ask(max_tokens=5), "max_tokens", 5, 5),
        (ask(seed=2**53 + 1), "seed", 2**53 + 1, str(2**53 + 1)),
        (ask(stop=["x"]), "stop", ["x"], ["x"]),
        (ask(tool_choice={"mode": "auto"}), "tool_choice", "auto", {"mode": "auto"}),
        (ask(tools=[{"function": {"name": "f", "parameters": '{"n":9007199254740993}'}}]), "tools", [{"type": "function", "function": {"name": "f", "parameters": {"n": 2**53 + 1}}}], [{"function": {"name": "f", "parameters": '{"n":9007199254740993}'}}]),
        (ask(logit_bias={"5": -100}), "logit_bias", {"5": -100.0}, {"5": -100.0}),
        (ask(extra={"new": "[1]"}), "new", [1], None),
        (ask(provider={"data_collection": 2}), "provider", {"data_collection": "deny"}, {"data_collection": "DATA_COLLECTION_DENY"}),
        (ChatCompletionChunk(), "object", "chat.completion.chunk", None),
        (ChatCompletionChunk(created=1760000000), "created", 1760000000, "1760000000"),
        (ChatCompletionChunk(choices=[{"delta": {}}]), "choices", [{"index": 0, "delta": {}, "finish_reason": None}], [{"delta": {}}]),
        (ChatCompletionChunk(choices=[{"delta": {"content": ""}, "finish_reason": 1}]), "choices", [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}], [{"delta": {"content": ""}, "finish_reason": "FINISH_REASON_STOP"}]),
        (ChatCompletion(choices=[{"message": {}}]), "system_fingerprint", None, None),
    ],
)  # fmt: skip
def test_the_wire_beside_canonical_protojson(message: Message, key: str, wire: Any, protojson: Any) -> None:
    """Item by item, what the OpenAI wire says and what any stock tool would say in its place."""
    assert orjson.loads(CODEC.dump(message))[key] == wire
    assert canonical(message).get(key) == protojson


CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 1760000000, "model": "m"}


@pytest.mark.parametrize(
    ("body", "written"),
    [
        ({**CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, ...),
        ({**CHUNK, "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "cost": 0.00014}}, ...),
        (
            {**CHUNK, "choices": [{"index": 0, "delta": {"content": "x", "reasoning_content": "r"}}], "usage": None, "x_groq": {}},
            {**CHUNK, "choices": [{"index": 0, "delta": {"content": "x", "reasoning": "r"}, "finish_reason": None}]},
        ),
        (
            {**CHUNK, "choices": [{"index": "0", "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{"}, "x": 1}], "y": []}, "finish_reason": "eos"}]},
            {**CHUNK, "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{"}, "x": 1}], "y": []}, "finish_reason": None}]},
        ),
        ({"choices": [None, 5, {"delta": 7, "index": None}]}, {**CHUNK, "id": "", "created": 0, "model": "", "choices": [{"index": 0, "delta": {}, "finish_reason": None}]}),
    ],
)  # fmt: skip
def test_chunks_of_an_upstream(body: dict[str, Any], written: Any) -> None:
    """What a provider says is kept or normalised, never refused; nulls and constants are ours."""
    chunk = CODEC.decode(ChatCompletionChunk, body, strict=False)
    assert orjson.loads(CODEC.dump(chunk)) == (body if written is ... else written)


def test_a_whole_answer() -> None:
    """Required-but-nullable keys are present, the message's role is written, unknown keys of a choice are kept."""
    answer = {
        "id": "c", "object": "chat.completion", "created": 1, "model": "m", "system_fingerprint": None,
        "choices": [{
            "index": 0, "finish_reason": "tool_calls", "logprobs": None, "stop_reason": 7,
            "message": {"role": "assistant", "content": None, "refusal": None, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        }],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "prompt_tokens_details": {"cached_tokens": 0}},
    }  # fmt: skip
    message = CODEC.decode(ChatCompletion, answer, strict=False)
    assert orjson.loads(CODEC.dump(message)) == answer
