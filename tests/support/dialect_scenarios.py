# SPDX-License-Identifier: Apache-2.0
"""The rows of the golden matrix: one chat request for each thing that a dialect must carry, and where each dialect's requests go.

The answers that providers gave to these requests stand in tests/dialects/matrix/<dialect>/<scenario>.answer.json (whole) and .answer.sse (streamed; .answer.events.json
where the wire is binary, and for whole answers too where it is gRPC). A scenario that a dialect refuses to render has none.
"""

from collections.abc import Mapping
from typing import Any, Final

PNG: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
PDF: Final = "JVBERi0xLjQKJSVFT0YK"
WAV: Final = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAgD4AAAB9AAACABAAZGF0YQAAAAA="
CACHED: Final = {"type": "ephemeral"}
CACHED_LONG: Final = {"type": "ephemeral", "ttl": "1h"}

WEATHER: Final = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["C", "F"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
CLOCK: Final = {
    "type": "function",
    "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}},
}
PLACE: Final = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["city", "people"],
    "additionalProperties": False,
}


def _user(content: object) -> dict[str, Any]:
    return {"role": "user", "content": content}


def _call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _result(call_id: str, content: object) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def _text(text: str, **marks: object) -> dict[str, Any]:
    return {"type": "text", "text": text, **marks}


