# SPDX-License-Identifier: Apache-2.0
"""Schemas of arguments that are a choice between several: Anthropic answers 400 to oneOf, allOf and anyOf at the top of an `input_schema`.

Tools of MCP servers often have them. The branches become one object with the members of all; what is lost by that is said in the description.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

FLATTENED: Final = "variants at the top merged, and told in the description"

_VARIANTS: Final = ("allOf", "anyOf", "oneOf")
_ALL: Final = "allOf"
_REFERENCE: Final = "#/"
_LONGEST_CHAIN: Final = 32
_SCHEMAS: Final = frozenset({"$defs", "definitions"})

Schema = dict[str, Any]


def flatten(schema: Schema) -> Schema:
    """A schema without variants at its top; the schema itself where it has none. Deeper than the codec reads JSON it cannot be."""
    return _flatten(schema, _References(schema))


class _References:
    """What the references into one schema lead to, each followed once: a circle leads to nothing, and so does a chain that is long beyond meaning."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._found: dict[str, Schema] = {}
        self._depth = 0

    def open(self, branch: Any) -> Schema:
        """A branch without variants of its own."""
        if type(branch) is not dict:
            return {}
        reference = branch.get("$ref")
        if type(reference) is not str:
            return _flatten(branch, self)
        if reference not in self._found:
            self._found[reference] = {}
            if self._depth < _LONGEST_CHAIN:
                self._depth += 1
                self._found[reference] = self.open(self._find(reference))
                self._depth -= 1
        return self._found[reference]

    def _find(self, reference: str) -> Any:
        if not reference.startswith(_REFERENCE):
            return None
        target: Any = self._root
        for step in reference.removeprefix(_REFERENCE).split("/"):
            target = target.get(step) if type(target) is dict else None
        return target


def _flatten(schema: Schema, references: _References) -> Schema:
    found = {name: schema[name] for name in _VARIANTS if type(schema.get(name)) is list}
    if not found:
        return schema
    flat = {name: value for name, value in schema.items() if name not in found}
    properties: dict[str, dict[bytes, Any]] = {}
    _add(properties, schema)
    required = dict.fromkeys(_names(schema))
    for name, branches in found.items():
        opened = [references.open(branch) for branch in branches]
        for branch in opened:
            _add(properties, branch)
        wanted = [set(_names(branch)) for branch in opened]
        if wanted:
            # What one branch of a choice needs, another may not have.
            needed = set.union(*wanted) if name == _ALL else set.intersection(*wanted)
            required |= dict.fromkeys(sorted(needed))
    flat["properties"] = {name: _either([*values.values()]) for name, values in properties.items()}
    if required:
        flat["required"] = list(required)
    said = " ".join(
        f"{name}: {orjson.dumps([_outline(item) for item in items]).decode()}" for name, items in found.items()
    )
    flat["description"] = f"{schema['description']}\n\n{said}" if schema.get("description") else said
    return flat


def _add(properties: dict[str, dict[bytes, Any]], schema: Schema) -> None:
    """Adds the members of a schema, of the same ones each once."""
    for name, value in _members(schema).items():
        properties.setdefault(name, {}).setdefault(orjson.dumps(value), value)


def _members(schema: Mapping[str, Any]) -> dict[str, Any]:
    members = schema.get("properties")
    return members if type(members) is dict else {}


def _names(schema: Mapping[str, Any]) -> Iterable[str]:
    names = schema.get("required")
    return [name for name in names if type(name) is str] if type(names) is list else []


def _either(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else {"anyOf": values}


def _outline(branch: Any) -> Any:
    """A branch in few words: its members by their names, which are told in full where all are."""
    if type(branch) is not dict:
        return branch
    outline = {name: value for name, value in branch.items() if name not in _SCHEMAS}
    if _members(branch):
        outline["properties"] = list(_members(branch))
    return outline
