# SPDX-License-Identifier: Apache-2.0
"""What the models say."""

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.simulator import ask, ask_refused, ask_stream, ask_text, fold_stream

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 3}},
    "required": ["city"],
}
TOOLS = [
    {"type": "function", "function": {"name": "weather", "parameters": CITY}},
    {"type": "openrouter:web_search", "parameters": {}},
    {"type": "function", "function": {"name": "clock"}},
]
CALLED = [
    {"role": "user", "content": "how is it in Oslo?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}},
            {"id": "c2", "type": "function", "function": {"name": "clock", "arguments": "{}"}},
        ],
    },
    {
        "role": "tool",
        "tool_call_id": "c2",
        "content": [{"type": "text", "text": "it is "}, {"type": "text", "text": "noon"}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "snow"},
]
NAMED = {"type": "function", "function": {"name": "clock"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": CITY}}
MODELS = ("sim/echo", "sim/tools", "sim/json", "sim/reasoner", "sim/vision", "sim/image", "sim/fault", "echo")


def called(*args: Any, **keys: Any) -> tuple[str, list[str]]:
    """The finish_reason and the names of the tools called."""
    choice = ask(*args, **keys)["choices"][0]
    return choice["finish_reason"], [call["function"]["name"] for call in choice["message"].get("tool_calls", ())]


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("Hello big world", "Hello big world"),
        ("", ""),
        ("  two\n\n\tlines \r\n ", "  two\n\n\tlines \r\n "),
        ("日本語 🙂 e\u0301", "日本語 🙂 e\u0301"),
        (
            [
                {"type": "text", "text": "one "},
                {"type": "image_url", "image_url": {"url": "x"}},
                {"type": "text", "text": "two"},
            ],
            "one two",
        ),
    ],
)
def test_echo_repeats_the_last_user_text(said: Any, answer: str) -> None:
    """sim/echo gives the text back, white space and all; of parts it joins the texts."""
    assert ask_text("sim/echo", said) == answer


@pytest.mark.parametrize(
    ("messages", "answer"),
    [
        ([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "a"),
        ([{"role": "user", "content": "a"}, {"role": "user", "content": "c"}], "c"),
        ([{"role": "system", "content": "b"}], ""),
        (CALLED, "how is it in Oslo?"),
    ],
)
def test_echo_looks_for_the_last_user_message(messages: list[Any], answer: str) -> None:
    """Messages of other roles are passed over; without a user message the echo is empty."""
    assert ask_text("sim/echo", messages=messages) == answer


def test_echo_streams_one_word_a_chunk() -> None:
    """Each content chunk holds one word with the space before it."""
    chunks = [
        choice["delta"].get("content")
        for chunk in ask_stream("sim/echo", "one two, three!")[:-1]
        for choice in chunk["choices"]
    ]
    assert chunks == ["", "one", " two,", " three!", None]


@given(text=st.text())
def test_streams_of_any_text_join_to_it(text: str) -> None:
    """Whatever the text, the stream's pieces joined are the text."""
    assert fold_stream(ask_stream("sim/echo", text))["choices"][0]["message"]["content"] == text


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"n": 3},
        {"max_tokens": 5},
        {"stop": ["big", "w"]},
        {"logprobs": True, "top_logprobs": 2},
        {"response_format": SCHEMA, "seed": 4, "n": 2},
        {"response_format": {"type": "json_object"}},
        {"tools": TOOLS, "n": 2},
        {"tools": TOOLS, "tool_choice": "required", "max_tokens": 4},
        {"service_tier": "flex"},
        {"reasoning": {"exclude": True}},
    ],
)
def test_streams_fold_to_the_whole_answer(model: str, keys: dict[str, Any]) -> None:
    """Every model gives the same answer in both forms, whatever is asked of it."""
    assert fold_stream(ask_stream(model, **keys)) == ask(model, **keys)


@pytest.mark.parametrize(
    ("model", "keys", "expected"),
    [
        ("sim/tools", {}, ("tool_calls", ["weather", "clock"])),
        ("sim/tools", {"tool_choice": "auto"}, ("tool_calls", ["weather", "clock"])),
        ("sim/tools", {"tool_choice": "required"}, ("tool_calls", ["weather", "clock"])),
        ("sim/tools", {"tool_choice": NAMED}, ("tool_calls", ["clock"])),
        ("sim/tools", {"tool_choice": "none"}, ("stop", [])),
        ("sim/tools", {"parallel_tool_calls": False}, ("tool_calls", ["weather"])),
        ("sim/tools", {"messages": CALLED}, ("stop", [])),
        ("sim/tools", {"messages": CALLED, "tool_choice": "required"}, ("tool_calls", ["weather", "clock"])),
        ("sim/echo", {}, ("stop", [])),
        ("sim/echo", {"tool_choice": "required"}, ("tool_calls", ["weather", "clock"])),
        ("sim/reasoner", {"tool_choice": NAMED}, ("tool_calls", ["clock"])),
        ("sim/image", {"tool_choice": "required", "parallel_tool_calls": False}, ("tool_calls", ["weather"])),
    ],
)
def test_tools_are_called_as_the_request_wants(
    model: str, keys: dict[str, Any], expected: tuple[str, list[str]]
) -> None:
    """sim/tools calls what it may, any model what it must; results end the calling unless more is demanded."""
    assert called(model, tools=TOOLS, **keys) == expected


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        ({}, "I was offered no tools."),
        ({"tools": TOOLS, "tool_choice": "none"}, "I was asked to call none of my tools: weather, clock."),
        ({"tools": TOOLS, "messages": CALLED}, "clock said: it is noon\nweather said: snow"),
        ({"messages": [{"role": "tool", "tool_call_id": "?", "content": "x"}]}, "a tool said: x"),
        (
            {"tools": TOOLS, "messages": CALLED, "response_format": {"type": "json_object"}},
            '{"text":"clock said: it is noon\\nweather said: snow"}',
        ),
    ],
)
def test_tools_speaks_where_it_does_not_call(keys: dict[str, Any], answer: str) -> None:
    """Without tools, without leave, or with results, sim/tools answers in text."""
    assert ask_text("sim/tools", **keys) == answer


