# SPDX-License-Identifier: Apache-2.0
"""The events of an answer, one by one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.answer_cuts import tell
from support.responses_wire import CODEC, answer_json, fold, message, whole
from support.strategies import values
from trunkline_server.dialects.openai_responses.reader import AnswerReader

USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 15,
}
SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed"}


@pytest.mark.parametrize(
    ("status", "details", "finish", "native"),
    [
        ("completed", None, "stop", "completed"),
        ("incomplete", {"reason": "max_output_tokens"}, "length", "max_output_tokens"),
        ("incomplete", {"reason": "content_filter"}, "content_filter", "content_filter"),
        ("incomplete", {"reason": "new_reason"}, "length", "new_reason"),
        ("incomplete", None, "length", "incomplete"),
        ("incomplete", {"reason": ["x"]}, "length", "incomplete"),
        (["x"], None, "stop", "completed"),
    ],
)
def test_finishes(status: Any, details: object, finish: str, native: str) -> None:
    """Why an answer ended is told in the contract's words, and in the provider's."""
    told = tell(whole(message("hi"), status=status, incomplete_details=details))
    assert told["choice 0"] == {"text": "hi", "finish": finish, "native": native}


def test_calls_make_the_finish() -> None:
    """An answer with calls asks for tools; so does one that says something as well."""
    call = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
    assert tell(whole(message("hi"), call))["choice 0"]["finish"] == "tool_calls"


def test_usage() -> None:
    """All counts arrive, cached tokens as part of the prompt; searches are counted where the provider ran them."""
    usage = fold(whole(SEARCH, message("hi"), usage=USAGE, service_tier="flex")).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (10, 5, 15)
    assert (usage.prompt_tokens_details.cached_tokens, usage.prompt_tokens_details.cache_write_tokens) == (4, 1)
    assert usage.completion_tokens_details.reasoning_tokens == 3
    assert usage.server_tool_use_details.web_search_requests == 1


def test_head_and_tier() -> None:
    """Id, time and model are the provider's, and the tier is the one that served."""
    folded = fold(whole(message("hi"), service_tier="flex"))
    assert (folded.id, folded.created, folded.model, folded.service_tier) == ("resp_1", 1, "one", "flex")


def test_what_the_contract_cannot_tell_is_kept() -> None:
    """The turn's items travel along, so that the next turn can give them back."""
    told = answer_json(whole(SEARCH, message("hi")))
    assert told["content"] == "hi"
    assert told["openai_responses"] == [SEARCH, message("hi")]


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        "text",
        {"output": None},
        {"output": "text", "status": "completed"},
        {"object": "chat.completion", "choices": []},
    ],
)
def test_what_is_no_answer(value: object) -> None:
    """JSON of another kind is a failure of the provider."""
    reader = AnswerReader(CODEC)
    assert reader.read_whole(value) == []
    assert reader.failure is not None


@pytest.mark.parametrize("status", ["failed", "cancelled", "queued", "in_progress"])
def test_an_answer_that_is_not_whole(status: str) -> None:
    """It is a failure, what was said until then being its partial answer."""
    outcome = whole(message("hi"), status=status)
    assert outcome.error is not None
    assert [chunk.choices[0].delta.content for chunk in outcome.error.partial] == ["hi"]


def test_unknown_events_say_nothing() -> None:
    """Progress of tools, and events yet to come, are passed over."""
    reader = AnswerReader(CODEC)
    for kind in ("response.web_search_call.searching", "response.queued", "response.new", "keepalive"):
        assert reader.read({"type": kind, "item_id": "x"}) == []
    assert (reader.done, reader.failure) == (False, None)


def test_an_event_that_is_no_object() -> None:
    """It is a failure of the provider."""
    reader = AnswerReader(CODEC)
    reader.read(["x"])
    assert reader.failure is not None


KEYS = st.sampled_from(
    [
        "type",
        "output_index",
        "content_index",
        "summary_index",
        "item",
        "delta",
        "text",
        "response",
        "annotation",
        "item_id",
        "part",
        "arguments",
        "error",
        "refusal",
        "logprobs",
    ]
)
TYPES = st.sampled_from(
    [
        "response.created",
        "response.output_item.added",
        "response.output_item.done",
        "response.output_text.delta",
        "response.output_text.done",
        "response.reasoning_summary_text.delta",
        "response.reasoning_text.done",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.refusal.delta",
        "response.output_text.annotation.added",
        "response.completed",
        "response.failed",
        "error",
    ]
)
ITEMS = st.dictionaries(
    st.sampled_from(
        ["type", "id", "content", "summary", "name", "call_id", "arguments", "encrypted_content", "result"]
    ),
    values | st.sampled_from(["message", "reasoning", "function_call", "image_generation_call"]),
    max_size=4,
)
ODD_EVENTS = st.builds(
    lambda rest, kind: {**rest, "type": kind},
    st.dictionaries(
        KEYS, values | ITEMS | st.builds(lambda items: {"output": items}, st.lists(ITEMS, max_size=3)), max_size=5
    ),
    TYPES,
)


@given(events=st.lists(ODD_EVENTS | values, max_size=6))
def test_anything_may_come(events: list[Any]) -> None:
    """Whatever a provider writes, nothing else than a failure comes of it."""
    reader = AnswerReader(CODEC)
    for value in events:
        for chunk in reader.read(value):
            assert len(chunk.choices) == 1
        if reader.done or reader.failure is not None:
            break


@given(
    value=st.dictionaries(
        st.sampled_from(["output", "status", "usage", "error", "incomplete_details", "id"]),
        values | st.lists(ITEMS, max_size=4),
        max_size=5,
    )
)
def test_any_whole_answer_may_come(value: dict[str, Any]) -> None:
    """So it is with whole answers."""
    reader = AnswerReader(CODEC)
    reader.read_whole(value)
    assert reader.done or reader.failure is not None
