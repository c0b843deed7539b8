# SPDX-License-Identifier: Apache-2.0
"""The contract against the OpenAPI file of the reference: every property there is typed here.

Samples are made from the file's schemas, one for each variant of each union. Decoding one strictly must find no fault, and must leave no key to a
catch-all: such a key would be a field that the contract does not know. The file lies beside the checkout; without it the tests are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk
from trunkline.v1.model_service_pb2 import ListModelEndpointsResponse, ListModelsResponse, ListProvidersResponse
from trunkline_server.jsonshape import Codec, Fault, ShapeFaults

REFERENCE = Path(__file__).parents[2].parent / "shared" / "reference" / "openrouter-openapi.yaml"
DEPTH = 40
# The sample key of open objects: what stands in them is the caller's own, so it belongs in the catch-all or in the JSON text.
OPEN_KEY = "1"
# Strings that must be more than any text, by the property they stand in.
STRINGS = {"container_id": "container-1"}
# Properties that describe models by data which only OpenRouter has (benchmarks, aliases, reasoning defaults) and prices that change with time. They join
# the contract with the features that need them.
LATER = {"alias_target", "benchmarks", "overrides", "data[0].reasoning", "supports_voice_cloning"}

pytestmark = pytest.mark.skipif(not REFERENCE.exists(), reason=f"the reference file is not at {REFERENCE}")


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    """The file's schemas and answers by name."""
    document: dict[str, Any] = yaml.safe_load(REFERENCE.read_text(encoding="utf-8"))
    named = document["components"]["schemas"]
    for path in ("/models/{author}/{slug}/endpoints", "/providers"):
        answer = document["paths"][path]["get"]["responses"]["200"]
        named[path] = answer["content"]["application/json"]["schema"]
    return dict(named)


@pytest.fixture(scope="module")
def codec() -> Codec:
    """The codec of all messages that are compared."""
    messages = (ChatCompletionRequest, ChatCompletion, ChatCompletionChunk, ListModelsResponse)
    return Codec.compile(
        [
            *(message.DESCRIPTOR for message in messages),
            ListModelEndpointsResponse.DESCRIPTOR,
            ListProvidersResponse.DESCRIPTOR,
        ]
    )


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("ChatRequest", ChatCompletionRequest),
        ("ChatResult", ChatCompletion),
        ("ChatStreamChunk", ChatCompletionChunk),
        ("ModelsListResponse", ListModelsResponse),
        ("/models/{author}/{slug}/endpoints", ListModelEndpointsResponse),
        ("/providers", ListProvidersResponse),
    ],
)
def test_every_property_of_the_reference_is_typed(
    schemas: dict[str, Any], codec: Codec, schema: str, message: type[Message]
) -> None:
    """No sample of the reference's schema has a key that the contract does not know."""
    found = make_samples({"$ref": schema}, schemas, DEPTH)
    assert found
    unknown = {path for sample in found for path in find_unknown(codec, message, sample)}
    assert {path for path in unknown if path not in LATER and path.rsplit(".", 1)[-1] not in LATER} == set()


def test_every_sample_of_a_request_is_taken(schemas: dict[str, Any], codec: Codec) -> None:
    """What the reference allows in a request is no fault here."""
    faults = {
        str(fault)
        for sample in make_samples({"$ref": "ChatRequest"}, schemas, DEPTH)
        for fault in find_faults(codec, sample)
    }
    assert faults == set()


def find_faults(codec: Codec, sample: Any) -> list[Fault]:
    """What a strict reading of a request finds."""
    try:
        codec.decode(ChatCompletionRequest, sample)
    except ShapeFaults as error:
        return list(error.faults)
    return []


def find_unknown(codec: Codec, message: type[Message], sample: Any) -> Iterator[str]:
    """The paths of the sample's keys that are refused as unknown, or kept in a catch-all."""
    try:
        decoded = codec.decode(message, sample)
    except ShapeFaults as error:
        yield from (fault.path for fault in error.faults if "unknown" in fault.expected)
        decoded = codec.decode(message, sample, strict=False)
    yield from unknown_keys(decoded, "")


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


def unknown_keys(message: Message, path: str) -> Iterator[str]:
    """The paths of all keys that stand in catch-alls, open keys aside."""
    for field, value in message.ListFields():
        if field.name == "extra":
            yield from (f"{path}{key}" for key in value if key != OPEN_KEY)
        elif field.type == FieldDescriptor.TYPE_MESSAGE and not field.message_type.GetOptions().map_entry:
            for one in value if field.is_repeated else [value]:
                yield from unknown_keys(one, f"{path}{field.name}.")
