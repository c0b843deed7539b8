# SPDX-License-Identifier: Apache-2.0
"""The form of an answer, for servers that do not take each of OpenAI's."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any, Final

from trunkline_server.dialects.schemas import BY_INSTRUCTION, instruction
from trunkline_server.dialects.turns import INSTRUCTIONS, as_parts

_FORM: Final = "response_format"
_TEXT: Final = "text"
_OBJECT: Final = "json_object"
_BY_INSTRUCTION: Final = frozenset({_OBJECT, "json_schema"})


def fit_form(body: dict[str, Any], forms: AbstractSet[str], dropped: list[str], changed: list[tuple[str, str]]) -> None:
    """Asks for a form that the provider does not take by an instruction, with `json_object` where it takes that. Adds what was done to the lists."""
    form = body.get(_FORM)
    if form is None or form["type"] == _TEXT or form["type"] in forms:
        return
    kind = form["type"]
    del body[_FORM]
    if kind not in _BY_INSTRUCTION:
        dropped.append(_FORM)
        return
    if _OBJECT in forms:
        body[_FORM] = {"type": _OBJECT}
    _instruct(body["messages"], instruction(form))
    changed.append((_FORM, BY_INSTRUCTION))


def _instruct(messages: list[dict[str, Any]], text: str) -> None:
    """Adds a text to the last of the instructions at the front: many servers take a single message of them."""
    place = next((index for index, item in enumerate(messages) if item.get("role") not in INSTRUCTIONS), len(messages))
    if place == 0:
        messages.insert(0, {"role": "system", "content": text})
        return
    last = messages[place - 1]
    said = last.get("content")
    last["content"] = (
        f"{said}\n\n{text}" if isinstance(said, str) and said else [*as_parts(said), {"type": "text", "text": text}]
    )
