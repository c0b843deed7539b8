# SPDX-License-Identifier: Apache-2.0
"""What a JSON schema's nodes are, and what can be asked of one without looking further."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from trunkline_server.upstream.simulator.body import Json

Node: TypeAlias = "Mapping[str, Json] | bool"
"""A schema: an object of keywords, or true (everything fits) or false (nothing does)."""

TYPES: Final = ("object", "array", "string", "number", "integer", "boolean", "null")

ANNOTATIONS: Final = frozenset(
    {"$comment", "$id", "$schema", "default", "deprecated", "description", "examples", "readOnly", "title", "writeOnly"}
)
"""Keywords that say nothing about which values fit."""

DEFINITIONS: Final = ("$defs", "definitions")

_HINTS: Final = (
    ("object", ("properties", "required", "additionalProperties")),
    ("array", ("items", "prefixItems", "minItems", "maxItems", "uniqueItems")),
    ("string", ("minLength", "maxLength", "pattern", "format")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
)


def assertions(node: Mapping[str, Json], *without: str) -> dict[str, Json]:
    """The keywords of a node that say which values fit, without the given ones."""
    return {
        key: value
        for key, value in node.items()
        if key not in ANNOTATIONS and key not in DEFINITIONS and key not in without
    }


def types_of(node: Mapping[str, Json]) -> tuple[str, ...]:
    """The types that a node allows, or the one its other keywords speak of; nothing where it says nothing."""
    stated = node.get("type")
    if isinstance(stated, str):
        return (stated,)
    if stated is not None:
        return tuple(stated)
    return next(((name,) for name, keywords in _HINTS if any(keyword in node for keyword in keywords)), ())


def type_fits(name: str, value: Json) -> bool:
    """Whether a value is of a JSON schema type; 5.0 is an integer, true is no number."""
    if name in ("number", "integer"):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and (name == "number" or isinstance(value, int) or value.is_integer())
    kinds: Mapping[str, type] = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
    return isinstance(value, kinds[name])


def json_equal(one: Json, other: Json) -> bool:
    """JSON's equality: 1 equals 1.0, and true equals neither."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(json_equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(json_equal(left, right) for left, right in zip(one, other, strict=True))
    return bool(one == other)
