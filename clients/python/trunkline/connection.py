# SPDX-License-Identifier: Apache-2.0
"""What both clients need before the first call: where to connect and how, and what goes along with every call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypedDict

import grpc

DEFAULT_TARGET: Final = "127.0.0.1:50051"
_TLS_SCHEMES: Final = ("https://", "grpcs://")
_PLAIN_SCHEMES: Final = ("http://", "grpc://")
_CHANNEL_OPTIONS: Final[Mapping[str, int | str]] = MappingProxyType(
    {
        # Answers may hold images; grpc's own limit is 4 MiB.
        "grpc.max_receive_message_length": 64 * 1024 * 1024,
        # The gateway allows a ping each 30 s. It finds out that a silent peer is gone while an answer is awaited.
        "grpc.keepalive_time_ms": 60_000,
        "grpc.keepalive_timeout_ms": 20_000,
        "grpc.primary_user_agent": "trunkline-python",
    }
)


class CallOptions(TypedDict):
    """The keywords that grpc's stubs take."""

    timeout: float | None
    metadata: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A channel that is yet to be made: grpc's target, credentials (None: plain text) and options."""

    target: str
    credentials: grpc.ChannelCredentials | None
    options: tuple[tuple[str, int | str], ...]


def plan_connection(
    target: str, credentials: grpc.ChannelCredentials | None, options: Sequence[tuple[str, int | str]]
) -> Connection:
    """The channel for a target: `host:port`, a URL, or any name that grpc resolves (`dns:///…`, `unix:…`).

    `https://` and `grpcs://` mean TLS with the system's roots, `http://`, `grpc://` and no scheme plain text; given `credentials` win. Later `options`
    win over this package's own. Raises ValueError for an empty target or a URL with a path.
    """
    for scheme in (*_TLS_SCHEMES, *_PLAIN_SCHEMES):
        if target.startswith(scheme):
            target = target.removeprefix(scheme).removesuffix("/")
            if "/" in target:
                raise ValueError(
                    f"target must be a host and a port without a path: the gateway's gRPC port has none, got {target!r}"
                )
            if scheme in _TLS_SCHEMES and credentials is None:
                credentials = grpc.ssl_channel_credentials()
            break
    if not target:
        raise ValueError("target must name a host and a port, such as 127.0.0.1:50051")
    return Connection(
        target=target, credentials=credentials, options=tuple({**_CHANNEL_OPTIONS, **dict(options)}.items())
    )


def plan_metadata(api_key: str | None, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The metadata of every call: the key as a bearer token, and the headers with lower-case names.

    Raises ValueError for what cannot be sent. It never shows a value: grpc's own complaint would print the key.
    """
    pairs = {name.lower(): value for name, value in headers.items()}
    if api_key is not None:
        pairs["authorization"] = f"Bearer {api_key}"
    for name, value in pairs.items():
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"the value of {'api_key' if name == 'authorization' else name} must be printable ASCII")
    return tuple(pairs.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDefaults:
    """What every call of a client carries: its time limit in seconds (None: none) and its metadata."""

    timeout_s: float | None
    metadata: tuple[tuple[str, str], ...]

    def options(self, timeout_s: float | None, headers: Mapping[str, str] | None) -> CallOptions:
        """The options of one call, whose own limit and headers win over the client's."""
        metadata = (
            tuple({**dict(self.metadata), **dict(plan_metadata(None, headers))}.items()) if headers else self.metadata
        )
        return {"timeout": self.timeout_s if timeout_s is None else timeout_s, "metadata": metadata}
