# SPDX-License-Identifier: Apache-2.0
"""What has been said of one turn of the model, and the chunks of what had not been said yet.

Theory. A turn is a list of items, each at a place of the output; an item has parts, and each part's text comes as deltas, then whole once more when the part,
the item and the answer are done. So each part remembers what was said of it, and where a later event knows more, the rest is said then: a server may leave
out the deltas, or any of the events that repeat them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import orjson

from trunkline_server.dialects.media import write_data_url
from trunkline_server.dialects.openai_responses.chunks import ChunkWriter, Origin
from trunkline_server.dialects.openai_responses.names import CUSTOM_CALL, is_text, type_of

TEXT: Final = "text"
REFUSAL: Final = "refusal"
SUMMARY: Final = "summary"
REASONING: Final = "reasoning"
"""Kinds of parts."""

Part: TypeAlias = tuple[str, object, int]
"""What names a part: its kind, its item's place, its index in the item."""

_CALLS: Final = frozenset({"function_call", CUSTOM_CALL})
_TOLD: Final = _CALLS | {"message", "reasoning", "image_generation_call"}
"""Types of items that the contract can tell."""
_REASONS: Final = frozenset({SUMMARY, REASONING})


class _Said:
    """What was said of a part or of a call's arguments. `index` is that of the reasoning's detail, or of the call."""

    __slots__ = ("annotations", "index", "pieces")

    def __init__(self, index: int) -> None:
        self.pieces: list[str] = []
        self.annotations = 0
        self.index = index


