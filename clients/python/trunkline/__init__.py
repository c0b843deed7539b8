# SPDX-License-Identifier: Apache-2.0
"""The client of Trunkline, a gRPC-native LLM gateway.

`Client` blocks, `AsyncClient` is for asyncio; both share their methods' names, arguments and errors. The messages and the raw stubs are in
`trunkline.v1`.

    from trunkline import Client, text_of

    with Client("127.0.0.1:50051") as client:
        completion = client.create(model="sim/echo", messages=[{"role": "user", "content": "hi"}])
        print(text_of(completion))
"""

from __future__ import annotations

from trunkline.aio import AsyncChunkStream, AsyncClient
from trunkline.client import ChunkStream, Client
from trunkline.errors import (
    AuthenticationError,
    CallCancelledError,
    DeadlineError,
    Fault,
    InvalidRequestError,
    NotFoundError,
    PaymentRequiredError,
    PermissionDeniedError,
    ProviderError,
    RateLimitError,
    ServerError,
    TrunklineError,
    UnavailableError,
)
from trunkline.requests import build_request
from trunkline.text import text_of

__all__ = [
    "AsyncChunkStream",
    "AsyncClient",
    "AuthenticationError",
    "CallCancelledError",
    "ChunkStream",
    "Client",
    "DeadlineError",
    "Fault",
    "InvalidRequestError",
    "NotFoundError",
    "PaymentRequiredError",
    "PermissionDeniedError",
    "ProviderError",
    "RateLimitError",
    "ServerError",
    "TrunklineError",
    "UnavailableError",
    "build_request",
    "text_of",
]
