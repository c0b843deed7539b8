# SPDX-License-Identifier: Apache-2.0
"""Raw JSON text that came inside a message: parsed under the rules of parse.py and written again, before anything else sees it.

What leaves here has passed through orjson, so it may be spliced into output as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trunkline_server.jsonshape.faults import JsonFaults, RawFault, add_fault, add_silent_fault, path_depth
from trunkline_server.jsonshape.members import join_kinds
from trunkline_server.jsonshape.parse import MAX_DEPTH, parse_json, text_depth
from trunkline_server.jsonshape.runtime import raw_text, refuse_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping
    from collections.abc import Set as AbstractSet

    from google.protobuf.message import Message

    from trunkline_server.jsonshape.faults import Faults, Path

_BROKEN = object()


def kind_of(value: object) -> str:
    """Name the JSON type of a parsed value; null has none and gives ""."""
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"
        case _:
            return ""


def clean_raw(text: str, kinds: AbstractSet[str], path: Path, faults: Faults) -> str | None:
    """Parse raw JSON text and write it again. None when it is null, which counts as absent; the text as it came after a fault."""
    value = _parse(text, path, faults)
    if value is None or value is _BROKEN:
        return None if value is None else text
    if kind_of(value) not in kinds:
        add_fault(faults, path, join_kinds(frozenset(kinds)) + " as JSON text", value)
        return text
    return _write(value, text)


def clean_unknown(
    m: Message,
    text: str,
    discriminator: str,
    tags: AbstractSet[str],
    refused: AbstractSet[str],
    path: Path,
    faults: Faults,
) -> str:
    """Check the JSON text of a variant with an unknown tag: an object, its tag none of the known ones, and no other field set beside it."""
    value = _parse(text, path, faults)
    if value is _BROKEN:
        return text
    if not isinstance(value, dict):
        add_fault(faults, path, "an object as JSON text", value)
        return text
    tag = value.get(discriminator)
    if not isinstance(tag, str) or tag in tags:
        add_fault(faults, (path, discriminator), "a string that no declared variant has", tag)
    if len(m.ListFields()) != 1:
        add_fault(faults, path, "only the JSON text, which is the whole object", value)
    refuse_keys(value, refused, path, faults)
    return _write(value, text)


def clean_catch_all(
    m: Message,
    extra: MutableMapping[str, str],
    known: AbstractSet[str],
    places: Mapping[str, tuple[str, ...]],
    decode: Callable[[dict[str, Any], Message, Path, Faults], object],
    refused: AbstractSet[str],
    path: Path,
    faults: Faults,
) -> None:
    """Clean each pair of a catch-all. A key that names a typed field is decoded into that field, which must not be set already."""
    typed: dict[str, Any] = {}
    for key in sorted(extra):
        if key in refused:
            add_silent_fault(faults, (path, key), "absent: the key is not allowed")
            continue
        text = extra[key]
        value = _parse(text, (path, key), faults)
        if value is _BROKEN:
            continue
        if value is None or key in known:
            del extra[key]
        elif (clean := _write(value, text)) != text:
            extra[key] = clean
        if value is not None and key in known:
            typed[key] = value
    if typed:
        _adopt(m, typed, places, decode, path, faults)


def _adopt(
    m: Message,
    typed: dict[str, Any],
    places: Mapping[str, tuple[str, ...]],
    decode: Callable[[dict[str, Any], Message, Path, Faults], object],
    path: Path,
    faults: Faults,
) -> None:
    """Decode keys into the fields they name. What is missing beside them, not inside, is the business of the message's own check."""
    for key, value in list(typed.items()):
        if key not in places or _is_set(m, places[key]):
            add_fault(faults, (path, key), "given once: the key has a field of its own", value)
            del typed[key]
    fresh = type(m)()
    found: list[RawFault] = []
    decode(typed, fresh, path, found)
    faults += [fault for fault in found if not fault.missing or _first_key(fault.path, path) in typed]
    m.MergeFrom(fresh)


def _first_key(place: Path, path: Path) -> str | int:
    """The key directly below `path` on the way to a place inside it."""
    key: str | int = ""
    while place is not None and place is not path:
        place, key = place
    return key


def _is_set(m: Message, place: tuple[str, ...]) -> bool:
    for name in place[:-1]:
        m = getattr(m, name)
    return any(field.name == place[-1] for field, _ in m.ListFields())


def _parse(text: str, path: Path, faults: Faults) -> Any:
    """Parse text; _BROKEN after a fault. Its nesting counts together with that of the message around it."""
    encoded = text.encode()
    try:
        value = parse_json(encoded)
    except JsonFaults as error:
        add_fault(faults, path, f"JSON text: {error.faults[0].message}", text)
        return _BROKEN
    # What text opens bounds how deep it nests, and nearly always settles it.
    around = path_depth(path)
    if around + encoded.count(b"[") + encoded.count(b"{") > MAX_DEPTH and around + text_depth(encoded) > MAX_DEPTH:
        add_fault(faults, path, f"nested at most {MAX_DEPTH} deep, with the body around it", value)
        return _BROKEN
    return value


def _write(value: object, text: str) -> str:
    written = raw_text(value)
    return text if written is None else written.decode()
