# SPDX-License-Identifier: Apache-2.0
"""The contract against the OpenAPI file of the reference: every property there is typed here.

Samples are made from the file's schemas, one for each variant of each union. Decoding one strictly must find no fault, and must leave no key to a
catch-all: such a key would be a field that the contract does not know. The file lies beside the checkout; without it the tests are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from support.openapi import faults
from support.reference import DEPTH, OPEN_KEY, REFERENCE, make_samples, read_reference
from support.source_tree import SERVER
from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline.v1.chat_response_pb2 import ChatCompletion, ChatCompletionChunk
from trunkline.v1.generation_service_pb2 import GetGenerationResponse
from trunkline.v1.key_service_pb2 import GetCreditsResponse, GetCurrentKeyResponse
from trunkline.v1.model_service_pb2 import (
    ListModelEndpointsResponse,
    ListModelsResponse,
    ListProvidersResponse,
    ListUserModelsResponse,
    ListZdrEndpointsResponse,
)
from trunkline_server.jsonshape import Codec, Fault, ShapeFaults

# Properties that describe models by data which only OpenRouter has (benchmarks, aliases, reasoning defaults) and prices that change with time. They join
# the contract with the features that need them.
LATER = {"alias_target", "benchmarks", "overrides", "data[0].reasoning", "supports_voice_cloning"}

pytestmark = pytest.mark.skipif(not REFERENCE.exists(), reason=f"the reference file is not at {REFERENCE}")


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    """The file's schemas and answers by name."""
    document = read_reference()
    named = document["components"]["schemas"]
    for path in ("/models/{author}/{slug}/endpoints", "/providers", "/endpoints/zdr", "/key", "/credits"):
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
            ListUserModelsResponse.DESCRIPTOR,
            ListZdrEndpointsResponse.DESCRIPTOR,
            GetGenerationResponse.DESCRIPTOR,
            GetCurrentKeyResponse.DESCRIPTOR,
            GetCreditsResponse.DESCRIPTOR,
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
        ("ModelsListResponse", ListUserModelsResponse),
        ("/endpoints/zdr", ListZdrEndpointsResponse),
        ("GenerationResponse", GetGenerationResponse),
        ("/key", GetCurrentKeyResponse),
        ("/credits", GetCreditsResponse),
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


def test_every_sample_of_a_request_is_of_our_document(schemas: dict[str, Any]) -> None:
    """What the reference allows in a request is what our own OpenAPI document allows."""
    ours = orjson.loads((SERVER / "edge" / "http" / "openapi.json").read_bytes())
    samples = make_samples({"$ref": "ChatRequest"}, schemas, DEPTH)
    assert {fault for sample in samples for fault in faults(ours, "ChatCompletionRequest", sample)} == set()


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


def unknown_keys(message: Message, path: str) -> Iterator[str]:
    """The paths of all keys that stand in catch-alls, open keys aside."""
    for field, value in message.ListFields():
        if field.name == "extra":
            yield from (f"{path}{key}" for key in value if key != OPEN_KEY)
        elif field.type == FieldDescriptor.TYPE_MESSAGE and not field.message_type.GetOptions().map_entry:
            for one in value if field.is_repeated else [value]:
                yield from unknown_keys(one, f"{path}{field.name}.")