SCENARIOS: Final[Mapping[str, dict[str, Any]]] = {
    "text": {"messages": [_user("Say hello.")], "temperature": 0.5, "top_p": 0.9, "stop": ["END"], "seed": 7},
    "system": {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [_text("Answer in French.")]},
            _user("Hello."),
            _user("Are you there?"),
        ]
    },
    "tools": {"messages": [_user("How warm is it in Oslo?")], "tools": [WEATHER, CLOCK], "tool_choice": "required"},
    "parallel_tools": {
        "messages": [_user("How warm is it in Oslo, and in Rome?")],
        "tools": [WEATHER],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
    },
    "tool_results": {
        "messages": [
            _user("How warm is it in Oslo, and what time is it?"),
            {
                "role": "assistant",
                "content": "Let me look.",
                "tool_calls": [_call("call_1", "get_weather", '{"city": "Oslo" }'), _call("call_2", "get_time", "")],
            },
            _result("call_1", "4 C"),
            _result("call_2", [_text("10:00")]),
            _user("And in Rome?"),
        ],
        "tools": [WEATHER, CLOCK],
        "tool_choice": "none",
    },
    "streamed_tool_arguments": {
        "messages": [_user("Greet the city of 東京 by its weather.")],
        "tools": [WEATHER],
        "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
        "parallel_tool_calls": False,
    },
    "json_schema": {
        "messages": [_user("How many people live in Oslo?")],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "place", "description": "A place.", "schema": PLACE, "strict": True},
        },
    },
    "reasoning": {
        "messages": [_user("Which is larger, 9.11 or 9.9?")],
        "reasoning": {"effort": "high"},
        "max_completion_tokens": 20000,
    },
    # One past turn for each format, so that each dialect sends what is its own and leaves out the others.
    "reasoning_replay": {
        "messages": [
            _user("How warm is it in Oslo?"),
            {
                "role": "assistant",
                "content": None,
                "reasoning": "I should look it up.",
                "reasoning_details": [
                    {
                        "type": "reasoning.text",
                        "text": "I should look it up.",
                        "signature": "c2lnbmVkLWJ5LWFudGhyb3BpYw==",
                        "format": "anthropic-claude-v1",
                        "index": 0,
                    },
                    {
                        "type": "reasoning.encrypted",
                        "data": "cmVkYWN0ZWQ=",
                        "format": "anthropic-claude-v1",
                        "index": 1,
                    },
                ],
                "tool_calls": [_call("call_a", "get_weather", '{"city":"Oslo"}')],
            },
            _result("call_a", "4 C"),
            {
                "role": "assistant",
                "content": "It is 4 C. Rome, too?",
                "reasoning": "The user may travel.",
                "reasoning_details": [
                    {
                        "type": "reasoning.summary",
                        "summary": "The user may travel.",
                        "id": "rs_1",
                        "format": "openai-responses-v1",
                        "index": 0,
                    },
                    {
                        "type": "reasoning.encrypted",
                        "data": "Z0FBQUFBQm8=",
                        "id": "rs_1",
                        "format": "openai-responses-v1",
                        "index": 0,
                    },
                ],
            },
            _user("Yes."),
            {
                "role": "assistant",
                "content": None,
                "reasoning_details": [
                    {
                        "type": "reasoning.text",
                        "text": "Rome, then.",
                        "format": "google-gemini-v1",
                        "index": 0,
                    },
                    {
                        "type": "reasoning.encrypted",
                        "data": "c2lnbmVkLWJ5LWdvb2dsZQ==",
                        "id": "call_g",
                        "format": "google-gemini-v1",
                        "index": 1,
                    },
                ],
                "tool_calls": [_call("call_g", "get_weather", '{"city":"Rome"}')],
            },
            _result("call_g", "12 C"),
        ],
        "tools": [WEATHER],
        "reasoning": {"max_tokens": 2000},
        "max_completion_tokens": 20000,
    },
    "cache_control": {
        "messages": [
            {"role": "system", "content": [_text("A long handbook.", cache_control=CACHED_LONG)]},
            _user([_text("Chapter one.", cache_control=CACHED), _text("Chapter two.", cache_control=CACHED)]),
            {"role": "assistant", "content": "I have read both."},
            _user([_text("Chapter three.", prompt_cache_breakpoint={"mode": "explicit"}), _text("What is it about?")]),
        ],
        "tools": [{**WEATHER, "cache_control": CACHED}],
        "cache_control": CACHED,
    },
    "images": {
        "messages": [
            _user(
                [
                    _text("What are these?"),
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}},
                    {"type": "image_url", "image_url": {"url": "https://example.com/cat.jpg"}},
                ]
            )
        ]
    },
    "pdf": {
        "messages": [
            _user(
                [
                    {
                        "type": "file",
                        "file": {"filename": "paper.pdf", "file_data": f"data:application/pdf;base64,{PDF}"},
                    },
                    _text("Summarise the paper."),
                ]
            )
        ]
    },
    "audio": {
        "messages": [
            _user([{"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}, _text("What is said?")])
        ],
        "modalities": ["text", "audio"],
        "audio": {"voice": "alloy", "format": "pcm16"},
    },
    "refusal": {"messages": [_user("How do I pick my neighbour's lock?")]},
    "length": {"messages": [_user("Tell me a long story.")], "max_completion_tokens": 16},
    "content_filter": {"messages": [_user("Say something that a filter cuts.")]},
    "error": {"messages": [_user("Hello.")]},
    "usage": {"messages": [_user("Hello.")], "service_tier": "priority", "user": "ann", "metadata": {"team": "blue"}},
}
"""The request of each scenario, without its model."""

STREAM_ENDINGS: Final = (".answer.sse", ".answer.events.json")
"""How the file of a streamed answer may end."""
STREAM_TYPES: Final[Mapping[str, str]] = {
    ".answer.sse": "text/event-stream; charset=utf-8",
    ".answer.events.json": "application/vnd.amazon.eventstream",
}

ERROR_STATUSES: Final[Mapping[str, int]] = {
    "openai_chat": 429,
    "anthropic": 529,
    "gemini": 503,
    "openai_responses": 429,
    "bedrock_converse": 429,
}
"""The status with which the whole answer of the scenario "error" came; the streamed one began with 200."""

ENDPOINTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "openai_chat": {"upstream_model": "gpt-5.6", "cache_marks": "prompt_cache_breakpoint"},
    "anthropic": {"upstream_model": "claude-opus-4-5-20251101", "max_completion_tokens": 64000},
    "gemini": {"upstream_model": "gemini-3-pro-preview", "max_completion_tokens": 65536},
    "openai_responses": {"upstream_model": "gpt-5.6", "cache_marks": "prompt_cache_breakpoint"},
    "bedrock_converse": {"upstream_model": "anthropic.claude-opus-4-5-20251101-v1:0", "max_completion_tokens": 64000},
    "trunkline": {"upstream_model": "openai/gpt-5.6"},
    "xai": {"upstream_model": "grok-4.6"},
}
"""Fields of the endpoint that each dialect's requests go to."""
