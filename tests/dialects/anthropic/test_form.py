# SPDX-License-Identifier: Apache-2.0
"""The form of the answer, natively and without."""

from typing import Any

import pytest

from support.anthropic_wire import BUDGETED, SCHEMA, render
from trunkline_server.dialects.anthropic.form import FITTED, fit_schema
from trunkline_server.dialects.schemas import ANSWER_TOOL, BY_INSTRUCTION, BY_TOOL

OLD = "claude-sonnet-4-20250514"
FORM = {"type": "json_schema", "json_schema": {"name": "place", "description": "A place.", "schema": SCHEMA}}
TOOL = {"type": "function", "function": {"name": "look"}}


def test_natively() -> None:
    """A model that has the field gets the schema there, and nothing is changed."""
    body, report = render({"response_format": FORM})
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}
    assert report.changed == ()


def test_by_a_tool() -> None:
    """One that has not is made to call a tool whose arguments are the answer."""
    body, report = render({"response_format": FORM}, OLD)
    assert [tool["name"] for tool in body["tools"]] == [ANSWER_TOOL]
    assert (body["tools"][0]["input_schema"], body["tool_choice"]["name"]) == (SCHEMA, ANSWER_TOOL)
    assert report.changed == (("response_format", BY_TOOL),)


INSTRUCTED = [
    ("any object", {"response_format": {"type": "json_object"}}, BUDGETED),
    ("beside tools", {"response_format": FORM, "tools": [TOOL]}, OLD),
    ("beside thinking", {"response_format": FORM, "reasoning": {"effort": "low"}}, OLD),
    (
        "a schema without one",
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}, "tools": [TOOL]},
        OLD,
    ),
]


@pytest.mark.parametrize(("what", "request_body", "model"), INSTRUCTED, ids=[row[0] for row in INSTRUCTED])
def test_by_an_instruction(what: str, request_body: dict[str, Any], model: str) -> None:
    """Where a tool cannot be forced, or any object will do, an instruction asks for it."""
    body, report = render(request_body, model)
    assert body["system"][-1]["text"].startswith("Answer with")
    assert report.changed == (("response_format", BY_INSTRUCTION),)


def test_an_endpoint_without_structured_outputs() -> None:
    """What the endpoint's row lists counts more than what the model could do."""
    body, _ = render({"response_format": FORM}, supported_parameters=frozenset({"response_format"}))
    assert "output_config" not in body
    body, _ = render({"response_format": FORM}, supported_parameters=frozenset({"structured_outputs"}))
    assert "output_config" in body


@pytest.mark.parametrize("form", [{"type": "grammar", "grammar": "g"}, {"type": "python"}])
def test_forms_that_nobody_has(form: dict[str, Any]) -> None:
    """A grammar is dropped and reported; so is Python."""
    body, report = render({"response_format": form})
    assert (body.get("output_config"), report.dropped) == (None, ("response_format",))


def test_plain_text_is_nothing_to_ask_for() -> None:
    """Text is what the model writes anyway."""
    assert render({"response_format": {"type": "text"}})[0] == render({})[0]


SCHEMAS = [
    (SCHEMA, SCHEMA),
    ({"type": "object"}, {"type": "object", "additionalProperties": False}),
    (
        {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "description": "A number."}}},
        {
            "type": "object",
            "properties": {"n": {"type": "integer", "description": 'A number.\n\n{"minimum":1}'}},
            "additionalProperties": False,
        },
    ),
    (
        {"type": "array", "minItems": 1, "items": {"type": "string", "maxLength": 3}},
        {"type": "array", "minItems": 1, "items": {"type": "string", "description": '{"maxLength":3}'}},
    ),
    ({"type": "array", "minItems": 2}, {"type": "array", "description": '{"minItems":2}'}),
    (
        {"oneOf": [{"type": "object"}, {"$ref": "#/$defs/a"}], "$defs": {"a": {"type": "object"}}},
        {
            "anyOf": [{"type": "object", "additionalProperties": False}, {"$ref": "#/$defs/a"}],
            "$defs": {"a": {"type": "object", "additionalProperties": False}},
        },
    ),
    (True, True),
]


@pytest.mark.parametrize(("schema", "fitted"), SCHEMAS)
def test_schemas_are_fitted(schema: Any, fitted: Any) -> None:
    """Objects are closed, and bounds stand in descriptions."""
    assert fit_schema(schema) == fitted


def test_fitting_is_reported() -> None:
    """A schema that had to be changed is told of."""
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    assert render({"response_format": form})[1].changed == (("response_format", FITTED),)
