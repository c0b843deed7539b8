# SPDX-License-Identifier: Apache-2.0
"""The proxy of a network that lets nobody out otherwise. Connections go through it by CONNECT, so it sees the provider's host and bytes under TLS."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from yarl import URL

from trunkline_server.core.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy by its URL, `http://host:port`, and how the gateway signs in there: `user:password`, None where nobody asks."""

    url: str
    credentials: Secret | None = None

    def __post_init__(self) -> None:
        url = URL(self.url)
        if url.scheme != "http" or not url.raw_host or url.user or url.path not in ("", "/") or url.query_string:
            # Not the URL itself: whoever put a password into it would read it in a log.
            raise ValueError("a proxy's URL is `http://host:port`; user and password have a setting of their own")
        self.headers()

    def headers(self) -> Mapping[str, str]:
        """What signs in. Raises ValueError for credentials without a colon."""
        if self.credentials is None:
            return {}
        told = self.credentials.reveal()
        if ":" not in told:
            raise ValueError("a proxy's credentials are written `user:password`")
        return {"proxy-authorization": f"Basic {base64.b64encode(told.encode()).decode()}"}
