# SPDX-License-Identifier: Apache-2.0
"""Events as chunks: reasons, usage, irregular values."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.answer_cuts import play
from support.anthropic_wire import START, block, event, fold, read_message, stop, text_block
from trunkline.v1.chat_response_pb2 import ChatCompletion, FinishReason
from trunkline_server.dialects.anthropic.reader import EventReader
from trunkline_server.dialects.anthropic.stream import StreamDecoder


def read(*events: bytes) -> ChatCompletion:
    """The answer that events make."""
    outcome = play(StreamDecoder({}), events)
    assert outcome.error is None
    return fold(outcome.chunks)


REASONS = [
    ("end_turn", "STOP"),
    ("stop_sequence", "STOP"),
    ("pause_turn", "STOP"),
    ("max_tokens", "LENGTH"),
    ("model_context_window_exceeded", "LENGTH"),
    ("refusal", "CONTENT_FILTER"),
    ("something_new", "STOP"),
]


@pytest.mark.parametrize(("native", "finish"), REASONS)
def test_reasons(native: str, finish: str) -> None:
    """Each reason to stop has its meaning, and its own word beside it."""
    choice = read(START, text_block(0, "Hi"), stop(native)).choices[0]
    assert choice.finish_reason == FinishReason.Value(f"FINISH_REASON_{finish}")
    assert choice.native_finish_reason == native


@pytest.mark.parametrize(("name", "finish"), [("look", "TOOL_CALLS"), ("trunkline_structured_answer", "STOP")])
def test_tool_use(name: str, finish: str) -> None:
    """A call ends in a call, unless it was the forced one that brought the answer."""
    call = block(
        0,
        {"type": "tool_use", "id": "c", "name": name, "input": {}},
        {"type": "input_json_delta", "partial_json": '{"a":1}'},
    )
    choice = read(START, call, stop("tool_use")).choices[0]
    assert choice.finish_reason == FinishReason.Value(f"FINISH_REASON_{finish}")
    said = [part.text for part in choice.message.content] + [
        item.function.arguments for item in choice.message.tool_calls
    ]
    assert said == ['{"a":1}']


def test_what_belongs_to_the_reason() -> None:
    """The stop sequence and the details of a refusal are kept beside the finish; an explanation is the refusal."""
    details = {"type": "refusal", "category": "bio", "explanation": "No."}
    choice = read(START, stop("refusal", stop_details=details)).choices[0]
    assert (orjson.loads(choice.extra["stop_details"]), choice.message.refusal) == (details, "No.")
    choice = read(START, stop("stop_sequence", stop_sequence="END")).choices[0]
    assert choice.extra["stop_sequence"] == '"END"'


def test_usage_is_what_came_last() -> None:
    """Counts of the start are kept until the end brings newer ones."""
    start = event(
        "message_start",
        message={
            "id": "m",
            "model": "c",
            "usage": {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 1},
        },
    )
    usage = read(start, text_block(0, "Hi"), stop("end_turn", {"output_tokens": 4, "input_tokens": None})).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.prompt_tokens_details.cached_tokens) == (12, 4, 7)


def test_usage_after_the_finish() -> None:
    """A second message_delta brings newer counts and no second finish."""
    late = event("message_delta", delta={}, usage={"output_tokens": 8})
    answer = read(START, stop("end_turn").replace(event("message_stop"), b""), late, event("message_stop"))
    assert answer.usage.completion_tokens == 8


def test_blocks_left_open_are_closed() -> None:
    """A call whose stop never came still has its arguments."""
    open_call = event(
        "content_block_start", index=0, content_block={"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}}
    )
    assert read(START, open_call, stop("tool_use")).choices[0].message.tool_calls[0].function.arguments == '{"a":1}'


IRREGULAR: list[Any] = [
    None,
    5,
    "text",
    [],
    {},
    {"type": 5},
    {"type": "message_start"},
    {"type": "message_start", "message": 5},
    {"type": "content_block_start", "index": "0", "content_block": {}},
    {"type": "content_block_start", "index": 2**40, "content_block": {"type": "text"}},
    {"type": "content_block_start", "index": 0, "content_block": 5},
    {"type": "content_block_delta"},
    {"type": "content_block_delta", "index": 0, "delta": 5},
    {"type": "content_block_delta", "index": 7, "delta": {"type": "fresh_delta", "x": 1}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": 5}},
    {"type": "content_block_stop", "index": 99},
    {"type": "message_delta", "delta": 5, "usage": 5},
    {"type": "message_delta", "delta": {"stop_reason": 5}},
]


@pytest.mark.parametrize("value", IRREGULAR)
def test_irregular_values_are_passed_over(value: Any) -> None:
    """What is no event of Anthropic's adds nothing and breaks nothing."""
    reader = EventReader({})
    reader.read(orjson.loads(START.split(b"data: ")[1]))
    chunk = reader.read(value)
    assert chunk is None or not chunk.choices or not chunk.choices[0].delta.ListFields()
    assert (reader.failure, reader.ended) == (None, False)


def test_the_role_comes_first_and_once() -> None:
    """The first chunk names the role, even where the stream forgot its start."""
    chunks = play(StreamDecoder({}), [text_block(0, "a", "b") + stop("end_turn")]).chunks
    assert [chunk.choices[0].delta.role for chunk in chunks] == ["assistant", "", "", ""]


def test_tiers() -> None:
    """The tier that served is told in the contract's words."""
    message = {"id": "m", "model": "c", "content": [], "stop_reason": "end_turn"}
    tiers = [
        fold(
            read_message({**message, "usage": {"input_tokens": 1, "output_tokens": 1, "service_tier": tier}})
        ).service_tier
        for tier in ("standard", "priority")
    ]
    assert tiers == ["default", "priority"]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**62) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "text", "url"]), inner, max_size=2)
    ),
    max_leaves=5,
)
MEMBERS = [
    "text",
    "citations",
    "thinking",
    "signature",
    "data",
    "id",
    "name",
    "input",
    "content",
    "tool_use_id",
    "citation",
]
MEMBERS += ["partial_json", "stop_reason", "stop_sequence", "stop_details", "usage", "model"]
KINDS = ["text", "thinking", "redacted_thinking", "tool_use", "server_tool_use", "x_tool_result", "fresh", "text_delta"]
INNER = st.fixed_dictionaries({"type": st.sampled_from(KINDS)}, optional=dict.fromkeys(MEMBERS, JUNK))
EVENTS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta"]
        )
    },
    optional={
        "index": st.integers(0, 1) | JUNK,
        **dict.fromkeys(("message", "content_block", "delta", "usage"), INNER | JUNK),
    },
)


@given(events=st.lists(EVENTS, max_size=8))
def test_any_events(events: list[dict[str, Any]]) -> None:
    """Whatever a provider puts into its events, nothing breaks."""
    reader = EventReader({})
    for value in events:
        reader.read(value)
    reader.end()
