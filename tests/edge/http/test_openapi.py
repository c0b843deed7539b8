# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document of the edge: committed as it is made, valid, and of what is served."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import hypothesis
import orjson
import pytest
from hypothesis import strategies as st
from openapi_spec_validator import validate

from support.http_edge import make_codec
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.app import App
from trunkline_server.config.settings import Settings
from trunkline_server.core.errors import ERROR_SHAPES
from trunkline_server.edge.http.openapi import make_openapi
from trunkline_server.edge.http.pages import DOCUMENT_PATH, Pages
from trunkline_server.edge.http.routes import SERVED_BASES
from trunkline_server.jsonshape import Fault, ShapeFaults

# What a decimal of the contract counts: 1e-12 USD.
PLACES = 12
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document as it is made now."""
    made: dict[str, Any] = orjson.loads(make_openapi())
    return made


@pytest.fixture(scope="module")
def chat_bodies(document: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Bodies of chat completions as the document allows them."""
    import schemathesis  # it takes a second, which only this test needs

    operation = schemathesis.openapi.from_dict(document)["/chat/completions"]["POST"]
    return operation.as_strategy().map(lambda case: case.body)


def test_the_committed_document_is_current(document: dict[str, Any]) -> None:
    """What is served is what the contract gives: else `make generate` is due."""
    page = Pages().find(DOCUMENT_PATH)
    assert page is not None
    assert page.body == make_openapi()
    assert orjson.loads(page.body) == document


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    """It is OpenAPI 3.1 by the validator that is not ours."""
    validate(document)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """No schema, answer or header is named that is not there, and no schema is there for nothing."""
    named = set(re.findall(rb'"#/components/(\w+)/([\w-]+)"', orjson.dumps(document)))
    there = {(kind.encode(), name.encode()) for kind, items in document["components"].items() for name in items}
    assert named - there == set()
    assert there - named == {(b"securitySchemes", b"bearer"), (b"securitySchemes", b"key")}


async def test_every_route_is_documented(document: dict[str, Any]) -> None:
    """The document has each route of the running gateway below each base, and no other."""
    served = App(Settings())._http.routes
    documented = {
        (method.upper(), base + path)
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
        for base in SERVED_BASES
    }
    assert documented == set(served)


def test_every_message_and_field_is_explained(document: dict[str, Any]) -> None:
    """Comments of the contract are the document's descriptions."""
    schemas = document["components"]["schemas"]
    silent = [name for name, schema in schemas.items() if "description" not in schema]
    assert silent == []
    keys = [
        (name, key)
        for name, schema in schemas.items()
        for key, inner in schema.get("properties", {}).items()
        if "description" not in inner and "discriminator" not in key and inner.get("type") != "string"
    ]
    assert keys == []


def test_every_failure_is_documented(document: dict[str, Any]) -> None:
    """Each status of the vocabulary has its answer, but those of other methods and of clients that are gone."""
    statuses = {str(shape.http_status) for shape in ERROR_SHAPES.values()}
    assert set(document["components"]["responses"]) == statuses - {"405", "499"}
    assert "`RATE_LIMIT_EXCEEDED`: " in document["components"]["responses"]["429"]["description"]


@pytest.mark.parametrize(
    ("status", "header"),
    [("400", "X-Generation-Id"), ("429", "Retry-After"), ("503", "Retry-After"), ("401", "WWW-Authenticate")],
)
def test_failures_name_their_headers(document: dict[str, Any], status: str, header: str) -> None:
    """What an answer's header says is told where it stands."""
    assert header in document["components"]["responses"][status]["headers"]


def test_only_bodies_can_be_too_large(document: dict[str, Any]) -> None:
    """A route without a body does not list what only bodies can cause."""
    assert "413" in document["paths"]["/chat/completions"]["post"]["responses"]
    assert "413" not in document["paths"]["/models"]["get"]["responses"]


@pytest.mark.slow
@hypothesis.given(data=st.data())
@hypothesis.settings(max_examples=60, suppress_health_check=list(hypothesis.HealthCheck))
def test_what_the_document_allows_is_read(chat_bodies: st.SearchStrategy[Any], data: st.DataObject) -> None:
    """Bodies made from the document alone are of the contract's form for the decoder too."""
    body = data.draw(chat_bodies)
    hypothesis.assume(is_plain(body))
    assert list(filter(a_schema_says, find_faults(body))) == []


def is_plain(body: object) -> bool:
    """Whether a body has what no schema says: integers of 64 bits, and not one thing under two names that differ."""
    try:
        text = orjson.dumps(body)
    except TypeError:
        return False
    return b'"reasoning_content"' not in text


def find_faults(body: object) -> Sequence[Fault]:
    """What the decoder finds wrong with a body."""
    try:
        make_codec().decode(ChatCompletionRequest, body)
    except ShapeFaults as refused:
        return refused.faults
    return ()


def a_schema_says(fault: Fault) -> bool:
    """Whether a schema could have told of it: of a decimal it bounds the number, but neither what its text stands for nor its places."""
    if not fault.expected.startswith("a decimal number"):
        return True
    kind, _, number = fault.got.rpartition(" ")
    return kind == "the number" and Decimal(number).scaleb(PLACES) % 1 == 0