def test_tool_calls_have_ids_of_their_own_and_arguments_that_fit() -> None:
    """Each call of each choice has another id, and its arguments fit the tool's schema."""
    calls = [
        call for choice in ask("sim/tools", tools=TOOLS, n=2)["choices"] for call in choice["message"]["tool_calls"]
    ]
    arguments = [orjson.loads(call["function"]["arguments"]) for call in calls]
    assert len({call["id"] for call in calls}) == 4
    assert [isinstance(item.get("city"), str) for item in arguments] == [True, False, True, False]
    assert arguments[1] == arguments[3] == {}


def test_tool_arguments_come_in_several_deltas() -> None:
    """The first delta of a call names it with empty arguments; more than one brings the arguments, without id."""
    deltas = [choice["delta"] for chunk in ask_stream("sim/tools", tools=TOOLS[:1])[:-1] for choice in chunk["choices"]]
    pieces = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert pieces[0]["function"] == {"name": "weather", "arguments": ""}
    assert len(pieces) > 3
    assert all("id" not in piece for piece in pieces[1:])


@pytest.mark.parametrize("model", MODELS)
def test_every_model_fills_a_schema(model: str) -> None:
    """response_format json_schema makes any model answer with JSON that fits."""
    assert isinstance(orjson.loads(ask_text(model, response_format=SCHEMA))["city"], str)


@pytest.mark.parametrize(
    ("model", "kind", "answer"),
    [
        ("sim/echo", "text", "Hello big world"),
        ("sim/echo", "json_object", '{"text":"Hello big world"}'),
        ("sim/echo", "python", 'print("Hello big world")'),
        ("sim/json", "text", '{"text":"Hello big world"}'),
        ("sim/json", "json_object", '{"text":"Hello big world"}'),
    ],
)
def test_formats_wrap_what_is_said(model: str, kind: str, answer: str) -> None:
    """Where no schema is given, the text is kept and wrapped."""
    assert ask_text(model, response_format={"type": kind}) == answer


def test_schema_answers_follow_the_seed_and_the_choice() -> None:
    """The same seed gives the same values; another seed and another choice give others."""
    first, again, other = (ask("sim/json", response_format=SCHEMA, n=2, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first["choices"][0]["message"] != other["choices"][0]["message"]
    assert first["choices"][0]["message"] != first["choices"][1]["message"]


def test_a_schema_that_may_be_anything_is_filled() -> None:
    """json_schema without a schema allows any value."""
    assert isinstance(
        orjson.loads(ask_text("sim/json", response_format={"type": "json_schema", "json_schema": {"name": "x"}})), str
    )


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {"not": {}}}}},
            "response_format.json_schema.schema.not",
        ),
        (
            {
                "tools": [
                    {"type": "function", "function": {"name": "x", "parameters": {"properties": {"a b": {"if": {}}}}}}
                ]
            },
            'tools[0].function.parameters.properties["a b"].if',
        ),
    ],
)
def test_keywords_outside_the_subset_are_named(keys: dict[str, Any], path: str) -> None:
    """The error says where in the request the keyword stands."""
    assert ask_refused("sim/tools", **keys) == (400, path, None)


def test_many_choices_share_one_bound_of_work() -> None:
    """A costly schema cannot be made costlier by asking for many choices."""
    heavy = {"type": "array", "items": {"type": "string", "minLength": 50}, "minItems": 300}
    assert ask_refused(
        "sim/json", n=128, response_format={"type": "json_schema", "json_schema": {"schema": heavy}}
    ) == (400, None, None)


@pytest.mark.parametrize(
    ("keys", "drawn"),
    [
        ({}, True),
        ({"modalities": ["image", "text"]}, True),
        ({"modalities": ["text"]}, False),
        ({"modalities": []}, True),
    ],
)
def test_image_draws_unless_told_not_to(keys: dict[str, Any], drawn: bool) -> None:
    """sim/image adds a PNG to its text unless modalities are given without image."""
    message = ask("sim/image", "a cat", **keys)["choices"][0]["message"]
    assert message["content"] == "A picture of: a cat"
    assert ("images" in message) is drawn


def test_pictures_are_png_data_urls_that_follow_the_text() -> None:
    """The same text gives the same picture, another text another one."""
    one, again, other = (ask("sim/image", text)["choices"][0]["message"]["images"][0] for text in ("a", "a", "b"))
    assert one == again != other
    assert one["type"] == "image_url"
    assert base64.b64decode(one["image_url"]["url"].removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")


def test_vision_without_a_user_message_sees_nothing() -> None:
    """sim/vision speaks of user messages only."""
    assert ask_text("sim/vision", messages=[{"role": "system", "content": "x"}]) == "I was shown nothing."
