# SPDX-License-Identifier: Apache-2.0
"""OpenAPI documents of small contracts, and validators for the schemas of any document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2

from trunkline.jsonshape.v1 import options_pb2
from trunkline_server.jsonshape.openapi import Failure, Outline, make_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

INFO = {"title": "Shapes", "version": "v1"}
ANY_ID = {"X-Id": {"required": True, "schema": {"type": "string"}}}
WAIT = {"Retry-After": {"schema": {"type": "integer"}}}


def rpc(
    request: str, answer: str, *, streams: bool = False, typed: Mapping[str, str] | None = None, **rule: Any
) -> dict[str, Any]:
    """An RPC for `describe`: short names of its messages, its google.api.http rule, and the typed pair that it may stand for."""
    return {"request": request, "answer": answer, "streams": streams, "typed": typed, "rule": rule}


def describe(shapes: Mapping[str, type[Message]], **rpcs: dict[str, Any]) -> descriptor_pb2.FileDescriptorSet:
    """The descriptor set of messages from support.shapes and of one service with these RPCs."""
    files = descriptor_pb2.FileDescriptorSet()
    file = files.file.add()
    next(iter(shapes.values())).DESCRIPTOR.file.CopyToProto(file)
    service = file.service.add(name="ShapeService")
    for name, told in rpcs.items():
        method = service.method.add(name=name, server_streaming=told["streams"])
        method.input_type = f".{file.package}.{told['request']}"
        method.output_type = f".{file.package}.{told['answer']}"
        if told["rule"]:
            method.options.Extensions[annotations_pb2.http].CopyFrom(_rule(told["rule"]))
        if told["typed"]:
            method.options.Extensions[options_pb2.method].CopyFrom(
                options_pb2.MethodShape(typed=told["typed"], sse={"terminator": "[DONE]"})
            )
    return files


def document(shapes: Mapping[str, type[Message]], failure: str = "Failure", **rpcs: dict[str, Any]) -> dict[str, Any]:
    """The document of `describe`, with two statuses of failure, the second for operations with a body alone."""
    outline = Outline(
        info=INFO,
        bases=("/v1", "/api/v1"),
        security={"bearer": {"type": "http", "scheme": "bearer"}},
        failure_message=f"shapes.{failure}",
        failures=[
            Failure(status=400, description="Bad.", headers=WAIT, needs_body=False),
            Failure(status=413, description="Large.", headers={}, needs_body=True),
        ],
        headers=ANY_ID,
        refused=frozenset({"api_key"}),
    )
    return make_document(describe(shapes, **rpcs), outline)


def validator(made: Mapping[str, Any], name: str) -> jsonschema.Draft202012Validator:
    """The validator of one schema of a document."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": made["components"]}
    return jsonschema.Draft202012Validator(schema)


def faults(made: Mapping[str, Any], name: str, value: object) -> list[str]:
    """What one schema of a document finds wrong with a value."""
    return [f"{error.json_path}: {error.message[:300]}" for error in validator(made, name).iter_errors(value)]


def _rule(rule: Mapping[str, Any]) -> Any:
    return annotations_pb2.google_dot_api_dot_http__pb2.HttpRule(**rule)
