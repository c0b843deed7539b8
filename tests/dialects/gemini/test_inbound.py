# SPDX-License-Identifier: Apache-2.0
"""Requests of generateContent, read into the contract: what Google gets, backwards."""

from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.gemini_wire import CODEC, CURRENT, read, render
from trunkline_server.core.errors import GatewayError
from trunkline_server.dialects.gemini import parse_request

FORMAT = "google-gemini-v1"
CONTENTS = [{"role": "user", "parts": [{"text": "hello"}]}]


def parse(body: dict[str, Any], *, stream: bool = False) -> dict[str, Any]:
    """A request of Google's as a request in JSON."""
    request = parse_request(CODEC, {"contents": CONTENTS, **body}, model="gemini-x", stream=stream)
    made: dict[str, Any] = orjson.loads(orjson.dumps(CODEC.encode(request, answer=False)))
    del made["messages"]
    return made


def config(**knobs: Any) -> dict[str, Any]:
    """A request with a generationConfig."""
    return {"generationConfig": knobs}


CASES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    (
        config(
            temperature=0.5, topP=0.9, topK=4, maxOutputTokens=9, candidateCount=2, seed=7, stopSequences=["a", "b"]
        ),
        {
            "temperature": 0.5,
            "top_p": 0.9,
            "top_k": 4,
            "max_completion_tokens": 9,
            "n": 2,
            "seed": 7,
            "stop": ["a", "b"],
        },
    ),
    (config(responseModalities=["TEXT", "IMAGE"]), {"modalities": ["text", "image"]}),
    (config(imageConfig={"aspectRatio": "1:1"}), {"image_config": {"aspect_ratio": "1:1"}}),
    (config(imageConfig={"new": 1}), {"generationConfig": {"imageConfig": {"new": 1}}}),
    (
        config(speechConfig={"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}),
        {"audio": {"voice": "Kore", "format": "pcm16"}},
    ),
    (config(speechConfig={"languageCode": "de"}), {"generationConfig": {"speechConfig": {"languageCode": "de"}}}),
    (config(responseMimeType="text/plain"), {"response_format": {"type": "text"}}),
    (config(responseMimeType="text/x.enum"), {"generationConfig": {"responseMimeType": "text/x.enum"}}),
    (config(responseMimeType="application/json"), {"response_format": {"type": "json_object"}}),
    (
        config(responseMimeType="application/json", responseSchema={"type": "ARRAY", "items": {"type": "STRING"}}),
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": {"type": "array", "items": {"type": "string"}}},
            }
        },
    ),
    (config(thinkingConfig={"includeThoughts": True}), {"reasoning": {"enabled": True}}),
    (config(thinkingConfig={"thinkingBudget": 0}), {"reasoning": {"enabled": False}}),
    (config(thinkingConfig={"thinkingBudget": -1}), {"reasoning": {"exclude": True, "enabled": True}}),
    (
        config(thinkingConfig={"thinkingLevel": "LOW", "includeThoughts": True}),
        {"reasoning": {"effort": "low"}},
    ),
    ({"serviceTier": "standard"}, {"service_tier": "default"}),
    ({"serviceTier": "new"}, {"service_tier": "new"}),
    ({"safetySettings": [], "labels": {"a": "b"}}, {"safetySettings": [], "labels": {"a": "b"}}),
    (
        {"tools": [{"function_declarations": [{"name": "f", "parameters": {"type": "OBJECT"}}]}, {"urlContext": {}}]},
        {
            "tools": [
                {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}},
                {"type": "url_context"},
            ]
        },
    ),
    ({"toolConfig": {"functionCallingConfig": {}}}, {"tool_choice": "auto"}),
    ({"toolConfig": {}}, {}),
]


@pytest.mark.parametrize(("body", "expected"), CASES)
def test_requests(body: dict[str, Any], expected: dict[str, Any]) -> None:
    """Each field of Google's has its field here, or stays as it was written."""
    assert parse(body) == {"model": "gemini-x", **expected}


