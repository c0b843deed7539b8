# SPDX-License-Identifier: Apache-2.0
"""JSON of a schema from a provider that has no field for it: by a tool that the model must call, or by an instruction.

A decoder knows nothing of the request, so the tool has a name that no caller's tool has: what is said in a call of it is the answer's content.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson

ANSWER_TOOL: Final = "trunkline_structured_answer"
"""The name of the forced tool. Arguments of its calls are content, and a finish by it is "stop"."""
BY_TOOL: Final = "sent as a tool that the model must call"
BY_INSTRUCTION: Final = "sent as an instruction"
"""What `RenderedRequest.changed` says of `response_format`."""

_ANY_OBJECT: Final[Mapping[str, Any]] = MappingProxyType({"type": "object"})
_WRITE_IT: Final = "Write the whole answer with this tool, in one call."


def forced_tool(response_format: Mapping[str, Any]) -> dict[str, Any]:
    """The tool, in the form of openai_chat, whose arguments are an answer of the form. `response_format` is of type json_schema or json_object."""
    form = response_format.get("json_schema") or {}
    description = form.get("description")
    return {
        "type": "function",
        "function": {
            "name": ANSWER_TOOL,
            "description": f"{_WRITE_IT} {description}" if description else _WRITE_IT,
            "parameters": _schema_of(response_format),
        },
    }


def is_answer_tool(name: str) -> bool:
    """Whether a call of a tool with this name is the answer itself."""
    return name == ANSWER_TOOL


def instruction(response_format: Mapping[str, Any]) -> str:
    """The instruction to answer in the form, of type json_schema or json_object."""
    form = response_format.get("json_schema")
    if not form or not form.get("schema"):
        return "Answer with one JSON object and nothing else: no text around it, no code fence."
    schema = orjson.dumps(form["schema"]).decode()
    about = f" The answer is for: {form['description']}" if form.get("description") else ""
    return f"Answer with JSON that fits this JSON Schema and nothing else: no text around it, no code fence.{about}\n{schema}"


def _schema_of(response_format: Mapping[str, Any]) -> dict[str, Any]:
    form = response_format.get("json_schema") or {}
    return form.get("schema") or {**_ANY_OBJECT}
