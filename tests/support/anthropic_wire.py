# SPDX-License-Identifier: Apache-2.0
"""Anthropic's wire for tests: events written and read, endpoints by model, and Hypothesis strategies for requests and messages in the form we write."""

import copy
import json
from typing import Any, Final

import orjson
from hypothesis import strategies as st

from support.answer_cuts import make_codec, play
from support.builders import make_endpoint, make_provider
from support.dialect_scenarios import PDF, PNG
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk
from trunkline_server.core.chunks import Fold
from trunkline_server.dialects.anthropic.inbound import parse_request
from trunkline_server.dialects.anthropic.report import Report
from trunkline_server.dialects.anthropic.request import render_body, thaw
from trunkline_server.dialects.anthropic.response import WholeAnswerDecoder

CODEC: Final = make_codec()
ADAPTIVE: Final = "claude-opus-4-6"
BUDGETED: Final = "claude-sonnet-4-5"
USAGE: Final = {"input_tokens": 9, "output_tokens": 3}


def render(body: dict[str, Any], model: str = BUDGETED, **endpoint: Any) -> tuple[dict[str, Any], Report]:
    """A chat request's JSON as the body for a model, and what was lost or changed."""
    body = {"messages": [{"role": "user", "content": "Hi"}], **copy.deepcopy(body)}
    report = Report()
    request = CODEC.decode(ChatCompletionRequest, body)
    given = make_endpoint(make_provider("anthropic", dialect="anthropic"), upstream_model=model, **endpoint)
    return orjson.loads(orjson.dumps(render_body(thaw(CODEC.encode(request, answer=False)), given, report))), report


def parse(value: dict[str, Any]) -> ChatCompletionRequest:
    """A client's Messages JSON as the gateway's request."""
    return parse_request(CODEC, copy.deepcopy(value))


def render_again(value: dict[str, Any], model: str = ADAPTIVE) -> dict[str, Any]:
    """A client's Messages JSON, parsed and rendered for a provider."""
    given = make_endpoint(make_provider("anthropic", dialect="anthropic"), upstream_model=model)
    body = thaw(CODEC.encode(parse(value), answer=False))
    rendered: dict[str, Any] = orjson.loads(orjson.dumps(render_body(body, given, Report())))
    return rendered


def event(kind: str, **value: Any) -> bytes:
    """An event of the stream."""
    text = json.dumps({"type": kind, **value}, separators=(",", ":"), ensure_ascii=False)
    return f"event: {kind}\ndata: {text}\n\n".encode()


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> bytes:
    """The events of a block."""
    return (
        event("content_block_start", index=index, content_block=start)
        + b"".join(event("content_block_delta", index=index, delta=delta) for delta in deltas)
        + event("content_block_stop", index=index)
    )


def text_block(index: int, *texts: str) -> bytes:
    """The events of a block of text."""
    return block(index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": text} for text in texts))


def stop(reason: str | None, usage: dict[str, Any] | None = None, **delta: Any) -> bytes:
    """The events that end an answer."""
    said = {"stop_reason": reason, "stop_sequence": None, **delta}
    return event("message_delta", delta=said, usage=usage or USAGE) + event("message_stop")


START: Final = event(
    "message_start",
    message={
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 9, "output_tokens": 1},
    },
)
PING: Final = event("ping")


def fold(chunks: list[ChatCompletionChunk]) -> ChatCompletion:
    """The chunks of an answer as one."""
    answer = Fold()
    answer.add(chunks)
    return answer.result()


def read_message(message: dict[str, Any]) -> list[ChatCompletionChunk]:
    """The chunks of a whole answer."""
    outcome = play(WholeAnswerDecoder({}), [orjson.dumps(message)])
    assert outcome.error is None
    return outcome.chunks


