# SPDX-License-Identifier: Apache-2.0
"""What the engine needs from the world, and what the world may ask of the engine.

Batches travel: everything that one network read produced goes through async code as one list and leaves in one write.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from google.protobuf.message import Message

from trunkline.v1.chat_response_pb2 import ChatCompletionChunk
from trunkline_server.core.call import Call, Principal
from trunkline_server.core.record import Generation

Batch = list[ChatCompletionChunk]
"""The chunks that one network read produced, in order; may be empty. Who takes it from a Gateway may clear it: what waits for a slow client is not held twice."""
UnaryRpc = Callable[[Message, Principal], Awaitable[Message]]
"""The work of a unary RPC, whichever wire asks: request and principal in, response out. Raises GatewayError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRequest:
    """What a dialect wants sent to a provider.

    `path` is appended to the endpoint's base URL ("/chat/completions"); `headers` hold no credentials, the upstream attaches them. `connect_timeout_s` bounds
    connecting; `first_byte_timeout_s` waiting for the answer's head, `first_content_timeout_s` for content, `total_timeout_s` for the end, each from the
    beginning; `idle_timeout_s` the silence between two reads after the first content. `deadline_s` is a moment of the monotonic clock.
    """

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    deadline_s: float
    connect_timeout_s: float = 5.0
    first_byte_timeout_s: float = 300.0
    first_content_timeout_s: float = 300.0
    idle_timeout_s: float = 60.0
    total_timeout_s: float = 600.0


class UpstreamAnswer(Protocol):
    """The head of a provider's answer, and its body as the blocks that were read."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, with lower-case names."""

    def blocks(self) -> AsyncIterator[bytes]:
        """The body, one item a network read. Raises GatewayError where the connection fails or stays silent."""

    def note_content(self) -> None:
        """The first content has come: from now on `idle_timeout_s` bounds the silence."""


class Upstream(Protocol):
    """The way to one provider. Leaving the context aborts what is still under way."""

    def send(self, request: UpstreamRequest) -> AbstractAsyncContextManager[UpstreamAnswer]:
        """Sends a request. Raises GatewayError (PROVIDER_UNAVAILABLE, PROVIDER_TIMEOUT, DEADLINE_EXCEEDED) where no answer's head comes."""

    async def close(self) -> None:
        """Frees the connections."""


class Gateway(Protocol):
    """What both edges call."""

    def run(self, call: Call) -> AsyncGenerator[Batch, None]:
        """The call's answer as batches of chunks.

        Closing the generator aborts the upstream. Raises GatewayError, before or after the first batch.
        """


class MediaFetcher(Protocol):
    """Fetches what a request names by URL."""

    async def fetch(self, url: str, kind: str) -> str:
        """What is at a URL, as a data URL; `kind` is "image", "file" or "video".

        Raises GatewayError: IMAGE_DOWNLOAD_FAILED, IMAGE_NOT_FOUND, IMAGE_TOO_LARGE, UNSUPPORTED_IMAGE_FORMAT.
        """


class RecordKeeper(Protocol):
    """Takes the record of each finished call."""

    def keep(self, generation: Generation) -> None:
        """Keeps a record. Never blocks and never raises."""
