# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI file of the reference, which lies beside the checkout, and samples made from its schemas."""

from __future__ import annotations

from typing import Any

import yaml

from support.source_tree import ROOT

REFERENCE = ROOT.parent / "shared" / "reference" / "openrouter-openapi.yaml"
DEPTH = 40
# The sample key of open objects: what stands in them is the caller's own, so it belongs in the catch-all or in the JSON text.
OPEN_KEY = "1"
# Strings that must be more than any text, by the property they stand in.
STRINGS = {"container_id": "container-1"}


def read_reference() -> dict[str, Any]:
    """Read the whole file, by the parser in C where PyYAML has it: the other takes ten times as long."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document: dict[str, Any] = yaml.load(REFERENCE.read_bytes(), Loader=loader)  # noqa: S506 - a safe loader
    return document


def make_samples(schema: dict[str, Any], schemas: dict[str, Any], depth: int) -> list[Any]:
    """Values that together use every property and every variant of a schema; the first uses every property at once."""
    if depth <= 0:
        return []
    if "$ref" in schema:
        return make_samples(schemas[schema["$ref"].removeprefix("#/components/schemas/")], schemas, depth - 1)
    for union in ("oneOf", "anyOf"):
        if union in schema:
            return [sample for variant in schema[union] for sample in make_samples(variant, schemas, depth - 1)]
    if "allOf" in schema:
        return make_samples(schema["allOf"][0], schemas, depth - 1)
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    if "properties" in schema or "object" in kinds:
        return _make_objects(schema, schemas, depth)
    if "array" in kinds:
        return [[item] for item in make_samples(schema.get("items", {}), schemas, depth - 1)]
    return _make_scalars(schema, kinds)


def _make_objects(schema: dict[str, Any], schemas: dict[str, Any], depth: int) -> list[Any]:
    members = {
        name: [STRINGS[name]] if name in STRINGS else make_samples(property_schema, schemas, depth - 1)
        for name, property_schema in schema.get("properties", {}).items()
    }
    if schema.get("additionalProperties") not in (None, False):
        members[OPEN_KEY] = make_samples(schema["additionalProperties"], schemas, depth - 1)
    whole = {name: samples[0] for name, samples in members.items() if samples}
    return [whole, *({**whole, name: sample} for name, samples in members.items() for sample in samples[1:])]


def _make_scalars(schema: dict[str, Any], kinds: list[Any]) -> list[Any]:
    if "enum" in schema:
        return [value for value in schema["enum"] if value is not None][:1]
    if "integer" in kinds or "number" in kinds:
        return [min(1, schema.get("maximum", 1))]
    if "boolean" in kinds:
        return [False]
    return [] if kinds == ["null"] else ["1"]
