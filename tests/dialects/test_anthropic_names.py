# SPDX-License-Identifier: Apache-2.0
"""What only Anthropic knows never reaches others."""

from typing import Any

import orjson
import pytest

from support.answer_cuts import make_codec
from support.builders import make_endpoint, make_provider
from trunkline_server.dialects.anthropic.inbound import parse_request
from trunkline_server.dialects.anthropic.parts import RAW_BLOCK
from trunkline_server.dialects.anthropic.request import _OWN_FIELDS
from trunkline_server.dialects.anthropic_names import FIELDS, PART_KEYS, tool_name
from trunkline_server.dialects.registry import make_dialects

CODEC = make_codec()
DIALECTS = make_dialects(CODEC)
REQUEST: dict[str, Any] = {
    "model": "m",
    "max_tokens": 2000,
    "messages": [
        {
            "role": "user",
            "content": [{"type": "search_result", "source": "s", "title": "T", "content": [{"type": "text", "text": "x"}]}],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "a", "citations": [{"type": "char_location", "cited_text": "x"}]},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}, "caller": {"type": "direct"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": True, "content": "bad"},
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "doc"},
                    "citations": {"enabled": True},
                },
            ],
        },
    ],
    "tools": [
        {"name": "f", "input_schema": {"type": "object"}, "defer_loading": False, "input_examples": [{}]},
        {"type": "bash_20250124", "name": "bash"},
    ],
    "thinking": {"type": "adaptive", "display": "summarized"},
    "output_config": {"task_budget": {"type": "tokens", "total": 5}},
    "context_management": {"edits": []},
    "container": "c",
    "speed": "fast",
}  # fmt: skip
LOST = (
    "container",
    "context_management",
    "messages.content.anthropic_block",
    "messages.content.citations",
    "messages.is_error",
    "messages.tool_calls.caller",
    "output_config",
    "reasoning.display",
    "speed",
    "tools.bash_20250124",
    "tools.defer_loading",
    "tools.input_examples",
)


@pytest.mark.parametrize("name", ["openai_chat", "openai_responses"])
def test_openai_never_hears_of_it(name: str) -> None:
    """A request of Anthropic's Messages that uses it all reaches a provider that refuses unknown keys without them, and they are reported."""
    request = parse_request(CODEC, orjson.loads(orjson.dumps(REQUEST)))
    endpoint = make_endpoint(make_provider(name, dialect=name))
    rendered = DIALECTS[name].render_request(request, endpoint, stream=False)
    assert [path for path in LOST if path not in rendered.dropped] == []
    keys = {path.rpartition(".")[2].encode() for path in LOST} - {b"citations"}
    assert [key for key in keys if b'"%s"' % key in rendered.body] == []
    assert b"citations" not in rendered.body


def test_it_is_what_the_dialect_keeps() -> None:
    """Every field and key that Anthropic's dialect keeps for itself has its name here."""
    assert set(_OWN_FIELDS) <= set(FIELDS)
    assert RAW_BLOCK in PART_KEYS


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("web_search_20250305", "web_search"),
        ("bash_20250124", "bash"),
        ("mcp_toolset", "mcp_toolset"),
        ("web_search", None),
        ("web_search_2025_08_26", None),
        ("web_search_preview_2025_03_11", None),
        ("function", None),
    ],
)
def test_types_of_tools(kind: str, expected: str | None) -> None:
    """Anthropic writes the day of a tool's version without strokes, OpenAI with them."""
    assert tool_name(kind) == expected
