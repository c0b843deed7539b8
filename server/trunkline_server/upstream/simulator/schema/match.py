# SPDX-License-Identifier: Apache-2.0
"""Whether a value fits a schema of the subset. Formats are annotations here: they are written right, not checked."""

from __future__ import annotations

from collections.abc import Mapping

from trunkline_server.upstream.simulator.body import Json
from trunkline_server.upstream.simulator.schema.check import resolve
from trunkline_server.upstream.simulator.schema.node import Node, json_equal, type_fits
from trunkline_server.upstream.simulator.schema.numbers import number_fits
from trunkline_server.upstream.simulator.schema.pattern import parse_pattern, pattern_found
from trunkline_server.upstream.simulator.schema.steps import Steps


class Matcher:
    """Checks values against the nodes of one schema."""

    def __init__(self, root: Node, steps: Steps) -> None:
        self._root = root
        self._steps = steps
        self._under_way: set[tuple[int, int]] = set()

    def fits(self, node: Node, value: Json) -> bool:
        """Whether the value fits the node. A reference that leads to itself on the way fits nothing."""
        self._steps.spend()
        if isinstance(node, bool):
            return node
        asked = (id(node), id(value))
        if asked in self._under_way:
            return False
        self._under_way.add(asked)
        try:
            return self._fits_general(node, value) and self._fits_kind(node, value)
        finally:
            self._under_way.discard(asked)

    def _fits_general(self, node: Mapping[str, Json], value: Json) -> bool:
        types = node.get("type", [])
        if types and not any(type_fits(name, value) for name in ([types] if isinstance(types, str) else types)):
            return False
        self._steps.spend(len(node.get("enum", ())) // 8)
        if "const" in node and not json_equal(node["const"], value):
            return False
        if "enum" in node and not any(json_equal(member, value) for member in node["enum"]):
            return False
        if "$ref" in node and not self.fits(resolve(self._root, node["$ref"]), value):
            return False
        return "anyOf" not in node or any(self.fits(branch, value) for branch in node["anyOf"])

    def _fits_kind(self, node: Mapping[str, Json], value: Json) -> bool:
        if isinstance(value, dict):
            return self._fits_object(node, value)
        if isinstance(value, list):
            return self._fits_array(node, value)
        if isinstance(value, str):
            return self._fits_text(node, value)
        return isinstance(value, bool) or value is None or number_fits(node, value)

    def _fits_object(self, node: Mapping[str, Json], value: Mapping[str, Json]) -> bool:
        properties, others = node.get("properties", {}), node.get("additionalProperties", True)
        required = node.get("required", ())
        self._steps.spend(len(required) // 8)
        return all(name in value for name in required) and all(
            self.fits(properties.get(name, others), item) for name, item in value.items()
        )

    def _fits_array(self, node: Mapping[str, Json], value: list[Json]) -> bool:
        first, others = node.get("prefixItems", []), node.get("items", True)
        nodes = first + [others] * (len(value) - len(first))
        return (
            node.get("minItems", 0) <= len(value) <= node.get("maxItems", len(value))
            and all(self.fits(child, item) for child, item in zip(nodes, value, strict=False))
            and (not node.get("uniqueItems") or self._all_differ(value))
        )

    def _all_differ(self, items: list[Json]) -> bool:
        self._steps.spend(len(items) * len(items) // 2)
        return not any(json_equal(item, other) for position, item in enumerate(items) for other in items[:position])

    def _fits_text(self, node: Mapping[str, Json], value: str) -> bool:
        self._steps.spend(len(value) // 8)
        if not node.get("minLength", 0) <= len(value) <= node.get("maxLength", len(value)):
            return False
        if "pattern" not in node:
            return True
        self._steps.spend(len(node["pattern"]) // 8)
        return pattern_found(parse_pattern(node["pattern"], "pattern"), value, self._steps)
