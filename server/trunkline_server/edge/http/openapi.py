# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document of this edge: what the contract says, and what the edge adds to every route.

It is made when code is generated and shipped as a file beside this module; the running edge only serves that file.
"""

from __future__ import annotations

import http
import importlib.resources
from collections.abc import Mapping
from typing import Final

import orjson
from google.protobuf.descriptor_pb2 import FileDescriptorSet

import trunkline
from trunkline.v1.error_pb2 import DESCRIPTOR as ERROR_FILE
from trunkline.v1.error_pb2 import ErrorReason, ErrorResponse
from trunkline_server.core.errors import ERROR_SHAPES, reason_name
from trunkline_server.edge.http.openapi_faces import add_faces
from trunkline_server.edge.http.routes import SERVED_BASES
from trunkline_server.jsonshape.openapi import Failure, Outline, make_document
from trunkline_server.jsonshape.openapi_comments import read_comments

_DESCRIPTORS: Final = "descriptors.binpb"
_DESCRIPTION: Final = (
    "Language models of many providers behind one API, in the JSON of OpenAI and OpenRouter. Every route is served below each of the servers' paths. "
    "A call that fails after it began to answer ends with an error inside the answer: in its body, or in the last event of a stream."
)
# 405 answers other methods than the ones listed here, 499 a client that is gone: neither is an answer to a listed operation.
_UNLISTED: Final = frozenset({405, 499})
_OF_BODIES: Final = frozenset({408, 413, 415})
_MAY_WAIT: Final = frozenset({429, 503})

_GENERATION_ID: Final = {
    "X-Generation-Id": {
        "description": "The id of the generation, by which its record is found.",
        "required": True,
        "schema": {"type": "string"},
    },
    "X-Request-Id": {
        "description": "The caller's `X-Request-Id` where it sent one of printable ASCII, else a new id.",
        "required": True,
        "schema": {"type": "string"},
    },
}
_RETRY_AFTER: Final = {
    "Retry-After": {
        "description": "Seconds after which the request may succeed, where that is known.",
        "schema": {"type": "integer", "minimum": 1},
    }
}
_AUTHENTICATE: Final = {
    "WWW-Authenticate": {"description": "How to authenticate: always `Bearer`.", "schema": {"type": "string"}}
}
_BEARER: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key of this gateway. Not asked for where the gateway has no keys.",
    }
}


def make_openapi() -> bytes:
    """Make the document from the descriptor set that the client ships, as the bytes of the file."""
    files = FileDescriptorSet.FromString((importlib.resources.files(trunkline) / _DESCRIPTORS).read_bytes())
    comments = read_comments(files)
    outline = Outline(
        info={
            "title": "Trunkline",
            "version": ERROR_FILE.package.rpartition(".")[2],
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        bases=SERVED_BASES,
        security=_BEARER,
        failure_message=ErrorResponse.DESCRIPTOR.full_name,
        failures=[_failure(status, comments) for status in _statuses()],
        headers=_GENERATION_ID,
    )
    document = make_document(files, outline)
    add_faces(document, tuple(_GENERATION_ID))
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _statuses() -> list[int]:
    return sorted({shape.http_status for shape in ERROR_SHAPES.values()} - _UNLISTED)


def _failure(status: int, comments: Mapping[str, str]) -> Failure:
    """All reasons of one status, each with what the contract says of it."""
    enum = ErrorReason.DESCRIPTOR.full_name
    lines = [
        f"- `{reason_name(reason)}`: {comments[f'{enum}.{name}']}"
        for name, reason in ErrorReason.items()
        if reason and ERROR_SHAPES[reason].http_status == status
    ]
    headers = _RETRY_AFTER if status in _MAY_WAIT else _AUTHENTICATE if status == 401 else {}
    phrase = next((known.phrase for known in http.HTTPStatus if known == status), "")
    return Failure(
        status=status,
        description="\n".join([f"{phrase}. By `error.metadata.reason`:", "", *lines]),
        headers=headers,
        needs_body=status in _OF_BODIES,
    )