def test_streams() -> None:
    """The method of the path says whether the answer is streamed."""
    assert parse({}, stream=True) == {"model": "gemini-x", "stream": True}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ([], ""),
        ({"contents": CONTENTS, "tools": {}}, "tools"),
        ({"contents": CONTENTS, "tools": [3]}, "tools[0]"),
        ({"contents": CONTENTS, "tools": [{"retrieval": {}}]}, "tools[0].retrieval"),
        ({"contents": CONTENTS, "tools": [{"functionDeclarations": [3]}]}, "tools[0].functionDeclarations"),
        ({"contents": CONTENTS, "toolConfig": 3}, "toolConfig"),
        (
            {"contents": CONTENTS, "toolConfig": {"functionCallingConfig": {"mode": "X"}}},
            "toolConfig.functionCallingConfig.mode",
        ),
        (
            {"contents": CONTENTS, "toolConfig": {"functionCallingConfig": {"allowedFunctionNames": ["a", "b"]}}},
            "toolConfig.functionCallingConfig.allowedFunctionNames",
        ),
        ({"contents": CONTENTS, "generationConfig": 3}, "generationConfig"),
        (
            {"contents": CONTENTS, "generationConfig": {"responseModalities": "TEXT"}},
            "generationConfig.responseModalities",
        ),
        ({"contents": CONTENTS, "generationConfig": {"thinkingConfig": 3}}, "generationConfig.thinkingConfig"),
        (
            {"contents": CONTENTS, "generationConfig": {"thinkingConfig": {"thinkingLevel": 3}}},
            "generationConfig.thinkingConfig.thinkingLevel",
        ),
    ],
)
def test_faults(body: object, path: str) -> None:
    """What is wrong is told by the caller's own path."""
    with pytest.raises(GatewayError) as caught:
        parse_request(CODEC, body, model="gemini-x", stream=False)
    assert [fault.field for fault in caught.value.faults] == [path]


# -- round trips

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
NAMES = st.from_regex(r"[a-z_][a-z0-9_-]{0,9}", fullmatch=True)
DATA = st.binary(max_size=6).map(lambda raw: "AAAA" if len(raw) < 3 else "BBBB")
VALUES = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | WORDS
)
OBJECTS = st.dictionaries(WORDS, VALUES | st.lists(VALUES, max_size=2), max_size=3)
SIGNATURES = st.from_regex(r"[A-Za-z0-9+/]{8}", fullmatch=True)


def text_part(text: str) -> dict[str, Any]:
    """A part of text."""
    return {"type": "text", "text": text}


