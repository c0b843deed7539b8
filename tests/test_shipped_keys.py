# SPDX-License-Identifier: Apache-2.0
"""A shipped provider's variable alone is enough: its key arrives where the provider looks for it."""

import time
from dataclasses import replace

import pytest

from support.fault_upstream import FaultUpstream, json_answer
from trunkline_server.config.read import read_settings
from trunkline_server.core.ports import UpstreamRequest
from trunkline_server.offer import Offer
from trunkline_server.upstream.way import HttpWay, make_upstream

KEY = "canary-1234"


@pytest.mark.parametrize(
    ("slug", "environment", "base_url", "shown"),
    [
        ("openai", {"OPENAI_API_KEY": KEY}, "https://api.openai.com/v1", {"authorization": f"Bearer {KEY}"}),
        ("anthropic", {"ANTHROPIC_API_KEY": KEY}, "https://api.anthropic.com/v1", {"x-api-key": KEY}),
        (
            "google-ai-studio",
            {"GEMINI_API_KEY": KEY},
            "https://generativelanguage.googleapis.com/v1beta",
            {"x-goog-api-key": KEY},
        ),
        (
            "amazon-bedrock",
            {"AWS_BEARER_TOKEN_BEDROCK": KEY, "AWS_REGION": "eu-central-1"},
            "https://bedrock-runtime.eu-central-1.amazonaws.com",
            {"authorization": f"Bearer {KEY}"},
        ),
    ],
)
async def test_where_the_key_arrives(
    slug: str, environment: dict[str, str], base_url: str, shown: dict[str, str]
) -> None:
    """It goes to the provider's own address, in the header that its pages name and nowhere else."""
    way = Offer.make(read_settings(environment=environment)).ways[slug]
    assert isinstance(way, HttpWay)
    assert way.base_url == base_url
    async with FaultUpstream(json_answer({})) as server:
        upstream = make_upstream(replace(way, base_url=server.base_url))
        request = UpstreamRequest(path="/models/a:b", body=b"{}", deadline_s=time.monotonic() + 10)
        async with upstream.send(request) as answer:
            assert answer.status == 200
        await upstream.close()
        (received,) = server.requests
    assert {name: text for name, text in received.headers.items() if KEY in text} == shown
    assert KEY not in received.path


async def test_the_keys_of_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variables of an AWS account alone, requests to Bedrock are signed with them."""
    account = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": KEY}
    for name, value in account.items():
        monkeypatch.setenv(name, value)
    offer = Offer.make(read_settings(environment={**account, "AWS_REGION": "eu-central-1"}))
    way = offer.ways["amazon-bedrock"]
    assert isinstance(way, HttpWay)
    async with FaultUpstream(json_answer({})) as server:
        upstream = make_upstream(replace(way, base_url=server.base_url))
        request = UpstreamRequest(path="/model/a:0/converse", body=b"{}", deadline_s=time.monotonic() + 10)
        async with upstream.send(request):
            pass
        await upstream.close()
        shown = server.requests[0].headers["authorization"]
    assert shown.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-central-1/bedrock/aws4_request" in shown
    assert any(
        endpoint.provider.slug == "amazon-bedrock"
        for model in offer.catalog.models.values()
        for endpoint in model.endpoints
    )