class Turn:
    """One turn under construction. Its chunks are in `writer`."""

    __slots__ = ("_call_ids", "_calls", "_details", "_images", "_items", "_origins", "_parts", "_places", "_sealed", "writer")  # fmt: skip

    def __init__(self) -> None:
        self.writer = ChunkWriter()
        self._parts: dict[Part, _Said] = {}
        self._calls: dict[object, _Said] = {}
        self._call_ids: set[str] = set()
        self._places: dict[str, object] = {}
        self._origins: dict[object, Origin] = {}
        self._items: dict[object, dict[str, Any]] = {}
        self._sealed: set[object] = set()
        self._details = 0
        self._images = 0

    @property
    def asks_for_tools(self) -> bool:
        """Whether the model asks for tools."""
        return bool(self._calls)

    @property
    def searches(self) -> int:
        """How often the provider has searched the web."""
        return sum(item.get("type") == "web_search_call" for item in self._items.values())

    def place_of(self, value: Mapping[str, Any]) -> object:
        """The place that an event speaks of: its index, else the item's id."""
        place = value.get("output_index")
        if type(place) is int:
            return place
        item = value.get("item")
        item_id = item.get("id") if type(item) is dict else value.get("item_id")
        return self._places.setdefault(item_id, item_id) if isinstance(item_id, str) else None

    def begin_item(self, place: object, item: dict[str, Any]) -> None:
        """An item has begun."""
        self._note_origin(place, item)
        if type_of(item) in _CALLS and is_text(item.get("name")):
            self._begin_call(place, item)

    def say(self, part: Part, text: str, *, item_id: object = None, logprobs: object = None) -> None:
        """A piece of a text."""
        kind = part[0]
        said = self._parts.get(part) or self._open(part)
        is_new = not said.pieces
        said.pieces.append(text)
        if kind == TEXT:
            self.writer.add_text(text, logprobs)
        elif kind == REFUSAL:
            self.writer.add_refusal(text)
        else:
            origin = self._origin(part[1])
            if not origin.item_id and isinstance(item_id, str):
                origin.item_id = item_id
            self.writer.add_reasoning(text, said.index, origin, is_summary=kind == SUMMARY, is_new=is_new)

    def say_whole(self, part: Part, whole: str, *, item_id: object = None, logprobs: object = None) -> None:
        """A text that is whole now, of which the rest is said. One that contradicts what was said stays as it was."""
        said = self._parts.get(part) or self._open(part)
        known = "".join(said.pieces)
        rest = whole[len(known) :] if whole.startswith(known) else ""
        if rest or (part[0] in _REASONS and not said.pieces):
            self.say(part, rest, item_id=item_id, logprobs=None if known else logprobs)

    def say_arguments(self, place: object, text: str) -> None:
        """A piece of a call's arguments. One of a call that has not begun will come whole."""
        call = self._calls.get(place)
        if call is not None:
            call.pieces.append(text)
            self.writer.add_arguments(call.index, text)

    def say_all_arguments(self, place: object, whole: object) -> None:
        """A call's arguments that are whole now."""
        call = self._calls.get(place)
        if type(whole) is dict or type(whole) is list:
            whole = orjson.dumps(whole).decode()
        if call is not None and isinstance(whole, str):
            known = "".join(call.pieces)
            if whole != known and whole.startswith(known):
                self.say_arguments(place, whole[len(known) :])

    def annotate(self, part: Part, annotation: object) -> None:
        """A citation of a text. Its places count from the beginning of the whole content."""
        if type(annotation) is not dict:
            return
        said = self._parts.get(part) or self._open(part)
        said.annotations += 1
        here = _order(part)
        earlier = (text for other, text in self._parts.items() if other[0] == TEXT and _order(other) < here)
        self.writer.add_annotation(annotation, sum(len(piece) for text in earlier for piece in text.pieces))

    def take_output(self, output: list[Any]) -> None:
        """Says what of the whole turn was not said yet."""
        is_late = self.writer.has_begun
        for index, item in enumerate(output):
            if type(item) is dict:
                item_id = item.get("id")
                place = self._places.get(item_id, index) if isinstance(item_id, str) else index
                known = self._items.get(place)
                # Some servers number the items of the whole answer anew: what stands there then is another item.
                if not is_late or known is None or known.get("type") == item.get("type"):
                    self.take_item(place, item, is_late=is_late)

    def take_item(self, place: object, item: dict[str, Any], *, is_late: bool = False) -> None:
        """Says what of a finished item was not said yet. `is_late` says that it stands in the whole answer, whose places may be others."""
        self._note_origin(place, item)
        self._items[place] = item
        match item.get("type"):
            case "message":
                self._take_message(place, item, is_late=is_late)
            case "reasoning":
                self._take_reasoning(place, item)
            case "function_call" | "custom_tool_call":
                self._take_call(place, item)
            case "image_generation_call" if place not in self._sealed and is_text(item.get("result")):
                self._sealed.add(place)
                media_type = f"image/{item.get('output_format') or 'png'}"
                self.writer.add_image(write_data_url(media_type, item["result"]), self._images)
                self._images += 1

    def own(self, output: object) -> object:
        """What of the turn only this language knows. `output` are its items, where the last event has them."""
        items = [item for item in output if type(item) is dict] if isinstance(output, list) else []
        return own_of_turn(items or [self._items[place] for place in sorted(self._items, key=_order)])

    def _take_message(self, place: object, item: Mapping[str, Any], *, is_late: bool) -> None:
        for index, part in _parts_of(item, "content"):
            kind = REFUSAL if part.get("type") == "refusal" else TEXT
            whole = part.get(kind)
            key = (kind, place, index)
            if not isinstance(whole, str) or (is_late and key not in self._parts and self._is_said(kind, whole)):
                continue
            self.say_whole(key, whole, logprobs=part.get("logprobs"))
            annotations = part.get("annotations")
            for annotation in annotations[self._parts[key].annotations :] if type(annotations) is list else ():
                self.annotate(key, annotation)

    def _is_said(self, kind: str, whole: str) -> bool:
        """Whether a text was said under another place."""
        return any("".join(said.pieces) == whole for part, said in self._parts.items() if part[0] == kind)

    def _take_reasoning(self, place: object, item: Mapping[str, Any]) -> None:
        for kind, name in ((SUMMARY, "summary"), (REASONING, "content")):
            for index, part in _parts_of(item, name):
                if isinstance(part.get("text"), str):
                    self.say_whole((kind, place, index), part["text"])
        if place in self._sealed:
            return
        signature, data = item.get("signature"), item.get("encrypted_content")
        origin = self._origin(place)
        if isinstance(signature, str):
            self._sealed.add(place)
            texts = [said.index for part, said in self._parts.items() if part[:2] == (REASONING, place)]
            self.writer.add_signature(signature, texts[-1] if texts else self._details, origin)
            self._details += not texts
        if is_text(data):
            self._sealed.add(place)
            self.writer.add_encrypted(str(data), self._details, origin)
            self._details += 1

    def _take_call(self, place: object, item: Mapping[str, Any]) -> None:
        if place not in self._calls:
            call_id = item.get("call_id")
            if isinstance(call_id, str) and call_id in self._call_ids:
                return
            self._begin_call(place, item)
        self.say_all_arguments(place, item.get("input" if item["type"] == CUSTOM_CALL else "arguments"))

    def _begin_call(self, place: object, item: Mapping[str, Any]) -> None:
        index = len(self._calls)
        self._calls[place] = _Said(index)
        given = item.get("call_id") or item.get("id")
        call_id = given if isinstance(given, str) else f"call_{self.writer.answer_id}_{index}"
        while call_id in self._call_ids:
            call_id = f"{call_id}_{index}"
        self._call_ids.add(call_id)
        name, kind = item.get("name"), item["type"]
        own = kind if kind == CUSTOM_CALL else None
        self.writer.begin_call(index, call_id, name if isinstance(name, str) else "", kind=own)

    def _open(self, part: Part) -> _Said:
        self._parts[part] = said = _Said(self._details)
        self._details += part[0] in _REASONS
        return said

    def _origin(self, place: object) -> Origin:
        origin = self._origins.get(place)
        if origin is None:
            self._origins[place] = origin = Origin()
        return origin

    def _note_origin(self, place: object, item: Mapping[str, Any]) -> None:
        """Notes an item's id, by which later events may name it, and its format. The first id stays: pieces of one detail have one."""
        item_id, form = item.get("id"), item.get("format")
        if isinstance(item_id, str) and item_id:
            self._places.setdefault(item_id, place)
            origin = self._origin(place)
            origin.item_id = origin.item_id or item_id
        if isinstance(form, str) and form:
            self._origin(place).form = form


def own_of_turn(items: list[Any]) -> object:
    """What to keep of a turn with these items under the dialect's own key; None where the contract tells it all."""
    messages = [item for item in items if type_of(item) == "message"]
    phases = [item["phase"] for item in messages if item.get("phase") is not None]
    if any(type_of(item) not in _TOLD for item in items) or (phases and len(messages) > 1):
        return items
    return {"phase": phases[0]} if phases else None


def _parts_of(item: Mapping[str, Any], name: str) -> list[tuple[int, dict[str, Any]]]:
    """The parts of an item with their indices."""
    parts = item.get(name)
    return [(index, part) for index, part in enumerate(parts) if type(part) is dict] if type(parts) is list else []


def _order(place: object) -> tuple[str, ...]:
    """A key that sorts places, and parts, by number; those that are none behind."""
    steps = place if isinstance(place, tuple) else (place,)
    return tuple(f"{step:09d}" if isinstance(step, int) else f"~{step}" for step in steps)
