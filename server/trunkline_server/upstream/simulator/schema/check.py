# SPDX-License-Identifier: Apache-2.0
"""Which schemas the simulator reads: the subset that structured outputs use, and nothing silently ignored.

Read: type, enum, const, anyOf, $ref (inside the schema), $defs, definitions; properties, required, additionalProperties; items, prefixItems, minItems,
maxItems, uniqueItems; minLength, maxLength, pattern, format; minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf; and the annotations.
Any other keyword is refused by its path. A `format` outside FORMATS is refused in a strict schema and an annotation in others, as JSON schema has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Final
from urllib.parse import unquote

from trunkline_server.upstream.simulator.body import Json, json_path, wrong
from trunkline_server.upstream.simulator.refused import RefusedError
from trunkline_server.upstream.simulator.schema.node import ANNOTATIONS, DEFINITIONS, TYPES, Node
from trunkline_server.upstream.simulator.schema.pattern import parse_pattern
from trunkline_server.upstream.simulator.schema.steps import Steps
from trunkline_server.upstream.simulator.schema.strings import FORMATS


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedSchema:
    """A schema that is inside the subset: its root, its path in the request, and all its nodes that are objects, outer ones first."""

    root: Node
    path: str
    nodes: tuple[Mapping[str, Json], ...]


def check_schema(root: Json, path: str, *, strict: bool, steps: Steps) -> CheckedSchema:
    """Walk a schema, its definitions and what its references name. Raises RefusedError that names the first thing outside the subset."""
    seen: dict[int, Mapping[str, Json]] = {}
    waiting: list[tuple[Json, str]] = [(root, path)]
    while waiting:
        node, where = waiting.pop()
        steps.spend(1 + len(where) // 256)
        if isinstance(node, bool) or id(node) in seen:
            continue
        if not isinstance(node, dict):
            raise wrong(where, "a schema (an object, true or false)", node)
        seen[id(node)] = node
        steps.spend(len(str(node.get("pattern", ""))) // 8)
        _check_keywords(node, where, strict=strict, at_root=node is root)
        waiting.extend(_children(node, where))
        if "$ref" in node:
            target = resolve(root, node["$ref"], json_path(where, "$ref"))
            waiting.append((target, reduce(json_path, node["$ref"].split("/")[1:], path)))
    return CheckedSchema(root=root, path=path, nodes=tuple(seen.values()))


def resolve(root: Node, reference: str, path: str = "$ref") -> Node:
    """The node that a reference names: `#`, or `#` and a JSON pointer (RFC 6901). Raises RefusedError where there is none."""
    found: Json = root
    if not (reference == "#" or reference.startswith("#/")):
        raise RefusedError(
            f"{path}: only references inside the schema are read (# or #/...), not {reference!r}.", param=path
        )
    for part in reference.split("/")[1:]:
        key = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isascii() and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        else:
            raise RefusedError(f"{path}: {reference!r} names nothing in the schema.", param=path)
    if not isinstance(found, dict | bool):
        raise RefusedError(f"{path}: {reference!r} names no schema.", param=path)
    return found


def _check_keywords(node: Mapping[str, Json], path: str, *, strict: bool, at_root: bool) -> None:
    for keyword, value in node.items():
        where = json_path(path, keyword)
        if keyword == "$id" and not at_root:
            raise RefusedError(f"{where}: $id is read at the root of a schema only.", param=where)
        if keyword in ANNOTATIONS:
            continue
        rule = _RULES.get(keyword)
        if rule is None:
            raise RefusedError(
                f"{where}: the keyword {keyword!r} is outside the structured-output subset.", param=where
            )
        expected, fits = rule
        if not fits(value):
            raise wrong(where, expected, value)
        if keyword == "pattern":
            parse_pattern(value, where)
        elif keyword == "format" and strict and value not in FORMATS:
            raise RefusedError(
                f"{where}: the format {value!r} is outside the subset: {', '.join(FORMATS)}.", param=where
            )


def _children(node: Mapping[str, Json], path: str) -> Iterator[tuple[Json, str]]:
    for keyword in ("properties", *DEFINITIONS):
        for name, child in node.get(keyword, {}).items():
            yield child, json_path(json_path(path, keyword), name)
    for keyword in ("anyOf", "prefixItems"):
        for position, child in enumerate(node.get(keyword, ())):
            yield child, json_path(json_path(path, keyword), position)
    for keyword in ("items", "additionalProperties"):
        if keyword in node:
            yield node[keyword], json_path(path, keyword)


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_types(value: Json) -> bool:
    names = value if isinstance(value, list) else [value]
    return 0 < len(names) <= len(TYPES) and all(isinstance(name, str) and name in TYPES for name in names)


def _is_names(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_object(value: Json) -> bool:
    return isinstance(value, dict)


def _is_filled_list(value: Json) -> bool:
    return isinstance(value, list) and bool(value)


def _is_schema(value: Json) -> bool:
    return isinstance(value, dict | bool)


def _is_text(value: Json) -> bool:
    return isinstance(value, str)


_NUMBER: Final = ("a number", _is_number)
_COUNT: Final = ("an integer of at least 0", _is_count)
_SCHEMA: Final = ("a schema (an object, true or false)", _is_schema)
_SCHEMAS: Final = ("an array of schemas, not empty", _is_filled_list)
_MAP: Final = ("an object of schemas", _is_object)
_TEXT: Final = ("a string", _is_text)

_RULES: Final[Mapping[str, tuple[str, Callable[[Json], bool]]]] = {
    "$ref": _TEXT,
    "$defs": _MAP,
    "definitions": _MAP,
    "type": (f"one of {', '.join(TYPES)}, or an array of them", _is_types),
    "enum": ("an array of values, not empty", _is_filled_list),
    "const": ("a value", lambda _: True),
    "anyOf": _SCHEMAS,
    "properties": _MAP,
    "required": ("an array of names", _is_names),
    "additionalProperties": _SCHEMA,
    "items": _SCHEMA,
    "prefixItems": _SCHEMAS,
    "minItems": _COUNT,
    "maxItems": _COUNT,
    "uniqueItems": ("true or false", lambda value: isinstance(value, bool)),
    "minLength": _COUNT,
    "maxLength": _COUNT,
    "pattern": _TEXT,
    "format": _TEXT,
    "minimum": _NUMBER,
    "maximum": _NUMBER,
    "exclusiveMinimum": _NUMBER,
    "exclusiveMaximum": _NUMBER,
    "multipleOf": ("a number above 0", lambda value: _is_number(value) and value > 0),
}
"""Keyword to what its value must be, in words and as a test."""
