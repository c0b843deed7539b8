# SPDX-License-Identifier: Apache-2.0
"""The pieces of tool calls as servers send them, made to fit together.

A client joins pieces by `index` and takes id and name from the first piece. Servers leave the index out, give every call the index 0, leave the id
out, repeat id and name in each piece, or give two calls one id. The rules: a piece belongs to the call of its index; it begins a new call when it names
both another id and a function; without an index, an unknown id or a function's name begins a new call, and anything else continues the last one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

_MAX_INDEX: Final = 2**31 - 1
_ID_LENGTH: Final = 24
_NO_ID: Final = re.compile(r"[^A-Za-z0-9]+")


@dataclass(slots=True)
class _Call:
    """A call under construction. `received_id` is the provider's id of it, "" where it gave none; `arguments` are the pieces of those."""

    received_id: str
    name: str
    arguments: list[str] = field(default_factory=list)


class ToolCallJoiner:
    """Rewrites the pieces of one choice's calls."""

    __slots__ = ("_calls", "_choice", "_ids", "_last", "_places")

    def __init__(self, choice: int) -> None:
        self._choice = choice
        self._calls: dict[int, _Call] = {}
        self._places: dict[int, int] = {}
        self._ids: set[str] = set()
        self._last = -1

    @property
    def begun(self) -> bool:
        """Whether any call has begun."""
        return bool(self._calls)

    @property
    def is_cut(self) -> bool:
        """Whether the arguments of a call are no JSON: they end in the middle. None at all are whole."""
        return any(not _is_json("".join(call.arguments)) for call in self._calls.values())

    def rewrite(self, pieces: list[Any], answer_id: str) -> list[dict[str, Any]]:
        """The pieces with an index each, id and type in the first piece of a call alone. The pieces given are used up."""
        return [self._rewrite_piece(piece, answer_id) for piece in pieces if type(piece) is dict]

    def _rewrite_piece(self, piece: dict[str, Any], answer_id: str) -> dict[str, Any]:
        function = piece.get("function")
        if type(function) is not dict:
            function = {}
        else:
            _write_arguments(function)
        received_id, name = _text(piece.get("id")), _text(function.get("name"))
        place = self._find_place(piece.get("index"), received_id, name)
        piece["index"] = self._last = place
        call = self._calls.get(place)
        if call is None:
            self._calls[place] = _Call(received_id, name)
            piece["id"] = self._own_id(received_id, place, answer_id)
            piece["type"] = _text(piece.get("type")) or "function"
            self._calls[place].arguments.append(_text(function.get("arguments")))
            return piece
        call.arguments.append(_text(function.get("arguments")))
        piece.pop("id", None)
        piece.pop("type", None)
        call.received_id = call.received_id or received_id
        if name:
            _drop_repeated_name(call, function, name, repeats_id=received_id == call.received_id)
        return piece

    def _find_place(self, index: object, received_id: str, name: str) -> int:
        """The place of the call that a piece belongs to."""
        if type(index) is not int or not 0 <= index <= _MAX_INDEX:
            return self._find_place_without_index(received_id, name)
        place = self._places.get(index)
        if place is not None:
            known = self._calls[place].received_id
            if not (received_id and known and name and received_id != known):
                return place
            place = self._next_place()
        else:
            place = index if index not in self._calls else self._next_place()
        self._places[index] = place
        return place

    def _find_place_without_index(self, received_id: str, name: str) -> int:
        if received_id:
            known = (place for place, call in self._calls.items() if call.received_id == received_id)
            return next(known, self._next_place())
        return self._next_place() if name or not self._calls else self._last

    def _next_place(self) -> int:
        return max(self._calls, default=-1) + 1

    def _own_id(self, received_id: str, place: int, answer_id: str) -> str:
        """The call's id: the provider's, unless there is none or another call has it."""
        own = received_id or f"call_{_NO_ID.sub('', answer_id)[-_ID_LENGTH:]}_{self._choice}_{place}"
        while own in self._ids:
            own = f"{own}_{place}"
        self._ids.add(own)
        return own


def _drop_repeated_name(call: _Call, function: dict[str, Any], name: str, *, repeats_id: bool) -> None:
    """Drops the name where it is a repetition: the same name beside the same id, or the same name whole without any id."""
    if not call.name:
        call.name = name
    elif name == call.name and repeats_id:
        del function["name"]


def _write_arguments(function: dict[str, Any]) -> None:
    """Arguments that came as an object are written as the text they should have been."""
    arguments = function.get("arguments")
    if type(arguments) is dict or type(arguments) is list:
        function["arguments"] = orjson.dumps(arguments).decode()


def _is_json(text: str) -> bool:
    if not text.strip():
        return True
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _text(value: object) -> str:
    return value if type(value) is str else ""
