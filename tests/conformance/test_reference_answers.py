# SPDX-License-Identifier: Apache-2.0
"""The answers of every reading route against the schemas of the reference's OpenAPI file, required keys and types to the letter.

The file lies beside the checkout; without it the tests are skipped.
"""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from jsonschema import Draft202012Validator

from support.gateway import RunningGateway
from support.reference import REFERENCE, read_reference

# Lists of names that are only those of OpenRouter's own catalog: here they are open.
OPEN_NAMES = ("ProviderName", "Parameter", "ModelGroup", "Quantization")

ROUTES = {
    "/models": "/models",
    "/models?limit=2&offset=1": "/models",
    "/models/user": "/models/user",
    "/models/user?limit=1": "/models/user",
    "/models/count": "/models/count",
    "/model/sim/echo": "/model/{author}/{slug}",
    "/models/sim/vision/endpoints": "/models/{author}/{slug}/endpoints",
    "/endpoints/zdr": "/endpoints/zdr",
    "/providers": "/providers",
    "/key": "/key",
    "/credits": "/credits",
}
REFUSED = {
    "/generation?id=gen-none": ("/generation", "404"),
    "/model/sim/nothing": ("/model/{author}/{slug}", "404"),
    "/models/sim/nothing/endpoints": ("/models/{author}/{slug}/endpoints", "404"),
    "/models?limit=0": ("/models", "400"),
}
CALLS: dict[str, dict[str, Any]] = {
    "whole": {"model": "sim/echo"},
    "streamed": {"model": "sim/echo", "stream": True, "user": "u-1", "session_id": "s-1"},
    "reasoning": {"model": "sim/reasoner", "reasoning": {"effort": "low"}},
    "an image made": {"model": "sim/image", "modalities": ["image", "text"]},
    "refused by the provider": {"model": "sim/fault?status=503"},
    "broken in the middle": {"model": "sim/fault?cut_after=2", "stream": True},
    "no such model": {"model": "no/model"},
}

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.skipif(not REFERENCE.exists(), reason=f"the reference file is not at {REFERENCE}"),
]


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    """The reference with its own names opened."""
    document = read_reference()
    schemas = document["components"]["schemas"]
    for opened in (*(schemas[name] for name in OPEN_NAMES), schemas["ProviderResponse"]["properties"]["provider_name"]):
        opened.pop("enum", None)
    return document


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A plain client."""
    async with aiohttp.ClientSession() as session:
        yield session


def find_faults(reference: dict[str, Any], path: str, status: str, value: Any) -> list[str]:
    """Where a value is not what the reference says of a route's answer with a status."""
    answer = resolve(reference, reference["paths"][path]["get"]["responses"][status])
    schema = {**answer["content"]["application/json"]["schema"], "components": reference["components"]}
    return [f"{fault.json_path}: {fault.message}" for fault in Draft202012Validator(schema).iter_errors(value)]


def resolve(reference: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """The value that a reference points to; any other value is itself."""
    found: Any = reference if "$ref" in value else value
    for step in value.get("$ref", "").split("/")[1:]:
        found = found[step]
    return dict(found)


@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
@pytest.mark.parametrize("route", ROUTES)
async def test_an_answer_is_what_the_reference_says(
    route: str, base: str, gateway: RunningGateway, http: aiohttp.ClientSession, reference: dict[str, Any]
) -> None:
    """Every required key is there, and every value has its type, below both bases."""
    async with http.get(f"{gateway.http_url}{base}{route}") as answer:
        value = await answer.json()
    assert (answer.status, find_faults(reference, ROUTES[route], "200", value)) == (200, [])


@pytest.mark.parametrize("route", REFUSED)
async def test_a_refusal_is_what_the_reference_says(
    route: str, gateway: RunningGateway, http: aiohttp.ClientSession, reference: dict[str, Any]
) -> None:
    """A failure has the status and the body that the reference names for its route."""
    path, status = REFUSED[route]
    async with http.get(f"{gateway.openai_url}{route}") as answer:
        value = await answer.json()
    assert (str(answer.status), find_faults(reference, path, status, value)) == (status, [])


@pytest.mark.parametrize("name", CALLS)
async def test_a_record_is_what_the_reference_says(
    name: str, gateway: RunningGateway, http: aiohttp.ClientSession, reference: dict[str, Any]
) -> None:
    """However a call ended, its record has all keys of the reference, and is there as soon as the answer is whole."""
    body = {"messages": [{"role": "user", "content": "one two three"}], **CALLS[name]}
    async with http.post(gateway.chat_url, json=body) as answer:
        await answer.read()
    generation_id = answer.headers["X-Generation-Id"]
    async with http.get(f"{gateway.openai_url}/generation", params={"id": generation_id}) as found:
        value = await found.json()
    assert (found.status, find_faults(reference, "/generation", "200", value)) == (200, [])
    assert value["data"]["id"] == generation_id
