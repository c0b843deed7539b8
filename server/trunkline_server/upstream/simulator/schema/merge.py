# SPDX-License-Identifier: Apache-2.0
"""Two schemas into one that both must hold.

Used where keywords stand beside `$ref` or `anyOf`. Where two demands cannot be written as one (two patterns), the first is kept: values are checked
against the whole schema afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from trunkline_server.upstream.simulator.body import Json
from trunkline_server.upstream.simulator.schema.node import Node, assertions, json_equal
from trunkline_server.upstream.simulator.schema.steps import Steps


def merge_nodes(one: Node, other: Node, steps: Steps) -> Node:
    """A node for which, as far as can be said, those values fit that fit both."""
    if isinstance(one, bool) or isinstance(other, bool):
        if one is False or other is False:
            return False
        return other if one is True else one
    mine, theirs = assertions(one), assertions(other)
    if not mine or not theirs:
        return one if mine else other
    if "$ref" in mine and "$ref" in theirs:  # one choice of one branch says the same as a second reference
        theirs = merge_choices(theirs, {"anyOf": [{"$ref": theirs.pop("$ref")}]}, steps)
    merged = merge_choices(mine, theirs, steps)
    if "properties" in mine or "properties" in theirs:
        merged["properties"] = _merge_properties(mine, theirs, steps)
    for keyword, value in theirs.items():
        steps.spend(1 + len(value) // 8 if isinstance(value, list) else 1)
        if keyword in ("anyOf", "properties"):
            continue
        if keyword == "enum" and keyword in merged:
            steps.spend(len(merged[keyword]) * len(value) // 8)
        merged[keyword] = _merge_keyword(keyword, merged[keyword], value, steps) if keyword in merged else value
    impossible = merged.get("type") == [] or merged.get("enum") == []
    return False if impossible else merged


def merge_choices(one: Mapping[str, Json], other: Mapping[str, Json], steps: Steps) -> dict[str, Json]:
    """The first node with the second's anyOf put to its own: every branch of one with every branch of the other."""
    merged = dict(one)
    if "anyOf" in other:
        mine = one.get("anyOf", [True])
        steps.spend(len(mine) * len(other["anyOf"]))
        merged["anyOf"] = [merge_nodes(left, right, steps) for left in mine for right in other["anyOf"]]
    return merged


def _merge_properties(one: Mapping[str, Json], other: Mapping[str, Json], steps: Steps) -> dict[str, Json]:
    """Every property of either, under what the other says of it: by name, or by its additionalProperties."""
    mine, theirs = one.get("properties", {}), other.get("properties", {})
    my_rest, their_rest = one.get("additionalProperties", True), other.get("additionalProperties", True)
    names = dict.fromkeys([*mine, *theirs])
    steps.spend(len(names))
    return {name: merge_nodes(mine.get(name, my_rest), theirs.get(name, their_rest), steps) for name in names}


def _merge_keyword(keyword: str, mine: Json, theirs: Json, steps: Steps) -> Json:
    if keyword in ("items", "additionalProperties"):
        return merge_nodes(mine, theirs, steps)
    if keyword == "prefixItems":
        longer = mine if len(mine) >= len(theirs) else theirs
        pairs = [merge_nodes(left, right, steps) for left, right in zip(mine, theirs, strict=False)]
        return pairs + longer[len(pairs) :]
    return _SIMPLE[keyword](mine, theirs) if keyword in _SIMPLE else mine


def _shared_types(mine: Json, theirs: Json) -> list[str]:
    ours = mine if isinstance(mine, list) else [mine]
    others = theirs if isinstance(theirs, list) else [theirs]
    shared = [name for name in ours if name in others or (name == "integer" and "number" in others)]
    return shared + [name for name in others if name == "integer" and "number" in ours and name not in shared]


def _shared_values(mine: list[Json], theirs: list[Json]) -> list[Json]:
    return [value for value in mine if any(json_equal(value, other) for other in theirs)]


_SIMPLE: Final[Mapping[str, Callable[[Json, Json], Json]]] = {
    "type": _shared_types,
    "enum": _shared_values,
    "required": lambda mine, theirs: list(dict.fromkeys([*mine, *theirs])),
    "minimum": max,
    "exclusiveMinimum": max,
    "minItems": max,
    "minLength": max,
    "maximum": min,
    "exclusiveMaximum": min,
    "maxItems": min,
    "maxLength": min,
    "uniqueItems": lambda mine, theirs: mine or theirs,
}
