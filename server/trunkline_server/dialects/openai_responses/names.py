# SPDX-License-Identifier: Apache-2.0
"""Names that both directions share: the key under which what only this language knows travels, and ids.

What the contract has no field for is kept under one key, the dialect's own name, so that another dialect sees one key that is not its own and leaves it
out. At the top of a request the key holds the parameters; on a turn of the model the turn's items as they came, all of them and in order, where the contract
cannot tell one of them; on a tool call the type of its item, where that is not `function_call`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from trunkline_server.dialects.base import RESPONSES_KEY

OWN_KEY: Final = RESPONSES_KEY
"""The name of the dialect, and the key under which it keeps what is its own."""
CUSTOM_CALL: Final = "custom_tool_call"
"""The item of a tool call whose input is text instead of JSON. On a tool call under OWN_KEY."""
CUSTOM_RESULT: Final = "custom_tool_call_output"

_GENERATION: Final = "gen-"
_NO_ID: Final = re.compile(r"[^A-Za-z0-9]+")


def make_id(kind: str, generation_id: str, place: int | None = None) -> str:
    """The id of a thing of an answer, always the same for the same generation: "resp_...", or "msg_..._0" for the item at a place of the output."""
    core = _NO_ID.sub("", generation_id.removeprefix(_GENERATION)) or "0"
    return f"{kind}_{core}" if place is None else f"{kind}_{core}_{place}"


def type_of(item: Mapping[str, Any]) -> str:
    """The type of an item; "message" where it has none, which messages may leave out."""
    kind = item.get("type", "message")
    return kind if isinstance(kind, str) else ""


def is_text(value: object) -> bool:
    """Whether a value is a string that is not empty."""
    return isinstance(value, str) and bool(value)
