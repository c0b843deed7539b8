# SPDX-License-Identifier: Apache-2.0
"""The faces in the OpenAPI document: what they need is needed, and failures are of the schema that they name."""

from typing import Any

import orjson
import pytest

from support.faces import ALL, Spoken
from support.http_edge import RunningEdge, make_codec
from support.openapi import faults
from trunkline.v1.error_pb2 import ErrorReason
from trunkline_server.core.errors import GatewayError
from trunkline_server.edge.http.openapi import make_openapi
from trunkline_server.edge.http.openapi_faces import TAG
from trunkline_server.edge.http.server import make_faces


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document as it is made now."""
    made: dict[str, Any] = orjson.loads(make_openapi())
    return made


@pytest.mark.parametrize("face", ALL.values(), ids=ALL)
async def test_what_is_needed_is_needed(edge: RunningEdge, document: dict[str, Any], face: Spoken) -> None:
    """A body without a key that the document says is due is refused, whichever it is."""
    operation = document["paths"][face.path.removeprefix("/v1")]["post"]
    assert operation["tags"] == [TAG]
    needed = operation["requestBody"]["content"]["application/json"]["schema"]["required"]
    bodies = [{name: value for name, value in face.asked.items() if name != left_out} for left_out in needed]
    statuses = [(await edge.client.post(face.path, json=body)).status for body in bodies]
    assert statuses == [400] * len(needed)


@pytest.mark.parametrize("face", make_faces(make_codec(), lambda: 0.0)[1:], ids=lambda face: face.path)
def test_failures_are_of_their_schema(document: dict[str, Any], face: Any) -> None:
    """What a face refuses with is what its operation says."""
    refusal = face.refuse(GatewayError(ErrorReason.ERROR_REASON_MODEL_NOT_FOUND, "No."), "req-1")
    answer = document["paths"][face.path.removeprefix("/v1")]["post"]["responses"]["4XX"]
    schema = answer["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert faults(document, schema, orjson.loads(refusal.body)) == []
