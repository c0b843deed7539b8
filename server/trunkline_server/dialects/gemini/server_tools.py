# SPDX-License-Identifier: Apache-2.0
"""What Google ran by itself while it answered, in the words of reasoning details: code that it wrote and executed, and searches that it shows.

A call and its result are two parts there and two details here, so that each comes back as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from trunkline.v1.message_pb2 import ReasoningDetail

CODE_TOOL: Final = "code_execution"
KEYS: Final = ("executableCode", "codeExecutionResult", "toolCall", "toolResponse")
"""The keys of parts that tell of such a call or result."""

_CODE_KEYS: Final = ("executableCode", "codeExecutionResult")
_TOOL_KEYS: Final = ("toolCall", "toolResponse")
_CALL_KEYS: Final = ("executableCode", "toolCall")
_SIGNATURE: Final = "signature"


def read_server_tool(part: Mapping[str, Any]) -> dict[str, Any] | None:
    """The detail of such a part as JSON, without format and place; None where it is another part."""
    for key in KEYS:
        value = part.get(key)
        if type(value) is dict:
            break
    else:
        return None
    rest = dict(value)
    name = CODE_TOOL if key in _CODE_KEYS else str(rest.pop("toolType", ""))
    detail: dict[str, Any] = {"type": "reasoning.server_tool_call", "tool_name": name}
    call_id = rest.pop("id", None)
    if type(call_id) is str:
        detail["tool_call_id"] = call_id
    detail["arguments" if key in _CALL_KEYS else "result"] = orjson.dumps(rest).decode()
    if type(signature := part.get("thoughtSignature")) is str:
        detail[_SIGNATURE] = signature
    return detail


def fill_server_tool(said: Mapping[str, Any], detail: ReasoningDetail) -> None:
    """Writes what `read_server_tool` gave into a detail."""
    call = detail.server_tool_call
    for name in ("tool_name", "tool_call_id", "arguments", "result"):
        if name in said:
            setattr(call, name, said[name])
    if _SIGNATURE in said:
        detail.extra[_SIGNATURE] = orjson.dumps(said[_SIGNATURE]).decode()


def render_server_tool(detail: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts of such a detail, which may hold a call, its result, or both. What is no object is left out."""
    name = detail.get("tool_name", "")
    keys = _CODE_KEYS if name == CODE_TOOL else _TOOL_KEYS
    for key, text in zip(keys, (detail.get("arguments"), detail.get("result")), strict=True):
        value = _read_object(text)
        if value is None:
            continue
        if name != CODE_TOOL:
            value = {"toolType": name, **value}
        if detail.get("tool_call_id"):
            value = {"id": detail["tool_call_id"], **value}
        part: dict[str, Any] = {key: value}
        if _SIGNATURE in detail:
            part["thoughtSignature"] = detail[_SIGNATURE]  # JSON text where it came from an unknown key
        yield part


def _read_object(text: object) -> dict[str, Any] | None:
    try:
        value = orjson.loads(text) if type(text) is str else None
    except orjson.JSONDecodeError:
        return None
    return value if type(value) is dict else None
