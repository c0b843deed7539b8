# SPDX-License-Identifier: Apache-2.0
"""Faults on the way to a provider that no settings can make: names that are not found or hang, and certificates that are not to be trusted."""

from __future__ import annotations

import ssl
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import aiohttp
import trustme

from support.fault_calls import Client
from support.gateway import RunningGateway
from trunkline_server.app import App
from trunkline_server.config.settings import Settings
from trunkline_server.upstream.http import HttpUpstream
from trunkline_server.upstream.leased import LeasedUpstream

HERE: Final = "127.0.0.1"


class Certificates:
    """An authority of the test, and the certificates that a provider may show."""

    def __init__(self) -> None:
        self._authority = trustme.CA()
        yesterday = datetime.now(UTC) - timedelta(days=1)
        self._shown = {
            "good": self._authority.issue_cert(HERE),
            "wrong-host": self._authority.issue_cert("other.test"),
            "expired": self._authority.issue_cert(HERE, not_before=yesterday - timedelta(days=9), not_after=yesterday),
            "unknown": trustme.CA().issue_cert(HERE),
        }

    def server(self, name: str) -> ssl.SSLContext:
        """What the provider with this certificate speaks TLS with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._shown[name].configure_cert(context)
        return context

    def trust(self) -> ssl.SSLContext:
        """The trust of a machine that knows the authority."""
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        return context


class Names:
    """A look-up in which `hangs.test` hangs until `free`, and no name is found."""

    def __init__(self) -> None:
        self._freed = threading.Event()

    def look_up(self, host: str, *_: Any, **__: Any) -> Any:
        """Finds nothing, at once or later."""
        if host.startswith("hangs"):
            self._freed.wait(20)
        raise OSError(f"{host} is not found")

    def free(self) -> None:
        """Ends the look-ups that hang."""
        self._freed.set()


@asynccontextmanager
async def client_with_ways(ways: Mapping[str, HttpUpstream], settings: Mapping[str, Any]) -> AsyncIterator[Client]:
    """A client of a gateway that reaches some of its providers, by slug, on ways that the test made."""
    listen = {"listen": f"{HERE}:0"}
    app = App(Settings.model_validate({"http": listen, "grpc": listen, "drain": {"grace_s": 0.1}, **settings}))
    made = {slug: LeasedUpstream(lambda way=way: way) for slug, way in ways.items()}
    app._offer = replace(app._offer, upstreams={**app._offer.upstreams, **made})
    bound = await app.start()
    gateway = RunningGateway(http_url=bound.http_url, grpc_target=bound.grpc_target)
    try:
        async with aiohttp.ClientSession() as http, gateway.connect() as stub:
            yield Client(gateway=gateway, http=http, stub=stub)
    finally:
        await app.stop()
