# SPDX-License-Identifier: Apache-2.0
"""One client request on its way through the gateway."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest

_RANDOM_BYTES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who calls: the name of the key, "anonymous" where the gateway runs without keys."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One client request, checked and admitted.

    `headers` are those of the caller that its record shows, with lower-case names. `deadline_s` is a moment of the monotonic clock in seconds, after which nobody waits; `created_s` a moment of the wall clock in whole Unix seconds.
    `streamed` says whether the client reads chunks as they come. `session_id` is the body's, else the header's, else None.
    """

    generation_id: str
    request_id: str
    principal: Principal
    request: ChatCompletionRequest
    created_s: int
    deadline_s: float
    streamed: bool
    wire: str
    session_id: str | None = None
    wants_router_metadata: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


def make_generation_id(now_ms: int, random_bytes: bytes) -> str:
    """An id that sorts by time: `gen-`, 6 bytes of Unix milliseconds, 10 random bytes, in base32hex without padding (lower case).

    `random_bytes` are 10 bytes from a cryptographic source: the id is also what a caller shows to read its record.
    """
    if len(random_bytes) != _RANDOM_BYTES:
        raise ValueError(f"{_RANDOM_BYTES} random bytes are due, not {len(random_bytes)}")
    raw = now_ms.to_bytes(6, "big") + random_bytes
    return "gen-" + base64.b32hexencode(raw).decode("ascii").rstrip("=").lower()
