# SPDX-License-Identifier: Apache-2.0
"""What a new parameter costs: one field with its options. Decoder, encoder, validator and OpenAPI document know it with no other edit."""

from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from google.protobuf.message import Message

from support.openapi import document, faults, rpc
from support.shapes import Field, contract, field, message
from trunkline_server.jsonshape import Codec, ShapeFaults

NEW = field(
    "optional int64 budget", json_key="spend", decimal={"scale": 2}, limits={"min": 0, "max": 100}, emit_null=True
)
BODY = {"name": "x", "spend": 1.25}


@dataclass(frozen=True, slots=True)
class Compiled:
    """A contract in every form that is derived from it."""

    request: type[Message]
    codec: Codec
    document: dict[str, Any]


def compile_with(*more: Field) -> Compiled:
    """The contract with further fields in its one message."""
    shapes = contract(message("Request", field("string name", required=True), *more), message("Failure"))
    codec = Codec.compile([shapes["Request"].DESCRIPTOR])
    made = document(shapes, Do=rpc("Request", "Request", post="/v1/do", body="*"))
    return Compiled(shapes["Request"], codec, made)


BEFORE, AFTER = compile_with(), compile_with(NEW)


def test_before() -> None:
    """Without the field its key is unknown everywhere."""
    with pytest.raises(ShapeFaults, match="unknown"):
        BEFORE.codec.decode(BEFORE.request, BODY)
    assert faults(BEFORE.document, "Request", BODY) != []


def test_decode() -> None:
    """The decoder reads the field by its key, in its unit."""
    assert AFTER.codec.decode(AFTER.request, BODY) == AFTER.request(name="x", budget=125)


@pytest.mark.parametrize(("body", "expected"), [(BODY, 1.25), ({"name": "x"}, None)])
def test_encode(body: dict[str, Any], expected: float | None) -> None:
    """The encoder writes it, and null in an answer where it is unset."""
    assert orjson.loads(AFTER.codec.dump(AFTER.codec.decode(AFTER.request, body)))["spend"] == expected


@pytest.mark.parametrize("spend", [-1, 100.01, 0.001, "much", True])
def test_limits(spend: object) -> None:
    """The decoder holds callers to its limits and its unit."""
    with pytest.raises(ShapeFaults, match="spend"):
        AFTER.codec.decode(AFTER.request, {"name": "x", "spend": spend})


@pytest.mark.parametrize(("budget", "paths"), [(10_000, []), (10_001, ["spend"])])
def test_validation(budget: int, paths: list[str]) -> None:
    """A message from gRPC is held to the same limits."""
    assert [fault.path for fault in AFTER.codec.validate(AFTER.request(name="x", budget=budget))] == paths


@pytest.mark.parametrize(
    ("schema", "value", "valid"),
    [
        ("Request", BODY, True),
        ("Request", {"name": "x", "spend": 101}, False),
        ("Request", {"name": "x", "spend": None}, True),
        ("Request", {"name": "x"}, True),
        ("RequestAnswer", {"name": "x", "spend": None}, True),
        ("RequestAnswer", {"name": "x"}, False),
    ],
)
def test_openapi(schema: str, value: dict[str, Any], valid: bool) -> None:
    """The document lets a caller send it within its limits, and promises it in answers."""
    assert (faults(AFTER.document, schema, value) == []) is valid