MEDIA = st.one_of(
    DATA.map(lambda data: {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}),
    DATA.map(lambda data: {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{data}"}}),
    DATA.map(lambda data: {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{data}"}}),
    DATA.map(lambda data: {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}),
    st.just({"type": "video_url", "video_url": {"url": "https://youtu.be/9hE5-98ZeCg"}}),
    st.just({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}),
    st.just({"type": "file", "file": {"file_id": "https://generativelanguage.googleapis.com/v1beta/files/abc"}}),
)
CONTENT = (
    WORDS | st.tuples(WORDS.map(text_part), MEDIA).map(list) | st.lists(WORDS.map(text_part), min_size=2, max_size=3)
)
RESULTS = st.text(max_size=8).map(str.strip).filter(lambda text: text.isprintable()) | OBJECTS.map(
    lambda value: orjson.dumps(value).decode()
)


@st.composite
def turns(draw: st.DrawFn, taken: set[str]) -> list[dict[str, Any]]:
    """A turn of the model's, with the results of what it calls."""
    details: list[dict[str, Any]] = []

    def add(**detail: Any) -> None:
        details.append({**detail, "format": FORMAT, "index": len(details)})

    for thought in draw(st.lists(WORDS, max_size=2)):
        signature = {"signature": draw(SIGNATURES)} if draw(st.booleans()) else {}
        add(type="reasoning.text", text=thought, **signature)
    message: dict[str, Any] = {"role": "assistant", "content": draw(WORDS)}
    if details:
        message["reasoning"] = "".join(detail["text"] for detail in details)
    size = len(message["content"])
    places = sorted(draw(st.lists(st.integers(0, size), min_size=2, max_size=2)))
    if draw(st.booleans()):
        add(type="reasoning.encrypted", data=draw(SIGNATURES), id=f"text:{places[0]}:{places[1]}")
    calls = []
    for name in draw(st.lists(NAMES, max_size=2)):
        call_id = draw(NAMES.filter(lambda one: one not in taken))
        taken.add(call_id)
        arguments = orjson.dumps(draw(OBJECTS)).decode()
        calls.append({"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}})
        if draw(st.booleans()):
            add(type="reasoning.encrypted", data=draw(SIGNATURES), id=call_id)
    message |= {key: value for key, value in (("reasoning_details", details), ("tool_calls", calls)) if value}
    results = [{"role": "tool", "tool_call_id": call["id"], "content": draw(RESULTS)} for call in calls]
    return [message, *results]


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Messages that Google's contents can express."""
    taken: set[str] = set()
    messages = [{"role": "system", "content": draw(WORDS)}] if draw(st.booleans()) else []
    messages.append({"role": "user", "content": draw(CONTENT)})
    for _ in range(draw(st.integers(0, 2))):
        messages += draw(turns(taken))
        messages.append({"role": "user", "content": draw(CONTENT)})
    return messages


FUNCTIONS = st.lists(NAMES, unique=True, max_size=3).flatmap(
    lambda names: st.tuples(
        *(
            st.fixed_dictionaries(
                {"name": st.just(name)}, optional={"description": WORDS, "parameters": st.just({"type": "object"})}
            ).map(lambda function: {"type": "function", "function": function})
            for name in names
        )
    ).map(list)
)
OWN = st.lists(
    st.sampled_from([{"type": "code_execution"}, {"type": "google_search", "google_search": {"a": 1}}]),
    unique_by=lambda tool: tool["type"],
    max_size=2,
)
SHOWN = st.fixed_dictionaries({}, optional={"exclude": st.just(True)})
REASONING = st.one_of(
    st.sampled_from(["minimal", "low", "medium", "high"]).map(lambda effort: {"effort": effort}),
    st.integers(1, 9999).map(lambda count: {"max_tokens": count}),
    st.just({"enabled": True}),
)
KNOBS = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 2),
        "top_p": st.floats(0, 1),
        "top_k": st.integers(1, 99),
        "presence_penalty": st.floats(-2, 2),
        "frequency_penalty": st.floats(-2, 2),
        "max_completion_tokens": st.integers(1, 2**31 - 1),
        "n": st.integers(1, 8),
        "seed": st.integers(-(2**31) + 1, 2**31 - 1),
        "stop": st.lists(WORDS, min_size=1, max_size=4),
        "logprobs": st.just(True),
        "modalities": st.lists(st.sampled_from(["text", "image", "audio"]), min_size=1, max_size=3, unique=True),
        "audio": st.just({"voice": "Kore", "format": "pcm16"}),
        "image_config": st.sampled_from([{"aspect_ratio": "16:9"}, {"aspect_ratio": "1:1", "image_size": "2K"}]),
        "response_format": st.sampled_from(
            [
                {"type": "json_object"},
                {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "array"}}},
            ]
        ),
        "reasoning": st.tuples(REASONING, SHOWN).map(lambda pair: {**pair[0], **pair[1]}),
        "service_tier": st.sampled_from(["default", "flex", "priority"]),
        "toolConfig": st.just({"retrievalConfig": {"languageCode": "de"}}),
        "safetySettings": st.just([{"category": "X", "threshold": "BLOCK_NONE"}]),
        "cachedContent": st.just("cachedContents/abc"),
        "generationConfig": st.just({"mediaResolution": "MEDIA_RESOLUTION_LOW"}),
    },
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    messages=conversations(),
    functions=FUNCTIONS,
    own=OWN,
    knobs=KNOBS,
    choice=st.sampled_from([None, "auto", "none", "required", {"type": "function", "function": {"name": "f"}}]),
    stream=st.booleans(),
)
def test_what_is_written_is_read_again(
    messages: list[dict[str, Any]],
    functions: list[dict[str, Any]],
    own: list[dict[str, Any]],
    knobs: dict[str, Any],
    choice: object,
    stream: bool,
) -> None:
    """A request that Google's language can express comes back as it was, and nothing of it is dropped or changed."""
    tools = {"tools": [*functions, *own]} if functions or own else {}
    chosen = {"tool_choice": choice} if functions and choice is not None else {}
    body = {"messages": messages, "model": CURRENT, **tools, **chosen, **knobs}
    request = read({**body, "stream": True} if stream else body)
    rendered = render({**body, "stream": True} if stream else body, stream=stream)
    assert parse_request(CODEC, orjson.loads(rendered.body), model=CURRENT, stream=stream) == request
    assert rendered.dropped == ()
    assert dict(rendered.changed).keys() <= {"messages.tool_calls"}
