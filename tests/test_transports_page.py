# SPDX-License-Identifier: Apache-2.0
"""The examples of docs/transports.md are settings that work."""

import re

import pytest

from support.source_tree import ROOT
from trunkline_server.config.read import read_settings
from trunkline_server.config.settings import Settings
from trunkline_server.config.sources import SettingsFile
from trunkline_server.offer import Offer
from trunkline_server.upstream.grpc import GrpcWay
from trunkline_server.upstream.way import HttpWay

PAGE = (ROOT / "docs" / "transports.md").read_text(encoding="utf-8")
ENVIRONMENT = {
    "AZURE_OPENAI_API_KEY": "az-1",
    "AZURE_OPENAI_RESOURCE": "their-resource",
    "PROXY_CREDENTIALS": "ann:pw",
}


@pytest.fixture(scope="module")
def settings() -> Settings:
    """All examples as one file."""
    text = "\n".join(re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))
    return read_settings(file=SettingsFile(name="page.toml", text=text), environment=ENVIRONMENT)


HOSTS = {
    "azure": "https://their-resource.openai.azure.com/openai",
    "azure-v1": "https://my-resource.openai.azure.com/openai/v1",
    "google-vertex": "https://europe-west1-aiplatform.googleapis.com/v1/projects/my-project/locations/europe-west1/publishers/google",
    "google-vertex-anthropic": "https://europe-west1-aiplatform.googleapis.com/v1/projects/my-project/locations/europe-west1/publishers/anthropic",
    "amazon-bedrock": "https://bedrock-runtime.eu-west-1.amazonaws.com",
    "amazon-bedrock-anthropic": "https://bedrock-runtime.eu-west-1.amazonaws.com",
    "xai": "https://api.x.ai",
    "behind-a-proxy": "https://llm.example.com/v1",
}


@pytest.mark.parametrize("slug", HOSTS)
def test_an_example(settings: Settings, slug: str) -> None:
    """It leads to the provider's address, and an upstream can be made of it."""
    offer = Offer.make(settings)
    way = offer.ways[slug]
    assert isinstance(way, GrpcWay if slug == "xai" else HttpWay)
    assert way.base_url == HOSTS[slug]
    assert offer.upstreams[slug]


def test_every_example_is_tried(settings: Settings) -> None:
    """No row of the page is left out here."""
    assert {row.slug for row in settings.providers} == HOSTS.keys()
    assert (settings.fetch.max_bytes, settings.fetch.networks) == (10485760, ("10.1.2.0/24",))
