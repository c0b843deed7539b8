# SPDX-License-Identifier: Apache-2.0
"""What a dialect is: one JSON language of the field, spoken to a provider.

Who does what. The decoder says what the provider said, in order, in the contract's words: ids, model and time of creation are the provider's, usage
stands wherever it came and may come more than once (the last counts). It does put right what is wrong with the pieces themselves: each choice begins
with the role, ends with exactly one finish_reason and adds nothing after it, and each tool call has an index of its own and an id. The engine
overwrites id, created, model and provider, holds usage back for the very last chunk, and puts the provider's name into failures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from trunkline.v1.chat_request_pb2 import ChatCompletionRequest
from trunkline_server.catalog.entry import Endpoint
from trunkline_server.core.ports import Batch

RESPONSES_KEY: Final = "openai_responses"
"""The key under which OpenAI's Responses keep in a request what the contract has no field for. To a provider of another language it means nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedRequest:
    """A request in a provider's language.

    `path` is appended to the provider's base URL; `headers` hold no credentials. `dropped` names the parameters that the caller set and the provider
    does not get, unknown keys too, as JSON paths without indices ("messages.reasoning"), each once. `changed` names those that it gets otherwise than they
    were meant, each with what was done ("clamped to 1"); a mere renaming is no change. `echo` is
    the body as JSON for callers who asked to see it, None where the body itself is JSON.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes
    dropped: tuple[str, ...] = ()
    changed: tuple[tuple[str, str], ...] = ()
    echo: bytes | None = None


class AnswerDecoder(Protocol):
    """Turns the body of one answer into chunks. Used for one answer only.

    A failure that comes after chunks of the same block is raised by the next call, so that nothing which arrived is lost; `finished` says at once
    that there is a reason to make that call.
    """

    @property
    def finished(self) -> bool:
        """Whether the rest of the body means nothing: the answer is whole or has failed. Stop reading then, and call `close`."""

    def feed(self, block: bytes) -> Batch:
        """The chunks that the block completes, often none. Raises GatewayError for what is no answer, and for the provider's own errors."""

    def close(self) -> Batch:
        """What is left when the body has ended. Raises GatewayError where the answer is not whole."""


class Dialect(Protocol):
    """One JSON language, both ways."""

    @property
    def name(self) -> str:
        """The name by which providers in the catalog choose it."""

    def render_request(self, request: ChatCompletionRequest, endpoint: Endpoint, *, stream: bool) -> RenderedRequest:
        """Writes the request as the endpoint's provider wants it, its answer streamed or whole."""

    def decoder(self, *, status: int, headers: Mapping[str, str]) -> AnswerDecoder:
        """A decoder for an answer with this head, whatever its body turns out to be. `headers` have lower-case names."""
