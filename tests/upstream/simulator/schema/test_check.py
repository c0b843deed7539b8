# SPDX-License-Identifier: Apache-2.0
"""Which schemas are read, and how the others are refused."""

from typing import Any

import pytest

from trunkline_server.upstream.simulator.refused import RefusedError
from trunkline_server.upstream.simulator.schema.check import check_schema, resolve
from trunkline_server.upstream.simulator.schema.steps import Steps

OUTSIDE = [
    "allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "patternProperties", "propertyNames",
    "minProperties", "maxProperties", "unevaluatedProperties", "unevaluatedItems", "contains", "minContains", "maxContains",
    "$anchor", "$dynamicRef", "discriminator", "nullable", "contentEncoding",
]  # fmt: skip


def refused_path(schema: Any, *, strict: bool = True) -> str | None:
    """The path that the refusal of a schema names."""
    with pytest.raises(RefusedError) as caught:
        check_schema(schema, "s", strict=strict, steps=Steps())
    return caught.value.param


@pytest.mark.parametrize("keyword", OUTSIDE)
def test_keywords_outside_the_subset_are_refused_by_name(keyword: str) -> None:
    """Wherever such a keyword stands, the refusal says its name and place."""
    with pytest.raises(
        RefusedError, match=f"'{keyword.replace('$', '.')}' is outside the structured-output subset"
    ) as caught:
        check_schema({"properties": {"a": {"items": {keyword: {}}}}}, "s", strict=True, steps=Steps())
    assert (caught.value.status, caught.value.param) == (400, f"s.properties.a.items.{keyword}")


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        (3, "s"),
        ([], "s"),
        (None, "s"),
        ({"type": "text"}, "s.type"),
        ({"type": []}, "s.type"),
        ({"type": ["null", 1]}, "s.type"),
        ({"enum": []}, "s.enum"),
        ({"enum": {}}, "s.enum"),
        ({"anyOf": []}, "s.anyOf"),
        ({"anyOf": [{}, 1]}, "s.anyOf[1]"),
        ({"properties": []}, "s.properties"),
        ({"properties": {"a b": 1}}, 's.properties["a b"]'),
        ({"required": ["a", 1]}, "s.required"),
        ({"items": [{}]}, "s.items"),
        ({"prefixItems": {}}, "s.prefixItems"),
        ({"minItems": -1}, "s.minItems"),
        ({"maxItems": 1.5}, "s.maxItems"),
        ({"minLength": True}, "s.minLength"),
        ({"uniqueItems": 1}, "s.uniqueItems"),
        ({"minimum": "1"}, "s.minimum"),
        ({"exclusiveMinimum": True}, "s.exclusiveMinimum"),
        ({"multipleOf": 0}, "s.multipleOf"),
        ({"pattern": 1}, "s.pattern"),
        ({"pattern": "(?=a)"}, "s.pattern"),
        ({"format": "date-tim"}, "s.format"),
        ({"$ref": 1}, "s.$ref"),
        ({"$ref": "other.json"}, "s.$ref"),
        ({"$ref": "#anchor"}, "s.$ref"),
        ({"$ref": "#/$defs/x"}, "s.$ref"),
        ({"$ref": "#/anyOf/2", "anyOf": [True]}, "s.$ref"),
        ({"$ref": "#/title", "title": "x"}, "s.$ref"),
        ({"$ref": "#/default", "default": {"no": 1}}, "s.default.no"),
        ({"$defs": {"x": {"$id": "y"}}}, "s.$defs.x.$id"),
        ({"$defs": {"x": 1}}, "s.$defs.x"),
        ({"definitions": 1}, "s.definitions"),
        ({"additionalProperties": "no"}, "s.additionalProperties"),
    ],
)
def test_malformed_schemas_are_refused_by_their_path(schema: Any, path: str) -> None:
    """Each keyword's value is checked, in definitions and behind references too."""
    assert refused_path(schema) == path


def test_unknown_formats_are_annotations_unless_strict() -> None:
    """JSON schema ignores formats that it does not know; strict structured output does not."""
    schema = {"type": "integer", "format": "int32"}
    assert check_schema(schema, "s", strict=False, steps=Steps()).nodes == (schema,)
    assert refused_path(schema) == "s.format"


def test_nodes_are_found_once_each() -> None:
    """A recursive schema's nodes are listed without repetition, the root first."""
    node = {"properties": {"next": {"$ref": "#/$defs/node"}}}
    root = {"$ref": "#/$defs/node", "$defs": {"node": node}}
    assert check_schema(root, "s", strict=True, steps=Steps()).nodes == (root, node, node["properties"]["next"])


def test_values_are_not_taken_for_schemas() -> None:
    """What stands under const, enum, default and examples is data."""
    schema = {"const": {"not": 1}, "enum": [{"not": 1}], "default": {"not": 1}, "examples": [{"not": 1}]}
    assert check_schema(schema, "s", strict=True, steps=Steps()).nodes == (schema,)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("#", "root"),
        ("#/$defs/a~1b", "slash"),
        ("#/$defs/x~0y", "tilde"),
        ("#/$defs/%C3%A9", "accent"),
        ("#/anyOf/1", "second"),
    ],
)
def test_references_are_json_pointers(reference: str, expected: str) -> None:
    """Pointers are unescaped and count in arrays."""
    root = {
        "title": "root",
        "$defs": {"a/b": {"title": "slash"}, "x~y": {"title": "tilde"}, "é": {"title": "accent"}},
        "anyOf": [{}, {"title": "second"}],
    }
    found = resolve(root, reference)
    assert isinstance(found, dict)
    assert found["title"] == expected


def test_large_schemas_cost_too_much() -> None:
    """A schema of more nodes than steps is refused."""
    with pytest.raises(RefusedError, match="too much work"):
        check_schema(
            {"anyOf": [{}] * 1000 + [{"title": str(i)} for i in range(1000)]}, "s", strict=True, steps=Steps(1000)
        )
