# SPDX-License-Identifier: Apache-2.0
"""A value for a JSON schema: drawn by dice, always valid, always finite.

Near the root choices are free: optional properties, any branch, a few items. From FREE_DEPTH on only what is due is made, by the lowest branch
(heights.py), so recursion ends. Keywords beside `$ref` and `anyOf` are merged into the branch (merge.py); what cannot be made valid by construction is
checked (match.py) and drawn again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from trunkline_server.upstream.simulator.body import Json
from trunkline_server.upstream.simulator.dice import Dice
from trunkline_server.upstream.simulator.limits import Work
from trunkline_server.upstream.simulator.refused import RefusedError
from trunkline_server.upstream.simulator.schema.check import check_schema, resolve
from trunkline_server.upstream.simulator.schema.heights import INFINITE, Heights
from trunkline_server.upstream.simulator.schema.match import Matcher
from trunkline_server.upstream.simulator.schema.merge import merge_nodes
from trunkline_server.upstream.simulator.schema.node import Node, assertions, json_equal, types_of
from trunkline_server.upstream.simulator.schema.numbers import write_number
from trunkline_server.upstream.simulator.schema.steps import Steps
from trunkline_server.upstream.simulator.schema.strings import write_text

FREE_DEPTH: Final = 6
MAX_DEPTH: Final = 60
"""References, choices, objects and arrays inside each other."""

_TRIES: Final = 8
_DISTINCT_TRIES: Final = 40


def fill_schema(schema: Json, path: str, dice: Dice, steps: Steps, *, strict: bool) -> Work[Json]:
    """A value that fits the schema, which stands at `path` of the request. `steps` bounds the work, of several schemas together where it is shared.

    It gives way between the stages: checking, each round of heights, each try at a value.
    Raises RefusedError where the schema leaves the subset (check.py), allows no finite value, or none was found.
    """
    checked = check_schema(schema, path, strict=strict, steps=steps)
    yield steps.rest()
    heights = Heights(checked, steps)
    yield from heights.settle()
    return (yield from _Filler(checked.root, path, heights, dice, steps).whole())


class _NoValueError(Exception):
    """No value was found for a node; another branch or another draw may have one."""


class _Filler:
    def __init__(self, root: Node, path: str, heights: Heights, dice: Dice, steps: Steps) -> None:
        self._root = root
        self._path = path
        self._heights = heights
        self._dice = dice
        self._steps = steps
        self._matcher = Matcher(root, steps)

    def whole(self) -> Work[Json]:
        if self._heights.of(self._root) == INFINITE:
            raise RefusedError(f"{self._path}: no finite value fits the schema.", param=self._path)
        for _ in range(_TRIES):
            yield self._steps.rest()
            try:
                value = self._fill(self._root, 0)
            except _NoValueError:
                continue
            yield self._steps.rest()
            if self._matcher.fits(self._root, value):
                return value
        raise RefusedError(f"{self._path}: no value that fits the schema was found.", param=self._path)

    def _fill(self, node: Node, depth: int) -> Json:
        self._steps.spend()
        if depth > MAX_DEPTH:
            raise RefusedError(
                f"{self._path}: the schema's values are nested more than {MAX_DEPTH} deep.", param=self._path
            )
        if isinstance(node, bool):
            if node:
                return self._dice.word()
            raise _NoValueError
        if "const" in node or "enum" in node:
            return self._pick_member(node)
        if "$ref" in node:
            target = resolve(self._root, node["$ref"])
            return self._fill(merge_nodes(assertions(node, "$ref"), target, self._steps), depth + 1)
        if "anyOf" in node:
            return self._fill_branch(node, depth)
        return self._fill_type(node, self._pick_type(node, depth), depth)

    def _pick_member(self, node: Mapping[str, Json]) -> Json:
        members = [node["const"]] if "const" in node else list(node["enum"])
        start = self._dice.below(len(members))
        for position in range(len(members)):
            member = members[(start + position) % len(members)]
            if self._matcher.fits(node, member):
                return member
        raise _NoValueError

    def _fill_branch(self, node: Mapping[str, Json], depth: int) -> Json:
        rest = assertions(node, "anyOf")
        for branch in self._in_order(node["anyOf"], depth):
            try:
                value = self._fill(merge_nodes(rest, branch, self._steps), depth + 1)
            except _NoValueError:
                continue
            if not rest or self._matcher.fits(node, value):
                return value
        raise _NoValueError

    def _in_order(self, branches: list[Node], depth: int) -> list[Node]:
        finite = [branch for branch in branches if self._heights.of(branch) != INFINITE]
        if depth < FREE_DEPTH and finite:
            start = self._dice.below(len(finite))
            return finite[start:] + finite[:start]
        return sorted(finite, key=self._heights.of)

    def _pick_type(self, node: Mapping[str, Json], depth: int) -> str:
        names = [name for name in types_of(node) if self._heights.of_type(node, name) != INFINITE]
        if not names:
            if types_of(node):
                raise _NoValueError
            return "string"
        return (
            self._dice.pick(names)
            if depth < FREE_DEPTH
            else min(names, key=lambda name: self._heights.of_type(node, name))
        )

    def _fill_type(self, node: Mapping[str, Json], name: str, depth: int) -> Json:
        if name == "object":
            return self._fill_object(node, depth)
        if name == "array":
            return self._fill_array(node, depth)
        if name == "boolean":
            return self._dice.below(2) == 1
        if name == "null":
            return None
        made: str | float | None
        if name == "string":
            made = write_text(node, self._dice, self._steps)
        else:
            made = write_number(node, self._dice, whole=name == "integer")
        if made is None:
            raise _NoValueError
        return made

    def _fill_object(self, node: Mapping[str, Json], depth: int) -> Json:
        properties, others = node.get("properties", {}), node.get("additionalProperties", True)
        required = dict.fromkeys(node.get("required", ()))
        self._steps.spend((len(properties) + len(required)) // 4)
        made: dict[str, Json] = {}
        for name, child in [*properties.items(), *((name, others) for name in required if name not in properties)]:
            if name in required:
                made[name] = self._fill(child, depth + 1)
            elif self._is_wanted(child, depth):
                made.update((name, value) for value in self._try(child, depth))
        if not properties and isinstance(others, dict) and self._is_wanted(others, depth):
            made.update((f"{self._dice.word()}_{len(made)}", value) for value in self._try(others, depth))
        return made

    def _is_wanted(self, optional: Node, depth: int) -> bool:
        return depth < FREE_DEPTH and self._heights.of(optional) != INFINITE and self._dice.below(4) > 0

    def _try(self, node: Node, depth: int) -> Iterator[Json]:
        """The value of something optional, or nothing."""
        try:
            yield self._fill(node, depth + 1)
        except _NoValueError:
            return

    def _fill_array(self, node: Mapping[str, Json], depth: int) -> Json:
        first, others = node.get("prefixItems", []), node.get("items", True)
        least, most = node.get("minItems", 0), node.get("maxItems")
        length = least
        if depth < FREE_DEPTH:
            length = max(least, len(first)) + (
                1 + self._dice.below(2) if "items" in node and others is not False else 0
            )
            length = length if most is None else min(length, most)
        self._steps.spend(length)
        made: list[Json] = []
        for position in range(length):
            child = first[position] if position < len(first) else others
            try:
                made.append(self._next_item(child, made, depth, unique=bool(node.get("uniqueItems"))))
            except _NoValueError:
                if position < least:
                    raise
                break
        return made

    def _next_item(self, child: Node, earlier: list[Json], depth: int, *, unique: bool) -> Json:
        if not unique:
            return self._fill(child, depth + 1)
        for _ in range(_DISTINCT_TRIES):
            self._steps.spend(len(earlier))
            item = self._fill(child, depth + 1)
            if not any(json_equal(item, other) for other in earlier):
                return item
        raise _NoValueError
