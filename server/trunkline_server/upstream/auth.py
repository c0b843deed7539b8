# SPDX-License-Identifier: Apache-2.0
"""How the gateway shows itself to providers: a key that is the same for every request, or a signature made anew.

What it shows stands in no error and no log: `Showing` hides its texts, and failures name the provider's host alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol
from urllib.parse import quote

from trunkline_server.core.secret import Secret

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_QUERY_NAME: Final = "key"
_API_KEY_HEADER: Final = "x-api-key"
_AZURE_HEADER: Final = "api-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """What shows a key: headers, with lower-case names, and what follows in the query of every path ("key=..."), "" for nothing."""

    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING, repr=False)
    query: str = field(default="", repr=False)


class Signer(Protocol):
    """Makes the headers that show who sends a request."""

    async def sign(self, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        """Headers for one request, with lower-case names. `url` is what is sent, `headers` those that may be signed. Raises GatewayError."""


def show_key(auth: str, secret: Secret | None, header: str | None = None) -> Showing:
    """What shows a key the way `auth` says; nothing where there is no key. `header` replaces the header's usual name.

    Raises ValueError for a key that no header can hold, and KeyError for a way that is none of these: they need a Signer.
    """
    show = _WAYS[auth]
    return Showing() if secret is None else show(_checked(secret), header)


def bearer_headers(secret: Secret | None) -> dict[str, str]:
    """The headers that show a key as a bearer's; none where there is no key. Raises ValueError for a key that no header can hold."""
    return dict(show_key("bearer", secret).headers)


def _checked(secret: Secret) -> str:
    key = secret.reveal()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("a provider's key must be printable ASCII without spaces; check where it comes from")
    return key


def _bearer(key: str, header: str | None) -> Showing:
    return Showing(headers={(header or "authorization").lower(): f"Bearer {key}"})


def _api_key(key: str, header: str | None) -> Showing:
    return Showing(headers={(header or _API_KEY_HEADER).lower(): key})


def _azure(key: str, header: str | None) -> Showing:
    return Showing(headers={(header or _AZURE_HEADER).lower(): key})


def _query(key: str, _header: str | None) -> Showing:
    return Showing(query=f"{_QUERY_NAME}={quote(key, safe='')}")


def _nothing(_key: str, _header: str | None) -> Showing:
    return Showing()


_WAYS: Final[Mapping[str, Callable[[str, str | None], Showing]]] = MappingProxyType(
    {"bearer": _bearer, "x-api-key": _api_key, "azure": _azure, "query": _query, "none": _nothing}
)
"""The ways of showing a key, by the words of a provider's `auth`."""
FIXED_AUTHS: Final = frozenset(_WAYS)