def events_of(body: bytes) -> list[dict[str, Any]]:
    """The values of a stream's events, each checked to say the type that its event line says."""
    events = []
    for text in body.decode().split("\n\n")[:-1]:
        head, data = text.split("\n")
        value = json.loads(data.removeprefix("data: "))
        assert head == f"event: {value['type']}"
        events.append(value)
    return events


# ---- strategies ----
WORDS: Final = st.text("abcäß東🎈\"\\{}'", min_size=1, max_size=8)
IDS: Final = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
NAMES: Final = st.from_regex(r"[a-z_]{1,10}", fullmatch=True)
VALUES: Final = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
INPUTS: Final = st.dictionaries(NAMES, VALUES, max_size=3)
CACHE: Final = st.sampled_from([{"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}])


def made(fixed: dict[str, Any], **optional: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object with fixed members and any of the others."""
    return st.fixed_dictionaries({name: st.just(value) for name, value in fixed.items()}, optional=optional)


def needed(kind: str, **members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A block with all of its members."""
    return st.fixed_dictionaries({"type": st.just(kind), **members})


TEXTS: Final = needed("text", text=WORDS)
IMAGES: Final = needed(
    "image",
    source=st.sampled_from(
        [
            {"type": "base64", "media_type": "image/png", "data": PNG},
            {"type": "url", "url": "https://example.com/a.png"},
        ]
    ),
)
SOURCES: Final = st.one_of(
    st.sampled_from(
        [
            {"type": "base64", "media_type": "application/pdf", "data": PDF},
            {"type": "url", "url": "https://example.com/a.pdf"},
            {"type": "file", "file_id": "file_1"},
            {"type": "content", "content": [{"type": "text", "text": "chunk"}]},
        ]
    ),
    needed("text", media_type=st.just("text/plain"), data=WORDS),
)
DOCUMENTS: Final = st.fixed_dictionaries(
    {"type": st.just("document"), "source": SOURCES},
    optional={"title": WORDS, "context": WORDS, "citations": st.just({"enabled": True})},
)
SEARCH_RESULTS: Final = needed(
    "search_result", source=WORDS, title=WORDS, content=st.lists(TEXTS, min_size=1, max_size=2)
)
USER_BLOCKS: Final = st.one_of(TEXTS, IMAGES, DOCUMENTS, SEARCH_RESULTS)
RESULTS: Final = st.fixed_dictionaries(
    {"type": st.just("tool_result"), "tool_use_id": IDS},
    optional={
        "content": WORDS | st.lists(TEXTS | IMAGES, min_size=2, max_size=3) | st.lists(IMAGES, min_size=1, max_size=1),
        "is_error": st.booleans(),
    },
)
THINKING: Final = st.one_of(
    needed("thinking", thinking=st.just("") | WORDS, signature=WORDS),
    needed("redacted_thinking", data=WORDS),
)
SERVER_BLOCKS: Final = st.one_of(
    needed("server_tool_use", id=IDS, name=st.just("web_search"), input=INPUTS),
    needed("web_search_tool_result", tool_use_id=IDS, content=st.lists(INPUTS, max_size=2)),
    needed("container_upload", file_id=IDS),
)
CALLS: Final = needed("tool_use", id=IDS, name=NAMES, input=INPUTS)
USER_TURNS: Final = st.builds(
    lambda results, rest: {"role": "user", "content": results + rest},
    st.lists(RESULTS, max_size=2),
    st.lists(USER_BLOCKS, min_size=1, max_size=3),
)
SAID: Final = st.builds(
    lambda blocks, calls: blocks + calls,
    st.lists(st.one_of(TEXTS, THINKING, SERVER_BLOCKS), min_size=1, max_size=4),
    st.lists(CALLS, max_size=2),
)
ASSISTANT_TURNS: Final = st.fixed_dictionaries({"role": st.just("assistant"), "content": SAID})


def with_call_ids(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The turns with ids of calls that no two have."""
    calls = [block for turn in turns for block in turn["content"] if block["type"] == "tool_use"]
    for place, call in enumerate(calls):
        call["id"] = f"toolu-{place}"
    return turns


CONVERSATIONS: Final = st.builds(
    lambda pairs, last: with_call_ids([turn for pair in pairs for turn in pair] + [last]),
    st.lists(st.tuples(USER_TURNS, ASSISTANT_TURNS), max_size=2),
    USER_TURNS,
)
SCHEMA_OF_TOOL: Final = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}
TOOLS: Final = st.one_of(
    st.fixed_dictionaries(
        {"name": NAMES, "input_schema": st.just(SCHEMA_OF_TOOL)},
        optional={"description": WORDS, "strict": st.just(True), "cache_control": CACHE},
    ),
    st.just({"type": "web_search_20250305", "name": "web_search", "max_uses": 3}),
)
CHOICES: Final = st.one_of(
    made({"type": "auto"}, disable_parallel_tool_use=st.booleans()),
    made({"type": "any"}, disable_parallel_tool_use=st.booleans()),
    st.just({"type": "none"}),
    st.just({"type": "tool", "name": "look"}),
)
WITH_TOOLS: Final = st.fixed_dictionaries(
    {"tools": st.lists(TOOLS, min_size=1, max_size=2)}, optional={"tool_choice": CHOICES}
)
SCHEMA: Final = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
PLAIN: Final = st.fixed_dictionaries(
    {"max_tokens": st.integers(1, 64_000), "messages": CONVERSATIONS},
    optional={
        "system": st.lists(TEXTS, min_size=1, max_size=2),
        "stop_sequences": st.lists(WORDS, min_size=1, max_size=3),
        "temperature": st.floats(0, 1),
        "top_k": st.integers(1, 100),
        "metadata": st.just({"user_id": "u-1"}),
        "service_tier": st.sampled_from(["auto", "standard_only"]),
        "container": st.just("container_1"),
        "output_config": st.fixed_dictionaries(
            {},
            optional={
                "effort": st.sampled_from(["low", "medium", "high", "max"]),
                "format": st.just({"type": "json_schema", "schema": SCHEMA}),
            },
        ).filter(bool),
    },
)
REQUESTS: Final = st.builds(lambda plain, tools: {**plain, **tools}, PLAIN, st.just({}) | WITH_TOOLS)
"""Requests as we write them for a provider, without a model and without thinking, which allows no sampling."""


def tells_calls(message: dict[str, Any]) -> bool:
    """Whether an answer with calls does not say that it is just over."""
    return message["stop_reason"] != "end_turn" or all(block["type"] != "tool_use" for block in message["content"])


MESSAGES: Final = st.fixed_dictionaries(
    {
        "id": st.just("msg_1"),
        "type": st.just("message"),
        "role": st.just("assistant"),
        "model": st.just("claude"),
        "content": st.builds(
            lambda thoughts, text, calls: thoughts + text + calls,
            st.lists(THINKING | SERVER_BLOCKS, max_size=3),
            st.lists(TEXTS, max_size=1),
            st.lists(CALLS, max_size=2),
        ),
        "stop_reason": st.sampled_from(["end_turn", "max_tokens", "stop_sequence", "pause_turn", "refusal"]),
        "stop_sequence": st.none() | WORDS,
        "usage": st.fixed_dictionaries(
            {
                "input_tokens": st.integers(0, 10**6),
                "cache_creation_input_tokens": st.integers(0, 10**6),
                "cache_read_input_tokens": st.integers(0, 10**6),
                "output_tokens": st.integers(0, 10**6),
            },
            optional={
                "output_tokens_details": st.just({"thinking_tokens": 5}),
                "server_tool_use": st.just({"web_search_requests": 2, "web_fetch_requests": 1}),
                "cache_creation": st.just({"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4}),
                "service_tier": st.sampled_from(["standard", "priority"]),
            },
        ),
    }
).filter(tells_calls)
"""Whole answers as we write them for a client."""
