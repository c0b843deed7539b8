# SPDX-License-Identifier: Apache-2.0
"""How deep the shallowest value of each node of a schema is, so that filling a recursive schema can end.

The height of a scalar is 0; of an object or array one more than the highest of what it must hold; a reference and a choice add one to their target and
to their lowest branch. A node whose values never end has no height (INFINITE). Heights are found by rounds over all nodes until nothing changes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from trunkline_server.upstream.simulator.body import Json
from trunkline_server.upstream.simulator.limits import Work
from trunkline_server.upstream.simulator.schema.check import CheckedSchema, resolve
from trunkline_server.upstream.simulator.schema.node import Node, types_of
from trunkline_server.upstream.simulator.schema.steps import Steps

INFINITE: Final = math.inf


class Heights:
    """The heights of a schema's nodes, and of nodes merged from them."""

    def __init__(self, schema: CheckedSchema, steps: Steps) -> None:
        self._root = schema.root
        self._steps = steps
        self._nodes = schema.nodes[::-1]  # inner nodes first: most schemas then need two rounds
        self._known = {id(node): INFINITE for node in schema.nodes}

    def settle(self) -> Work[None]:
        """Find the heights; before that there are none. Gives way between rounds."""
        changed = True
        while changed:
            changed = False
            for node in self._nodes:
                height = self._compute(node)
                if height < self._known[id(node)]:
                    self._known[id(node)] = height
                    changed = True
            yield self._steps.rest()

    def of(self, node: Node) -> float:
        """The height of a node: a whole number, or INFINITE where no finite value fits."""
        if isinstance(node, bool):
            return 0 if node else INFINITE
        known = self._known.get(id(node))
        return self._compute(node) if known is None else known

    def of_type(self, node: Mapping[str, Json], name: str) -> float:
        """The height of a node's values of one type."""
        if name == "object":
            properties, others = node.get("properties", {}), node.get("additionalProperties", True)
            required = node.get("required", ())
            self._steps.spend(len(required) // 4)
            due = [properties.get(key, others) for key in required]
        elif name == "array":
            first, least = node.get("prefixItems", []), node.get("minItems", 0)
            due = first[:least] + ([node.get("items", True)] if least > len(first) else [])
        else:
            due = []
        return max((1 + self.of(child) for child in due), default=0)

    def _compute(self, node: Mapping[str, Json]) -> float:
        self._steps.spend()
        if "const" in node or "enum" in node:
            return 0
        heights = [min((self.of_type(node, name) for name in types_of(node)), default=0)]
        if "$ref" in node:
            heights.append(1 + self.of(resolve(self._root, node["$ref"])))
        if "anyOf" in node:
            heights.append(1 + min(self.of(branch) for branch in node["anyOf"]))
        return max(heights)
