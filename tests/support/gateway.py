# SPDX-License-Identifier: Apache-2.0
"""The whole gateway in this process, on free ports of loopback, made from settings as the file has them."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grpc import aio

from trunkline.v1.chat_service_pb2_grpc import ChatServiceStub
from trunkline_server.app import App
from trunkline_server.config.settings import Settings

if TYPE_CHECKING:
    from trunkline.v1.chat_service_pb2_grpc import ChatServiceAsyncStub  # known to type checkers only

UPSTREAM_MODEL = "upstream-one"
FREE = {"prompt": "0", "completion": "0"}
"""The prices of a model that costs nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningGateway:
    """Where a gateway listens: "http://127.0.0.1:PORT" and "127.0.0.1:PORT"."""

    http_url: str
    grpc_target: str

    @property
    def openai_url(self) -> str:
        """The base URL for OpenAI's SDK."""
        return f"{self.http_url}/v1"

    @property
    def openrouter_url(self) -> str:
        """The base URL for OpenRouter's SDKs."""
        return f"{self.http_url}/api/v1"

    @property
    def chat_url(self) -> str:
        """The path of chat completions."""
        return f"{self.http_url}/v1/chat/completions"

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[ChatServiceAsyncStub]:
        """A generated stub on a channel of its own."""
        # grpc shares connections between channels to one address; a test's connection is its own.
        async with aio.insecure_channel(self.grpc_target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            yield ChatServiceStub(channel)


@asynccontextmanager
async def running_gateway(**settings: Any) -> AsyncIterator[RunningGateway]:
    """A gateway with the settings given, which are written as in the file; it stops when the context is left, within a second."""
    given: dict[str, Any] = {"drain": {"grace_s": 1.0}, **settings}
    for edge in ("http", "grpc"):
        given[edge] = {"listen": "127.0.0.1:0", **given.get(edge, {})}
    app = App(Settings.model_validate(given))
    bound = await app.start()
    try:
        yield RunningGateway(http_url=bound.http_url, grpc_target=bound.grpc_target)
    finally:
        await app.stop()


def offer(
    base_url: str,
    *,
    model: str = "acme/one",
    provider: str = "acme",
    prices: Mapping[str, str] | None = None,
    **fields: Any,
) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """The settings `providers` and `models` for one model of one provider, without prices unless some are given; `fields` are further keys of the provider's row."""
    endpoint = {"provider": provider, "upstream_model": UPSTREAM_MODEL, **({"prices": prices} if prices else {})}
    return {
        "providers": [{"slug": provider, "base_url": base_url, **fields}],
        "models": [{"slug": model, "endpoints": [endpoint]}],
    }


def key_row(name: str, key: str) -> Mapping[str, str]:
    """The row of the setting `keys` for a client's key."""
    return {"name": name, "sha256": hashlib.sha256(key.encode()).hexdigest()}
