# SPDX-License-Identifier: Apache-2.0
"""One client request on its way through the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest

_RANDOM_BYTES: Final = 10
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuv"
_DIGIT_PAIRS: Final = tuple(high + low for high in _DIGITS for low in _DIGITS)
_SHIFTS: Final = tuple(range(120, -1, -10))
HOPS_HEADER: Final = "x-trunkline-hops"
"""How many gateways a request has passed, told from one to the next, so that none is its own provider for ever."""
LARGE_REQUEST_BYTES: Final = 64 << 10
"""From here on a request is read and written by a worker thread, since the event loop must not stand still for as long as that takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who calls: the name of the key, "anonymous" where the gateway runs without keys."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One client request, checked and admitted.

    `headers` are those of the caller that its record shows, with lower-case names. `deadline_s` is a moment of the monotonic clock in seconds, after which nobody waits; `created_s` a moment of the wall clock in whole Unix seconds.
    `size_bytes` is what the request took on the wire. `streamed` says whether the client reads chunks as they come. `session_id` is the body's, else the header's, else None; `hops` how many gateways it has passed before; `passed_headers` are for the provider, under its names.
    """

    generation_id: str
    request_id: str
    principal: Principal
    request: ChatCompletionRequest
    created_s: int
    deadline_s: float
    streamed: bool
    wire: str
    size_bytes: int = 0
    session_id: str | None = None
    wants_router_metadata: bool = False
    hops: int = 0
    passed_headers: Mapping[str, str] = field(default_factory=lambda: _NO_HEADERS)
    headers: Mapping[str, str] = field(default_factory=dict)


def make_generation_id(now_ms: int, random_bytes: bytes) -> str:
    """An id that sorts by time: `gen-`, 6 bytes of Unix milliseconds, 10 random bytes, in base32hex without padding (lower case).

    `random_bytes` are 10 bytes from a cryptographic source: the id is also what a caller shows to read its record.
    """
    if len(random_bytes) != _RANDOM_BYTES:
        raise ValueError(f"{_RANDOM_BYTES} random bytes are due, not {len(random_bytes)}")
    # 128 bits as thirteen pairs of digits: ten bits each, the last of 130 bits being zero. base64.b32hexencode takes four times as long.
    bits = (now_ms << 80 | int.from_bytes(random_bytes, "big")) << 2
    return "gen-" + "".join([_DIGIT_PAIRS[bits >> shift & 0x3FF] for shift in _SHIFTS])
