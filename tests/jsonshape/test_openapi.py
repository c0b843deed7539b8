# SPDX-License-Identifier: Apache-2.0
"""Whole documents of small contracts: operations, parameters, bodies, answers."""

from typing import Any

import pytest
from openapi_spec_validator import validate

from support.openapi import document, rpc
from support.shapes import contract, field, message

SHAPES = contract(
    message(
        "Query",
        field("string author", required=True),
        field("optional string q"),
        field("optional int32 limit", limits={"min": 1}),
        field("repeated string tags"),
        field("Page page"),
        field("repeated Page pages"),
        field("map<string, string> marks"),
    ),
    message("Page", field("optional int32 size"), field("Page page")),
    message("Write", field("string name", required=True), field("Page page", required=True)),
    message("Answer", field("string id", required=True)),
    message("Chunk", field("string piece", required=True)),
    message("Failure", field("string error", required=True)),
)  # fmt: skip
PAIR = {"unary": "shapes.ShapeService.Typed", "streaming": "shapes.ShapeService.TypedStream", "switch_field": "stream"}
DOCUMENT = document(
    SHAPES,
    Find=rpc("Query", "Answer", get="/v1/{author}/things"),
    Put=rpc("Write", "Answer", put="/api/v1/things/{name}", body="*"),
    Part=rpc("Write", "Answer", patch="/v1/things", body="page", additional_bindings=[{"patch": "/api/v1/things", "body": "page"}]),
    Twice=rpc("Query", "Answer", get="/v1/one/{author}", additional_bindings=[{"get": "/v1/two/{q}/{author}"}]),
    Away=rpc("Page", "Answer", delete="/elsewhere"),
    Facade=rpc("Failure", "Failure", streams=True, typed=PAIR, post="/v1/chat", body="error"),
    Typed=rpc("Write", "Answer", post="/v1/typed", body="*"),
    TypedStream=rpc("Write", "Chunk", streams=True, post="/v1/typed/stream", body="*"),
    Internal=rpc("Query", "Answer"),
)  # fmt: skip


def operation(http_method: str, path: str) -> dict[str, Any]:
    """One operation of the document."""
    found: dict[str, Any] = DOCUMENT["paths"][path][http_method]
    return found


def test_the_document_is_valid() -> None:
    """It is OpenAPI 3.1 by the validator that is not ours."""
    validate(DOCUMENT)


def test_each_path_stands_once_below_both_bases() -> None:
    """Bindings below any base are one path; typed paths of a facade and RPCs without a rule have none; a path elsewhere has its own server."""
    assert {path: sorted(item) for path, item in DOCUMENT["paths"].items()} == {
        "/chat": ["post"],
        "/elsewhere": ["delete", "servers"],
        "/one/{author}": ["get"],
        "/things": ["patch"],
        "/things/{name}": ["put"],
        "/two/{q}/{author}": ["get"],
        "/{author}/things": ["get"],
    }
    assert [server["url"] for server in DOCUMENT["servers"]] == ["/v1", "/api/v1"]
    assert DOCUMENT["paths"]["/elsewhere"]["servers"] == [{"url": "/"}]


def test_operation_ids_are_unique() -> None:
    """An RPC with two paths has two ids."""
    assert [operation("get", path)["operationId"] for path in ("/one/{author}", "/two/{q}/{author}")] == [
        "twice",
        "twice2",
    ]


def test_parameters() -> None:
    """Path variables are required; the query takes every scalar that is left, those of messages inside by dotted names."""
    found = [(one["name"], one["in"], one["required"]) for one in operation("get", "/{author}/things")["parameters"]]
    assert found == [
        ("author", "path", True),
        ("q", "query", False),
        ("limit", "query", False),
        ("tags", "query", False),
        ("page.size", "query", False),
        ("page.page.size", "query", False),
    ]


def test_a_variable_of_another_path_is_no_query_parameter() -> None:
    """The bindings of one RPC are alternatives: what stands in a path of one is not offered in the query of another."""
    assert [one["name"] for one in operation("get", "/one/{author}")["parameters"]] == [
        "author",
        "limit",
        "tags",
        "page.size",
        "page.page.size",
    ]


def test_bodies() -> None:
    """A body is the request without what stands in the path, one of its fields, or absent."""
    (whole,) = operation("put", "/things/{name}")["requestBody"]["content"].values()
    assert list(whole["schema"]["properties"]) == ["page"]
    assert operation("patch", "/things")["requestBody"] == {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Page"}}},
    }
    assert "requestBody" not in operation("delete", "/elsewhere")


def test_a_typed_pair_is_one_operation() -> None:
    """It takes the pair's request and answers whole or in events, whose data are chunks."""
    facade = operation("post", "/chat")
    assert facade["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Write"}
    content = facade["responses"]["200"]["content"]
    assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/Answer"}
    events = content["text/event-stream"]
    assert events["schema"]["properties"]["data"] == {"$ref": "#/components/schemas/Chunk"}
    assert events["x-speakeasy-sse-sentinel"] == "[DONE]"


@pytest.mark.parametrize(
    ("http_method", "path", "expected"),
    [("delete", "/elsewhere", ["200", "400"]), ("patch", "/things", ["200", "400", "413"])],
)
def test_failures(http_method: str, path: str, expected: list[str]) -> None:
    """Every operation has every failure, those of bodies where there is one; each has its headers and its body."""
    assert list(operation(http_method, path)["responses"]) == expected
    answer = DOCUMENT["components"]["responses"]["400"]
    assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Failure"}
    assert list(answer["headers"]) == ["X-Id", "Retry-After"]
