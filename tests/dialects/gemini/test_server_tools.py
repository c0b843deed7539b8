# SPDX-License-Identifier: Apache-2.0
"""What Google ran by itself, there and back."""

from typing import Any

import orjson
import pytest

from trunkline.v1.message_pb2 import ReasoningDetail
from trunkline_server.dialects.gemini.server_tools import fill_server_tool, read_server_tool, render_server_tool

PARTS: list[dict[str, Any]] = [
    {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
    {"executableCode": {"id": "x1", "language": "PYTHON", "code": "print(1)"}, "thoughtSignature": "S"},
    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}},
    {"toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "id": "t1", "args": {"queries": ["a"]}}},
    {"toolResponse": {"toolType": "GOOGLE_SEARCH_WEB", "id": "t1", "response": {"a": 1}}},
]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: next(iter(part)))
def test_there_and_back(part: dict[str, Any]) -> None:
    """Such a part becomes a detail, and the detail the same part again."""
    detail = read_server_tool(part)
    assert detail is not None
    assert list(render_server_tool(detail)) == [part]


def test_as_a_message() -> None:
    """The detail as a message has what the JSON has, its signature among the unknown keys."""
    said = read_server_tool(PARTS[1])
    assert said is not None
    detail = ReasoningDetail()
    fill_server_tool(said, detail)
    call = detail.server_tool_call
    assert (call.tool_name, call.tool_call_id) == ("code_execution", "x1")
    assert orjson.loads(call.arguments) == {"language": "PYTHON", "code": "print(1)"}
    assert dict(detail.extra) == {"signature": '"S"'}


def test_other_parts() -> None:
    """A part of another kind is none of these."""
    assert read_server_tool({"text": "a"}) is None
    assert read_server_tool({"executableCode": "a"}) is None


def test_what_is_no_object() -> None:
    """A detail whose texts are no objects was not Google's: it gives no part."""
    assert list(render_server_tool({"tool_name": "x", "arguments": "a", "result": "[]"})) == []
