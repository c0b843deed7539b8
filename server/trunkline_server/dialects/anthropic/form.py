# SPDX-License-Identifier: Apache-2.0
"""The form of the answer: `output_config.format` where the model has it, else a forced tool or an instruction.

Anthropic's grammar takes a part of JSON Schema (platform.claude.com/docs/en/build-with-claude/structured-outputs, November 2026): objects must be closed, and
bounds of numbers, texts and lists are refused. What it refuses is written into the description, where the model reads it, as Anthropic's own SDKs do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from trunkline_server.dialects.anthropic.parts import text_block
from trunkline_server.dialects.anthropic.report import Report
from trunkline_server.dialects.schemas import ANSWER_TOOL, BY_INSTRUCTION, BY_TOOL, forced_tool, instruction

FITTED: Final = "objects closed, bounds written into descriptions"

_BOUNDS: Final = frozenset(
    {
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minLength", "maxLength", "maxItems", "uniqueItems", "minContains", "maxContains"),
        *("minProperties", "maxProperties", "patternProperties", "propertyNames"),
    }
)
_CHILDREN: Final = frozenset({"properties", "$defs", "definitions"})
_VARIANTS: Final = frozenset({"anyOf", "allOf"})


def render_form(
    form: Mapping[str, Any] | None, out: dict[str, Any], report: Report, *, is_native: bool, can_force: bool
) -> None:
    """Asks for the form in a request that is rendered otherwise. `can_force` says that neither tools nor thinking stand in the way of a forced tool."""
    kind = None if form is None else form.get("type")
    if form is None or kind == "text":
        return
    if kind == "json_schema" and is_native and form["json_schema"].get("schema"):
        schema = form["json_schema"]["schema"]
        fitted = fit_schema(schema)
        if fitted != schema:
            report.change("response_format", FITTED)
        out.setdefault("output_config", {})["format"] = {"type": "json_schema", "schema": fitted}
    elif kind == "json_schema" and can_force:
        function = forced_tool(form)["function"]
        schema = {"type": "object", **function["parameters"]}
        out["tools"] = [{"name": ANSWER_TOOL, "description": function["description"], "input_schema": schema}]
        out["tool_choice"] = {"type": "tool", "name": ANSWER_TOOL}
        report.change("response_format", BY_TOOL)
    elif kind in ("json_schema", "json_object"):
        out.setdefault("system", []).append(text_block(instruction(form)))
        report.change("response_format", BY_INSTRUCTION)
    else:
        report.drop("response_format")


def fit_schema(schema: Any) -> Any:
    """A schema as Anthropic's grammar takes it. Deeper than the codec reads JSON it cannot be."""
    if type(schema) is not dict:
        return schema
    fitted: dict[str, Any] = {}
    bounds: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _BOUNDS or (key == "minItems" and value not in (0, 1)):
            bounds[key] = value
        elif key in _CHILDREN and type(value) is dict:
            fitted[key] = {name: fit_schema(child) for name, child in value.items()}
        elif key in _VARIANTS and type(value) is list:
            fitted[key] = [fit_schema(child) for child in value]
        elif key == "oneOf" and type(value) is list and "anyOf" not in schema:
            fitted["anyOf"] = [fit_schema(child) for child in value]
        else:
            fitted[key] = fit_schema(value) if key == "items" else value
    if schema.get("type") == "object" or "properties" in schema:
        fitted["additionalProperties"] = False
    if bounds:
        said = orjson.dumps(bounds).decode()
        description = schema.get("description")
        fitted["description"] = f"{description}\n\n{said}" if description else said
    return fitted
