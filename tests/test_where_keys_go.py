# SPDX-License-Identifier: Apache-2.0
"""Nothing that a client may write changes where a provider's key goes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest

from support.fault_upstream import FaultUpstream, json_answer
from support.gateway import RunningGateway, offer, running_gateway

KEY = "sk-canary-1234"
SAID = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "x"}}]}

FIELDS = [
    *("api_base", "base_url", "baseURL", "api_url", "apiBase", "endpoint", "endpoint_url", "url", "host", "hostname"),
    *("proxy", "proxies", "http_proxy", "https_proxy", "target", "target_url", "upstream", "upstream_url", "origin"),
    *(
        "api_key",
        "azure_endpoint",
        "azure_deployment",
        "api_version",
        "region",
        "aws_region_name",
        "location",
        "project",
    ),
    *("vertex_location", "vertex_project", "custom_llm_provider", "litellm_params", "extra_headers", "headers", "path"),
    *("redirect", "callback_url", "webhook", "server_url", "wire", "auth", "values", "ca_file", "transport"),
]
HEADERS = [
    *("X-Forwarded-Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Server", "Forwarded", "X-Host"),
    *("X-Original-Url", "X-Rewrite-Url", "X-Original-Host", "X-Target-Url", "X-Upstream", "X-Base-Url", "X-Api-Base"),
    *("Proxy", "Proxy-Authorization", "Proxy-Connection", "Destination", "Location", "Referer", "Origin", "Via"),
    *("Helicone-Target-Url", "X-Portkey-Custom-Host", "Api-Base", "Base-Url", "X-Provider-Url", "X-Api-Key", "Api-Key"),
]


@dataclass(frozen=True, slots=True)
class Scene:
    """A gateway with one provider, and a host that nobody configured."""

    gateway: RunningGateway
    provider: FaultUpstream
    stranger: FaultUpstream

    @property
    def stranger_url(self) -> str:
        """Where the stranger waits."""
        return self.stranger.base_url

    async def ask(self, body: dict[str, object], headers: dict[str, str]) -> None:
        """One request, whatever becomes of it."""
        request = {"model": "acme/one", "messages": [{"role": "user", "content": "Hi."}], **body}
        async with (
            aiohttp.ClientSession() as http,
            http.post(self.gateway.chat_url, json=request, headers=headers) as answer,
        ):
            text = await answer.text()
        assert KEY not in text


@pytest.fixture(scope="module")
async def scene() -> AsyncIterator[Scene]:
    """One for all candidates: they are many."""
    async with (
        FaultUpstream(json_answer(SAID)) as provider,
        FaultUpstream(json_answer(SAID)) as stranger,
        running_gateway(**offer(provider.base_url, api_key=KEY)) as gateway,
    ):
        made = Scene(gateway, provider, stranger)
        await made.ask({}, {})  # what the key is for
        yield made


def hosts_of(provider: FaultUpstream) -> set[str]:
    """The hosts and keys that requests were for."""
    return {f"{request.headers['host']} {request.headers['authorization']}" for request in provider.requests}


@pytest.mark.parametrize("field", FIELDS)
async def test_a_field(scene: Scene, field: str) -> None:
    """A field of a body, of `provider` or of a message leads the key nowhere."""
    url = scene.stranger_url
    for value in (url, {"url": url, "base_url": url, "host": url}):
        await scene.ask({field: value}, {})
        await scene.ask({"provider": {field: value}}, {})
        await scene.ask({"messages": [{"role": "user", "content": "Hi.", field: value}]}, {})
    assert scene.stranger.requests == []
    assert hosts_of(scene.provider) == {f"127.0.0.1:{scene.provider.port} Bearer {KEY}"}


@pytest.mark.parametrize("header", HEADERS)
async def test_a_header(scene: Scene, header: str) -> None:
    """Nor does a header, with a URL or a host in it."""
    for value in (scene.stranger_url, f"127.0.0.1:{scene.stranger.port}", f"host=127.0.0.1:{scene.stranger.port}"):
        await scene.ask({}, {header: value})
    assert scene.stranger.requests == []
    assert hosts_of(scene.provider) == {f"127.0.0.1:{scene.provider.port} Bearer {KEY}"}


@pytest.mark.parametrize(
    "model", ["acme/one@evil.test", "acme/one?u=http://evil.test", "acme/../../x", "acme/one#x", "@evil.test/x"]
)
async def test_a_model(scene: Scene, model: str) -> None:
    """Nor does the name of a model."""
    await scene.ask({"model": model}, {})
    assert scene.stranger.requests == []
